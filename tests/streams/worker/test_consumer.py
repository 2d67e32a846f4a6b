"""Records are joined, only released offsets are committed, and Faust's internals are as we use them."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import ConsumerRecord
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from infra.servers.broker import EmbeddedBroker
from streams.worker.batches import KeptRecords, Values
from streams.worker.consumer import (
    LARGEST_JOIN,
    LONGEST_FETCH_MS,
    CoalescingConsumer,
    CoalescingThread,
    CoalescingTransport,
    JoinedValue,
    Offsets,
    TimedFetcher,
    TrackingProducer,
    coalesce,
    fetch_raw_batches,
    matching_assignor,
)
from tests.support.processes import running

SOURCE, CHANGELOG, OTHER = TP("source", 0), TP("changelog", 0), TP("other", 0)


def record(offset: int, value: bytes | None = b"x", *, timestamp: int = 1000) -> Any:
    return ConsumerRecord(
        topic="source", partition=0, offset=offset, timestamp=timestamp + offset, timestamp_type=0, key=b"k",
        value=value, checksum=None, serialized_key_size=1, serialized_value_size=1, headers=(),
    )  # fmt: skip


def joined_of(records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
    return coalesce(SOURCE, [Values.of(records)] if records else [])


# -- joining -----------------------------------------------------------------------------------------------------------


def test_records_become_one_that_tells_them_apart() -> None:
    # a record may be a frame of several lines itself
    (joined,) = joined_of([record(5, b"a"), record(6, b"b\nc"), record(7, b"d")])
    assert isinstance(joined.value, JoinedValue)
    assert joined.value == b"a\nb\nc\nd"
    assert (joined.offset, joined.partition) == (5, 0)
    parts = joined.value.records
    assert parts.value == joined.value
    assert (parts.offset.tolist(), parts.lines.tolist()) == ([5, 6, 7], [1, 2, 1])
    assert parts.arrived.tolist() == [1005, 1006, 1007]
    assert (parts.first, parts.after) == (5, 8)


def test_a_gap_begins_another_joined_record() -> None:
    joined = joined_of([record(offset) for offset in (1, 2, 4, 5, 9)])
    assert [each.value.records.offset.tolist() for each in joined] == [[1, 2], [4, 5], [9]]


def test_a_record_without_a_value_is_a_blank_line_with_its_offset() -> None:
    (joined,) = joined_of([record(1, None), record(2, b"a"), record(3, b""), record(4, None)])
    assert joined.value == b"\na\n\n"
    assert joined.value.records.lines.tolist() == [1, 1, 1, 1]
    (alone,) = joined_of([record(1, None)])
    assert (alone.value, alone.value.records.after) == (b"", 2)


def test_a_joined_record_has_an_end() -> None:
    third = b"x" * (LARGEST_JOIN // 3 + 1)
    joined = joined_of([record(offset, third) for offset in range(7)])
    assert [each.value.records.offset.tolist() for each in joined] == [[0, 1, 2], [3, 4, 5], [6]]
    huge = b"x" * (LARGEST_JOIN + 1)
    assert [len(each.value.records.offset) for each in joined_of([record(0, huge), record(1), record(2)])] == [
        1,
        2,
    ]


def test_nothing_joins_to_nothing() -> None:
    assert coalesce(SOURCE, []) == []


@given(st.lists(st.tuples(st.integers(1, 3), st.none() | st.binary(max_size=6)), min_size=1, max_size=30))
def test_every_line_keeps_its_record(steps: list[tuple[int, bytes | None]]) -> None:
    offset, given_records = -1, []
    for step, value in steps:
        offset += step
        given_records.append(record(offset, value))
    found = []
    for joined in joined_of(given_records):
        parts = joined.value.records
        lines = joined.value.split(b"\n")
        assert len(lines) == parts.lines.sum()
        assert parts.after - parts.first == len(parts.offset)
        for number, count in zip(parts.offset.tolist(), parts.lines.tolist(), strict=True):
            found.append((number, b"\n".join(lines[:count])))
            del lines[:count]
    assert found == [(each.offset, each.value or b"") for each in given_records]


# -- offsets -----------------------------------------------------------------------------------------------------------


def test_an_offset_is_committed_only_after_its_release() -> None:
    offsets = Offsets()
    offsets.restart({SOURCE: 30})
    assert offsets.safe == {}
    offsets.release(SOURCE, 45)
    assert (offsets.start, offsets.safe) == ({SOURCE: 45}, {SOURCE: 45})


def test_a_partition_that_was_lost_is_not_committed_any_more() -> None:
    offsets = Offsets()
    offsets.restart({SOURCE: 30})
    offsets.release(SOURCE, 45)
    offsets.restart({OTHER: 1})
    offsets.release(SOURCE, 50)
    assert (offsets.start, offsets.safe) == ({OTHER: 1}, {})


# -- the consumer ------------------------------------------------------------------------------------------------------


class Offline(CoalescingConsumer):
    """The consumer without its broker: what is committed and where topics begin is as the test says."""

    committed: Mapping[TP, int | None] = {}
    earliest: Mapping[TP, int] = {}
    sought: dict[TP, int]

    async def seek_to_committed(self) -> Any:
        """Tell what is committed."""
        return self.committed

    async def earliest_offsets(self, *partitions: TP) -> Any:
        """Tell where topics begin."""
        return {tp: self.earliest[tp] for tp in partitions}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Note where to read on."""
        self.sought = dict(partitions)

    def assignment(self) -> set[TP]:
        """Own every partition of which anything is known."""
        return set(self.committed)


