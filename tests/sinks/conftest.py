"""A server with our schema and empty tables for each test."""

from collections.abc import Iterator

import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import ClickHouseReader, StoreAddress, connect
from sinks.rows import TABLES
from tests.sinks.stores import Server


def address_of(server: EmbeddedClickHouse, *, reader: bool = False) -> StoreAddress:
    """Return the store's address for the user who writes, or the one who only reads."""
    at = server.address
    login = at.reader if reader else at.owner
    return StoreAddress(at.host, at.port, login.user, login.password)


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
