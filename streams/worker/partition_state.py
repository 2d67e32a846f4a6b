"""What a worker holds of one partition that it reads: the counted state, what waits for a flush, and accepted losses.

Read `flush` next.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from streams.contract.codec import Records
from streams.kernels.counts.batch import Ints, Rejection
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId, PartitionLog
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import AcceptedLoss, Problem, skip
from streams.sources.tables import Row
from streams.worker.snapshot_chain import ChainWriter
from streams.worker.snapshot_records import without_collection

OffsetRange = tuple[int, int]
"""First offset, and the one behind the last."""
CLOCK_ERROR_MS: Final = 60_000
"""Of brokers whose clock is wrong: clocks that are set by NTP differ by milliseconds."""
_LONG_LINE: Final = 1024  # bytes, four times a usual line; a longer line counts as several


L = TypeVar("L", bound=PartitionLog)


@dataclass(frozen=True)
class Changes(Generic[L]):
    """How the changes of a state since its last snapshot are saved, and joined to that one."""

    freeze: Callable[[L], Plain | None]
    """Returns None where only a whole snapshot can follow."""
    note_saved: Callable[[L], None]
    """Called with the state of which a snapshot, whole or of changes, has just been made."""
    join: Callable[[Plain, Sequence[Plain]], Plain]


@dataclass(frozen=True)
class TopicHandler(Generic[L]):
    """What differs between topics: how records are decoded, how a state begins, is saved and restored."""

    read: Callable[[Records], Any]
    begin: Callable[[PartitionId, int], L]
    freeze: Callable[[L], Plain]
    thaw: Callable[[Plain, PartitionId], L]
    times: Callable[[Any], Ints]
    """Returns the event times (ms) of a batch."""
    caught_up: Callable[[L], None] = lambda _: None
    """Called before a snapshot of a partition whose last record has been counted."""
    changes: Changes[L] | None = None
    """None: every snapshot is a whole one."""

    def check(self, plain: Plain) -> None:
        """Restore a snapshot and discard the result. Raises what the next start would raise."""
        self.thaw(plain, PartitionId.parse(plain["log"]))


@dataclass(frozen=True, slots=True)
class Start:
    """Where a partition resumes: from a snapshot, or from an empty state where there is none, at an offset."""

    log: PartitionId
    at: int
    snapshot: Plain | None = None
    era: int = 0  # how many logs of the partition ended before this one
    accepted: Sequence[AcceptedLoss] = ()  # losses that may be passed over
    ended: Sequence[Row] = ()  # rows of progress of the logs that ended, as stored
    unreadable: int = 0  # up to which offset a snapshot had counted that cannot be loaded; 0: there is none


@dataclass(slots=True)
class FlushBatch:
    """The changes of one partition as of one offset."""

    partition: PartitionLog
    generation: int
    blocks: list[Block]
    rejections: list[Rejection]
    times: list[Ints]  # event times (ms) of what was accepted
    snapshot: Plain | None
    whole: bool  # whether the snapshot is one of the whole state; otherwise it says what has changed since the last one
    publish: bool  # its totals, after the flush
    complete_before: int  # broker time (ms) up to which the partition is complete without these; 0: no records


@dataclass(slots=True)
class PartitionState(Generic[L]):
    """One partition of a worker: its counted state, and what is due for it."""

    partition: L
    era: int = 0
    lost: int = 0  # records that were passed over since the log began
    accepted: Sequence[AcceptedLoss] = ()
    ended: Sequence[Row] = ()
    tail: int = 0  # broker time (ms) of the record before the next offset
    caught_up: tuple[int, int] = (-1, 0)  # offset at which the brokers had nothing more, and when (ms) by our clock
    clock_error: int = 0  # ms by which the brokers' clock is known to differ from ours, at least
    newest_arrival: int = 0  # broker time (ms) of the newest record applied
    oldest_arrival: int | None = None  # and of the oldest one since the last flush
    # Next offset of the newest snapshot written. A snapshot that was restored is written again: the worker that wrote
    # it may have ended before its offset was committed, and on a quiet topic nothing else would ever commit it.
    checkpointed_at: int = -1
    resumed_at: int = 0  # next offset at which it was assigned
    waiting_lines: int = 0  # lines applied since the last flush; a long line counts by the kB
    times: list[Ints] = field(default_factory=list)
    chain: ChainWriter = field(init=False)
    suspect: OffsetRange = (0, 0)  # offsets at which a worker has ended before, and which are rehearsed
    unreadable: int = 0  # up to which offset a snapshot had counted that could not be loaded
    published: bool = True  # False: totals of a restored state are published once even if nothing changes

    def __post_init__(self) -> None:
        """Begin a chain of snapshots: the first one is whole."""
        self.chain = ChainWriter(self.partition.name.partition)

    @classmethod
    def begin(cls, handler: TopicHandler[L], start: Start, known_suspect: OffsetRange) -> "PartitionState[L]":
        """Build the state with which a partition resumes, beyond losses that are known to be none."""
        plain = start.snapshot
        with without_collection():
            partition = handler.begin(start.log, start.at) if plain is None else handler.thaw(plain, start.log)
        state = cls(partition, start.era, accepted=start.accepted, ended=start.ended, unreadable=start.unreadable)
        if plain is not None:
            partition.skip_to(start.at)
            state.lost, state.tail, state.published = plain.get("lost", 0), plain.get("tail", 0), False
        state.pass_over_gaps()
        state.resumed_at = state.partition.next_offset
        state.suspect = _suspect(known_suspect, state.resumed_at, start.unreadable)
        return state

    def pass_over(self, first: int) -> None:
        """Pass over offsets before `first` whose loss was accepted. Raises OffsetGapError for all others."""
        partition = self.partition
        if first <= partition.next_offset:
            return
        lost = skip(self.accepted, str(partition.name), partition.next_offset, first)
        if lost is None:
            raise OffsetGapError(partition.name, partition.next_offset, first)
        partition.skip_to(first)
        self.lost += lost

    def pass_over_gaps(self) -> None:
        """Pass over offsets that are known to have no record: there may be none behind them yet.

        Records that were deleted may be back. So an accepted loss of these is passed over only where a later record
        comes.
        """
        gaps = [each for each in self.accepted if each.problem == Problem.OFFSET_GAP]
        for each in sorted(gaps, key=lambda loss: loss.first):
            if each.log == str(self.partition.name) and each.first <= self.partition.next_offset < each.after:
                self.pass_over(each.after)

    def note_applied(self, records: Records, times: Ints) -> None:
        """Note what was applied: event times, arrivals and how many lines wait for the flush."""
        self.times.append(times)
        self.newest_arrival = max(self.newest_arrival, int(records.arrived.max()))
        self.tail = int(records.arrived[-1])
        oldest = int(records.arrived.min())
        self.oldest_arrival = oldest if self.oldest_arrival is None else min(self.oldest_arrival, oldest)
        self.waiting_lines += max(int(records.lines.sum()), len(records.value) // _LONG_LINE)

    @property
    def uncommitted(self) -> OffsetRange:
        """The offsets that are counted and in no snapshot."""
        return max(self.resumed_at, self.checkpointed_at), self.partition.next_offset

    def complete_to(self, caught_up: int | None) -> int:
        """Return up to which moment (ms) everything in the partition has been applied; 0 if that is not known.

        caught_up: when (ms) the broker had nothing more; None if it has. A record's time may be its producer's, whose
        clock may be ahead. The newest row counts in the store, and one from the future would hide all that follow.
        """
        if caught_up:
            self.caught_up = self.partition.next_offset, caught_up
        return caught_up or min(self.newest_arrival, int(time.time() * 1000))

    def progress(self, complete_to: int, worker: str) -> list[Block]:
        """Return the rows of progress of this flush: logs of the partition that ended are as complete as it is."""
        if not complete_to:
            return []
        name, tally = self.partition.name, self.partition.tally
        row = {
            "log": str(name),
            "cluster": name.cluster,
            "topic": name.topic,
            "partition": name.partition,
            "next_offset": self.partition.next_offset,
            "received": tally.received,
            "counted": tally.counted,
            "duplicate": tally.duplicate,
            "late": tally.late,
            "rejected": sum(tally.rejected.values()),
            "lost": self.lost,
            "tail": self.tail,
            "complete_to": complete_to,
            "worker": worker,
            "first_offset": tally.first,
            "records": tally.records,
        }
        rows = [row, *({**ended, "complete_to": complete_to} for ended in self.ended)]
        return [Block("log_progress", {name: [each[name] for each in rows] for name in row})]


def _suspect(known: OffsetRange, at: int, unreadable: int) -> OffsetRange:
    """Return the offsets that are rehearsed: where a worker ended, or behind a snapshot that cannot be loaded."""
    if unreadable <= at:
        return known
    return (at, unreadable) if known[1] <= at else (min(at, known[0]), max(unreadable, known[1]))


def clock_error(known: int, caught_up: tuple[int, int], records: Records, *, now: int) -> int:
    """Return by how much the brokers' clock is ahead (ms), or behind if below 0, as far as records prove it.

    A record cannot have arrived later than now, nor before the moment at which the brokers had nothing at its offset.
    What was known is believed until a record has arrived at about the time that it is: old ones prove nothing.
    """
    offset, moment = caught_up
    first, ahead = int(records.arrived[0]), int(records.arrived[-1]) - now
    if ahead > 0:
        return ahead
    if offset == records.first and 0 < first < moment:
        return first - moment
    if known < 0:
        return max(known, ahead)
    return known if ahead < -CLOCK_ERROR_MS else 0