def with_consumer(story: Callable[[Offline, Offsets], Awaitable[None]]) -> None:
    async def scenario() -> None:
        app = faust.App("test", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)
        offsets = Offsets()
        transport = CoalescingTransport(app, joined_topics=frozenset({SOURCE.topic}), offsets=offsets)
        app.transport = transport
        cast("Any", app.tables)._changelogs[CHANGELOG.topic] = None  # only its name is asked for
        consumer = Offline(transport, _ignore, _ignore, _ignore)
        try:
            await story(consumer, offsets)
        finally:
            consumer._thread.thread_loop.close()

    asyncio.run(scenario())


async def _ignore(*_: object) -> None:
    pass


def test_of_a_joined_topic_only_the_release_is_committed_whatever_faust_saw_acknowledged() -> None:
    async def story(consumer: Offline, offsets: Offsets) -> None:
        offsets.restart({SOURCE: 10})
        consumer._acked[SOURCE].extend([10, 14])
        consumer._acked_index[SOURCE].update({10, 14})
        assert consumer._new_offset(SOURCE) is None
        offsets.release(SOURCE, 12)
        assert consumer._new_offset(SOURCE) == 12
        assert consumer._acked[SOURCE] == []
        assert consumer._acked_index[SOURCE] == set()

    with_consumer(story)


def test_of_another_topic_what_faust_saw_acknowledged_is_committed() -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        consumer._acked[OTHER].extend([0, 1, 2])
        assert consumer._new_offset(OTHER) == 3

    with_consumer(story)


def test_a_release_is_committed_although_nothing_was_acknowledged_since() -> None:
    async def story(consumer: Offline, offsets: Offsets) -> None:
        assert list(consumer._filter_tps_with_pending_acks()) == []
        offsets.restart({SOURCE: 10})
        offsets.release(SOURCE, 12)
        assert list(consumer._filter_tps_with_pending_acks()) == [SOURCE]
        assert consumer._filter_committable_offsets([SOURCE]) == {SOURCE: 12}
        consumer._committed_offset[SOURCE] = 12
        assert consumer._filter_committable_offsets([SOURCE]) == {}

    with_consumer(story)


def test_the_offsets_within_a_joined_record_are_no_gap() -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        await consumer._add_gap(SOURCE, 1, 5)
        await consumer._add_gap(OTHER, 1, 5)
        assert not consumer._gap[SOURCE]
        assert consumer._gap[OTHER]

    with_consumer(story)


