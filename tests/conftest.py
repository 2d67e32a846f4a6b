"""Fixtures that more than one package's tests need: a store and brokers, one of each per test session."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from clickhouse_driver import Client

from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.install import install, missing
from infra.servers.kafka.server import KafkaServer
from sinks import schema
from sinks.clickhouse import ClickHouseReader, StoreAddress, connect
from sinks.rows import TABLES
from tests.support.processes import running
from tests.support.stores import Server, address_of

# How long an example takes depends on what else the machine is doing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """Start a ClickHouse server without databases of ours; `.address` says where and who may log in."""
    with running(EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), http_port=0)) as server:
        yield server


@pytest.fixture
def address(clickhouse: EmbeddedClickHouse) -> StoreAddress:
    """Where the user who writes logs in; the tables are there and empty."""
    found = address_of(clickhouse)
    with connect(found) as client:
        schema.apply(client)
        for table in TABLES:
            client.execute(f"TRUNCATE TABLE gatepulse_store.{table}")
    return found


@pytest.fixture
def client(address: StoreAddress) -> Iterator[Client]:
    """A plain connection of the user who writes."""
    with connect(address) as connected:
        yield connected


@pytest.fixture
def reader(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> Iterator[ClickHouseReader]:
    """A connection of the user who sees the views only."""
    assert address.port == clickhouse.address.port
    connected = ClickHouseReader(address_of(clickhouse, reader=True))
    yield connected
    connected.close()


@pytest.fixture
def server(address: StoreAddress) -> Server:
    """A store to write blocks into, for tests that then look at the views."""
    return Server(address)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a broker; its address. It has no topics: they appear, with 4 partitions, when first asked for."""
    with running(EmbeddedBroker(tmp_path_factory.mktemp("broker"))) as server:
        yield server.bootstrap


@pytest.fixture(scope="session")
def kafka_installed() -> Path:
    """Tell where Apache Kafka is, or skip: not every machine has Java."""
    lack = missing()
    if lack:
        pytest.skip(lack)
    return install()


@pytest.fixture(scope="session")
def kafka(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:  # noqa: ARG001 - needed
    """Start an Apache Kafka without topics; tests create their own, under names that no other test uses."""
    with running(KafkaServer(tmp_path_factory.mktemp("kafka"))) as server:
        yield server
