"""Builds one simulated worker from the product's own parts, with doubles for Faust and the drivers.

This is the only module that knows how the product is put together.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, cast

from faust.types import TP

from sinks.sink import StoreError
from streams.contract.codec import Records
from streams.contract.events import KIND_OF_TOPIC, Topic
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.site_totals import SiteTotals
from streams.site.kernel_views import place_of
from streams.site.reader import parse_site
from streams.sources.brokers import BrokersError
from streams.worker import agents, counting, flush, partition_state, settling
from streams.worker import alarm_inputs as alarms
from streams.worker.agents import KafkaOutlet, count_topic, publish_alarm_inputs, settle, take_up_on_assignment
from streams.worker.alarm_inputs import AlarmInputPublisher
from streams.worker.app import _check_store, _check_topics, _flush_in_background, _noting, handler_of
from streams.worker.batches import Values
from streams.worker.checkpoint import SnapshotTable
from streams.worker.consumer import Offsets, coalesce
from streams.worker.counting import Counting
from streams.worker.flush import Flusher
from streams.worker.isolation import Caution
from streams.worker.partition_state import TopicHandler
from streams.worker.process_ends import StalledError, Suspects
from streams.worker.rehearsal import rehearsal
from streams.worker.settling import Settling
from streams.worker.snapshot_records import only_whole
from streams.worker.source_watch import SourceWatch
from streams.worker.stored_figures import EntranceDefects, Occupancy
from streams.worker.takeup import TakeUp
from streams.worker.watchdog import TICK_SECONDS, StallDetector, WorkerStatus
from tests.histories.around import Brokers, Notes
from tests.histories.broker import Answer, Record
from tests.histories.clock import Process, VirtualTime, drawing, fail
from tests.histories.network import ViolationError
from tests.histories.plant import CLUSTER, SOURCES, Plant, changelog
from tests.histories.settled import Reader
from tests.histories.store import StoreSink
from tests.support.small_site import PROFILE

TIMES: Final = TimeRules(SiteClock(), suspect_ms=300_000, horizon_ms=48 * 3_600_000)
_ALARMS: Final = """
[alarms.entrance-overload]
limits = { yellow = 1, orange = 3 }
dead_band = 0.5
on_delay = 1
off_delay = 2
[alarms.vehicle-overload]
limits = { yellow = 1 }
dead_band = 0.5
on_delay = 0
off_delay = 1
[alarms.drift-entrance]
limits = { yellow = 2 }
dead_band = 1
on_delay = 1
off_delay = 1
"""
SITE: Final = parse_site(PROFILE + _ALARMS, source="histories.toml")
PLACE: Final = place_of(SITE, TIMES)
DEFECTIVE: Final = b"kaputt"
"""A line that contains this is one on which the product fails, whatever the reason."""
FLUSH_SECONDS: Final = 0.6
CHECKPOINT_SECONDS: Final = 1.1
MOST_WAITING: Final = 12
_PATIENCE: Final = 5
"""Looks of the watchdog."""
SETTLE_SECONDS: Final = 0.6
_LOOK_SECONDS: Final = 0.8
"""Seconds between two polls of the source topics."""
_BEAT_SECONDS: Final = 0.7
_FULL: Final = 4
"""Joined messages of a topic that wait for its agent at most."""
_CLEARED: Final = 0.8
"""Of the messages that wait when partitions are assigned, so many are gone: an agent may have one in its hands."""


def handlers(partitions: int) -> dict[str, TopicHandler[Any]]:
    """Make the handlers of all topics that are counted; they may be shared by all workers."""
    topics = (*KIND_OF_TOPIC, Topic.CORRECTIONS, Topic.ALARM_INPUTS)
    return {topic: _with_defect(handler_of(topic, SITE, TIMES, partitions=partitions)) for topic in topics}


def _with_defect(handler: TopicHandler[Any]) -> TopicHandler[Any]:
    """Let the product fail on lines that contain DEFECTIVE."""

    def read(records: Records) -> Any:
        if DEFECTIVE in records.value:
            raise RuntimeError("a defect of ours in this history")
        return handler.read(records)

    return replace(handler, read=read)


class _File:
    """A file on a worker's disk, as far as `Suspects` uses one."""

    name = "suspects"

    def __init__(self) -> None:
        self.text: str | None = None
        self.parent = SimpleNamespace(mkdir=lambda **_: None)

    def read_text(self) -> str:
        """Read it. Raises OSError where there is none."""
        if self.text is None:
            raise FileNotFoundError
        return self.text

    def write_text(self, text: str) -> None:
        """Write it."""
        self.text = text

    def with_name(self, _: str) -> "_File":
        """Return another one in the same place."""
        return _File()

    def replace(self, other: "_File") -> None:
        """Take the place of another one."""
        other.text = self.text


