"""Faust's agents: pass records to `counting`, publish alarms, totals and rejections; end the process on any error.

Faust would acknowledge an event on which an agent raises, and continue without it. A process that ends instead is
started again and resumes at its checkpoint. Read `app` next.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import faust
import msgspec
import structlog
from faust.types import TP, StreamT

from streams.contract.events import Reason, Rejected, Topic
from streams.contract.topics import SOURCES
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.counts.batch import Rejection
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.site_totals import EntranceTotals, SiteTotals, entrance_totals
from streams.kernels.counts.takeup import AcceptedLoss, Blocked, missing_records
from streams.sources.brokers import Brokers, BrokersError
from streams.worker.alarm_inputs import AlarmInputPublisher, Send
from streams.worker.checkpoint import SnapshotTable
from streams.worker.consumer import CoalescingConsumer, JoinedValue, Offsets
from streams.worker.counting import Counting
from streams.worker.partition_state import Start
from streams.worker.process_ends import EndProcess, ending
from streams.worker.settling import Settling
from streams.worker.snapshot_chain import SnapshotRecord
from streams.worker.takeup import Assigned, TakeUp, Verdict

log = structlog.get_logger()
RESTATE_SECONDS: Final = 10.0
_TRIES: Final = 5
_AGAIN_SECONDS: Final = 1.0
_encode = msgspec.json.Encoder().encode


@dataclass
class Unreadable:
    """How many records of our own topics could not be decoded and were skipped; any thread may call."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, topic: str, partition: int, error: Exception) -> None:
        """Count one, and say the first of a topic: kind and place, and nothing of the record."""
        self.counts[topic] += 1
        if self.counts[topic] == 1:
            log.error("a record cannot be read and is passed over", topic=topic, partition=partition, exc_info=error)


class KafkaOutlet:
    """A topic's way back to Kafka; see counting.Outlet. Deliveries are awaited: Faust only logs one that fails."""

    def __init__(self, app: faust.App, topic: str, table: SnapshotTable, offsets: Offsets) -> None:
        self.app, self.topic, self.table, self.offsets = app, topic, table, offsets
        self._rejected = app.topic(Topic.REJECTED, key_type=bytes, value_type=bytes, value_serializer="raw")
        self._parked = app.topic(Topic.PARKED, key_type=bytes, value_type=bytes, value_serializer="raw")
        self._totals = app.topic(Topic.TOTALS, key_type=bytes, value_type=bytes, value_serializer="raw")
        self._alarms = app.topic(Topic.ALARMS, key_type=bytes, value_type=bytes, value_serializer="raw")
        self._restated_at: dict[PartitionId, float] = {}  # monotonic seconds
        self._publishing = asyncio.Lock()

    async def reject(self, name: PartitionId, rejections: Sequence[Rejection]) -> None:  # noqa: D102  # see Outlet
        key = f"{name.topic}-{name.partition}".encode()
        await asyncio.gather(*(self._rejected.send_soon(key=key, value=_rejected(name, each)) for each in rejections))

    async def publish(self, partitions: Sequence[Any]) -> None:  # noqa: D102
        passages = [one for one in partitions if isinstance(one, PassageLog)]
        totals = [each for one in passages for each in entrance_totals(one, everything=self._is_due(one))]
        await _publish_totals(self._totals, totals)
        for one in partitions:
            await self.publish_changes(one)

    async def publish_changes(self, partition: Any) -> None:  # noqa: ANN401, D102  # see Outlet
        if not isinstance(partition, AlarmLog):
            return
        async with self._publishing:
            changes = partition.unpublished()
            records = [(each.episode.encode(), _encode(each)) for each in changes]
            await asyncio.gather(*(self._alarms.send_soon(key=key, value=value) for key, value in records))
            partition.drain_changes(len(changes))

    def _is_due(self, partition: PassageLog) -> bool:
        """Return whether all totals are published again: a consumer of them may have started anew meanwhile."""
        now = time.monotonic()
        due = now - self._restated_at.get(partition.name, -RESTATE_SECONDS) >= RESTATE_SECONDS
        if due:
            self._restated_at[partition.name] = now
        return due

    async def write_snapshots(self, snapshots: Mapping[int, SnapshotRecord]) -> Mapping[int, int]:  # noqa: D102
        records = [(partition, each.key, each.value) for partition, each in snapshots.items()]
        written = await asyncio.gather(*(self.table.send_changelog(*record) for record in records))
        return {partition: each.offset for partition, each in zip(snapshots, written, strict=True)}

    async def park(self, records: Mapping[str, bytes]) -> None:  # noqa: D102
        for name, value in records.items():  # one after the other: each may be megabytes
            await self._parked.send_soon(key=name.encode(), value=value)

    def release(self, partition: int, offset: int) -> None:  # noqa: D102
        self.offsets.release(TP(self.topic, partition), offset)

    def caught_up_at(self, partition: int, next_offset: int) -> int | None:  # noqa: D102
        tp = TP(self.topic, partition)
        consumer = cast("CoalescingConsumer", self.app.consumer)
        return consumer.caught_up_at(tp, next_offset) if tp in consumer.assignment() else None


