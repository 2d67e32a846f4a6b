"""The life of one source topic in a worker: take logs up, apply what comes, flush rows, keep snapshots; no Faust here.

Read `agents` next, which connects this with Faust.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import structlog

from sinks.rows import CLAIM, Block
from sinks.sink import Refusal, RowsRefused, Sink
from streams.clock import SiteClock
from streams.codec import Records
from streams.kernels.batch import Ints, Rejection
from streams.kernels.log import LogName, Tally
from streams.kernels.rows import rejection_rows
from streams.kernels.snapshot import Plain
from streams.metrics import Timings
from streams.parking import Parked, notes, park

log = structlog.get_logger()
_BEHIND_SECONDS = 5
_SHORTEST_PAUSE = 0.05  # s between two flushes, however long they take
_LONG_LINE = 1024  # bytes, four times a usual one; a longer line waits as if it were several


class Log(Protocol):
    """What a log of any topic can do; see kernels.passages.PassageLog."""

    name: LogName
    next_offset: int
    tally: Tally

    def apply(self, batch: Any, /) -> None: ...  # noqa: ANN401, D102  # the codec's batch
    def take(self) -> list[Block]: ...  # noqa: D102
    def take_rejections(self) -> list[Rejection]: ...  # noqa: D102


L = TypeVar("L", bound=Log)


@dataclass(frozen=True)
class Trade(Generic[L]):
    """What differs between topics: how to read, begin, keep and take up a log, and which event times a batch has."""

    read: Callable[[Records], Any]
    begin: Callable[[LogName, int], L]
    freeze: Callable[[L], Plain]
    thaw: Callable[[Plain, LogName], L]
    times: Callable[[Any], Ints]


class Outlet(Protocol):
    """Where a topic's results go besides the store; each call returns once the broker has everything."""

    async def reject(self, log: LogName, rejections: Sequence[Rejection]) -> None:
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
class Taken:
    """One log's changes, taken at one offset; `times` are the event times (ms) of what was accepted.

    `complete_before`: broker time (ms) up to which the log is complete without them.
    """

    log: Log
    generation: int
    blocks: list[Block]
    rejections: list[Rejection]
    times: list[Ints]
    snapshot: Plain | None
    news: bool
    complete_before: int


@dataclass(slots=True)
class _Held(Generic[L]):
    log: L
    arrived: int = 0  # broker time (ms) of the newest record applied
    oldest: int | None = None  # and of the oldest one that is not taken yet
    # Next offset of the newest snapshot kept. One that was taken up is kept again: the worker that wrote it may have
    # ended before its offset was committed, and on a quiet topic nothing else would ever commit it.
    snapshot_at: int = -1
    waiting: int = 0  # lines applied and not taken yet, whatever became of them; by the kB where they are long
    times: list[Ints] = field(default_factory=list)
    announced: bool = True  # a worker that takes a log up from a snapshot says once what it knows of it


class Counting(Generic[L]):
    """One source topic. `generation` grows with every assignment; work begun under an older one is not kept."""

    def __init__(
        self,
        trade: Trade[L],
        *,
        topic: str,
        cluster: str,
        worker: str,
        outlet: Outlet,
        most_waiting: int,
    ) -> None:
        self.trade, self.topic, self.cluster, self.worker = trade, topic, cluster, worker
        self.outlet = outlet
        self.most_waiting = most_waiting
        self.generation = 0
        self._held: dict[int, _Held[L]] = {}
        self._room = asyncio.Event()
        self._room.set()
        self.full = asyncio.Event()  # set while reading waits for a flush

    @property
    def logs(self) -> list[L]:
        """The logs in this worker's hands."""
        return [held.log for held in self._held.values()]

    def name(self, partition: int) -> LogName:
        """Name the log of a partition."""
        return LogName(self.cluster, self.topic, partition)

    def assign(self, snapshots: Mapping[int, Plain | None], earliest: Mapping[int, int]) -> dict[int, int]:
        """Take up these partitions and no others; return the offset at which each is to be read on."""
        self.generation += 1
        held: dict[int, _Held[L]] = {}
        for partition, plain in snapshots.items():
            name = self.name(partition)
            log = self.trade.begin(name, earliest[partition]) if plain is None else self.trade.thaw(plain, name)
            held[partition] = _Held(log, announced=plain is None)
        self._held = held  # whole: other threads look at it
        self._make_room()
        return {partition: each.log.next_offset for partition, each in held.items()}

    async def apply(self, partition: int, records: Records, *, generation: int) -> None:
        """Count records; wait first while too much is waiting to be stored. Raises HoleError."""
        await self._room.wait()
        held = self._held.get(partition)
        if held is None or generation != self.generation:
            return  # assigned anew meanwhile: it is read again from the checkpoint
        batch = self.trade.read(records)
        held.log.apply(batch)
        held.times.append(self.trade.times(batch))
        held.arrived = max(held.arrived, int(records.arrived.max()))
        oldest = int(records.arrived.min())
        held.oldest = oldest if held.oldest is None else min(held.oldest, oldest)
        held.waiting += max(int(records.lines.sum()), len(records.value) // _LONG_LINE)
        if sum(each.waiting for each in self._held.values()) >= self.most_waiting:
            self._room.clear()
            self.full.set()

    def take(self, *, snapshot: bool) -> list[Taken]:
        """Return what changed in every log; with `snapshot`, their states too where they have moved on."""
        self._make_room()
        return [self._take(held, snapshot=snapshot) for held in self._held.values()]

    def _take(self, held: _Held[L], *, snapshot: bool) -> Taken:
        log = held.log
        blocks, rejections = log.take(), log.take_rejections()
        if rejections:
            blocks.append(rejection_rows(log.name, rejections))
        due = snapshot and log.next_offset != held.snapshot_at
        plain = self.trade.freeze(log) if due else None
        times, held.times, held.waiting = held.times, [], 0
        news, held.announced = bool(times) or not held.announced, True
        before, held.oldest = max(0, (held.oldest or 0) - 1), None
        return Taken(log, self.generation, [*blocks, *self._progress(held)], rejections, times, plain, news, before)

    async def keep(self, taken: Sequence[Taken]) -> None:
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

    def standing(self) -> list[tuple[L, int]]:
        """Return each log, and up to which moment (ms) everything in it has been applied; 0 if that is not known."""
        return [(held.log, self._complete_to(held)) for held in self._held.values()]

    def _complete_to(self, held: _Held[L]) -> int:
        """Tell up to which moment (ms) everything in the log has been applied; 0 if that is not known.

        A record's time may be its producer's, whose clock may be ahead; the newest row counts in the store, and one
        from the future would hide all that follow until then.
        """
        newest = min(held.arrived, int(time.time() * 1000))
        return self.outlet.caught_up_at(held.log.name.partition, held.log.next_offset) or newest

    def _progress(self, held: _Held[L]) -> list[Block]:
        """Say up to which moment everything in the log is stored once this flush is."""
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
            "complete_to": complete_to,
            "worker": self.worker,
        }
        return [Block("log_progress", {name: [value] for name, value in row.items()})]


