"""A real Kafka on loopback: what it holds outlives its process, and it goes with its parent."""

import os
import signal
import socket
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from infra.process.ports import free_port
from infra.servers.kafka import __main__ as installation
from infra.servers.kafka import install
from infra.servers.kafka.install import KafkaNotInstalledError
from infra.servers.kafka.server import KafkaError, KafkaServer
from tests.support.kafka_cluster import ProxiedKafka
from tests.support.processes import alive, eventually, kill, needs_kafka, running, server_ends_with_its_parent

PLACE = TopicPartition("corrections", 0)


def make_topic(bootstrap: str, *, copies: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    admin.create_topics({PLACE.topic: {"num_partitions": 1, "replication_factor": copies}}, wait_for_metadata=True)
    admin.close()


def write(bootstrap: str, *values: bytes) -> None:
    """Write, and wait for the broker's word on each."""
    producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all")
    for value in values:
        producer.send(PLACE.topic, value, partition=0).get(60)
    producer.close()


def read(bootstrap: str, count: int) -> list[bytes]:
    """Return the first values of the topic, as they stand there."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap.split(","), auto_offset_reset="earliest")
    consumer.assign([PLACE])
    found: list[bytes] = []

    def enough() -> bool:
        found.extend(each.value for each in consumer.poll(200).get(PLACE, []))
        return len(found) >= count

    assert eventually(enough, 30)
    consumer.close()
    return found


@needs_kafka
def test_data_port_and_cluster_survive_kill_9_and_a_restart(tmp_path: Path) -> None:
    with running(KafkaServer(tmp_path)) as server:
        make_topic(server.bootstrap)
        write(server.bootstrap, b"before")
        bootstrap, cluster, pid = server.bootstrap, server.cluster, server.pid
        assert cluster
        assert pid is not None
        kill(pid)
        assert eventually(lambda: not server.answers())
        assert eventually(lambda: not alive(pid))
        server.start()
        server.wait_ready()
        assert (server.bootstrap, server.cluster) == (bootstrap, cluster)
        write(server.bootstrap, b"after")
        assert read(server.bootstrap, 2) == [b"before", b"after"]


@needs_kafka
def test_another_server_on_the_same_folder_goes_on_with_the_same_cluster(tmp_path: Path) -> None:
    clusters = []
    for _ in range(2):
        with running(KafkaServer(tmp_path)) as server:
            clusters.append(server.cluster)
        server.stop()
        assert not server.answers()
    assert clusters[0] == clusters[1] != ""


@needs_kafka
def test_one_that_is_stopped_does_not_answer_though_it_takes_connections(tmp_path: Path) -> None:
    with running(KafkaServer(tmp_path)) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
            assert not server.answers()
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert eventually(server.answers)


@needs_kafka
def test_clients_are_sent_to_the_advertised_address_unless_they_come_by_the_direct_way(tmp_path: Path) -> None:
    proxy = f"127.0.0.1:{free_port()}"
    with running(ProxiedKafka(tmp_path, proxy)) as server:
        assert server.bootstrap == proxy
        assert brokers_named_at(f"127.0.0.1:{server.port}") == [proxy]
        assert brokers_named_at(server.direct) == [server.direct]


def brokers_named_at(address: str) -> list[str]:
    """Ask at an address where the brokers are, without following the answer."""
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    return [f"{each.host}:{each.port}" for each in client.list_topics(timeout=10).brokers.values()]


@needs_kafka
def test_it_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    assert server_ends_with_its_parent(KafkaServer, tmp_path)


@needs_kafka
def test_a_part_of_the_class_archive_is_never_taken_for_the_whole(tmp_path: Path) -> None:
    installation.main()  # records it where it is missing
    part = tmp_path / "part"
    part.write_bytes(install.class_archive().read_bytes()[:20_000_000])
    assert installation.is_whole(install.class_archive())
    assert not installation.is_whole(part)
    assert not installation.is_whole(tmp_path / "none")


@needs_kafka
def test_settings_that_it_refuses_are_shown_with_its_log(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path)
    server.settings["num.io.threads"] = "many"
    with pytest.raises(KafkaError, match=r"(?s)cannot format .*num\.io\.threads"):
        server.start()


def test_without_java_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaNotInstalledError, match=r"Java 17 or newer.*apt install openjdk-17-jre-headless maven"):
        KafkaServer(tmp_path / "kafka").start()


@pytest.mark.parametrize(
    ("said", "missing"), [('openjdk version "11.0.2"', "this one is 11"), ('java version "1.8.0_402"', "this one is 8")]
)
def test_an_old_java_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, missing: str
) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing in install.missing()


def test_an_installation_that_broke_off_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven that fails half-way leaves nothing that could be mistaken for Kafka."""
    maven = tmp_path / "mvn"
    maven.write_text('#!/bin/sh\nfor word; do case $word in -DoutputDirectory=*) mkdir "${word#*=}";; esac; done\n'
                     'echo "no route to host"\nexit 1\n')  # fmt: skip
    maven.chmod(0o755)
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(KafkaNotInstalledError, match=r"(?s)Maven Central.*no route to host"):
        install.install()
    assert not install.library().exists()
