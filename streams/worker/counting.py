"""Counts one source topic in a worker: assigns partitions, applies records, drains changes, writes checkpoints.

Read `partition_state` next, then `flush`, which stores what was counted.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol

import structlog

from streams.contract.codec import Records
from streams.kernels.counts.batch import Rejection
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.rows import rejection_rows
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import AcceptedLoss, Blocked, Problem
from streams.sources.brokers import PartitionKey
from streams.sources.problem_words import advice
from streams.worker.isolation import BlankedRecords, Caution, rejecting
from streams.worker.partition_state import (
    CLOCK_ERROR_MS,
    FlushBatch,
    L,
    OffsetRange,
    PartitionState,
    Start,
    TopicHandler,
    clock_error,
)
from streams.worker.snapshot_chain import SnapshotRecord
from streams.worker.snapshot_records import pack, without_collection

log = structlog.get_logger()
_BEHIND_SECONDS: Final = 5


class Outlet(Protocol):
    """Where a topic's results go besides the store; each call returns once the broker has everything."""

    async def reject(self, name: PartitionId, rejections: Sequence[Rejection]) -> None:
        """Publish lines that could not be accepted."""

    async def publish(self, partitions: Sequence[Any]) -> None:
        """Publish the absolute totals of partitions, as stored, and what `publish_changes` has not."""

    async def publish_changes(self, partition: Any) -> None:  # noqa: ANN401  # of any topic
        """Publish the changes of alarms that follow from what was applied; they wait for no store."""

    async def write_snapshots(self, snapshots: Mapping[int, SnapshotRecord]) -> Mapping[int, int]:
        """Write snapshots by partition; return at which offset of the changelog each is."""

    async def park(self, records: Mapping[str, bytes]) -> None:
        """Write rows that the store refuses, by the name of their batch."""

    def release(self, partition: int, offset: int) -> None:
        """Allow an offset to be committed."""

    def caught_up_at(self, partition: int, next_offset: int) -> int | None:
        """Return when (ms) the broker had nothing at or behind an offset; None if it has."""


