"""A sink in memory that deduplicates rows as the server does: for tests and for trying out.

Next: `clickhouse.py`, which passes the same tests.
"""

from collections.abc import Sequence
from typing import Any

from sinks.rows import TABLES, TableRows, TableSpec
from sinks.sink import SinkClosed, StoreRefused, as_list, each_table

Row = tuple[Any, ...]


class MemorySink:
    """A `sink.Sink` without a server; `rows` shows what it holds. `refuses`: tables that take no rows, and why."""

    def __init__(self) -> None:
        self.refuses: dict[str, str] = {}
        self._rows: dict[str, dict[Row, Row]] = {name: {} for name in TABLES}
        self._closed = False

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """Keep the newest version of each row; see `sink.Sink.write`."""
        if self._closed:
            raise SinkClosed("memory", "the sink is closed.", "Make a new one.")
        await each_table(blocks, self._store)

    async def close(self) -> None:
        """Take no more rows; what is held stays readable."""
        self._closed = True

    def rows(self, table: str) -> list[Row]:
        """Return the rows of `table`, columns in the order of `TABLES[table].columns`, sorted by the table's key."""
        held = self._rows[table]
        return [held[key] for key in sorted(held)]

    async def _store(self, block: TableRows) -> None:
        if block.table in self.refuses:
            raise StoreRefused(block.table, self.refuses[block.table], "Take the table out of `refuses`.")
        self._store_rows(TABLES[block.table], block)

    def _store_rows(self, table: TableSpec, block: TableRows) -> None:
        places = {name: place for place, name in enumerate(table.columns)}
        key = tuple(places[name] for name in table.key)
        version = () if table.version is None else (places[table.version],)
        held = self._rows[table.name]
        for row in zip(*(as_list(block.columns[name]) for name in table.columns), strict=True):
            before = held.get(_pick(row, key))
            if before is None or _pick(row, version) >= _pick(before, version):
                held[_pick(row, key)] = row


def _pick(row: Row, places: tuple[int, ...]) -> Row:
    return tuple(row[place] for place in places)
