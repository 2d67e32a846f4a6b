"""Wires a worker together: settings, site and sink in, a Faust app out; nothing is read or opened at import."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import faust
import numpy as np
import structlog
from aiokafka.codec import lz4_encode

from sinks.sink import Sink, StoreError
from streams.contract.codec import CorrectionCodec, PassageCodec
from streams.contract.events import KIND_OF_TOPIC, Topic
from streams.contract.topics import LARGEST_SNAPSHOT, SOURCES, changelog, output_topics
from streams.kernels.alarms import changes as alarm_changes
from streams.kernels.alarms import snapshot as alarm_snapshot
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.counts import changes, corrections, snapshot
from streams.kernels.counts.corrections import CorrectionLog
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_totals import SiteTotals
from streams.settings import Settings
from streams.site.kernel_views import alarm_place_of, place_of, times_of, vocabulary_of
from streams.site.model import Site
from streams.sources.brokers import BrokersError
from streams.worker.agents import (
    KafkaOutlet,
    Unreadable,
    count_topic,
    follow_site_totals,
    publish_alarm_inputs,
    settle,
    take_up_on_assignment,
)
from streams.worker.alarm_inputs import AlarmInputPublisher, read_inputs
from streams.worker.checkpoint import SnapshotTable, snapshot_table
from streams.worker.consumer import CoalescingTransport, Offsets, matching_assignor
from streams.worker.counting import Counting
from streams.worker.flush import CutOffError, Flusher
from streams.worker.isolation import Caution
from streams.worker.partition_state import Changes, TopicHandler
from streams.worker.process_ends import AtWork, EndProcess, Suspects, is_unexpected
from streams.worker.rehearsal import rehearsal
from streams.worker.settling import Settling
from streams.worker.snapshot_records import only_whole
from streams.worker.stored_figures import StoredFigures
from streams.worker.takeup import TakeUp, check_topics

log = structlog.get_logger()
_LAST_FLUSH_SECONDS: Final = 5
_RETRY_SECONDS: Final = 1.0
_METADATA_MS: Final = 2_000
"""How soon the group notices that partitions were added to a topic, or that it is gone."""
_LZ4_LEVEL: Final = 1
"""How hard a worker compresses what it publishes; aiokafka's default, 9, takes several times as long."""
_COUNTED: Final[dict[str, int | None]] = {**dict.fromkeys(SOURCES), Topic.ALARM_INPUTS: 1}
"""The topics whose records are counted exactly once, with their partitions; None: as set."""


@dataclass(frozen=True)
class Parts:
    """A worker's parts, for metrics and tests."""

    app: faust.App
    countings: Mapping[str, Counting[Any]]  # by topic, the alarms' among them
    site_totals: SiteTotals
    flusher: Flusher
    offsets: Offsets
    end: EndProcess  # notes what is suspect, and ends the process
    unreadable: Unreadable


def handler_of(topic: str, site: Site, times: TimeRules, *, partitions: int = 1) -> TopicHandler[Any]:
    """Return how a topic is decoded, counted, saved and restored; `partitions`: of each source topic."""
    vocabulary = vocabulary_of(site)
    if topic == Topic.CORRECTIONS:
        return TopicHandler[CorrectionLog](
            read=CorrectionCodec(vocabulary).read,
            begin=lambda name, first: CorrectionLog(name, times, next_offset=first),
            freeze=corrections.freeze,
            thaw=lambda plain, name: corrections.thaw(plain, name, times),
            times=lambda _: np.empty(0, dtype=np.int64),
        )
    if topic == Topic.ALARM_INPUTS:
        sight = alarm_place_of(site, times, partitions=partitions)
        return TopicHandler[AlarmLog](
            read=read_inputs,
            begin=lambda name, first: AlarmLog(name, sight, next_offset=first),
            freeze=alarm_snapshot.freeze,
            thaw=lambda plain, name: alarm_snapshot.thaw(plain, name, sight),
            times=lambda _: np.empty(0, dtype=np.int64),
            changes=Changes(alarm_changes.freeze_changes, alarm_changes.note_saved, alarm_changes.join),
        )
    kind, place = KIND_OF_TOPIC[topic], place_of(site, times)
    return TopicHandler[PassageLog](
        read=PassageCodec(kind, vocabulary).read,
        begin=lambda name, first: PassageLog(name, kind, place, next_offset=first),
        freeze=snapshot.freeze,
        thaw=lambda plain, name: snapshot.thaw(plain, name, kind, place),
        times=lambda batch: batch.ts,
        caught_up=PassageLog.change_days,
        changes=Changes(changes.freeze_changes, changes.note_saved, changes.join),
    )


