"""The wiring: settings, site and sink in, a Faust app out; nothing is read or opened at import."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import faust
import numpy as np

from sinks.sink import Sink
from streams.agents import KafkaOutlet, count_topic, take_up_on_assignment, watch_venue
from streams.checkpoint import SnapshotTable, shelf
from streams.clock import SiteClock
from streams.codec import CorrectionCodec, PassageCodec, Vocabulary
from streams.consumer import CoalescingTransport, Offsets
from streams.contract import KIND_OF_TOPIC, Kind, Topic
from streams.counting import Counting, Flusher, Trade
from streams.ends import EndProcess
from streams.kernels import corrections, snapshot
from streams.kernels.calendar import SiteDays
from streams.kernels.corrections import CorrectionLog
from streams.kernels.passages import PassageLog
from streams.kernels.place import Gate, Place
from streams.kernels.times import TimeRules
from streams.kernels.venue import Venue
from streams.metrics import Timings
from streams.settings import Settings
from streams.site import Site
from streams.topics import LARGEST_SNAPSHOT, SOURCES

_LAST_FLUSH_SECONDS: Final = 5


@dataclass(frozen=True)
class Parts:
    """A worker's parts, for metrics and tests."""

    app: faust.App
    countings: Mapping[str, Counting[Any]]
    venue: Venue
    timings: Timings
    flusher: Flusher
    offsets: Offsets


def vocabulary_of(site: Site) -> Vocabulary:
    """List the names that the codec accepts."""
    return Vocabulary(
        entrances={each.id: each for each in site.entrances},
        categories={kind: frozenset(each.id for each in site.categories_of(kind)) for kind in _KINDS},
        areas={area.id: area.kinds for area in site.areas},
    )


_KINDS: Final[tuple[Kind, ...]] = ("person", "vehicle")


def times_of(settings: Settings) -> TimeRules:
    """Tell the kernels the site's clock, and which event times are believed."""
    clock, limits = SiteClock(**settings.clock.model_dump()), settings.time
    return TimeRules(clock, round(limits.suspect_seconds * 1000), round(limits.horizon_seconds * 1000))


def place_of(site: Site, times: TimeRules) -> Place:
    """Describe the site to the kernels."""
    gates = {each.id: Gate(each.outer, each.inner) for each in site.entrances}
    return Place(gates, SiteDays(ZoneInfo(site.time_zone)), times)


def trade_of(topic: str, site: Site, times: TimeRules) -> Trade[Any]:
    """Tell how a source topic's logs are read, kept and taken up."""
    vocabulary = vocabulary_of(site)
    if topic == Topic.CORRECTIONS:
        return Trade[CorrectionLog](
            read=CorrectionCodec(vocabulary).read,
            begin=lambda name, first: CorrectionLog(name, times, next_offset=first),
            freeze=corrections.freeze,
            thaw=lambda plain, name: corrections.thaw(plain, name, times),
            times=lambda _: np.empty(0, dtype=np.int64),
        )
    kind, place = KIND_OF_TOPIC[topic], place_of(site, times)
    return Trade[PassageLog](
        read=PassageCodec(kind, vocabulary).read,
        begin=lambda name, first: PassageLog(name, kind, place, next_offset=first),
        freeze=snapshot.freeze,
        thaw=lambda plain, name: snapshot.thaw(plain, name, kind, place),
        times=lambda batch: batch.ts,
    )


def create_app(settings: Settings, site: Site, sink: Sink, *, cluster: str, end: EndProcess) -> Parts:
    """Build a worker: agents for persons, vehicles, corrections and the venue; `end` is for what nobody expected."""
    app = _faust_app(settings)
    offsets = Offsets()
    app.transport = CoalescingTransport(app, joined_topics=frozenset(SOURCES), offsets=offsets)
    timings, venue = Timings(), Venue()
    countings: list[tuple[Counting[Any], SnapshotTable]] = []
    for topic in SOURCES:
        table = shelf(app, f"{topic}.snapshots", partitions=settings.kafka.partitions)
        counting = Counting(
            trade_of(topic, site, times_of(settings)),
            topic=topic,
            cluster=cluster,
            worker=settings.worker.name,
            outlet=KafkaOutlet(app, topic, table, offsets),
            most_waiting=settings.worker.most_waiting,
        )
        count_topic(app, counting, end=end)
        countings.append((counting, table))
    watch_venue(app, venue, end=end)
    take_up_on_assignment(app, countings, offsets, end=end)
    clock = SiteClock(**settings.clock.model_dump())
    flusher = Flusher([counting for counting, _ in countings], sink=sink, clock=clock, timings=timings)
    _flush_in_background(app, settings, flusher, end=end)
    return Parts(app, {counting.topic: counting for counting, _ in countings}, venue, timings, flusher, offsets)


def _flush_in_background(app: faust.App, settings: Settings, flusher: Flusher, *, end: EndProcess) -> None:
    worker = settings.worker

    async def flush() -> None:
        try:
            await flusher.run(flush_seconds=worker.flush_seconds, checkpoint_seconds=worker.checkpoint_seconds)
        except Exception as error:  # noqa: BLE001  # a flush that failed for good must not be forgotten
            end(error)

    async def last_flush(*_: object, **__: object) -> None:
        """Leave little to be counted again after a restart, if the store answers soon."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(flusher.flush(snapshot=True), timeout=_LAST_FLUSH_SECONDS)

    app.task(flush)
    app.on_before_shutdown.connect(last_flush, weak=False)


def _faust_app(settings: Settings) -> faust.App:
    kafka = settings.kafka
    return faust.App(
        kafka.group,
        broker=[f"kafka://{address.strip()}" for address in kafka.brokers.split(",")],
        datadir=settings.worker.data / settings.worker.name,
        autodiscover=False,
        store="memory://",
        Table=SnapshotTable,
        web_enabled=False,
        topic_partitions=kafka.partitions,
        topic_allow_declare=False,  # Faust would keep one copy of each; see topics.py
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
        # While the store is away a topic holds this many joined messages of LARGEST_JOIN, one poll, one fetch for each
        # partition, and twice `most_waiting` lines (being written, and waiting): tests/benchmarks/store_stopped.py.
        stream_buffer_maxsize=32,
        consumer_group_instance_id=settings.worker.name if kafka.static_membership else None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1 << 20,
        broker_max_poll_records=20_000,
        broker_commit_interval=settings.worker.checkpoint_seconds,
        broker_session_timeout=kafka.session_seconds,
        broker_heartbeat_interval=kafka.session_seconds / 4,
        broker_request_timeout=max(90.0, kafka.session_seconds * 2),
        producer_max_request_size=LARGEST_SNAPSHOT,
        producer_linger=0.005,
        producer_compression_type="lz4",
        stream_processing_timeout=3600.0,
        worker_redirect_stdouts=False,
    )