def test_a_joined_partition_is_sought_to_its_checkpoint_whatever_is_committed() -> None:
    async def story(consumer: Offline, offsets: Offsets) -> None:
        consumer.committed = {SOURCE: 7, CHANGELOG: None, OTHER: 3}
        offsets.restart({SOURCE: 12, TP("source", 9): 5})  # the other one is not ours any more
        await consumer.perform_seek()
        assert consumer.sought == {SOURCE: 12}
        assert consumer._read_offset[SOURCE] == 12

    with_consumer(story)


def test_a_partition_without_anything_committed_is_sought_to_its_beginning() -> None:
    async def story(consumer: Offline, offsets: Offsets) -> None:
        consumer.committed = {SOURCE: None, OTHER: None, CHANGELOG: None}
        consumer.earliest = {OTHER: 4}
        offsets.restart({SOURCE: 0})
        await consumer.perform_seek()
        assert consumer.sought == {SOURCE: 0, OTHER: 4}
        assert consumer._read_offset[SOURCE] is None  # Faust's word for the beginning
        assert consumer._read_offset[OTHER] == 4

    with_consumer(story)


def test_only_topics_that_ask_for_it_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetched(*_: object) -> dict[TP, list[Any]]:
        return {SOURCE: [Values.of([record(1)]), Values.of([record(2)])], OTHER: [record(1), record(2)]}

    async def story(consumer: Offline, _: Offsets) -> None:
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "getmany", fetched)
        polled = await consumer._thread.getmany(None, 1.0)
        assert {tp: len(records) for tp, records in polled.items()} == {SOURCE: 1, OTHER: 2}
        assert not isinstance(polled[OTHER][0].value, JoinedValue)

    with_consumer(story)


def test_a_log_is_caught_up_when_the_broker_has_nothing_at_or_behind_its_next_offset() -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        fetcher = SimpleNamespace(requested_at={SOURCE: 99})
        consumer._thread._consumer = SimpleNamespace(highwater=lambda _: 12, _fetcher=fetcher)
        assert [consumer.caught_up_at(SOURCE, offset) for offset in (11, 12, 13)] == [None, 99, 99]
        consumer._thread._consumer = SimpleNamespace(highwater=lambda _: None)
        assert consumer.caught_up_at(SOURCE, 0) is None

    with_consumer(story)


