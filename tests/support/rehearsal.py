"""A worker without Kafka and without a server: records what it does, and can crash at any point."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sinks.memory import MemorySink
from sinks.rows import TABLES, TableRows
from streams.contract.events import Topic
from streams.kernels.counts import changes, snapshot
from streams.kernels.counts import corrections as correction_kernels
from streams.kernels.counts.batch import Rejection
from streams.kernels.counts.corrections import CorrectionLog
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.snapshot import Plain
from streams.worker.counting import Counting
from streams.worker.flush import Flusher
from streams.worker.isolation import Caution
from streams.worker.partition_state import Changes, Start, TopicHandler
from streams.worker.rehearsal import rehearsal
from streams.worker.snapshot_chain import Chains, SnapshotRecord, place_of
from streams.worker.snapshot_records import follows_on, join_records, version
from tests.support.events import PLACE, TIMES
from tests.support.lines import corrections, persons, records

CLUSTER = "test"


class CrashError(Exception):
    """The process ends here."""


@dataclass
class World:
    """What outlives a worker: records, store, snapshots, rejected lines; and what happened, in order."""

    frames: Mapping[tuple[str, int], Sequence[bytes]]
    sink: MemorySink = field(default_factory=MemorySink)
    chains: dict[tuple[str, int], Chains] = field(default_factory=dict)
    kept: dict[tuple[str, int], Plain] = field(default_factory=dict)  # the newest snapshot, with all changes
    released: dict[tuple[str, int], int] = field(default_factory=dict)
    rejected: list[tuple[str, int, int]] = field(default_factory=list)
    parked: dict[str, bytes] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    crash_at: int | None = None
    crash_on: str = ""  # the first step of this name
    caught_up: int | None = None

    def step(self, what: str) -> None:
        """Write down what is about to happen; crash instead if it is time."""
        if self.crash_at == len(self.steps) or self.crash_on == what:
            self.crash_at, self.crash_on = None, ""
            raise CrashError(what)
        self.steps.append(what)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return every table's rows but `progress`, without their versions."""
        return {
            name: [
                {column: value for column, value in zip(table.columns, row, strict=True) if column != "version"}
                for row in self.sink.rows(name)
            ]
            for name, table in TABLES.items()
            if name != "log_progress"
        }


@dataclass
class Outlet:
    """A topic's way out; see counting.Outlet."""

    world: World
    topic: str
    during_keep: Callable[[], None] = lambda: None
    during_publish: Callable[[], Awaitable[None]] | None = None

    async def reject(self, name: PartitionId, rejections: Sequence[Rejection]) -> None:
        """Note where the rejected lines stood."""
        self.world.step("reject")
        self.world.rejected += [(str(name), each.position.offset, each.position.line) for each in rejections]

    async def publish(self, partitions: Sequence[Any]) -> None:
        """Note that totals were published."""
        if partitions:
            self.world.step("publish")
            if self.during_publish:
                await self.during_publish()

    async def publish_changes(self, partition: Any) -> None:
        """Publish nothing: no partition here has alarms."""

    async def write_snapshots(self, snapshots: Mapping[int, SnapshotRecord]) -> Mapping[int, int]:
        """Keep them one by one: a crash may fall in between."""
        for partition, record in snapshots.items():
            self.world.step("keep")
            chains = self.world.chains.setdefault((self.topic, partition), Chains())
            before = follows_on(record.value) if place_of(record.key)[1] else b""
            assert chains.add(record.value, before=before, version=version(record.value))
            newest = chains.newest()
            assert newest is not None
            path = [each.value for each in chains.path(newest)]
            self.world.kept[self.topic, partition] = join_records(path, changes.join)
        self.during_keep()
        return dict.fromkeys(snapshots, len(self.world.steps))

    async def park(self, records: Mapping[str, bytes]) -> None:
        """Keep refused rows, a later batch of a name in the place of an earlier one."""
        self.world.step("park")
        self.world.parked |= records

    def release(self, partition: int, offset: int) -> None:
        """Check that what is released is stored and kept."""
        self.world.step("release")
        assert self.world.kept[self.topic, partition]["next"] >= offset
        self.world.released[self.topic, partition] = offset

    def caught_up_at(self, partition: int, next_offset: int) -> int | None:
        """Tell what the test has set."""
        del partition, next_offset
        return self.world.caught_up


@dataclass
class Sink:
    """A store in memory whose writes may crash halfway; `during_write` is called before the rows are there."""

    world: World
    during_write: Callable[[], Awaitable[None]] | None = None

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """Write the first half, then the second."""
        self.world.step("write")
        if self.during_write:
            await self.during_write()
        half = len(blocks) // 2
        await self.world.sink.write(blocks[:half])
        self.world.step("write more")
        await self.world.sink.write(blocks[half:])

    async def close(self) -> None:
        """Do nothing."""