def put_clock(clock: Any, *, settle_seconds: float = settling.TICK_SECONDS) -> None:
    """Let the product read this clock, a virtual one or the module `time` again, and settle so often."""
    vars(settling)["TICK_SECONDS"] = settle_seconds
    for module in (counting, partition_state, flush, alarms, agents, settling):
        vars(module)["time"] = clock


@dataclass
class Signal:
    """A signal of Faust's."""

    receivers: list[Callable[..., Awaitable[None]]] = field(default_factory=list)

    def connect(self, receiver: Callable[..., Awaitable[None]], *, weak: bool) -> None:
        """Add a receiver."""
        del weak
        self.receivers.append(receiver)

    async def send(self) -> None:
        """Call all receivers."""
        for each in self.receivers:
            await each()


class Destination:
    """A topic as agents have it: to send to, or to read from."""

    def __init__(self, worker: "Worker", name: str) -> None:
        self.worker, self.name = worker, name

    def send_soon(self, *, key: bytes, value: bytes | None, partition: int | None = None) -> Awaitable[Any]:
        """Send a record; await it to know that the broker has it."""
        plant = self.worker.plant
        return asyncio.ensure_future(
            plant.network.call(plant.broker_server, lambda: plant.produced(self.name, key, value, partition))
        )


class Shelf(SnapshotTable):
    """The product's table of snapshots without Faust's table around it."""

    def __init__(self, worker: "Worker", topic: str) -> None:
        self.changelog_of, self.worker = changelog(topic), worker
        self.chains, self.unreadable, self.check, self.on_unreadable = {}, {}, lambda _: None, lambda *_: None
        changes = worker.plant.handlers[topic].changes
        self.join_plain = only_whole if changes is None else changes.join
        self._changelog_topic = cast("Any", SimpleNamespace(get_topic_name=lambda: self.changelog_of))

    def send_changelog(self, partition: int | None, key: Any, value: Any, *_: Any, **__: Any) -> Any:
        """Append a snapshot to the changelog."""
        return Destination(self.worker, self.changelog_of).send_soon(key=key, value=value, partition=partition)


class Readable:
    """How far the snapshots of a partition have counted of which all that they follow on has been read."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()
        self.furthest = 0

    def read(self, records: Iterable[Record]) -> None:
        """Read records in the order of the changelog."""
        for each in records:
            value = each.value or b""
            if b"/" in (each.key or b"") and value[8:24] not in self.digests:
                continue
            self.digests.add(hashlib.blake2b(value, digest_size=16).digest())
            self.furthest = max(self.furthest, int.from_bytes(value[:8], "big"))


class Consumer:
    """What agents ask of Faust's consumer."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.assigned: tuple[TP, ...] = ()  # in an order that no hash decides
        self.positions: dict[TP, int] = {}
        self.polled: dict[TP, tuple[int, int]] = {}  # the log's end, and when (ms) that was asked
        self.flowing = False

    def assignment(self) -> tuple[TP, ...]:
        """Return the partitions of this worker."""
        return self.assigned

    def stop_flow(self) -> None:
        """Read no more."""
        self.flowing = False

    def caught_up_at(self, tp: TP, next_offset: int) -> int | None:
        """See CoalescingConsumer.caught_up_at."""
        end, asked = self.polled.get(tp, (None, 0))
        return asked if end is not None and next_offset >= end else None


