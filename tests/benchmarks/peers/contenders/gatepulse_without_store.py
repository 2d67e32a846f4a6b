"""The contender gatepulse without a store: the worker with a sink that discards rows.

It keeps of the rows what the comparison needs: the newest count of each cell, and how much is claimed to be stored.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from sinks.rows import PROGRESS_TABLE, TABLES
from sinks.sink import as_list, merged
from streams.kernels.counts.columns import Block
from streams.settings import load_settings
from streams.worker import main as worker
from tests.benchmarks.peers.job import Job, answer, now_ms, read_job

_CELL = tuple(TABLES["counts_1m"].key)


class Discard:
    """A `sinks.sink.Sink` that keeps counts only; when everything is claimed, it answers and ends the process."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._cells: dict[tuple[Any, ...], int] = {}
        self._received: dict[str, int] = {}

    async def write(self, blocks: Sequence[Block]) -> None:
        """Check that the rows fit their tables, as every sink does, and drop them."""
        for block in merged(blocks):
            if block.table == "counts_1m":
                self._cells |= {tuple(cell): n for *cell, n in _rows(block.columns, (*_CELL, "passages"))}
            elif block.table == PROGRESS_TABLE:
                progress = _rows(block.columns, ("topic", "log", "received"))
                self._received |= {log: received for topic, log, received in progress if topic == self._job.topic}
        if sum(self._received.values()) >= self._job.events:
            self._conclude()

    async def close(self) -> None:
        """Nothing is open."""

    def _conclude(self) -> None:
        """Answer; the runner takes the beginning from this process's log."""
        last_ms, counts = now_ms(), Counter[tuple[str, str, int]]()
        for values, passages in self._cells.items():
            cell = dict(zip(_CELL, values, strict=True))
            if cell["outcome"] == "passed":
                counts[cell["entrance"], cell["direction"], cell["window_start"]] += passages
        answer(last_ms, last_ms, sum(self._received.values()), ((*cell, n) for cell, n in counts.items()))
        os._exit(0)


class Unknown:
    """`streams.sources.tables.SourceTables` of a store that knows nothing and notes nothing.

    Every partition is new to it.
    """

    def __init__(self, *_: object) -> None:
        """Take whatever is set up."""

    def progress(self) -> Mapping[Any, Any]:
        """Nothing is stored."""
        return {}

    def __getattr__(self, name: str) -> Callable[..., Sequence[Any]]:
        """Answer every other question with nothing."""
        return lambda *_, **__: ()


def _rows(columns: Mapping[str, Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(as_list(columns[name]) for name in names), strict=True))


if __name__ == "__main__":
    job = read_job()
    with (
        patch.object(worker, "store_sink", lambda *_, **__: Discard(job)),
        patch.object(worker, "SourceTables", Unknown),
    ):
        worker.run(load_settings())