@dataclass(eq=False, kw_only=True)
class Counting(Generic[L]):
    """One source topic. `generation` grows with every assignment; work begun under an older one is discarded."""

    handler: TopicHandler[L]
    topic: str
    worker: str
    outlet: Outlet
    most_waiting: int  # lines
    caution: Caution
    at_work: Callable[[Mapping[str, OffsetRange]], None]  # called with the offsets in work, by log, and with none after
    generation: int = 0
    blocked: Mapping[int, Blocked] = field(default_factory=dict)  # partitions of this worker that are not read, and why
    to_blame: dict[str, OffsetRange] = field(default_factory=dict)  # what was being applied when it raised, or is now
    full: asyncio.Event = field(default_factory=asyncio.Event)  # set while reading waits for a flush
    _states: Mapping[int, PartitionState[L]] = field(default_factory=dict)
    _assigning: threading.Lock = field(default_factory=threading.Lock)
    _has_room: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin with room."""
        self._has_room.set()

    # -- assignment ----------------------------------------------------------------------------------------------------

    @property
    def partitions(self) -> list[L]:
        """The counted states of the partitions that are assigned to this worker."""
        return [state.partition for state in self._states.values()]

    def partition(self, number: int) -> L | None:
        """Return the counted state of a partition, None if it is not assigned to this worker."""
        state = self._states.get(number)
        return None if state is None else state.partition

    def assign(self, starts: Sequence[Start], blocked: Mapping[int, Blocked] | None = None) -> dict[int, int]:
        """Read these partitions and no others; return the offset at which each is to be read."""
        suspects = self.caution.suspects
        states = {
            start.log.partition: PartitionState.begin(self.handler, start, suspects.get(str(start.log), (0, 0)))
            for start in starts
        }
        with self._assigning:
            self.generation += 1
            self._states, self.blocked = states, blocked or {}  # replaced: other threads read them
        for one in self.blocked.values():
            _log_blocked(one)
        self._make_room()
        return {number: state.partition.next_offset for number, state in states.items()}

    def block(self, blocked: Blocked, *, generation: int) -> None:
        """Stop reading a partition, unless partitions were assigned anew since `generation`; any thread may call.

        What was applied of it is still stored.
        """
        with self._assigning:
            if generation != self.generation:
                return
            self.blocked = {**self.blocked, blocked.log.partition: blocked}
        _log_blocked(blocked)

    def accept(self, partition: int, loss: AcceptedLoss) -> None:
        """Let a partition pass over records that are lost."""
        state = self._states[partition]
        state.accepted = [*state.accepted, loss]

    # -- records -------------------------------------------------------------------------------------------------------

    async def apply(self, partition: int, records: Records, *, generation: int) -> None:
        """Count records; wait first while too many lines wait to be stored. Raises OffsetGapError.

        Where a worker has ended before, lines on which our code fails are found and rejected on their own.
        """
        await self._has_room.wait()
        state = self._states.get(partition)
        if state is None or partition in self.blocked or generation != self.generation:
            return  # assigned anew meanwhile: it is read again from the checkpoint
        state.pass_over(records.first)
        state.clock_error = clock_error(state.clock_error, state.caught_up, records, now=int(time.time() * 1000))
        if not self.caution.covers(state, records):
            self._apply(state, BlankedRecords(records))
            await self.outlet.publish_changes(state.partition)
            return
        generation = self.generation
        async for part in self.caution.countable(state, records, lambda: self.handler.freeze(state.partition)):
            if generation != self.generation:
                return  # assigned anew meanwhile
            self._apply(state, part)
            await self.outlet.publish_changes(state.partition)

    def _apply(self, state: PartitionState[L], part: BlankedRecords) -> None:
        records = part.records
        with self._blaming(state, records):
            batch = rejecting(self.handler.read(records), part.rejections)
            state.partition.apply(batch)
        state.note_applied(records, self.handler.times(batch))
        if sum(each.waiting_lines for each in self._states.values()) >= self.most_waiting:
            self._has_room.clear()
            self.full.set()

    @contextmanager
    def _blaming(self, state: PartitionState[L], records: Records) -> Iterator[None]:
        """Note what is being applied, for as long as it is; for good if it raises."""
        self.to_blame = {str(state.partition.name): (state.partition.next_offset, records.after)}
        self.at_work(self.to_blame)
        yield
        self.to_blame = {}
        self.at_work({})

    def in_flight(self) -> dict[str, OffsetRange]:
        """Return what may be to blame for an end now, by log: what is being applied, or all that is in no snapshot."""
        uncommitted = [(state.partition.name, state.uncommitted) for state in list(self._states.values())]
        return self.to_blame or {str(name): (at, after) for name, (at, after) in uncommitted if after > at}

    # -- flush and checkpoint ------------------------------------------------------------------------------------------

    def drain(self, *, snapshot: bool) -> list[FlushBatch]:
        """Return what changed in every partition; with `snapshot`, their states too where they have moved on."""
        self._make_room()
        self.at_work(self.in_flight())
        batches = [self._drain(state, snapshot=snapshot) for state in self._states.values()]
        self.at_work({})
        return batches

    def _drain(self, state: PartitionState[L], *, snapshot: bool) -> FlushBatch:
        partition = state.partition
        blocks, rejections = partition.drain(), partition.drain_rejections()
        if rejections:
            blocks.append(rejection_rows(partition.name, rejections))
        due = snapshot and partition.next_offset != state.checkpointed_at
        plain, whole = self._snapshot(state) if due else (None, False)
        times, state.times, state.waiting_lines = state.times, [], 0
        publish, state.published = bool(times) or not state.published, True
        before, state.oldest_arrival = max(0, (state.oldest_arrival or 0) - 1), None
        blocks += state.progress(self._complete_to(state), self.worker)
        return FlushBatch(partition, self.generation, blocks, rejections, times, plain, whole, publish, before)

    def _snapshot(self, state: PartitionState[L]) -> tuple[Plain, bool]:
        """Return what has changed since the snapshot before or, if that is due, the whole state; and whether it is."""
        partition, changes = state.partition, self.handler.changes
        if self.outlet.caught_up_at(partition.name.partition, partition.next_offset) is not None:
            self.handler.caught_up(partition)
        with without_collection():
            plain = None if changes is None or state.chain.wants_whole else changes.freeze(partition)
            whole = plain is None
            plain = self.handler.freeze(partition) if plain is None else plain
        if changes is not None:
            changes.note_saved(partition)
        return {**plain, "era": state.era, "lost": state.lost, "tail": state.tail}, whole

    async def checkpoint(self, batches: Sequence[FlushBatch]) -> None:
        """Write snapshots and release their offsets, except of partitions that have been assigned anew meanwhile."""
        generation = self.generation
        due = {
            each.partition.name.partition: (each.snapshot, each.whole)
            for each in batches
            if each.snapshot is not None and each.generation == generation
        }
        chains = {partition: self._states[partition].chain for partition in due}
        if not due:
            return
        written = await self.outlet.write_snapshots(
            {partition: chains[partition].record(plain, pack, whole=whole) for partition, (plain, whole) in due.items()}
        )
        for partition, offset in written.items():
            chains[partition].note_written(offset)
        if generation == self.generation:
            for partition, (plain, _) in due.items():
                self._states[partition].checkpointed_at = plain["next"]
                self.outlet.release(partition, plain["next"])

    def _make_room(self) -> None:
        self._has_room.set()
        self.full.clear()

    # -- what others read of it ----------------------------------------------------------------------------------------

    def is_behind(self) -> bool:
        """Return whether anything that was counted since the last flush had waited on the broker for long."""
        earlier = int((time.time() - _BEHIND_SECONDS) * 1000)
        oldest = (state.oldest_arrival for state in self._states.values())
        return any(arrival is not None and arrival < earlier for arrival in oldest)

    def next_offsets(self) -> dict[PartitionKey, int]:
        """Return the next offsets of the partitions that are read; any thread may call."""
        return {
            (self.topic, number): state.partition.next_offset
            for number, state in list(self._states.items())
            if number not in self.blocked
        }

    def problems(self) -> list[Blocked]:
        """Return what stands in the way of partitions, or makes their figures uncertain; any thread may call.

        Only those in `blocked` are not read. A snapshot that could not be loaded is a problem until what it had counted
        is counted again.
        """
        found = list(self.blocked.values())
        for state in list(self._states.values()):
            name = state.partition.name
            if max(0, state.checkpointed_at) < state.unreadable:
                found.append(Blocked(Problem.SNAPSHOT_UNREADABLE, name, 0, state.unreadable))
            if abs(state.clock_error) > CLOCK_ERROR_MS:
                found.append(Blocked(Problem.BROKER_CLOCK, name))
        return found

    def progress(self) -> list[tuple[L, int]]:
        """Return each partition, and up to which moment (ms) everything in it has been applied; 0: not known."""
        return [(state.partition, self._complete_to(state)) for state in self._states.values()]

    def _complete_to(self, state: PartitionState[L]) -> int:
        name, next_offset = state.partition.name, state.partition.next_offset
        return state.complete_to(self.outlet.caught_up_at(name.partition, next_offset))


def _log_blocked(blocked: Blocked) -> None:
    log.error("partition is not read", log=str(blocked.log), problem=blocked.problem, advice=advice(blocked))
