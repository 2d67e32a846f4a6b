"""Consumes Kafka through Faust: joins records into batches, and commits only offsets that a checkpoint has released.

Faust spends about 60 µs on each message, so the records that one poll brings for one partition are joined into one
message (`coalesce`). Faust's own bookkeeping of offsets cannot follow that, and it can commit past an unfinished
record; for joined topics it is replaced by `Offsets`. Private parts of Faust and aiokafka are used in this module
only; `tests/streams/worker/test_consumer.py` fails when they change. Read `counting` next.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, cast

import faust
import numpy as np
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import ConsumerRecord
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.contract.codec import Records
from streams.kernels.counts.batch import Ints
from streams.worker.batches import KeptRecords, Values, open_batch

log = structlog.get_logger()

LARGEST_JOIN: Final = 1 << 20
"""Bytes joined at most: decoding one message must not keep the event loop from its other duties, and a stream's buffer
holds dozens of them while the store is away."""

LONGEST_FETCH_MS: Final = 50
"""How long a broker may hold back an empty answer. Questions about offsets wait behind it, four of them at every start;
Faust's 1.5 s made that 6 s. It is also how well we know that an idle partition is idle."""

SMALLEST_FETCH: Final = 1 << 15
"""Bytes that a broker waits for, no longer than that: a joined message of one event costs as much as one of fifty."""


class JoinedValue(bytes):
    """The values of consecutive records, joined by newlines; `records` tells them apart."""

    records: Records


@dataclass
class Offsets:
    """Where each joined partition resumes, and how far it may be committed."""

    start: dict[TP, int] = field(default_factory=dict)
    safe: dict[TP, int] = field(default_factory=dict)

    def restart(self, start: Mapping[TP, int]) -> None:
        """Forget all partitions, and take these up."""
        self.start = dict(start)
        self.safe = {}

    def release(self, tp: TP, offset: int) -> None:
        """Allow an offset to be committed: everything below it is stored, and so is the snapshot that says so."""
        if tp in self.start:
            self.start[tp] = self.safe[tp] = offset


def coalesce(tp: TP, batches: Sequence[Values]) -> list[ConsumerRecord]:
    """Join records of one partition; a gap between offsets, or too many bytes, begins another joined record."""
    if not batches:
        return []
    found = Values.joined(batches)
    joined = []
    for start, end in _stretches(found.offset, found.size):
        part = found.part(start, end)
        value = JoinedValue(memoryview(part.value)[:-1])
        value.records = Records(value, part.offset, part.arrived, part.lines)
        joined.append(_as_fetched(tp, value))
    return joined


def _stretches(offset: Ints, size: Ints) -> Iterator[tuple[int, int]]:
    """Cut behind each gap and behind the record with which too many bytes are reached: [start, end) of each part."""
    gaps = np.append(np.flatnonzero(np.diff(offset) != 1) + 1, len(offset))
    reached = np.cumsum(size)
    start = 0
    while start < len(offset):
        before = int(reached[start - 1]) if start else 0
        full = int(np.searchsorted(reached, before + LARGEST_JOIN, side="right")) + 1
        end = min(full, int(gaps[np.searchsorted(gaps, start, side="right")]))
        yield start, end
        start = end


def _as_fetched(tp: TP, value: JoinedValue) -> ConsumerRecord:
    first = value.records
    return ConsumerRecord(
        tp.topic, tp.partition, first.first, int(first.arrived[0]), timestamp_type=0, key=None, value=value,
        checksum=None, serialized_key_size=0, serialized_value_size=len(value), headers=(),
    )  # fmt: skip


class BareRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka says nothing of its type
    """Fetched records, of some topics the values only: `Values` of a batch at a time.

    aiokafka dresses each one up otherwise, which takes as long as to decode and check the event in it, and hands them
    out one by one. Records of aborted transactions are left out, as it leaves them out.
    """

    topics: Collection[str] = ()
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        if self._tp.topic in self.topics:
            return self._batches()
        records: Iterator[Any] = super()._unpack_records()
        return records

    def _batches(self) -> Iterator[Values]:
        while self._records.has_next():
            batch, data = self._records.next_bytes()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            found = None if self._is_aborted(batch) or batch.is_control_batch else open_batch(batch, data)
            if found is not None and batch.base_offset < self.next_fetch_offset:  # its first were not requested
                found = found.from_offset(self.next_fetch_offset)
            self.next_fetch_offset = batch.next_offset
            if found is not None:
                yield found

    def _is_aborted(self, batch: Any) -> bool:  # noqa: ANN401  # aiokafka's batch
        if batch.producer_id is None or self._isolation_level != fetcher.READ_COMMITTED:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional) and batch.producer_id in self._aborted_producers