class App:
    """What agents ask of a Faust app."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.consumer = Consumer(worker)
        self.consumer_generation_id = 0
        self.on_rebalance_complete = Signal()
        self.on_before_shutdown = Signal()
        self.work: list[Callable[[], Awaitable[None]]] = []
        self.agents: list[tuple[str, Callable[[Any], Awaitable[None]]]] = []

    def topic(self, name: str, **_: Any) -> Destination:
        """Name a topic."""
        return Destination(self.worker, str(name))

    def task(self, work: Callable[[], Awaitable[None]]) -> None:
        """Add a task."""
        self.work.append(work)

    def agent(self, topic: Destination, **_: Any) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
        """Add an agent of a topic."""
        return lambda follow: self.agents.append((topic.name, follow))


@dataclass(frozen=True, slots=True)
class Message:
    """A message as Faust hands it to agents."""

    partition: int
    value: Any
    generation_id: int


class Stream:
    """What waits for an agent; iterates over values, `events` over what carries them."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue()

    def events(self) -> AsyncIterator[Any]:
        """Iterate over events."""
        return _Events(self.queue)


class _Events:
    def __init__(self, queue: asyncio.Queue[Message]) -> None:
        self._queue = queue

    def __aiter__(self) -> "_Events":
        return self

    async def __anext__(self) -> Any:
        return SimpleNamespace(message=await self._queue.get())


class _Stored:
    """See streams.worker.stored_figures.StoredFigures: nobody is inside, and nothing is missing."""

    def inside(self) -> Occupancy:
        return Occupancy({}, {})

    def defects(self) -> EntranceDefects:
        return EntranceDefects({}, {})