def create_app(
    settings: Settings,
    site: Site,
    sink: Sink,
    *,
    end: EndProcess,
    take_up: TakeUp,
    stored: StoredFigures,
    settling: Settling,
) -> Parts:
    """Build a worker: agents for persons, vehicles, corrections, alarm inputs and the totals of the site.

    `end` is for what nobody expected; `take_up` decides where partitions are read on; `settling` retracts what was
    counted twice, in the worker that judges alarms.
    """
    app, offsets, times = _faust_app(settings), Offsets(), times_of(settings)
    suspects = Suspects(settings.worker.data / f"{settings.worker.name}.suspects.json")
    at_work = AtWork(settings.worker.data / f"{settings.worker.name}.at-work.json")
    with contextlib.suppress(OSError):
        suspects.note(at_work.left)
    known, unreadable = suspects.read() | at_work.left, Unreadable()
    app.transport = CoalescingTransport(
        app, joined_topics=frozenset(_COUNTED), offsets=offsets,
        output_topics=[plan.name for plan in output_topics(settings.kafka)],
    )  # fmt: skip
    site_totals = SiteTotals()
    countings: dict[str, tuple[Counting[Any], SnapshotTable]] = {}
    noting_end = _noting(suspects, lambda: [counting for counting, _ in countings.values()], end)
    for topic, partitions in _COUNTED.items():
        handler = handler_of(topic, site, times, partitions=settings.kafka.partitions)
        table = snapshot_table(
            app,
            f"{topic}.snapshots",
            partitions=partitions or settings.kafka.partitions,
            check=handler.check,
            join=only_whole if handler.changes is None else handler.changes.join,
            on_unreadable=partial(unreadable.note, f"{topic}.snapshots"),
        )
        counting = Counting(
            handler=handler,
            topic=topic,
            worker=settings.worker.name,
            outlet=KafkaOutlet(app, topic, table, offsets),
            most_waiting=settings.worker.most_waiting,
            caution=Caution(rehearsal(handler, forked=True), known),
            at_work=at_work.begin,
        )
        count_topic(app, counting, end=noting_end, brokers=take_up.brokers)
        countings[topic] = (counting, table)
    follow_site_totals(app, site_totals, unreadable)
    take_up_on_assignment(app, list(countings.values()), offsets, take_up, end=noting_end)
    by_topic = {topic: counting for topic, (counting, _) in countings.items()}
    passages, alarms = [by_topic[topic] for topic in KIND_OF_TOPIC], by_topic[Topic.ALARM_INPUTS]
    publisher = AlarmInputPublisher(
        countings=passages,
        clock=times.clock,
        judges=lambda: bool(alarms.partitions),
        stored=stored,
        logs=lambda: [each for counting in by_topic.values() for each in counting.partitions],
    )
    publish_alarm_inputs(app, publisher, end=noting_end)
    settle(app, settling, publisher.judges, end=end)
    flusher = Flusher(
        countings=list(by_topic.values()),
        sink=sink,
        clock=times.clock,
        check_store=partial(_check_store, take_up),
        check_topics=partial(_check_topics, take_up),
    )
    _flush_in_background(app, settings, flusher, end=noting_end)
    return Parts(app, by_topic, site_totals, flusher, offsets, noting_end, unreadable)


def _noting(suspects: Suspects, countings: Callable[[], Sequence[Counting[Any]]], end: EndProcess) -> EndProcess:
    """Return what notes, before a process ends for a reason that nobody expected, which records it was at."""

    def note_and_end(error: BaseException) -> None:
        if is_unexpected(error):
            found = [(counting.to_blame, counting.in_flight()) for counting in countings()]
            blamed = [known for known, _ in found if known] or [flying for _, flying in found]
            with contextlib.suppress(OSError):  # a full disk must not keep the process alive
                suspects.note(dict(chain.from_iterable(each.items() for each in blamed)))
        end(error)

    return note_and_end


async def _check_store(take_up: TakeUp) -> None:
    """Return once the store is known to have all that the snapshots contain. Raises SourceChangedError."""
    while not take_up.checked:
        try:
            await asyncio.to_thread(take_up.check_store)
        except StoreError as error:
            log.warning("the progress in the store cannot be read", reason=error.reason)
            await asyncio.sleep(_RETRY_SECONDS)


async def _check_topics(take_up: TakeUp, logs: Sequence[PartitionId]) -> None:
    """Return once the brokers confirm that the topics are those that were read. Raises SourceChangedError."""
    while True:
        try:
            return await asyncio.to_thread(check_topics, take_up.brokers, logs)
        except BrokersError as error:
            log.warning("the topics of the brokers cannot be read", reason=str(error))
            await asyncio.sleep(_RETRY_SECONDS)


def _flush_in_background(app: faust.App, settings: Settings, flusher: Flusher, *, end: EndProcess) -> None:
    worker, stopping = settings.worker, asyncio.Event()

    async def flush() -> None:
        try:
            await flusher.run(flush_seconds=worker.flush_seconds, checkpoint_seconds=worker.checkpoint_seconds)
        except CutOffError as error:
            if not stopping.is_set():
                end(error)
        except Exception as error:  # noqa: BLE001  # a flush that failed for good must not be forgotten
            end(error)

    async def last_flush(*_: object, **__: object) -> None:
        """Leave little to be counted again after a restart, if the store answers soon."""
        stopping.set()
        with contextlib.suppress(TimeoutError, CutOffError):
            await asyncio.wait_for(flusher.flush(snapshot=True), timeout=_LAST_FLUSH_SECONDS)

    app.task(flush)
    app.on_before_shutdown.connect(last_flush, weak=False)


def _faust_app(settings: Settings) -> faust.App:
    lz4_encode.__defaults__ = (_LZ4_LEVEL,)  # aiokafka has no setting for it
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
        PartitionAssignor=matching_assignor({changelog(kafka, topic): topic.value for topic in map(Topic, _COUNTED)}),
        table_standby_replicas=0,
        stream_wait_empty=False,
        # While the store is away a topic holds this many joined messages of LARGEST_JOIN, one poll, one fetch for each
        # partition, and twice `most_waiting` lines (being written, and waiting): tests/benchmarks/store_stopped.py.
        stream_buffer_maxsize=32,
        consumer_group_instance_id=settings.worker.name if kafka.static_membership else None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1 << 20,
        consumer_metadata_max_age_ms=_METADATA_MS,
        producer_metadata_max_age_ms=_METADATA_MS,
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
