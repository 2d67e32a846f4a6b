"""The life of one source topic in a worker: take logs up, apply what comes, flush rows, keep snapshots; no Faust here.

Read `agents` next, which connects this with Faust.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import structlog

from sinks.rows import PROGRESS_TABLE
from sinks.sink import Refusal, RowsRefused, Sink
from streams.contract.codec import Records
from streams.contract.parked import ParkedBatch, park, status_rows
from streams.kernels.counts.batch import Ints, Rejection
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId, Tally
from streams.kernels.counts.rows import rejection_rows
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import AcceptedLoss, Blocked, Problem, skip
from streams.sources.problem_words import advice
from streams.sources.progress import Row
from streams.worker.isolation import CAUTION_OFFSETS, BlankedRecords, Rehearse, isolate, kind_of, pieces, rejecting
from streams.worker.metrics import Timings
from streams.worker.suspects import Stretch

log = structlog.get_logger()
_BEHIND_SECONDS = 5
_SHORTEST_PAUSE = 0.05  # s between two flushes, however long they take
_CLOCK_ERROR_MS = 60_000  # between clocks that are set by NTP there are milliseconds
_LONG_LINE = 1024  # bytes, four times a usual one; a longer line waits as if it were several


class PartitionLog(Protocol):
    """What a log of any topic can do; see kernels.passages.PassageLog."""

    name: PartitionId
    next_offset: int
    tally: Tally

    def apply(self, batch: Any, /) -> None: ...  # noqa: ANN401, D102  # the codec's batch
    def skip_to(self, offset: int, /) -> None: ...  # noqa: D102
    def drain(self) -> list[Block]: ...  # noqa: D102
    def drain_rejections(self) -> list[Rejection]: ...  # noqa: D102


L = TypeVar("L", bound=PartitionLog)
Rehearsal = Callable[[PartitionId, Plain], Rehearse]
"""Returns what counts records on a copy of a log, from its state on; see `consequences`."""


@dataclass(frozen=True)
class TopicHandler(Generic[L]):
    """What differs between topics: how to read, begin, keep and take up a log, and which event times a batch has."""

    read: Callable[[Records], Any]
    begin: Callable[[PartitionId, int], L]
    freeze: Callable[[L], Plain]
    thaw: Callable[[Plain, PartitionId], L]
    times: Callable[[Any], Ints]
    caught_up: Callable[[L], None] = lambda _: None
    """Called before a snapshot of a log whose last record has been counted."""


class Outlet(Protocol):
    """Where a topic's results go besides the store; each call returns once the broker has everything."""

    async def reject(self, log: PartitionId, rejections: Sequence[Rejection]) -> None:
        """Publish what could not be accepted."""

    async def announce(self, logs: Sequence[Any]) -> None:
        """Publish the absolute totals of logs, as stored."""

    async def keep(self, snapshots: Mapping[int, Plain]) -> None:
        """Write snapshots by partition."""

    async def park(self, records: Mapping[str, bytes]) -> None:
        """Keep rows that the store refuses, by the name of their batch."""

    def release(self, partition: int, offset: int) -> None:
        """Allow an offset to be committed."""

    def caught_up_at(self, partition: int, next_offset: int) -> int | None:
        """Tell when (ms) the broker had nothing at or behind an offset; None if it has."""


@dataclass(slots=True)
class FlushBatch:
    """One log's changes, taken at one offset; `times` are the event times (ms) of what was accepted.

    `complete_before`: broker time (ms) up to which the log is complete without them.
    """

    log: PartitionLog
    generation: int
    blocks: list[Block]
    rejections: list[Rejection]
    times: list[Ints]
    snapshot: Plain | None
    news: bool
    complete_before: int

    @property
    def has_records(self) -> bool:
        """Whether records were applied since the last time."""
        return self.complete_before > 0


@dataclass(frozen=True, slots=True)
class Start:
    """How a partition is read on: from a snapshot, or from nothing where there is none, at an offset.

    era: how many logs of the partition ended before this one; ended: their rows of progress, as stored.
    accepted: losses that the log may pass over. unreadable: up to which offset a snapshot had counted that cannot be
    loaded; 0 if there is none.
    """

    log: PartitionId
    at: int
    snapshot: Plain | None = None
    era: int = 0
    accepted: Sequence[AcceptedLoss] = ()
    ended: Sequence[Row] = ()
    unreadable: int = 0


