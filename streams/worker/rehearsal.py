"""Rehearses all effects of counting some records: applies them to a copy and discards the output.

That is what `isolation` rehearses: state and snapshot, rows in the store's own form, totals, alarm inputs. It runs in a
forked process with limits, so that a kernel that hangs or crashes harms nobody. The process is a copy of this one, with
the same code and state, and it does nothing but count: it uses no lock, thread, socket or file of ours. Its end is the
kernel's business, whatever it is doing. Read `counting` next.
"""

import gc
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from sinks.native import prove
from sinks.rows import TABLES
from sinks.sink import merged
from streams.contract.topics import LARGEST_SNAPSHOT
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.rows import rejection_rows
from streams.kernels.counts.site_totals import EntranceTotals, entrance_totals
from streams.kernels.counts.snapshot import Plain
from streams.worker.alarm_inputs import flow_of
from streams.worker.isolation import BlankedRecords, RehearsalError, Rehearse, StateFullError, rejecting
from streams.worker.partition_state import TopicHandler
from streams.worker.snapshot_chain import digest_of
from streams.worker.snapshot_records import join_records, pack, unpack

CPU_SECONDS: Final = 1.0
"""Of a rehearsal of little, by the process's own time, so that a busy machine makes no line suspect."""
_CPU_SECONDS_A_BYTE: Final = 15e-6
_REAL_TIMES: Final = 6
"""Real time for one that waits instead of reckoning, in multiples of the other."""
MORE_MEMORY: Final = 1 << 30
"""Bytes that a rehearsal may take besides what the worker has."""
_LONGEST_RESULT: Final = 100
_SUCCESS: Final = b"-"
_WAITING: Final = "waiting"
_ROOM: Final = 4096
"""Bytes for what a record and a request have besides the snapshot."""
_encode = msgspec.json.Encoder().encode
_decode_input = msgspec.json.Decoder(AlarmInput).decode
_decode_totals = msgspec.json.Decoder(EntranceTotals).decode


def rehearsal(handler: TopicHandler[Any], *, forked: bool) -> Callable[[PartitionId, Plain], Rehearse]:
    """Return what rehearses records of a log of this handler, from a state on; `forked`: in a process of its own."""

    def begun(name: PartitionId, plain: Plain) -> Rehearse:
        state = pack(plain)

        def rehearse(part: BlankedRecords) -> None:
            log = handler.thaw(unpack(state), name)
            if handler.changes is not None:
                handler.changes.note_saved(log)
            batch = rejecting(handler.read(part.records), part.rejections)
            log.apply(batch)
            handler.times(batch)
            frozen = pack(handler.freeze(log))
            size = len(frozen)
            if size > LARGEST_SNAPSHOT - _ROOM:
                raise StateFullError(f"{name}: the snapshot takes {size} bytes, at most {LARGEST_SNAPSHOT - _ROOM}")
            produce_output(log)
            _join_changes(handler, log, state)
            handler.thaw(unpack(frozen), name)  # what no start can take up again would end every one of them

        return in_own_process(rehearse, state_bytes=len(state)) if forked else rehearse

    return begun


def _join_changes(handler: TopicHandler[Any], log: Any, state: bytes) -> None:  # noqa: ANN401  # a log of any handler
    """Save what has changed, and restore the state from before with it. Raises whatever goes wrong."""
    plain = None if handler.changes is None else handler.changes.freeze(log)
    if handler.changes is not None and plain is not None:
        record = pack({**plain, "era": 0, "lost": 0, "tail": 0}, before=digest_of(state))
        handler.check(join_records([state, record], handler.changes.join))


def produce_output(log: Any) -> None:  # noqa: ANN401  # a log of any handler
    """Make all that leaves a log at a flush; the log is not to be used any more. Raises whatever goes wrong."""
    blocks, rejections = log.drain(), log.drain_rejections()
    if rejections:
        blocks.append(rejection_rows(log.name, rejections))
    for block in merged(blocks):
        prove(block, TABLES[block.table].types)
    if isinstance(log, PassageLog):
        for totals in entrance_totals(log, everything=True):
            _decode_totals(_encode(totals))
        _decode_input(_encode(AlarmInput(flows=[flow_of(log, 0)])))
    if isinstance(log, AlarmLog):
        for change in log.unpublished():
            _encode(change)


def in_own_process(
    rehearse: Rehearse, *, state_bytes: int, cpu_seconds: float = CPU_SECONDS, more_memory: int = MORE_MEMORY
) -> Rehearse:
    """Return what rehearses in a process of its own, and blocks until that has ended.

    Raises RehearsalError with the kind of what went wrong, and as it is what says nothing of a line.
    """

    def rehearse_in_process(part: BlankedRecords) -> None:
        seconds = cpu_seconds + _CPU_SECONDS_A_BYTE * (state_bytes + len(part.records.value))
        kind = _outcome(lambda: rehearse(part), seconds=seconds, more_memory=more_memory)
        if kind == _WAITING:  # perhaps for a lock that another thread had at the moment of the fork
            kind = _outcome(lambda: rehearse(part), seconds=seconds, more_memory=more_memory)
        if kind == OffsetGapError.__name__:
            rehearse(part)  # it fails at once, and says which
        if kind == StateFullError.__name__:
            raise StateFullError("the state has no room for these lines")
        if kind:
            raise RehearsalError(kind)

    return rehearse_in_process


def _outcome(rehearse: Callable[[], None], *, seconds: float, more_memory: int) -> str:
    """Rehearse in a process; name what went wrong, an empty text if nothing did."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _count_and_end(rehearse, writer, seconds=seconds, more_memory=more_memory)
    os.close(writer)
    with open(reader, "rb", closefd=True) as answer:  # noqa: PTH123  # no path
        result = answer.read(_LONGEST_RESULT)
    return _kind(result, os.waitpid(child, 0)[1])


def _kind(result: bytes, status: int) -> str:
    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status))
        return {signal.SIGPROF: "endless", signal.SIGALRM: _WAITING}.get(number, number.name)
    return "" if result == _SUCCESS else result.decode("ascii", "replace") or "ended"


def _count_and_end(
    rehearse: Callable[[], None], writer: int, *, seconds: float, more_memory: int
) -> NoReturn:  # pragma: no cover  # in the other process
    try:
        _limit(seconds, more_memory)
        _close_all_but(writer)
        try:
            rehearse()
            result = _SUCCESS
        except BaseException as error:  # noqa: BLE001  # whatever it is, its kind is the answer
            result = type(error).__name__.encode("ascii", "replace")[:_LONGEST_RESULT]
        os.write(writer, result)
    finally:
        os._exit(0)


def _limit(seconds: float, more_memory: int) -> None:
    gc.disable()  # nothing of the worker's is to be closed in order here
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * _REAL_TIMES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        own = Path("/proc/self")
        (own / "oom_score_adj").write_text("1000")  # who must end for memory is this process, and not the worker
        pages = int((own / "statm").read_text().split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_memory, hard))


def _close_all_but(writer: int) -> None:
    """Close what was inherited: locks on files, and connections that must end with the worker."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, writer)
    os.closerange(writer + 1, most)
