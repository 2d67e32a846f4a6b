"""The interface of every sink and store reader, and the errors that they raise.

Next: `memory.py`, the smallest store there is, then `clickhouse.py`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from sinks.rows import PROGRESS_TABLE, TABLES, CodedColumn, ColumnValues, PackedColumn, TableRows

T = TypeVar("T")


class StoreError(Exception):
    """A read or write failed: `table` (or what was read), `reason`, and `advice`: what to do next."""

    def __init__(self, table: str, reason: str, advice: str) -> None:
        """Build the message from its three parts; all of them stay readable as attributes."""
        super().__init__(f"{table}: {reason} {advice}")
        self.table = table
        self.reason = reason
        self.advice = advice


class StoreRefused(StoreError):
    """The store will refuse this for ever: repeating it cannot help, somebody must act first."""


@dataclass(frozen=True)
class Refusal:
    """All rows of a write for one table, and why the store will not take them."""

    block: TableRows
    error: StoreRefused


class RowsRefused(StoreRefused):
    """The store refused the rows of some tables for ever; those of other tables are stored, but no progress is.

    Store the rows of `refusals` elsewhere, and only then write the rows of progress again.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        """Speak for the first refusal; `refusals` has them all, in the order of `TABLES`."""
        first = refusals[0].error
        more = f" (so are the rows of {len(refusals) - 1} more tables)" if refusals[1:] else ""
        super().__init__(first.table, first.reason + more, first.advice)
        self.refusals = tuple(refusals)


class StoreUnavailable(StoreError):
    """The store cannot be reached, or has no room or time now: the same will succeed once that has passed."""


class SinkClosed(StoreError):
    """The sink was closed: these rows are not known to be stored, write them through a new sink."""


class ColumnReader(Protocol):
    """Runs queries of a store and returns columns: see `clickhouse.ClickHouseReader`."""

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return the values of each column by its name. Raises StoreError."""


class StoreReader(ColumnReader, Protocol):
    """Returns rows, too."""

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of an answer. Raises StoreError."""


class Sink(Protocol):
    """A store of rows. Writing a row again, late, or out of order changes nothing: see `rows.Table`."""

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """Return when every row of `blocks` is stored; retry for ever what can pass by itself.

        Raises RowsRefused when the store will never take the rows of some tables: all other rows are stored then, but
        for those of `rows.PROGRESS_TABLE`, which would be wrong. Raises StoreRefused, before anything is sent, for
        blocks that fit no table. Cancelling is always safe.
        """

    async def close(self) -> None:
        """Finish or give up what is being written, and let go of the store. A closed sink takes no rows."""


async def each_table(blocks: Sequence[TableRows], store: Callable[[TableRows], Awaitable[None]]) -> None:
    """Hand the rows of each table to `store` in the order of `TABLES`, as `Sink.write` promises. Raises RowsRefused."""
    refusals: list[Refusal] = []
    for block in merged(blocks):
        if refusals and block.table == PROGRESS_TABLE:
            break
        try:
            await store(block)
        except StoreRefused as error:
            refusals.append(Refusal(block, error))
    if refusals:
        raise RowsRefused(refusals)


def merged(blocks: Sequence[TableRows]) -> list[TableRows]:
    """Check `blocks` against the tables, join those of one table, drop empty ones; in the order of `TABLES`.

    Raises StoreRefused, naming the table and the column, before anything is sent.
    """
    by_table: dict[str, list[TableRows]] = {}
    for block in blocks:
        if check(block):
            by_table.setdefault(block.table, []).append(block)
    return [_joined(by_table[name]) for name in TABLES if name in by_table]


def check(block: TableRows) -> int:
    """Return how many rows `block` has; raise StoreRefused if it does not fit its table."""
    table = TABLES.get(block.table)
    if table is None:
        raise StoreRefused(str(block.table), "there is no such table.", f"Write to one of {', '.join(TABLES)}.")
    missing = [name for name in table.columns if name not in block.columns]
    unknown = [name for name in block.columns if name not in table.columns]
    if missing or unknown:
        reason = f"columns missing: {missing}, columns unknown: {unknown}."
        raise StoreRefused(table.name, reason, f"Give exactly {', '.join(table.columns)}.")
    lengths = {name: len(values) for name, values in block.columns.items()}
    if len(set(lengths.values())) > 1:
        raise StoreRefused(table.name, f"columns of unequal length: {lengths}.", "Give one value per row.")
    return lengths[table.columns[0]]


def _joined(blocks: list[TableRows]) -> TableRows:
    """Append the rows of blocks of one table, in the order given."""
    if len(blocks) == 1:
        return blocks[0]
    columns = {name: _appended([block.columns[name] for block in blocks]) for name in blocks[0].columns}
    return _with(blocks[0], columns=columns)


def _appended(parts: list[ColumnValues]) -> ColumnValues:
    """Append columns. Arrays of different types become a list: promoting int64 and uint64 to float would round."""
    coded = [part for part in parts if isinstance(part, CodedColumn)]
    if len(coded) == len(parts):
        return _united(coded)
    packed = [part for part in parts if isinstance(part, PackedColumn)]
    if len(packed) == len(parts):
        return type(packed[0]).joined(packed)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if len(arrays) == len(parts) and len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    return list(chain.from_iterable(map(as_list, parts)))


def _united(parts: list[CodedColumn]) -> CodedColumn:
    """Append coded columns, whatever names each has."""
    names = list(dict.fromkeys(chain.from_iterable(part.names for part in parts)))
    place = {name: number for number, name in enumerate(names)}
    codes = [np.array([place[name] for name in part.names])[part.codes] for part in parts]
    return _with(parts[0], codes=np.concatenate(codes), names=names)


def _with(value: T, **changes: object) -> T:
    """Return a copy of a frozen dataclass, whoever defined it."""
    copy: T = replace(cast("Any", value), **changes)
    return copy


def as_list(column: ColumnValues) -> list[Any]:
    """Return a list of Python values, whatever the type of the column, to be read only; None is NULL."""
    if isinstance(column, list):
        return column
    if not isinstance(column, (np.ndarray, CodedColumn, PackedColumn)):
        return list(column)
    values: list[Any] = column.tolist()
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return [None if missing else value for value, missing in zip(values, np.isnan(column), strict=True)]
    return values
