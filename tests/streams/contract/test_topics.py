"""The topics that workers need are created once, and wrong settings are reported."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from kafka.admin import KafkaAdminClient

from infra.process.ports import free_port
from infra.servers.kafka.server import KafkaServer
from streams.contract import topics
from streams.contract.events import Topic
from streams.contract.topics import LARGEST_SNAPSHOT, TopicFound, TopicPlan, TopicsError
from streams.settings import KafkaSettings

EVENTS = next(plan for plan in topics.plans(KafkaSettings()) if plan.name == Topic.TURNSTILES)
AS_IT_SHOULD_BE = TopicFound(EVENTS.name, EVENTS.partitions, 3, EVENTS.config)


@pytest.fixture
def settings(kafka: KafkaServer) -> KafkaSettings:
    """Settings of a group that no other test has."""
    return KafkaSettings(brokers=kafka.bootstrap, group=f"group-{secrets.token_hex(4)}")


@pytest.fixture
def admin(kafka: KafkaServer) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


def test_every_topic_of_the_contract_is_planned_once_and_every_source_has_its_changelog() -> None:
    names = [plan.name for plan in topics.plans(KafkaSettings(group="counting"))]
    counted = [*topics.SOURCES, Topic.ALARM_INPUTS]
    changelogs = [f"counting-{topic}.snapshots-changelog" for topic in counted]
    assert sorted(names) == sorted([*(topic.value for topic in Topic), *changelogs])


def test_changelogs_have_the_partitions_of_their_source() -> None:
    found = {plan.name: plan.partitions for plan in topics.plans(KafkaSettings(partitions=6))}
    assert found["turnstile.passages"] == found["gatepulse-turnstile.passages.snapshots-changelog"] == 6
    assert found["rejected"] == found["alarms"] == found["parked"] == 1
    assert found["alarm.inputs"] == found["gatepulse-alarm.inputs.snapshots-changelog"] == 1


def test_no_source_is_compacted() -> None:
    policies = {plan.name: plan.config["cleanup.policy"] for plan in topics.plans(KafkaSettings())}
    assert {policies[topic] for topic in (*topics.SOURCES, "alarm.inputs")} == {"delete"}
    assert policies["entrance.totals"] == policies["gatepulse-corrections.snapshots-changelog"] == "compact"


def test_what_is_missing_is_created_once_and_then_all_is_as_it_should_be(settings: KafkaSettings) -> None:
    created = [plan.name for plan in topics.apply(settings)]
    assert f"{settings.group}-corrections.snapshots-changelog" in created
    assert topics.apply(settings) == []
    found, sentences = topics.inspect_topics(settings)
    assert sentences == []
    assert {(each.name, each.partitions, each.copies) for each in found} == {
        (plan.name, plan.partitions, 1) for plan in topics.plans(settings)
    }


def test_a_snapshot_of_the_largest_size_fits_into_its_changelog(settings: KafkaSettings) -> None:
    topics.apply(settings)
    value = secrets.token_bytes(LARGEST_SNAPSHOT - 10_000)
    assert asyncio.run(_there_and_back(settings, value)) == [(0, value)]


async def _there_and_back(settings: KafkaSettings, value: bytes) -> list[tuple[int, bytes]]:
    """Write a snapshot and read it as workers do, which ask for a megabyte and are given a larger record whole."""
    place = TopicPartition(f"{settings.group}-corrections.snapshots-changelog", 0)
    async with AIOKafkaProducer(bootstrap_servers=settings.brokers, max_request_size=LARGEST_SNAPSHOT) as producer:
        await producer.send_and_wait(place.topic, value, key=b"0", partition=0)
    async with AIOKafkaConsumer(bootstrap_servers=settings.brokers, max_partition_fetch_bytes=1 << 20) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        found = (await consumer.getmany(place, timeout_ms=30_000))[place]
        assert await consumer.end_offsets([place]) == {place: 1}
        return [(record.offset, record.value) for record in found]


def test_a_topic_that_differs_is_named_with_what_to_do_and_left_as_it_is(settings: KafkaSettings, admin: Any) -> None:
    name = f"{settings.group}-corrections.snapshots-changelog"
    admin.create_topics({name: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
    assert name not in [plan.name for plan in topics.apply(settings)]
    _, sentences = topics.inspect_topics(settings)
    assert len(sentences) == 2
    assert f"{name}: cleanup.policy is delete, expected compact; kafka-configs --alter" in sentences[0] + sentences[1]
    assert f"{name}: max.message.bytes is 1048588, expected {LARGEST_SNAPSHOT}" in sentences[0] + sentences[1]
    assert topics.inspect_topics(settings)[1] == sentences


def test_snapshots_get_as_many_partitions_as_their_topic(settings: KafkaSettings, admin: Any) -> None:
    topics.apply(settings)
    name = f"{settings.group}-vehicle.passages.snapshots-changelog"
    admin.delete_topics([name])
    _await(lambda: not topics.describe(admin, [name]))
    admin.create_topics({name: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    assert f"{name}: 2 partitions, expected 4; `gatepulse topics apply` adds them" in topics.inspect_topics(settings)[1]
    assert [plan.partitions for plan in topics.apply(settings) if plan.name == name] == [4]
    _await(lambda: topics.describe(admin, [name])[name].partitions == 4)


def _await(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("partitions", "fits"), [(3, False), (4, True), (8, True)])
def test_more_partitions_than_expected_are_read_and_fewer_are_said(partitions: int, *, fits: bool) -> None:
    plan = TopicPlan("corrections", 4, {})
    said = topics.differences(plan, TopicFound("corrections", partitions, 1, {}), copies=1)
    assert (said == []) == fits
    assert fits or "kafka-topics --alter --topic corrections --partitions 4" in said[0]


def test_a_topic_that_is_missing_is_said(settings: KafkaSettings) -> None:
    name = f"{settings.group}-corrections.snapshots-changelog"
    assert f"{name}: is missing; `gatepulse topics apply` creates it" in topics.inspect_topics(settings)[1]


@pytest.mark.parametrize(
    ("key", "value", "fits"),
    [
        ("retention.ms", str(30 * 86_400_000), True),
        ("retention.ms", "-1", True),
        ("retention.ms", "3600000", False),
        ("max.message.bytes", "8388608", True),
        ("max.message.bytes", "1000", False),
        ("cleanup.policy", "compact", False),
        ("message.timestamp.type", "CreateTime", False),
        ("segment.bytes", "1", True),
    ],
)
def test_more_than_is_needed_is_all_right_and_less_is_not(key: str, value: str, *, fits: bool) -> None:
    found = TopicFound(EVENTS.name, EVENTS.partitions, 3, {**EVENTS.config, key: value})
    assert (topics.differences(EVENTS, found, copies=3) == []) == fits


def test_too_few_copies_are_said() -> None:
    plan = TopicPlan("corrections", 4, EVENTS.config)
    found = TopicFound("corrections", 4, 1, EVENTS.config)
    assert topics.differences(plan, found, copies=3) == [
        "corrections: kept 1 times, expected 3; reassign its partitions"
    ]
    assert topics.differences(EVENTS, AS_IT_SHOULD_BE, copies=1) == []


def test_brokers_that_do_not_answer_are_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(TopicsError, match=rf"{address} do not do it.*See whether they run"):
        topics.inspect_topics(KafkaSettings(brokers=address))