async def unchecked(*_: object) -> None:
    """Check nothing before a flush."""


def start_of(counting: Counting[Any], partition: int, plain: Plain | None, *, first: int = 0) -> Start:
    """Return how a partition is read on from a snapshot, or from its first record where there is none."""
    if plain is None:
        return Start(PartitionId(CLUSTER, counting.topic, partition), first)
    return Start(PartitionId.parse(plain["log"]), plain["next"], plain)


class Worker:
    """Countings of turnstiles and corrections with one flusher, taken up from what the world has kept."""

    def __init__(self, world: World, *, most_waiting: int = 1000, place: CountingSite = PLACE) -> None:
        self.world = world
        self.outlets = {topic: Outlet(world, topic) for topic in TRADES}
        self.countings: dict[str, Counting[Any]] = {
            topic: Counting(
                handler=handler(place),
                topic=topic,
                worker="w",
                outlet=self.outlets[topic],
                most_waiting=most_waiting,
                caution=Caution(rehearsal(handler(place), forked=False), {}),
                at_work=lambda _: None,
            )
            for topic, handler in TRADES.items()
        }
        self.sink = Sink(world)
        self.flusher = Flusher(
            countings=list(self.countings.values()), sink=self.sink, clock=SiteClock(),
            check_store=unchecked, check_topics=unchecked,
        )  # fmt: skip
        self.take_up()

    def take_up(self) -> None:
        """Assign all partitions anew, from the snapshots that are kept."""
        self.next: dict[tuple[str, int], int] = {}
        for topic, counting in self.countings.items():
            partitions = [partition for name, partition in self.world.frames if name == topic]
            kept = {partition: self.world.kept.get((topic, partition)) for partition in partitions}
            begun = counting.assign([start_of(counting, partition, value) for partition, value in kept.items()])
            self.next |= {(topic, partition): offset for partition, offset in begun.items()}

    async def read(self, *, most: int) -> bool:
        """Apply at most so many records of every partition; False when there were none."""
        some = False
        for (topic, partition), frames in self.world.frames.items():
            first = self.next[topic, partition]
            values = frames[first : first + most]
            if values:
                await self.apply(topic, partition, *values, first=first)
                self.next[topic, partition] = first + len(values)
                some = True
        return some

    async def apply(self, topic: str, partition: int, *values: bytes, first: int) -> None:
        """Apply some values as records of consecutive offsets."""
        counting = self.countings[topic]
        await counting.apply(partition, records(*values, first=first), generation=counting.generation)

    async def work(self, *, most: int = 2) -> None:
        """Count everything there is; every second flush keeps snapshots, and so does the last.

        Each stores its rows beside what follows the rows of the one before.
        """
        flushes = 0
        while await self.read(most=most):
            flushes += 1
            await self.flusher.flush_rows(snapshot=flushes % 2 == 0)
        await self.flusher.flush(snapshot=True)


def work(world: World, *, crashes: Sequence[int] = ()) -> Worker:
    """Work until everything is counted, starting anew after each crash; they come after so many further steps."""
    for steps in crashes:
        world.crash_at = len(world.steps) + steps
        try:
            return _whole(world)
        except CrashError:
            continue
    world.crash_at = None
    return _whole(world)


def _whole(world: World) -> Worker:
    worker = Worker(world)
    asyncio.run(worker.work())
    return worker


def _passages(place: CountingSite) -> TopicHandler[PassageLog]:
    return TopicHandler(
        read=persons().read,
        begin=lambda name, first: PassageLog(name, "person", place, next_offset=first),
        freeze=snapshot.freeze,
        thaw=lambda plain, name: snapshot.thaw(plain, name, "person", place),
        times=lambda batch: batch.ts,
        caught_up=PassageLog.change_days,
        changes=Changes(changes.freeze_changes, changes.note_saved, changes.join),
    )


def _corrections(_: CountingSite) -> TopicHandler[CorrectionLog]:
    return TopicHandler(
        read=corrections().read,
        begin=lambda name, first: CorrectionLog(name, TIMES, next_offset=first),
        freeze=correction_kernels.freeze,
        thaw=lambda plain, name: correction_kernels.thaw(plain, name, TIMES),
        times=lambda _: np.empty(0, dtype=np.int64),
    )


TRADES: dict[str, Callable[[CountingSite], TopicHandler[Any]]] = {
    Topic.TURNSTILES: _passages,
    Topic.CORRECTIONS: _corrections,
}
