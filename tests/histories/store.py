"""An in-memory store that deduplicates rows as the server does, and can refuse, be away, or lose replies."""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sinks.memory import MemorySink
from sinks.rows import TABLES, TableRows, TableSpec
from sinks.sink import StoreRefused, each_table
from streams.kernels.counts.columns import Block
from tests.histories.network import LostReplyError, Network, Server

if TYPE_CHECKING:
    from streams.kernels.counts.takeup import Problem
    from streams.sources.tables import Loss, StoredPartition, StoredProblem

_RETRY_SECONDS = 0.2


class Store(MemorySink):
    """The server: inserts of one table are done whole or not at all. `on_insert` is called with each before it is done.

    partitions, problems, losses: what was noted of the source topics.
    """

    def __init__(self, on_insert: Callable[[TableRows], None]) -> None:
        super().__init__()
        self.on_insert = on_insert
        self.partitions: dict[tuple[str, int, str], StoredPartition] = {}
        self.problems: dict[tuple[str, int, Problem], StoredProblem] = {}
        self.losses: dict[str, Loss] = {}
        self._by_column: dict[str, list[dict[str, Any]]] = {}

    def insert(self, block: TableRows) -> None:
        """Store rows of one table. Raises StoreRefused."""
        if block.table in self.refuses:
            raise StoreRefused(block.table, self.refuses[block.table], "Take the table out of `refuses`.")
        self.on_insert(block)
        self._store_rows(TABLES[block.table], block)

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows by column, to be read only."""
        if name not in self._by_column:
            columns = TABLES[name].columns
            self._by_column[name] = [dict(zip(columns, row, strict=True)) for row in self._rows[name].values()]
        return self._by_column[name]

    def _store_rows(self, table: TableSpec, block: TableRows) -> None:
        self._by_column.pop(table.name, None)
        super()._store_rows(table, block)

    def begin(self, log: str, place: Mapping[str, Any], cluster: str) -> None:
        """Store that nothing of a log is stored yet."""
        row = dict.fromkeys(TABLES["log_progress"].columns, 0) | {
            "log": log, "cluster": cluster, "topic": place["topic"], "partition": place["partition"],
            "complete_to": place["since"], "worker": "",
        }  # fmt: skip
        self._store_rows(TABLES["log_progress"], Block("log_progress", {name: [value] for name, value in row.items()}))

    def copied(self) -> tuple[Any, ...]:
        """Return a copy of everything."""
        notes = (copy.copy(each) for each in (self.partitions, self.problems, self.losses))
        return (*notes, {name: dict(rows) for name, rows in self._rows.items()})

    def restore(self, kept: tuple[Any, ...]) -> None:
        """Go back to a copy."""
        self.partitions, self.problems, self.losses = (copy.copy(each) for each in kept[:3])
        self._rows = {name: dict(rows) for name, rows in kept[3].items()}
        self._by_column.clear()


class StoreSink:
    """A worker's way to the store: a `sink.Sink` that tries again whatever may pass by itself."""

    def __init__(self, store: Store, server: Server, network: Network) -> None:
        self.store, self.server, self.network = store, server, network

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """See `sink.Sink.write`."""
        await each_table(blocks, self._insert)

    async def close(self) -> None:
        """Do nothing."""

    async def _insert(self, block: TableRows) -> None:
        while True:
            try:
                await self.network.call(self.server, lambda: self.store.insert(block))
            except LostReplyError:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
