"""The in-memory store and the server behind one interface, so that one suite tests both."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress
from sinks.memory import MemorySink
from sinks.rows import TABLES, TableRows

Row = tuple[Any, ...]

_TABLES: Final = """
SELECT concat(database, '.', name), create_table_query FROM system.tables
WHERE database IN ('gatepulse', 'gatepulse_store')
ORDER BY engine LIKE '%View'
"""


def address_of(server: EmbeddedClickHouse, *, reader: bool = False) -> StoreAddress:
    """Return the store's address for the user who writes, or the one who only reads."""
    return server.address.reader if reader else server.address.owner


def lay_out(client: Client) -> None:
    """Let the schema be there, with nothing in it.

    To apply it to a bare server costs seconds, so it stays from test to test; a test that changes it is `mending` it.
    """
    schema.apply(client)
    empty(client)


@contextmanager
def mending(client: Client) -> Iterator[None]:
    """Make tables and views that a block has changed or dropped anew at its end, as they were."""
    before = dict(client.execute(_TABLES))
    yield
    after = dict(client.execute(_TABLES))
    if not any(name.startswith("gatepulse_store.") for name in after):
        bare(client)
        schema.apply(client)
        return
    for name, statement in before.items():
        if after.get(name) != statement:
            client.execute(f"DROP TABLE IF EXISTS {name} SYNC")
            client.execute(statement)


def bare(client: Client) -> None:
    """Drop our databases."""
    for database in schema.DATABASES:
        client.execute(f"DROP DATABASE IF EXISTS {database} SYNC")


def empty(client: Client) -> None:
    """Delete all rows that tests have written, also those that materialized views have noted."""
    written = (
        "SELECT name FROM system.tables WHERE database = 'gatepulse_store' AND engine LIKE '%MergeTree' "
        "AND total_rows > 0 AND name != 'schema_migrations'"
    )
    for (name,) in client.execute(written):
        client.execute(f"TRUNCATE TABLE gatepulse_store.{name}")


class Store(Protocol):
    """Something to write blocks into and to read a table back from."""

    def write(self, *blocks: TableRows) -> None:
        """Write the blocks in one go."""

    def rows(self, table: str) -> list[Row]:
        """Return the table's rows in the units of `rows.py`, sorted by key."""


class Memory:
    """The store in memory."""

    def __init__(self) -> None:
        self._sink = MemorySink()

    def write(self, *blocks: TableRows) -> None:
        """Write the blocks in one go."""
        asyncio.run(self._sink.write(blocks))

    def rows(self, table: str) -> list[Row]:
        """Return what is held."""
        return self._sink.rows(table)


class Server:
    """The store on a server, written through a new sink each time."""

    def __init__(self, address: StoreAddress) -> None:
        self._address = address

    def write(self, *blocks: TableRows) -> None:
        """Write the blocks in one go."""
        asyncio.run(self._write(blocks))

    async def _write(self, blocks: tuple[TableRows, ...]) -> None:
        sink = ClickHouseSink(self._address)
        try:
            await sink.write(blocks)
        finally:
            await sink.close()

    def rows(self, table: str) -> list[Row]:
        """Return what a reader with FINAL finds."""
        shape = TABLES[table]
        columns = ", ".join(in_our_units(name, kind) for name, kind in shape.types.items())
        keys = ", ".join(f"t.{name}" for name in shape.key)
        reader = ClickHouseReader(self._address)
        try:
            return reader.query(f"SELECT {columns} FROM gatepulse_store.{table} AS t FINAL ORDER BY {keys}")
        finally:
            reader.close()


def in_our_units(name: str, kind: str) -> str:
    """Return the expression for a column of a type in the units of `rows.py`."""
    if kind == "DateTime('UTC')":
        return f"toUnixTimestamp({name}) * 1000"
    if "DateTime64(3" in kind:
        return f"toUnixTimestamp64Milli({name})"
    return f"toInt32({name})" if kind == "Date" else name
