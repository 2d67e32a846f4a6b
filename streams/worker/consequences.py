"""Rehearses all effects of counting some records: applies them to a copy and discards the output.

It is what `isolation` rehearses: state and snapshot, rows in the store's own form, totals, alarm inputs. Next:
`counting`.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from sinks.native import prove
from sinks.rows import TABLES
from sinks.sink import merged
from streams.contract.topics import LARGEST_SNAPSHOT
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.rows import rejection_rows
from streams.kernels.counts.site_totals import EntranceTotals, entrance_totals
from streams.kernels.counts.snapshot import Plain
from streams.worker.alarm_inputs import flow_of
from streams.worker.checkpoint import pack, unpack
from streams.worker.isolation import BlankedRecords, Rehearse, StateFullError, rejecting
from streams.worker.partition_state import TopicHandler

_ROOM: Final = 4096
"""Bytes for what a record and a request have besides the snapshot."""
_encode = msgspec.json.Encoder().encode
_decode_input = msgspec.json.Decoder(AlarmInput).decode
_decode_totals = msgspec.json.Decoder(EntranceTotals).decode


class Alone(Protocol):
    """Lets a rehearsal run where it can do no harm; see apart.apart."""

    def __call__(self, rehearse: Rehearse, /, *, state_bytes: int) -> Rehearse:
        """Return the rehearsal that does."""


def rehearsal(handler: TopicHandler[Any], *, alone: Alone | None = None) -> Callable[[PartitionId, Plain], Rehearse]:
    """Return what rehearses records of a log of this handler, from a state on; `alone`: in a process of its own."""

    def begun(name: PartitionId, plain: Plain) -> Rehearse:
        state = pack(plain)

        def rehearse(part: BlankedRecords) -> None:
            log = handler.thaw(unpack(state), name)
            batch = rejecting(handler.read(part.records), part.rejections)
            log.apply(batch)
            handler.times(batch)
            frozen = pack(handler.freeze(log))
            size = len(frozen)
            if size > LARGEST_SNAPSHOT - _ROOM:
                raise StateFullError(f"{name}: the snapshot takes {size} bytes, at most {LARGEST_SNAPSHOT - _ROOM}")
            produce_output(log)
            handler.thaw(unpack(frozen), name)  # what no start can take up again would end every one of them

        return rehearse if alone is None else alone(rehearse, state_bytes=len(state))

    return begun


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
