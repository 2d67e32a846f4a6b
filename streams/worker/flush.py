"""Stores what the topics of a worker have counted: rows first, then snapshots, then the offsets to commit.

Totals, snapshots and offsets of a flush follow while the next one stores its rows. Rows that the store refuses for ever
are parked in Kafka. Read `checkpoint` next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np
import structlog

from sinks.rows import PROGRESS_TABLE
from sinks.sink import Refusal, RowsRefused, Sink
from streams.contract.parked import ParkedBatch, park, status_rows
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.site_clock import SiteClock
from streams.worker.counting import Counting
from streams.worker.metrics import Timings
from streams.worker.partition_state import FlushBatch

log = structlog.get_logger()
_SHORTEST_PAUSE: Final = 0.05  # s between two flushes, however long they take


class CutOffError(RuntimeError):
    """A flush was cut off with rows that nobody else has: the process must end, and count them again."""


@dataclass(eq=False, kw_only=True)
class Flusher:
    """Stores what all topics of a worker have changed, in this order: rows, then snapshots, then the commit.

    Parked rows count as stored. They are parked before the rows of progress are written. What follows the rows of one
    flush may go on during the next one, and ends before anything follows the rows of that one.
    """

    countings: Sequence[Counting[Any]]
    sink: Sink
    clock: SiteClock
    check_store: Callable[[], Awaitable[None]]
    """Returns once what is written may follow on what the store has."""
    check_topics: Callable[[Sequence[PartitionId]], Awaitable[None]]
    """Returns once what was read is known to be of the logs that it is counted in."""
    timings: Timings = field(default_factory=Timings)
    waiting_for_store_since: float | None = None  # monotonic seconds, None when no write is under way
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _following: asyncio.Task[None] | None = None  # what follows the rows of the flush before
    _cut_off: bool = False

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
            await self.flush_rows(snapshot=snapshot)
            last, took = now if snapshot else last, time.monotonic() - now

    async def flush(self, *, snapshot: bool) -> None:
        """Store what changed; with `snapshot`, write the states too and release their offsets for commit.

        Raises CutOffError after a flush that failed or was cancelled: a snapshot now would forget the rows it had.
        """
        async with self._flushing:
            self._begin_flush()
            await self._flush_rows(snapshot=snapshot)
            await self._finish_following()
            self._cut_off = False

    async def flush_rows(self, *, snapshot: bool) -> None:
        """Do the same, and return once the rows are stored: totals, states and offsets follow.

        Raises what went wrong behind the rows of the flush before, too.
        """
        async with self._flushing:
            self._begin_flush()
            await self._flush_rows(snapshot=snapshot)
            self._cut_off = False

    def _begin_flush(self) -> None:
        """Count as cut off until the flush ends. Raises CutOffError if an earlier one did not end."""
        if self._cut_off:
            raise CutOffError("an earlier flush did not end; the rows it had are counted again after a restart")
        self._cut_off = True

    async def _flush_rows(self, *, snapshot: bool) -> None:
        started = time.perf_counter()
        if self._following is not None and self._following.done():
            await self._finish_following()  # before the store is waited for: it may have failed
        drained = {counting: counting.drain(snapshot=snapshot) for counting in self.countings}
        batches = list(chain.from_iterable(drained.values()))
        await self.check_topics([each.partition.name for each in batches if each.complete_before])
        await asyncio.gather(*map(_reject, drained, drained.values()))
        await self._store(batches)
        await self._finish_following()
        self._following = asyncio.create_task(self._follow_rows(drained, started if snapshot else None))

    async def _follow_rows(
        self, drained: Mapping[Counting[Any], Sequence[FlushBatch]], checkpoint_started: float | None
    ) -> None:
        """Publish totals, then write snapshots and release offsets, all of a flush whose rows are stored."""
        for counting, own in drained.items():
            await counting.outlet.publish([each.partition for each in own if each.publish])
            await counting.checkpoint(own)
        if checkpoint_started is not None:
            self.timings.checkpoint.observe(np.array([time.perf_counter() - checkpoint_started]))

    async def _finish_following(self) -> None:
        """Wait for what follows the rows of the flush before. Raises what went wrong with it."""
        if self._following is not None:
            await self._following
            self._following = None

    def store_waiting(self) -> float:
        """Return for how many seconds a write has been waiting for the store; any thread may call."""
        since = self.waiting_for_store_since
        return 0.0 if since is None else time.monotonic() - since

    async def _pause(self, seconds: float) -> None:
        """Wait, but only until reading waits for a flush."""
        full = [asyncio.ensure_future(counting.full.wait()) for counting in self.countings]
        await asyncio.wait(full, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in full:
            each.cancel()

    async def _store(self, batches: Sequence[FlushBatch]) -> None:
        blocks = [block for each in batches for block in each.blocks]
        if not blocks:
            return
        started = time.perf_counter()
        self.waiting_for_store_since = time.monotonic()
        await self.check_store()
        await self._write(blocks, batches)
        self.timings.insert.observe(np.array([time.perf_counter() - started]))
        times = [some for each in batches for some in each.times]
        if times:
            site_now = self.clock.now(int(time.time() * 1000))
            self.timings.end_to_end.observe((site_now - np.concatenate(times)) / self.clock.speed / 1000)

    async def _write(self, blocks: Sequence[Block], batches: Sequence[FlushBatch]) -> None:
        self.waiting_for_store_since = time.monotonic()
        try:
            await self.sink.write(blocks)
        except RowsRefused as refused:
            await self._park(refused.refusals, batches)
            await self.sink.write([block for block in blocks if block.table == PROGRESS_TABLE])
        finally:
            self.waiting_for_store_since = None

    async def _park(self, refusals: Sequence[Refusal], batches: Sequence[FlushBatch]) -> None:
        """Write refused rows to Kafka, and note it in the store, so that no log claims to be complete meanwhile.

        Raises what the store or Kafka say if they refuse this too; nothing is released then. Rows of progress are
        never parked: without them nobody would see that figures are old.
        """
        parked: list[ParkedBatch] = []
        for refusal in refusals:
            if refusal.block.table == PROGRESS_TABLE:
                raise refusal.error
            records = await asyncio.to_thread(_parked, refusal, batches, self.countings[0].worker)
            await self.countings[0].outlet.park({head.id: value for head, value in records})
            parked += [head for head, _ in records]
        await self.sink.write([status_rows(parked, resolved=False)])
        for each in parked:
            log.error("rows parked", id=each.id, table=each.table, rows=each.rows, reason=each.reason)


def _parked(refusal: Refusal, batches: Sequence[FlushBatch], worker: str) -> list[tuple[ParkedBatch, bytes]]:
    table = refusal.block.table
    logs = {
        str(each.partition.name): each.complete_before
        for each in batches
        if any(block.table == table for block in each.blocks)
    }
    return park(refusal, logs=logs, worker=worker, at=int(time.time() * 1000))


async def _reject(counting: Counting[Any], batches: Sequence[FlushBatch]) -> None:
    for each in batches:
        if each.rejections:
            await counting.outlet.reject(each.partition.name, each.rejections)