@dataclass(slots=True)
class PartitionState(Generic[L]):
    """What a worker has of one partition: its log, and what is due for it."""

    log: L
    era: int = 0
    lost: int = 0  # records that were passed over since the log began
    accepted: Sequence[AcceptedLoss] = ()
    ended: Sequence[Row] = ()
    tail: int = 0  # broker time (ms) of the record before the next offset
    caught_up: tuple[int, int] = (-1, 0)  # offset at which the brokers had nothing more, and when (ms) by our clock
    clock_error: int = 0  # ms by which the brokers' clock is known to differ from ours, at least
    arrived: int = 0  # broker time (ms) of the newest record applied
    oldest: int | None = None  # and of the oldest one that is not taken yet
    # Next offset of the newest snapshot kept. One that was taken up is kept again: the worker that wrote it may have
    # ended before its offset was committed, and on a quiet topic nothing else would ever commit it.
    snapshot_at: int = -1
    begun_at: int = 0  # next offset at which it was taken up
    waiting: int = 0  # lines applied and not taken yet, whatever became of them; by the kB where they are long
    times: list[Ints] = field(default_factory=list)
    suspect: Stretch = (0, 0)  # offsets at which a worker has ended before, and which are rehearsed
    unreadable: int = 0  # up to which offset a snapshot had counted that could not be loaded
    announced: bool = True  # a worker that takes a log up from a snapshot says once what it knows of it