class TimedFetcher(fetcher.Fetcher):  # type: ignore[misc]  # as above
    """A fetcher that knows when (ms) it requested what was answered last: `requested_at`, by partition.

    aiokafka notes when it read an answer. In a process that was stopped, answers wait: one that is read a minute late
    does not say that the broker had nothing a moment ago.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # aiokafka's
        super().__init__(*args, **kwargs)
        self.requested_at: dict[TP, int] = {}

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> Any:  # noqa: ANN401  # aiokafka's
        requested_at = int(time.time() * 1000)
        found = await super()._proc_fetch_request(assignment, node_id, request)
        for topic, partitions in request.topics:
            for tp in (TP(topic, number) for number, *_ in partitions):
                state = assignment.state_value(tp)
                if (
                    state is not None and (state.timestamp or 0) >= requested_at
                ):  # it was answered, and without an error
                    self.requested_at[tp] = requested_at
        return found


def fetch_raw_batches(topics: Collection[str]) -> None:
    """Let aiokafka hand out the records of these topics as `BareRecords`, fetched by an `TimedFetcher`."""
    client.Fetcher = TimedFetcher
    fetcher.MemoryRecords = KeptRecords
    fetcher.PartitionRecords = type("BareRecordsOf", (BareRecords,), {"topics": topics})


def is_joining(consumer: AIOKafkaConsumer) -> bool:
    """Tell whether a consumer may be waiting for the broker to let it join its group.

    A commit sent meanwhile waits behind the join and is refused, as it names the generation before. aiokafka then
    forgets the new generation too, and joins again: with a commit every second that goes on for ever, for all members.
    """
    return bool(consumer._coordinator._performed_join_prepare)  # noqa: SLF001  # it tells nobody


class CoalescingThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, joining what it fetched."""

    transport: "CoalescingTransport"

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:  # noqa: ANN401  # mode's signature
        """Log what ended this thread; mode would print the error with all its words."""
        del msg, fmt, kwargs
        log.exception("the thread that reads from the brokers has crashed")  # noqa: LOG004  # it is called in one

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401  # Faust's signature
        fetch_raw_batches(self.transport.joined_topics)
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = LONGEST_FETCH_MS  # noqa: SLF001  # Faust has no setting for it
        consumer._fetch_min_bytes = SMALLEST_FETCH  # noqa: SLF001  # nor for this
        consumer._isolation_level = "read_committed"  # noqa: SLF001  # nor for this without its transactions
        return consumer

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ANN401, ASYNC109  # Faust's signature
        """Fetch once; records of joined topics come as few joined ones."""
        fetched = await super().getmany(active_partitions, timeout)
        topics = self.transport.joined_topics
        return {tp: coalesce(tp, records) if tp.topic in topics else records for tp, records in fetched.items()}

    def rejoin(self) -> None:
        """Let the group assign its partitions anew, if this member leads it; any thread may call."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001  # it has no other way
        self.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return not is_joining(self._ensure_consumer()) and await super()._commit(offsets)

    def caught_up_at(self, tp: TP, next_offset: int) -> int | None:
        """Return when (ms) the broker was queried that had nothing at or behind an offset; None if it has something."""
        consumer = self._ensure_consumer()
        highwater = consumer.highwater(tp)
        if highwater is None or next_offset < highwater:
            return None
        requested_at: int | None = consumer._fetcher.requested_at.get(tp)  # noqa: SLF001  # ours
        return requested_at


class CoalescingConsumer(driver.Consumer):
    """Faust's consumer, with offsets of joined topics from the checkpoint."""

    transport: "CoalescingTransport"
    _thread: CoalescingThread

    def _new_consumer_thread(self) -> CoalescingThread:
        return CoalescingThread(self, loop=self.loop, beacon=self.beacon)

    def _is_joined(self, tp: TP) -> bool:
        return tp.topic in self.transport.joined_topics

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self._is_joined(tp):  # the offsets within a joined message are no gap
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if not self._is_joined(tp):
            return super()._new_offset(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.transport.offsets.safe.get(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:  # noqa: ANN401  # Faust's signature
        for tp in self.transport.offsets.safe:
            self._acked.setdefault(tp, [])
        return super()._filter_tps_with_pending_acks(topics)

    async def perform_seek(self) -> None:
        """Seek joined partitions to their checkpoint, others to what is committed or to their beginning.

        Faust leaves partitions without a committed offset where they happen to be, and it may have fetched from
        them already: records skipped in this way would never come again.
        """
        await super().perform_seek()
        targets = {tp: at for tp, at in self.transport.offsets.start.items() if tp in self.assignment()}
        rest = {
            tp
            for tp in self.assignment()
            if tp not in targets
            and self._committed_offset[tp] is None
            and tp.topic not in self.app.tables.changelog_topics
            and not self._is_joined(tp)  # it is not read; the brokers may not even have it
        }
        if rest:
            targets |= await self.earliest_offsets(*rest)
        if targets:
            await self.seek_wait(targets)
            self._read_offset.update({tp: at or None for tp, at in targets.items()})

    def rejoin(self) -> None:
        """See CoalescingThread.rejoin."""
        self._thread.rejoin()

    def caught_up_at(self, tp: TP, next_offset: int) -> int | None:
        """See CoalescingThread.caught_up_at."""
        return self._thread.caught_up_at(tp, next_offset)


class MatchingAssignor(PartitionAssignor):
    """Gives a partition of the snapshots to the worker that has the same partition of their topic.

    Faust keeps only topics of equally many partitions together, and gives members what they had before. A topic that
    was made anew may have fewer partitions than it had, and than that of its snapshots, which cannot shrink.
    """

    changelogs: ClassVar[Mapping[str, str]] = {}
    """The topics of snapshots, and whose they are."""

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:  # noqa: ANN401  # Faust's signature
        self._known = _Matching(cluster, self.changelogs)
        return super()._perform_assignment(cluster, member_metadata)

    def _get_client_metadata(self, metadata: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # Faust's signature
        """Read what a member had, without partitions that are not there any more."""
        found = super()._get_client_metadata(metadata)
        for had in (found.assignment.actives, found.assignment.standbys):
            for topic, partitions in had.items():
                there = self._known.partitions_for_topic(topic) or ()
                had[topic] = [partition for partition in partitions if partition in there]
        return found

    @classmethod
    def _get_copartitioned_groups(cls, topics: set[str], cluster: Any, subscriptions: Any) -> Any:  # noqa: ANN401  # Faust's signature
        return super()._get_copartitioned_groups(topics, _Matching(cluster, cls.changelogs), subscriptions)


@dataclass(frozen=True)
class _Matching:
    """What is known of a cluster, but of snapshots only as many partitions as their topic has."""

    cluster: Any
    changelogs: Mapping[str, str]

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        found, of = self.cluster.partitions_for_topic(topic), self.changelogs.get(topic)
        needed = self.cluster.partitions_for_topic(of) if of is not None else None
        partitions: set[int] | None = needed if found and needed and needed <= found else found
        return partitions


def matching_assignor(changelogs: Mapping[str, str]) -> type[MatchingAssignor]:
    """Return the assignor of an application with these topics of snapshots, by which topic's they are."""
    return type("MatchingAssignor", (MatchingAssignor,), {"changelogs": dict(changelogs)})


class TrackingProducer(driver.Producer):
    """Knows the leaders of all topics that are written, from its start on.

    aiokafka asks for the metadata of all topics at first, and from the first topic on that it does not know for those
    alone that it had not known: records that wait for a partition of another have no leader then, for ever.
    """

    async def on_start(self) -> None:
        """Connect, and track the topics."""
        await super().on_start()
        transport = cast("CoalescingTransport", self.transport)
        self._ensure_producer().client.set_topics(transport.output_topics)


class CoalescingTransport(driver.Transport):
    """Faust's transport over aiokafka with consumer and producer above; installed through `app.transport`."""

    Consumer = CoalescingConsumer
    Producer = TrackingProducer

    def __init__(
        self, app: faust.App, *, joined_topics: frozenset[str], offsets: Offsets, output_topics: Sequence[str] = ()
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.output_topics = output_topics
        self.joined_topics = joined_topics
        self.offsets = offsets