def test_a_broker_had_nothing_when_it_was_asked_not_when_its_answer_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped while an answer waits would otherwise claim to know what came meanwhile."""
    state, now = SimpleNamespace(timestamp=None), [1.0]

    async def answered(*_: Any) -> bool:
        now[0] = 91.0
        state.timestamp = 91_000
        return True

    async def failed(*_: Any) -> bool:
        return False

    async def fetched() -> dict[TP, int]:
        fetcher_ = object.__new__(TimedFetcher)
        fetcher_.requested_at = {}
        request = SimpleNamespace(topics=[(SOURCE.topic, [(SOURCE.partition, 0, 0)])])
        for how in (answered, failed):
            monkeypatch.setattr(fetcher.Fetcher, "_proc_fetch_request", how)
            await fetcher_._proc_fetch_request(SimpleNamespace(state_value=lambda _: state), 0, request)
            now[0] += 10
        return fetcher_.requested_at

    monkeypatch.setattr(time, "time", lambda: now[0])
    assert asyncio.run(fetched()) == {SOURCE: 1000}


def test_a_broker_may_not_hold_back_an_empty_answer_for_long() -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        made = consumer._thread._create_worker_consumer(consumer.transport)
        made._closed = True  # it was never started
        assert made._fetch_max_wait_ms == LONGEST_FETCH_MS

    with_consumer(story)


def test_nothing_is_committed_while_the_group_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        thread, committed = consumer._thread, []

        async def commit(_: Any, offsets: Mapping[TP, int]) -> bool:
            committed.append(dict(offsets))
            return True

        kafka = SimpleNamespace(_coordinator=SimpleNamespace(_performed_join_prepare=True))
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_commit", commit)
        monkeypatch.setattr(thread, "_ensure_consumer", lambda: kafka)
        assert not await thread._commit({SOURCE: 7})
        kafka._coordinator._performed_join_prepare = False
        assert await thread._commit({SOURCE: 7})
        assert committed == [{SOURCE: 7}]

    with_consumer(story)


@pytest.mark.parametrize(
    ("of_topic", "of_snapshots", "together"), [(4, 4, True), (2, 4, True), (4, 2, False), (0, 4, False)]
)
def test_snapshots_are_assigned_with_their_topic_once_they_have_as_many_partitions(
    of_topic: int, of_snapshots: int, *, together: bool
) -> None:
    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int] | None:
            return set(range({"source": of_topic, "kept": of_snapshots}[topic])) or None

    assignor = matching_assignor({"kept": "source"})
    groups = assignor._get_copartitioned_groups({"source", "kept"}, Cluster(), {"w": ["source", "kept"]})
    found = {count: [sorted(each) for each in topics] for count, topics in groups.items()}
    apart = {n: [[name]] for n, name in ((of_topic, "source"), (of_snapshots, "kept")) if n}
    assert found == ({of_topic: [["kept", "source"]]} if together else apart)


@pytest.mark.parametrize("now", [2, 3, 4, 6])
@pytest.mark.parametrize("before", [{"a": [0, 1], "b": [2, 3]}, {"a": [], "b": [2, 3]}, {"a": [0, 1, 2, 3], "b": []}])
def test_members_share_what_a_topic_has_whatever_they_had_of_it(before: dict[str, list[int]], now: int) -> None:
    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int]:
            return set(range({"source": now, "kept": max(4, now)}[topic]))

    app = faust.App("assigned", broker="kafka://127.0.0.1:9", store="memory://", web_enabled=False)
    members = {}
    for name, partitions in before.items():
        had = ClientAssignment(actives=dict.fromkeys(("source", "kept"), partitions), standbys={})
        data = ClientMetadata(assignment=had, url=f"http://{name}", changelog_distribution={}).dumps()
        members[name] = ConsumerProtocolMemberMetadata(0, ["source", "kept"], data)
    assigned = matching_assignor({"kept": "source"})(app).assign(Cluster(), members)
    shares = {name: {topic: sorted(parts) for topic, parts in each.assignment} for name, each in assigned.items()}
    assert all(each["source"] == each["kept"] for each in shares.values())
    assert sorted(n for each in shares.values() for n in each["source"]) == list(range(now))
    assert all(len(each["source"]) in (now // 2, (now + 1) // 2) for each in shares.values())


# -- what we rely on ---------------------------------------------------------------------------------------------------

RELIED_ON: list[tuple[Any, str, str]] = [
    (driver.AIOKafkaConsumerThread, "getmany", "(self, active_partitions, timeout)"),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", "(self)"),
    (driver.AIOKafkaConsumerThread, "_commit", "(self, offsets)"),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", "(self, transport)"),
    (driver.Consumer, "_new_consumer_thread", "(self)"),
    (FaustConsumer, "_add_gap", "(self, tp, offset_from, offset_to)"),
    (FaustConsumer, "_new_offset", "(self, tp)"),
    (FaustConsumer, "_filter_tps_with_pending_acks", "(self, topics)"),
    (FaustConsumer, "_filter_committable_offsets", "(self, tps)"),
    (FaustConsumer, "_should_commit", "(self, tp, offset)"),
    (FaustConsumer, "perform_seek", "(self)"),
    (FaustConsumer, "seek_to_committed", "(self)"),
    (FaustConsumer, "seek_wait", "(self, partitions)"),
    (FaustConsumer, "earliest_offsets", "(self, *partitions)"),
    (FaustConsumer, "stop_flow", "(self)"),
    (driver.Transport, "__init__", "(self, *args, **kwargs)"),
    (fetcher.PartitionRecords, "_consumer_record", "(self, tp, record)"),
    (AIOKafkaConsumer, "highwater", "(self, partition)"),
    (fetcher.Fetcher, "_proc_fetch_request", "(self, assignment, node_id, request)"),
    (PartitionAssignor, "_get_copartitioned_groups", "(topics, cluster, subscriptions)"),
    (PartitionAssignor, "_perform_assignment", "(self, cluster, member_metadata)"),
    (PartitionAssignor, "_get_client_metadata", "(metadata)"),
    (faust.Table, "apply_changelog_batch", "(self, batch)"),
    (faust.Table, "send_changelog", "(self, partition, key, value, key_serializer, value_serializer)"),
]


@pytest.mark.parametrize(("owner", "name", "signature"), RELIED_ON, ids=lambda each: getattr(each, "__name__", each))
def test_a_private_part_has_its_signature(owner: Any, name: str, signature: str) -> None:
    where = f"{owner.__module__}.{owner.__qualname__}.{name}"
    found = getattr(owner, name, None)
    assert found is not None, (
        f"{where} is gone: see how streams/worker/consumer.py uses it, then run the kill tests again"
    )
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = [stars.get(each.kind, "") + each.name for each in inspect.signature(found).parameters.values()]
    assert f"({', '.join(parameters)})" == signature, f"{where} has changed: see how streams/worker/consumer.py uses it"


@pytest.mark.parametrize("name", ["_acked", "_acked_index", "_read_offset", "_committed_offset", "_gap"])
def test_the_consumer_keeps_its_books_where_they_were(name: str) -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        assert isinstance(getattr(consumer, name, None), dict), f"faust.Consumer.{name}: see streams/worker/consumer.py"

    with_consumer(story)


def test_our_consumer_and_thread_are_the_ones_in_use() -> None:
    async def story(consumer: Offline, _: Offsets) -> None:
        assert type(consumer._thread) is CoalescingThread
        assert consumer._thread.transport is consumer.transport
        assert CoalescingTransport.Consumer is CoalescingConsumer

    with_consumer(story)


def test_what_we_override_is_there_to_be_overridden() -> None:
    pairs = (
        (CoalescingThread, driver.AIOKafkaConsumerThread), (CoalescingConsumer, driver.Consumer),
        (TrackingProducer, driver.Producer),
    )  # fmt: skip
    for ours, theirs in pairs:
        own = {name for name, value in vars(ours).items() if inspect.isfunction(value)}
        new = {"caught_up_at", "rejoin", "_is_joined"}
        assert {name for name in own - new if not hasattr(theirs, name)} == set(), (
            f"{theirs}: see streams/worker/consumer.py"
        )


def test_aiokafka_makes_its_records_by_a_name_that_we_replace() -> None:
    source = inspect.getsource(fetcher.Fetcher)
    assert "PartitionRecords(" in source, (
        "aiokafka.consumer.fetcher: see fetch_raw_batches in streams/worker/consumer.py"
    )


_CHECKSUM, _ATTRIBUTES, _CONTROL = 17, 21, 0x20  # of a batch: two places, and a bit


def batch_of(first: int, *values: bytes | None, control: bool = False, producer: int = -1, key: bytes = b"k") -> bytes:
    """Build a batch as a broker has it, its records a millisecond apart; of a transaction if a producer is named."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=int(producer >= 0), producer_id=producer, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20,
    )  # fmt: skip
    for number, value in enumerate(values):
        builder.append(number, timestamp=1000 + first + number, key=key, value=value, headers=[])
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8)
    built[_ATTRIBUTES + 1] |= _CONTROL if control else 0
    built[_CHECKSUM:_ATTRIBUTES] = calc_crc32c(built[_ATTRIBUTES:]).to_bytes(4)
    return bytes(built)