async def _publish_totals(topic: Any, totals: Iterable[EntranceTotals]) -> None:  # noqa: ANN401  # Faust's
    await asyncio.gather(*(topic.send_soon(key=each.entrance.encode(), value=_encode(each)) for each in totals))


def _rejected(name: PartitionId, rejection: Rejection) -> bytes:
    position = rejection.position
    return _encode(
        Rejected(
            topic=name.topic,
            partition=name.partition,
            offset=position.offset,
            line=position.line,
            at=position.arrived,
            reason=Reason(rejection.reason),
            detail=rejection.detail,
            sha256=rejection.sha256,
            first_bytes=rejection.first_bytes,
        )
    )


def count_topic(app: faust.App, counting: Counting[Any], *, end: EndProcess, brokers: Brokers) -> None:
    """Attach an agent that hands the joined messages of a source topic to its counting.

    Where offsets are missing that the brokers do not have either, the partition is read no further; where they have
    them, they were lost on the way, and the process ends.
    """
    topic = app.topic(counting.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def count(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            try:
                value = cast("JoinedValue", message.value)
                if message.generation_id == app.consumer_generation_id:
                    generation = counting.generation
                    try:
                        await counting.apply(message.partition, value.records, generation=generation)
                    except OffsetGapError as gap:
                        await _handle_gap(counting, gap, brokers)
                        await counting.apply(message.partition, value.records, generation=generation)
            except Exception as error:  # noqa: BLE001  # whatever it is, going on would lose the event
                end(error)

    app.agent(topic, name=f"count.{counting.topic}", concurrency=1)(count)


async def _handle_gap(counting: Counting[Any], gap: OffsetGapError, brokers: Brokers) -> None:
    """Block the partition, or pass over the gap if nothing is counted from the topic; raise it if the records exist."""
    place, generation = (gap.log.topic, gap.log.partition), counting.generation
    found = await asyncio.to_thread(brokers.record_at, place, gap.expected)
    if found is None or found[0] != gap.got:
        raise gap
    if counting.topic in SOURCES:
        state = (await asyncio.to_thread(brokers.topic_states, [gap.log.topic])).get(gap.log.topic)
        begin = 0 if state is None else state.begin.get(gap.log.partition, 0)
        counting.block(missing_records(gap.log, gap.expected, gap.got, begin=begin), generation=generation)
    else:
        counting.accept(gap.log.partition, AcceptedLoss(str(gap.log), gap.expected, gap.got))
        log.warning("records are missing", log=str(gap.log), first=gap.expected, after=gap.got)


def publish_alarm_inputs(app: faust.App, publisher: AlarmInputPublisher, *, end: EndProcess) -> None:
    """Attach the tasks that publish what alarms are computed from: what this worker counts, and what the store says."""
    topic = app.topic(Topic.ALARM_INPUTS, key_type=bytes, value_type=bytes, value_serializer="raw")

    async def send(value: bytes) -> None:
        await topic.send_soon(key=b"", value=value, partition=0)

    async def publish(figures: Callable[[Send], Awaitable[None]]) -> None:
        with ending(end):  # without them alarms would be silent
            await figures(send)

    app.task(partial(publish, publisher.publish_changes))
    app.task(partial(publish, publisher.publish_store_figures))


def settle(app: faust.App, settling: Settling, judges: Callable[[], bool], *, end: EndProcess) -> None:
    """Attach the task that retracts what was counted through several logs; it restates the totals of entrances."""
    topic = app.topic(Topic.TOTALS, key_type=bytes, value_type=bytes, value_serializer="raw")

    async def settled() -> None:
        with ending(end):  # without it figures would stay too high
            await settling.run(judges, partial(_publish_totals, topic))

    app.task(settled)


def follow_site_totals(app: faust.App, totals: SiteTotals, unreadable: Unreadable) -> None:
    """Attach an agent that adds up the totals of all partitions; unreadable records are counted and skipped.

    The topic is read back because its key is the entrance. An entrance's events may be in logs of several workers, and
    what is retracted of them is published by one; of the topic each entrance has one partition and so one worker. That
    worker adds it up and exports it, so that `sum by (entrance)` over all workers counts nothing twice.
    """
    topic = app.topic(Topic.TOTALS, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    decode = msgspec.json.Decoder(EntranceTotals).decode

    async def follow(stream: StreamT[bytes]) -> None:
        async for value in stream:
            try:
                totals.update(decode(value))
            except Exception as error:  # noqa: BLE001  # every figure is published again within seconds
                unreadable.note(Topic.TOTALS.value, 0, error)

    app.agent(topic, name="venue", concurrency=1)(follow)


def take_up_on_assignment(
    app: faust.App,
    countings: Sequence[tuple[Counting[Any], SnapshotTable]],
    offsets: Offsets,
    take_up: TakeUp,
    *,
    end: EndProcess,
) -> None:
    """Restore every log from its snapshot whenever Faust has recovered its tables.

    Flow is stopped first. Faust resumes the source partitions before it seeks them, and clears the agents' queues
    afterwards; whatever was fetched in between would be lost.
    """

    async def restore(*_: object, **__: object) -> None:
        with ending(end):  # without its logs a worker must not go on
            app.consumer.stop_flow()
            offsets.restart(await _starts(app, countings, take_up))

    app.on_rebalance_complete.connect(restore, weak=False)


async def _starts(
    app: faust.App, countings: Sequence[tuple[Counting[Any], SnapshotTable]], take_up: TakeUp
) -> dict[TP, int]:
    mine = app.consumer.assignment()
    assigned = [
        _assigned(tp, table, mine) for counting, table in countings for tp in sorted(mine) if tp.topic == counting.topic
    ]
    verdicts = await _decided(take_up, assigned)
    starts: dict[TP, int] = {}
    for counting, _ in countings:
        own = [verdict for each, verdict in zip(assigned, verdicts, strict=True) if each.topic == counting.topic]
        blocked = {each.log.partition: each for each in own if isinstance(each, Blocked)}
        begun = counting.assign([each for each in own if isinstance(each, Start)], blocked)
        starts |= {TP(counting.topic, partition): at for partition, at in begun.items()}
        log.info("partitions resumed", topic=counting.topic, offsets=begun)
    return starts


async def _decided(take_up: TakeUp, assigned: Sequence[Assigned]) -> list[Verdict]:
    """Decide where partitions resume; brokers that do not answer are queried again for some seconds."""
    for _ in range(_TRIES):
        try:
            return await asyncio.to_thread(take_up.decide, assigned)
        except BrokersError as error:
            log.warning("the brokers did not say where their logs are; asking again", reason=str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
    return await asyncio.to_thread(take_up.decide, assigned)


def _assigned(tp: TP, table: SnapshotTable, mine: AbstractSet[TP]) -> Assigned:
    plain = table.newest(tp.partition)
    elsewhere = TP(table.changelog_topic.get_topic_name(), tp.partition) not in mine
    lost = table.unreadable_after(tp.partition)
    if lost:
        log.error(
            "a snapshot cannot be loaded; what it had counted is counted again",
            topic=tp.topic,
            partition=tp.partition,
            older=plain is not None,
        )
    return Assigned(tp.topic, tp.partition, plain, elsewhere, lost)
