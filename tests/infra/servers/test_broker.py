"""The embedded broker has its topics, works with every client we use, and ends with its parent."""

import os
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Partition
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from infra.process.supervisor import State, Supervisor
from infra.servers import broker_child
from infra.servers.broker import PROTOCOL, BrokerError, EmbeddedBroker
from infra.servers.broker_child import MockUnavailable
from tests.support.processes import eventually, kill, server_ends_with_its_parent


def partitions(bootstrap: str) -> dict[str, int]:
    """Return the topics of a broker with their numbers of partitions."""
    topics = Producer({"bootstrap.servers": bootstrap}).list_topics(timeout=5).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


def kept(bootstrap: str, topic: str) -> tuple[int, int]:
    """Return the oldest offset that partition 0 still has, and the next one to be written."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "looking"})
    try:
        low, high = consumer.get_watermark_offsets(Partition(topic, 0), timeout=5)
        return low, high
    finally:
        consumer.close()


def test_it_has_the_topics_that_were_asked_for(tmp_path: Path) -> None:
    server = EmbeddedBroker(tmp_path, topics={"turnstile.passages": 6, "rejected": 1})
    server.start()
    server.wait_ready()
    assert partitions(server.bootstrap) == {"turnstile.passages": 6, "rejected": 1}
    server.stop()


def test_kafka_python_writes_reads_and_sees_committed_offsets(broker: str) -> None:
    common = {"bootstrap_servers": broker, "api_version": PROTOCOL}
    producer = KafkaProducer(**common)
    written = producer.send("corrections", b"value", key=b"hall-1", partition=1).get(5)
    producer.close()
    place = TopicPartition("corrections", 1)
    reader = KafkaConsumer(group_id="counting", enable_auto_commit=False, auto_offset_reset="earliest", **common)
    reader.assign([place])
    assert eventually(lambda: reader.poll(timeout_ms=200))
    reader.commit()
    reader.close(autocommit=False)
    other = KafkaConsumer(group_id="counting", enable_auto_commit=False, **common)
    assert other.committed(place) == written.offset + 1
    other.close(autocommit=False)


def test_a_partition_keeps_the_newest_five_megabytes_as_they_are_stored(broker: str) -> None:
    plain = Producer({"bootstrap.servers": broker, "linger.ms": 20})
    for _ in range(7_000):
        plain.produce("noise", os.urandom(1_000), partition=0)
    assert plain.flush(10) == 0
    low, high = kept(broker, "noise")
    assert 4_000_000 < (high - low) * 1_000 < 5_242_880

    packed = Producer({"bootstrap.servers": broker, "linger.ms": 20, "compression.type": "lz4"})
    for _ in range(7_000):
        packed.produce("lines", b"the same line again" * 50, partition=0)
    assert packed.flush(10) == 0
    assert kept(broker, "lines") == (0, 7_000)


def test_each_start_is_a_new_incarnation(tmp_path: Path) -> None:
    server = EmbeddedBroker(tmp_path)
    names = []
    for _ in range(2):
        server.start()
        server.wait_ready()
        names.append(server.cluster)
        server.stop()
        server.stop()
        assert not server.answers()
    assert len(set(names)) == 2
    assert all(name.startswith("embedded-") for name in names)


def test_it_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    assert server_ends_with_its_parent(EmbeddedBroker, tmp_path)


def test_as_a_supervised_service_it_is_given_up_when_it_dies(tmp_path: Path) -> None:
    server = EmbeddedBroker(tmp_path)
    with Supervisor() as supervisor:
        supervisor.start(server.service())
        assert server.answers()
        pid = supervisor.services()[0].pid
        assert pid is not None
        kill(pid)
        assert eventually(lambda: supervisor.services()[0].state == State.FAILED)


def test_a_broker_that_ends_while_starting_shows_its_log(tmp_path: Path) -> None:
    server = EmbeddedBroker(tmp_path, topics={"a name\udcff that is no text": 1})
    server.start()
    with pytest.raises(BrokerError, match=r"(?s)ended with exit code .*broker\.log.*Unicode"):
        server.wait_ready()


def test_a_library_without_the_mock_functions_is_recognised() -> None:
    class Empty:
        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

    with pytest.raises(MockUnavailable, match="librdkafka has no function rd_kafka_"):
        broker_child._declared(Empty())  # type: ignore[arg-type]  # an empty library