def abort_of(offset: int, *, producer: int) -> bytes:
    """Build the control batch that ends an aborted transaction."""
    return batch_of(offset, b"\0" * 6, control=True, producer=producer, key=b"\0\0\0\0")


def fetched(
    data: bytes,
    *,
    of: TP = SOURCE,
    asked: int = 0,
    crcs: bool = True,
    committed: bool = False,
    aborted: Sequence[tuple[int, int]] = (),
) -> Any:
    level = fetcher.READ_COMMITTED if committed else fetcher.READ_UNCOMMITTED
    return fetcher.PartitionRecords(of, KeptRecords(data), aborted, asked, None, None, crcs, level)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace aiokafka's records, for the time of a test."""
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    fetch_raw_batches({"source"})


@pytest.mark.usefixtures("bare")
def test_only_records_of_joined_topics_are_left_bare() -> None:
    data = batch_of(0, b"a", b"b\nc", None)
    dressed = list(fetched(data, of=OTHER, asked=1))
    assert [type(each) for each in dressed] == [ConsumerRecord] * 2  # the first was not asked for
    (found,) = fetched(data, asked=1)
    assert isinstance(found, Values)
    (joined,) = coalesce(SOURCE, [found])
    assert [joined] == joined_of(dressed)
    assert (joined.value, joined.value.records.offset.tolist()) == (b"b\nc\n", [1, 2])
    assert (joined.value.records.lines.tolist(), joined.value.records.arrived.tolist()) == ([2, 1], [1001, 1002])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("asked", range(10))