class Counting(Generic[L]):
    """One source topic. `generation` grows with every assignment; work begun under an older one is not kept."""

    def __init__(
        self,
        handler: TopicHandler[L],
        *,
        topic: str,
        cluster: str,
        worker: str,
        outlet: Outlet,
        most_waiting: int,
        rehearsal: Rehearsal | None = None,
        suspects: Mapping[str, Stretch] | None = None,
        at_work: Callable[[Mapping[str, Stretch]], None] = lambda _: None,
    ) -> None:
        """Work for one topic.

        `suspects`: by log, where a worker has ended for no known reason; what comes there is counted after a rehearsal.
        `at_work` is called with the offsets in work, by log, and with none once they are done.
        """
        self.at_work = at_work
        self.rehearsals = 0
        """Grows with every rehearsal; any thread may look."""
        self.rehearsal, self.suspects = rehearsal, suspects or {}
        self.to_blame: dict[str, Stretch] = {}  # what was being applied when it raised, or is being applied now
        self.handler, self.topic, self.cluster, self.worker = handler, topic, cluster, worker
        self.outlet = outlet
        self.most_waiting = most_waiting
        self.generation = 0
        self._held: dict[int, PartitionState[L]] = {}
        self.blocked: dict[int, Blocked] = {}
        """Partitions of this worker that are not read, and why."""
        self._turn = threading.Lock()
        self._room = asyncio.Event()
        self._room.set()
        self.full = asyncio.Event()  # set while reading waits for a flush

    @property
    def logs(self) -> list[L]:
        """The logs in this worker's hands."""
        return [held.log for held in self._held.values()]

    def log_of(self, partition: int) -> L | None:
        """Return the log of a partition, None if it is not in this worker's hands."""
        held = self._held.get(partition)
        return None if held is None else held.log

    def assign(self, starts: Sequence[Start], blocked: Mapping[int, Blocked] | None = None) -> dict[int, int]:
        """Read these partitions on and no others; return the offset at which each is to be read."""
        held = {start.log.partition: self._started(start) for start in starts}
        for each in held.values():
            self._pass_over_accepted(each)
            each.begun_at, each.suspect = each.log.next_offset, self._suspect(each)
        with self._turn:
            self.generation += 1
            self._held, self.blocked = held, dict(blocked or {})  # whole: other threads look at them
        for one in self.blocked.values():
            _log_blocked(one)
        self._make_room()
        return {partition: each.log.next_offset for partition, each in held.items()}

    def _suspect(self, held: PartitionState[L]) -> Stretch:
        """Return the offsets that are rehearsed: where a worker ended, or behind a snapshot that cannot be loaded."""
        known, at = self.suspects.get(str(held.log.name), (0, 0)), held.log.next_offset
        if held.unreadable <= at:
            return known
        return (at, held.unreadable) if known[1] <= at else (min(at, known[0]), max(held.unreadable, known[1]))

    def _started(self, start: Start) -> PartitionState[L]:
        plain = start.snapshot
        if plain is None:
            log = self.handler.begin(start.log, start.at)
            return PartitionState(
                log, start.era, accepted=start.accepted, ended=start.ended, unreadable=start.unreadable
            )
        log = self.handler.thaw(plain, start.log)
        log.skip_to(start.at)
        lost, tail = plain.get("lost", 0), plain.get("tail", 0)
        return PartitionState(
            log, start.era, lost, start.accepted, start.ended, tail, announced=False, unreadable=start.unreadable
        )

    def block(self, blocked: Blocked, *, generation: int) -> None:
        """Read a partition no further, unless partitions were assigned anew since `generation`; any thread may call.

        What was applied of it is still stored.
        """
        with self._turn:
            if generation != self.generation:
                return
            self.blocked = {**self.blocked, blocked.log.partition: blocked}
        _log_blocked(blocked)

    def accept(self, partition: int, loss: AcceptedLoss) -> None:
        """Let a log pass over records that are lost."""
        held = self._held[partition]
        held.accepted = [*held.accepted, loss]

    async def apply(self, partition: int, records: Records, *, generation: int) -> None:
        """Count records; wait first while too much is waiting to be stored. Raises OffsetGapError.

        Where a worker has ended before, lines on which our code fails are found and rejected on their own.
        """
        await self._room.wait()
        held = self._held.get(partition)
        if held is None or partition in self.blocked or generation != self.generation:
            return  # assigned anew meanwhile: it is read again from the checkpoint
        self._pass_over(held, records.first)
        held.clock_error = clock_error(held.clock_error, held.caught_up, records, now=int(time.time() * 1000))
        first, after = held.suspect
        if self.rehearsal is not None and records.first < after and records.after > first:
            await self._apply_cautiously(held, records, self.rehearsal)
        else:
            self._apply(held, BlankedRecords(records))

    async def _apply_cautiously(self, held: PartitionState[L], records: Records, rehearsal: Rehearsal) -> None:
        """Count what can be counted, and reject what cannot; see `isolation`. Other tasks get on in between."""
        generation = self.generation
        if await self._rehearsed(held, records, rehearsal):
            if generation == self.generation:
                self._apply(held, BlankedRecords(records))
            return
        for part in pieces(records):
            rehearse = self._counted(rehearsal(held.log.name, self.handler.freeze(held.log)))
            piece = await asyncio.to_thread(isolate, part, rehearse)
            if generation != self.generation:
                return  # assigned anew meanwhile
            self._apply(held, piece)
            if piece.rejections:
                held.suspect = held.suspect[0], max(held.suspect[1], part.after + CAUTION_OFFSETS)
            for each in piece.rejections:
                log.error(
                    "a line is set aside: gatepulse itself fails on it",
                    topic=self.topic,
                    partition=held.log.name.partition,
                    offset=each.position.offset,
                    line=each.position.line,
                    sha256=each.sha256,
                )

    async def _rehearsed(self, held: PartitionState[L], records: Records, rehearsal: Rehearsal) -> bool:
        """Tell whether all of the records can be counted."""
        rehearse = self._counted(rehearsal(held.log.name, self.handler.freeze(held.log)))
        try:
            await asyncio.to_thread(rehearse, BlankedRecords(records))
        except (MemoryError, OffsetGapError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is: the lines that it is about are looked for
            log.warning("records cannot be counted together", log=str(held.log.name), kind=kind_of(error))
            return False
        return True

    def _counted(self, rehearse: Rehearse) -> Rehearse:
        def counted(piece: BlankedRecords) -> None:
            self.rehearsals += 1
            rehearse(piece)

        return counted

    @contextmanager
    def _blaming(self, held: PartitionState[L], records: Records) -> Iterator[None]:
        """Note what is being applied, for as long as it is; for good if it raises."""
        self.to_blame = {str(held.log.name): (held.log.next_offset, records.after)}
        self.at_work(self.to_blame)
        yield
        self.to_blame = {}
        self.at_work({})

    def in_flight(self) -> dict[str, Stretch]:
        """Tell what may be to blame if this process must end now, by log: what was being applied, or all not kept."""
        kept = [(held.log, max(held.begun_at, held.snapshot_at)) for held in list(self._held.values())]
        return self.to_blame or {str(log.name): (at, log.next_offset) for log, at in kept if log.next_offset > at}

    def _apply(self, held: PartitionState[L], piece: BlankedRecords) -> None:
        records = piece.records
        with self._blaming(held, records):
            batch = rejecting(self.handler.read(records), piece.rejections)
            held.log.apply(batch)
        held.times.append(self.handler.times(batch))
        held.arrived = max(held.arrived, int(records.arrived.max()))
        held.tail = int(records.arrived[-1])
        oldest = int(records.arrived.min())
        held.oldest = oldest if held.oldest is None else min(held.oldest, oldest)
        held.waiting += max(int(records.lines.sum()), len(records.value) // _LONG_LINE)
        if sum(each.waiting for each in self._held.values()) >= self.most_waiting:
            self._room.clear()
            self.full.set()

    def _pass_over(self, held: PartitionState[L], first: int) -> None:
        """Pass over offsets before `first` whose loss was accepted. Raises OffsetGapError for all others."""
        log = held.log
        if first <= log.next_offset:
            return
        lost = skip(held.accepted, str(log.name), log.next_offset, first)
        if lost is None:
            raise OffsetGapError(log.name, log.next_offset, first)
        log.skip_to(first)
        held.lost += lost

    def _pass_over_accepted(self, held: PartitionState[L]) -> None:
        """Pass over offsets that are known to have no record: there may be none behind them yet.

        Records that were gone may be back, so what was accepted of them is passed over only where a later one comes.
        """
        gaps = [each for each in held.accepted if each.problem == Problem.OFFSET_GAP]
        for each in sorted(gaps, key=lambda loss: loss.first):
            if each.log == str(held.log.name) and each.first <= held.log.next_offset < each.after:
                self._pass_over(held, each.after)

    def drain(self, *, snapshot: bool) -> list[FlushBatch]:
        """Return what changed in every log; with `snapshot`, their states too where they have moved on."""
        self._make_room()
        self.at_work(self.in_flight())
        taken = [self._take(held, snapshot=snapshot) for held in self._held.values()]
        self.at_work({})
        return taken

    def unreadable(self) -> Sequence[tuple[int, PartitionId, int]]:
        """Return the partitions whose snapshot could not be loaded, until what it had counted is counted again.

        With the log, and the offset up to which that is; any thread may ask.
        """
        return [
            (held.log.name.partition, held.log.name, held.unreadable)
            for held in list(self._held.values())
            if max(0, held.snapshot_at) < held.unreadable
        ]

    def _take(self, held: PartitionState[L], *, snapshot: bool) -> FlushBatch:
        log = held.log
        blocks, rejections = log.drain(), log.drain_rejections()
        if rejections:
            blocks.append(rejection_rows(log.name, rejections))
        due = snapshot and log.next_offset != held.snapshot_at
        if due and self.outlet.caught_up_at(log.name.partition, log.next_offset) is not None:
            self.handler.caught_up(log)
        plain = {**self.handler.freeze(log), "era": held.era, "lost": held.lost, "tail": held.tail} if due else None
        times, held.times, held.waiting = held.times, [], 0
        news, held.announced = bool(times) or not held.announced, True
        before, held.oldest = max(0, (held.oldest or 0) - 1), None
        return FlushBatch(
            log, self.generation, [*blocks, *self._progress(held)], rejections, times, plain, news, before
        )

    async def keep(self, taken: Sequence[FlushBatch]) -> None:
        """Keep snapshots and release their offsets, except of partitions that have been assigned anew meanwhile."""
        due = {
            each.log.name.partition: each.snapshot
            for each in taken
            if each.snapshot is not None and each.generation == self.generation
        }
        if not due:
            return
        generation = self.generation
        await self.outlet.keep(due)
        if generation == self.generation:
            for partition, plain in due.items():
                self._held[partition].snapshot_at = plain["next"]
                self.outlet.release(partition, plain["next"])

    def is_behind(self) -> bool:
        """Tell whether anything that was counted since the last flush had waited on the broker for long."""
        earlier = int((time.time() - _BEHIND_SECONDS) * 1000)
        return any(held.oldest is not None and held.oldest < earlier for held in self._held.values())

    def _make_room(self) -> None:
        self._room.set()
        self.full.clear()

    def clock_errors(self) -> Sequence[tuple[int, PartitionId]]:
        """Return the partitions whose brokers' clock contradicts ours, with their logs; any thread may ask."""
        errors = [held for held in list(self._held.values()) if abs(held.clock_error) > _CLOCK_ERROR_MS]
        return [(held.log.name.partition, held.log.name) for held in errors]

    def progress(self) -> list[tuple[L, int]]:
        """Return each log, and up to which moment (ms) everything in it has been applied; 0 if that is not known."""
        return [(held.log, self._complete_to(held)) for held in self._held.values()]

    def _complete_to(self, held: PartitionState[L]) -> int:
        """Tell up to which moment (ms) everything in the log has been applied; 0 if that is not known.

        A record's time may be its producer's, whose clock may be ahead; the newest row counts in the store, and one
        from the future would hide all that follow until then.
        """
        next_offset = held.log.next_offset
        caught_up = self.outlet.caught_up_at(held.log.name.partition, next_offset)
        if caught_up:
            held.caught_up = next_offset, caught_up
        return caught_up or min(held.arrived, int(time.time() * 1000))

    def _progress(self, held: PartitionState[L]) -> list[Block]:
        """Say up to which moment everything in the log is stored once this flush is.

        Logs of the same partition that ended are as complete as it is: nothing will come in them any more.
        """
        log = held.log
        complete_to = self._complete_to(held)
        if not complete_to:
            return []
        row = {
            "log": str(log.name),
            "cluster": log.name.cluster,
            "topic": log.name.topic,
            "partition": log.name.partition,
            "next_offset": log.next_offset,
            "received": log.tally.received,
            "counted": log.tally.counted,
            "duplicate": log.tally.duplicate,
            "late": log.tally.late,
            "rejected": sum(log.tally.rejected.values()),
            "lost": held.lost,
            "tail": held.tail,
            "complete_to": complete_to,
            "worker": self.worker,
            "first_offset": log.tally.first,
            "records": log.tally.records,
        }
        rows = [row, *({**ended, "complete_to": complete_to} for ended in held.ended)]
        return [Block("log_progress", {name: [each[name] for each in rows] for name in row})]


def _log_blocked(blocked: Blocked) -> None:
    log.error("partition is not read", log=str(blocked.log), problem=blocked.problem, advice=advice(blocked))


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
    return known if ahead < -_CLOCK_ERROR_MS else 0


class CutOffError(RuntimeError):
    """A flush was cut off with rows in its hands that nobody else has: the process must end, and count them again."""


async def _nothing(*_: object) -> None:
    """Check nothing."""


class Flusher:
    """Stores what all topics of a worker have changed, in this order: rows, then snapshots, then the commit.

    Rows that the store refuses for ever are parked before the claim that all is stored, and count as stored then.
    `waiting_for_store_since`: monotonic seconds, None when no write is under way.
    """

    def __init__(
        self,
        countings: Sequence[Counting[Any]],
        *,
        sink: Sink,
        clock: SiteClock,
        timings: Timings,
        check_store: Callable[[], Awaitable[None]] = _nothing,
        check_topics: Callable[[Sequence[PartitionId]], Awaitable[None]] = _nothing,
    ) -> None:
        """Write to a sink.

        `check_store` returns once what is written may follow on what the store has, `check_topics` once what was read
        is known to be of the logs that it is counted in.
        """
        self.countings, self.check_store, self.check_topics = countings, check_store, check_topics
        self.sink, self.clock, self.timings = sink, clock, timings
        self.waiting_for_store_since: float | None = None
        self._flushing = asyncio.Lock()
        self._cut_off = False

    async def flush(self, *, snapshot: bool) -> None:
        """Store what changed; with `snapshot`, keep the states too and release their offsets for commit.

        Raises CutOffError after a flush that failed or was cancelled: a snapshot now would forget the rows it had.
        """
        async with self._flushing:
            if self._cut_off:
                raise CutOffError("an earlier flush did not end; the rows it had are counted again after a restart")
            self._cut_off = True
            await self._flush(snapshot=snapshot)
            self._cut_off = False

    async def _flush(self, *, snapshot: bool) -> None:
        started = time.perf_counter()
        taken = {counting: counting.drain(snapshot=snapshot) for counting in self.countings}
        await self.check_topics([each.log.name for some in taken.values() for each in some if each.has_records])
        await asyncio.gather(*map(_reject, taken, taken.values()))
        await self._store([each for some in taken.values() for each in some])
        for counting, some in taken.items():
            await counting.outlet.announce([each.log for each in some if each.news])
            await counting.keep(some)
        if snapshot:
            self.timings.checkpoint.observe(np.array([time.perf_counter() - started]))

    def store_waiting(self) -> float:
        """Tell for how many seconds a write has been waiting for the store; any thread may ask."""
        since = self.waiting_for_store_since
        return 0.0 if since is None else time.monotonic() - since

    async def run(self, *, flush_seconds: float, checkpoint_seconds: float) -> None:
        """Flush for ever, one flush `flush_seconds` after the other began, with snapshots whenever they are due.

        While a backlog is caught up flushes are as rare as snapshots, or as memory allows: a store takes as long for
        ten thousand events as for a thousand.
        """
        last, took, due = -checkpoint_seconds, 0.0, flush_seconds
        while True:
            await self._pause(max(_SHORTEST_PAUSE, due - took))
            due = checkpoint_seconds if any(counting.is_behind() for counting in self.countings) else flush_seconds
            now = time.monotonic()
            snapshot = now - last >= checkpoint_seconds
            await self.flush(snapshot=snapshot)
            last, took = now if snapshot else last, time.monotonic() - now

    async def _pause(self, seconds: float) -> None:
        """Wait, but only until reading waits for us."""
        full = [asyncio.ensure_future(counting.full.wait()) for counting in self.countings]
        await asyncio.wait(full, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in full:
            each.cancel()

    async def _store(self, taken: Sequence[FlushBatch]) -> None:
        blocks = [block for each in taken for block in each.blocks]
        if not blocks:
            return
        started = time.perf_counter()
        self.waiting_for_store_since = time.monotonic()
        await self.check_store()
        await self._write(blocks, taken)
        self.timings.insert.observe(np.array([time.perf_counter() - started]))
        times = [some for each in taken for some in each.times]
        if times:
            site_now = self.clock.now(int(time.time() * 1000))
            self.timings.end_to_end.observe((site_now - np.concatenate(times)) / self.clock.speed / 1000)

    async def _write(self, blocks: Sequence[Block], taken: Sequence[FlushBatch]) -> None:
        self.waiting_for_store_since = time.monotonic()
        try:
            await self.sink.write(blocks)
        except RowsRefused as refused:
            await self._park(refused.refusals, taken)
            await self.sink.write([block for block in blocks if block.table == PROGRESS_TABLE])
        finally:
            self.waiting_for_store_since = None

    async def _park(self, refusals: Sequence[Refusal], taken: Sequence[FlushBatch]) -> None:
        """Keep refused rows in Kafka, and note it in the store, so that no log claims to be complete meanwhile.

        Raises what the store or Kafka say if they refuse this too; nothing is released then. Without the claim nobody
        would see that figures are old: it is never parked.
        """
        parked: list[ParkedBatch] = []
        for refusal in refusals:
            if refusal.block.table == PROGRESS_TABLE:
                raise refusal.error
            batches = await asyncio.to_thread(_parked, refusal, taken, self.countings[0].worker)
            await self.countings[0].outlet.park({head.id: value for head, value in batches})
            parked += [head for head, _ in batches]
        await self.sink.write([status_rows(parked, resolved=False)])
        for each in parked:
            log.error("rows parked", id=each.id, table=each.table, rows=each.rows, reason=each.reason)


def _parked(refusal: Refusal, taken: Sequence[FlushBatch], worker: str) -> list[tuple[ParkedBatch, bytes]]:
    table = refusal.block.table
    logs = {str(each.log.name): each.complete_before for each in taken if any(b.table == table for b in each.blocks)}
    return park(refusal, logs=logs, worker=worker, at=int(time.time() * 1000))


async def _reject(counting: Counting[Any], taken: Sequence[FlushBatch]) -> None:
    for each in taken:
        if each.rejections:
            await counting.outlet.reject(each.log.name, each.rejections)