class CutOffError(RuntimeError):
    """A flush was cut off with rows in its hands that nobody else has: the process must end, and count them again."""


class Flusher:
    """Stores what all topics of a worker have changed, in this order: rows, then snapshots, then the commit.

    Rows that the store refuses for ever are parked before the claim that all is stored, and count as stored then.
    `waiting_for_store_since`: monotonic seconds, None when no write is under way.
    """

    def __init__(self, countings: Sequence[Counting[Any]], *, sink: Sink, clock: SiteClock, timings: Timings) -> None:
        self.countings = countings
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
        taken = {counting: counting.take(snapshot=snapshot) for counting in self.countings}
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

    async def _store(self, taken: Sequence[Taken]) -> None:
        blocks = [block for each in taken for block in each.blocks]
        if not blocks:
            return
        started = time.perf_counter()
        await self._write(blocks, taken)
        self.timings.insert.observe(np.array([time.perf_counter() - started]))
        times = [some for each in taken for some in each.times]
        if times:
            site_now = self.clock.now(int(time.time() * 1000))
            self.timings.end_to_end.observe((site_now - np.concatenate(times)) / self.clock.speed / 1000)

    async def _write(self, blocks: Sequence[Block], taken: Sequence[Taken]) -> None:
        self.waiting_for_store_since = time.monotonic()
        try:
            await self.sink.write(blocks)
        except RowsRefused as refused:
            await self._park(refused.refusals, taken)
            await self.sink.write([block for block in blocks if block.table == CLAIM])
        finally:
            self.waiting_for_store_since = None

    async def _park(self, refusals: Sequence[Refusal], taken: Sequence[Taken]) -> None:
        """Keep refused rows in Kafka, and note it in the store, so that no log claims to be complete meanwhile.

        Raises what the store or Kafka say if they refuse this too; nothing is released then. Without the claim nobody
        would see that figures are old: it is never parked.
        """
        parked: list[Parked] = []
        for refusal in refusals:
            if refusal.block.table == CLAIM:
                raise refusal.error
            batches = await asyncio.to_thread(_parked, refusal, taken, self.countings[0].worker)
            await self.countings[0].outlet.park({head.id: value for head, value in batches})
            parked += [head for head, _ in batches]
        await self.sink.write([notes(parked, resolved=False)])
        for each in parked:
            log.error("rows parked", id=each.id, table=each.table, rows=each.rows, reason=each.reason)


def _parked(refusal: Refusal, taken: Sequence[Taken], worker: str) -> list[tuple[Parked, bytes]]:
    table = refusal.block.table
    logs = {str(each.log.name): each.complete_before for each in taken if any(b.table == table for b in each.blocks)}
    return park(refusal, logs=logs, worker=worker, at=int(time.time() * 1000))


async def _reject(counting: Counting[Any], taken: Sequence[Taken]) -> None:
    for each in taken:
        if each.rejections:
            await counting.outlet.reject(each.log.name, each.rejections)