def test_the_next_fetch_begins_behind_the_batch_whose_records_were_handed_out(asked: int) -> None:
    data = batch_of(0, b"a", b"b") + batch_of(2, b"", control=True) + batch_of(3, b"d", b"e", b"f") + batch_of(8, b"i")
    ours, theirs = fetched(data, asked=asked), fetched(data, of=OTHER, asked=asked)
    offsets = [found.offset.tolist() for found in ours]
    assert [each for some in offsets for each in some] == [record.offset for record in theirs]
    assert ours.next_fetch_offset == theirs.next_fetch_offset
    stopped = fetched(data, asked=asked)
    for some in offsets:
        assert next(stopped).offset.tolist() == some
        assert stopped.next_fetch_offset == some[-1] + 1


@pytest.mark.usefixtures("bare")
def test_a_batch_that_was_damaged_on_the_way_is_refused() -> None:
    data = bytearray(batch_of(0, b"a"))
    data[-2] ^= 1
    with pytest.raises(CorruptRecordException):
        next(fetched(bytes(data)))


@pytest.mark.usefixtures("bare")
def test_records_of_aborted_transactions_are_left_out_as_aiokafka_leaves_them_out() -> None:
    data = batch_of(0, b"a", producer=7) + abort_of(1, producer=7) + batch_of(2, b"c", producer=7) + batch_of(3, b"d")
    aborted = [(7, 0)]
    ours = [at for some in fetched(data, committed=True, aborted=aborted) for at in some.offset.tolist()]
    assert ours == [record.offset for record in fetched(data, of=OTHER, committed=True, aborted=aborted)] == [2, 3]


# -- the producer ------------------------------------------------------------------------------------------------------


def test_a_topic_that_comes_later_does_not_make_the_producer_forget_those_that_it_writes(tmp_path: Path) -> None:
    async def known(bootstrap: str) -> set[str]:
        app = faust.App("test", broker=f"kafka://{bootstrap}", store="memory://", autodiscover=False)
        written = ["totals", "rejected"]
        app.transport = CoalescingTransport(app, joined_topics=frozenset(), offsets=Offsets(), output_topics=written)
        producer = cast("Any", app.transport.create_producer())
        await producer.start()
        client = producer._ensure_producer().client
        client.add_topic("later")  # as it does for one that its first look at all topics did not find
        for _ in range(2):
            await client.force_metadata_update()
        await producer.stop()
        return {topic for topic in (*written, "later") if client.cluster.partitions_for_topic(topic)}

    with running(EmbeddedBroker(tmp_path, topics={"totals": 1, "rejected": 1, "later": 1})) as broker:
        assert asyncio.run(known(broker.bootstrap)) == {"totals", "rejected", "later"}