class Worker(Process):
    """One life of a worker: from its start to its end."""

    def __init__(self, plant: Plant, name: str, *, on_end: Callable[["Worker"], None]) -> None:
        super().__init__(plant.loop)
        self.plant, self.name, self.on_end = plant, name, on_end
        self.order = drawing(f"{plant.seed}/{name}/{plant.loop.steps}")
        self.skew_ms = plant.skews.get(name, 0)
        self.why: BaseException | None = None
        self.streams: dict[str, Stream] = {}
        self.generation = -1
        self.recovered = 0
        self.ending = False
        self.drop_next: set[str] = set()  # topics of which the next records fetched are lost before they are counted
        self.context.run(self._build)

    def _build(self) -> None:
        plant = self.plant
        app, self.offsets = App(self), Offsets()
        self.app = app
        like_faust, brokers = cast("Any", app), cast("Any", Brokers(plant))
        notes, clock = cast("Any", Notes(plant, self.name)), VirtualTime(plant.loop).time
        take_up = TakeUp(brokers, notes, CLUSTER, clock=clock)
        pairs: dict[str, tuple[Counting[Any], SnapshotTable]] = {}
        suspects = Suspects(cast("Any", plant.disks.setdefault(self.name, _File())))
        known = suspects.read()
        end = self.end_noted = _noting(suspects, lambda: [each for each, _ in pairs.values()], self.fail)
        for topic in plant.broker.sources:
            table = Shelf(self, topic)
            of_topic = Counting(
                handler=plant.handlers[topic], topic=topic, worker=self.name,
                outlet=KafkaOutlet(like_faust, topic, table, self.offsets), most_waiting=MOST_WAITING,
                caution=Caution(rehearsal(plant.handlers[topic], forked=False), known), at_work=lambda _: None,
            )  # fmt: skip
            count_topic(like_faust, of_topic, end=end, brokers=brokers)
            pairs[topic] = (of_topic, table)
        self.tables = {topic: cast("Shelf", table) for topic, (_, table) in pairs.items()}
        self.countings = {topic: each for topic, (each, _) in pairs.items()}
        self.venue = SiteTotals()
        take_up_on_assignment(like_faust, list(pairs.values()), self.offsets, take_up, end=end)
        self.sources = SourceWatch(brokers, notes, self.countings, take_up, end, rejoin=lambda: None, clock=clock)
        if Topic.ALARM_INPUTS in pairs:
            passages, judging = [self.countings[topic] for topic in KIND_OF_TOPIC], self.countings[Topic.ALARM_INPUTS]
            teller = AlarmInputPublisher(
                countings=passages,
                clock=TIMES.clock,
                judges=lambda: bool(judging.partitions),
                stored=cast("Any", _Stored()),
                logs=list,
            )
            publish_alarm_inputs(like_faust, teller, end=end)
        settle(
            like_faust,
            Settling(cast("Any", Reader(plant)), StoreSink(plant.store, plant.store_server, plant.network), PLACE),
            self._judges,
            end=end,
        )
        sink = StoreSink(plant.store, plant.store_server, plant.network)
        self.flusher = Flusher(
            countings=list(self.countings.values()), sink=sink, clock=TIMES.clock,
            check_store=partial(_check_store, take_up), check_topics=partial(_check_topics, take_up),
        )  # fmt: skip
        settings = SimpleNamespace(
            worker=SimpleNamespace(flush_seconds=FLUSH_SECONDS, checkpoint_seconds=CHECKPOINT_SECONDS)
        )
        _flush_in_background(like_faust, cast("Any", settings), self.flusher, end=end)

    def _judges(self) -> bool:
        """Tell whether this worker is the one that settles: the one that judges alarms, where there are any."""
        if Topic.ALARM_INPUTS in self.countings:
            return bool(self.countings[Topic.ALARM_INPUTS].partitions)
        return self.countings[Topic.TURNSTILES].partition(0) is not None

    # -- from start to end ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin all tasks."""
        for topic, follow in self.app.agents:
            stream = self.streams[topic] = Stream()
            self.spawn(cast("Any", follow(stream)))
        for work in (*self.app.work, self._belong, self._fetch, self._commit, self._watch, self._watch_sources):
            self.spawn(cast("Any", work()))

    def fail(self, error: BaseException) -> None:
        """End at once, as `Ends.end` does."""
        self.why = self.why or error
        if self.alive:
            self.end()
            self.died()

    def died(self) -> None:
        """Tell that this life is over."""
        self.on_end(self)

    def stop(self) -> None:
        """End in good order, as after SIGTERM."""
        if self.alive and not self.ending:
            self.ending = True
            self.spawn(self._stop())

    async def _stop(self) -> None:
        self.app.consumer.stop_flow()
        try:
            await self.app.on_before_shutdown.send()
            await self._commit_now()
        except Exception as error:  # noqa: BLE001  # it ends in any case
            self.why = error
        await self.plant.network.call(self.plant.broker_server, lambda: self.plant.broker.leave(self.name))
        self.fail(self.why or SystemExit())

    # -- the group -----------------------------------------------------------------------------------------------------

    async def _belong(self) -> None:
        """Send heartbeats, and take up what the group gives, one assignment after the other."""
        plant = self.plant
        while not self.ending:
            generation, mine = await plant.network.call(
                plant.broker_server, lambda: plant.broker.beat(self.name, self, self.loop.time())
            )
            if generation != self.generation:
                self.generation = generation
                await self._take_up(generation, mine)
            await asyncio.sleep(_BEAT_SECONDS * (0.5 + self.order.random()))

    async def _take_up(self, generation: int, mine: tuple[TP, ...]) -> None:
        """Do what Faust does when partitions are assigned: stop, clear, recover tables, tell, seek, resume."""
        app, consumer = self.app, self.app.consumer
        consumer.stop_flow()
        for stream in self.streams.values():
            while not stream.queue.empty() and self.order.random() < _CLEARED:
                stream.queue.get_nowait()
        app.consumer_generation_id = generation
        consumer.assigned, consumer.polled = mine, {}
        for table in self.tables.values():
            await self._recover(table, [tp.partition for tp in mine if tp.topic == table.changelog_of])
        await app.on_rebalance_complete.send()
        if self.alive:
            consumer.positions = {tp: at for tp, at in self.offsets.start.items() if tp in mine}
            consumer.flowing = not self.ending

    async def _recover(self, table: Shelf, partitions: list[int]) -> None:
        """Read a changelog from its beginning, in batches."""
        for partition in partitions:
            tp = TP(table.changelog_of, partition)
            at, end, found = 0, 1, Readable()
            while at < end:
                answer: Answer = (await self._ask_for({tp: at}, 5))[tp]
                events = [SimpleNamespace(message=each, key=each.key, value=each.value) for each in answer.records]
                table.apply_changelog_batch(cast("Any", events))
                self.recovered += 1
                found.read(answer.records)
                at, end = (answer.records[-1].offset + 1, answer.end) if answer.records else (1, 0)
            taken = table.chains[partition].newest() if partition in table.chains else None
            if (taken.version if taken else 0) < found.furthest:
                error = ViolationError(f"{tp}: a snapshot was taken up, and one that counted further was read")
                self.loop.later(0, fail, error)

    async def _watch(self) -> None:
        """Look every second whether all gets on, as the watchdog's thread does."""
        watch = StallDetector(patience=_PATIENCE)
        while True:
            await asyncio.sleep(TICK_SECONDS * (0.8 + 0.4 * self.order.random()))
            trouble = watch.observe(self._standing())
            if trouble:
                self.end_noted(StalledError(trouble))

    async def _watch_sources(self) -> None:
        """Look at the source topics every few seconds, as the product's thread does."""
        while True:
            try:
                self.sources.poll()
            except (BrokersError, StoreError):
                pass
            except Exception as error:  # noqa: BLE001  # as the thread does
                self.end_noted(error)
            await asyncio.sleep(_LOOK_SECONDS * (0.8 + 0.4 * self.order.random()))

    def _standing(self) -> WorkerStatus:
        plant, consumer = self.plant, self.app.consumer
        away = plant.broker_server.away_until > self.loop.time()
        return WorkerStatus(
            turns=self.loop.steps,
            recovering=None if consumer.flowing else (self.generation, self.recovered),
            storing=self.flusher.waiting_for_store_since is not None,
            counted={place: at for topic in SOURCES for place, at in self.countings[topic].next_offsets().items()},
            checkpointed={(tp.topic, tp.partition): at for tp, at in self.offsets.start.items()},
            end=None if away else plant.ends(),
        )

    # -- reading and committing ----------------------------------------------------------------------------------------

    async def _fetch(self) -> None:
        """Read for ever: some partitions at a time, some records of each."""
        consumer, order = self.app.consumer, self.order
        while True:
            await asyncio.sleep(0.05 + 0.3 * order.random())
            wanted = {tp: at for tp, at in self._wanted().items() if order.random() < 0.8}
            if not consumer.flowing or not wanted:
                continue
            generation, most = self.app.consumer_generation_id, 1 + int(order.random() * 8)
            asked = int(VirtualTime(self.loop).time() * 1000)
            answers = await self._ask_for(wanted, most)
            if not consumer.flowing or generation != self.app.consumer_generation_id:
                continue
            self._hand_on(wanted, answers, generation, asked)

    async def _ask_for(self, positions: Mapping[TP, int], most: int) -> dict[TP, Answer]:
        plant = self.plant
        answer: dict[TP, Answer] = await plant.network.call(
            plant.broker_server, lambda: plant.broker.fetch(positions, most)
        )
        return answer

    def _wanted(self) -> Mapping[TP, int]:
        positions = self.app.consumer.positions
        return {tp: at for tp, at in sorted(positions.items()) if self.streams[tp.topic].queue.qsize() < _FULL}

    def _hand_on(self, wanted: Mapping[TP, int], answers: Mapping[TP, Answer], generation: int, asked: int) -> None:
        """Give what was fetched to the agents."""
        consumer = self.app.consumer
        for tp, answer in answers.items():
            if consumer.positions.get(tp) != wanted[tp]:
                continue
            consumer.polled[tp] = (answer.end, asked)
            if not answer.records and answer.position == wanted[tp]:
                continue
            consumer.positions[tp] = answer.records[-1].offset + 1 if answer.records else answer.position
            if tp.topic in self.drop_next and answer.records:
                self.drop_next.discard(tp.topic)
                continue
            for joined in coalesce(tp, [Values.of(answer.records)] if answer.records else []):
                self.streams[tp.topic].queue.put_nowait(Message(tp.partition, joined.value, generation))

    def rewind(self) -> None:
        """Read some records again, as after an answer that came twice."""
        consumer = self.app.consumer
        for tp, at in consumer.positions.items():
            consumer.positions[tp] = max(0, at - int(self.order.random() * 6))

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            await self._commit_now()

    async def _commit_now(self) -> None:
        plant, mine = self.plant, self.app.consumer.assigned
        offsets = {tp: at for tp, at in self.offsets.safe.items() if tp in mine}
        generation = self.app.consumer_generation_id
        if offsets:
            await plant.network.call(plant.broker_server, lambda: plant.commit(self.name, generation, offsets))
