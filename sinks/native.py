"""Encodes columns in ClickHouse's native wire format, for the column types of our tables; `clickhouse.py` uses it.

The driver makes a column value by value. Here `array` and numpy make it whole, which costs a tenth; connecting, asking
and being answered stay the driver's. The form is ClickHouse's `Native` format.
"""

import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np
from clickhouse_driver import Client
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.protocol import ClientPacketTypes
from clickhouse_driver.varint import write_varint
from clickhouse_driver.writer import write_binary_str

from sinks.rows import CodedColumn, ColumnValues, PackedColumn, TableRows
from sinks.sink import as_list

REVISION: Final = 54_450
"""The protocol as we speak it: the last revision whose server does not tell, after every block, what it counted."""

_NUMBERS: Final[Mapping[str, str]] = {
    "UInt8": "B",
    "UInt16": "H",
    "UInt32": "I",
    "UInt64": "Q",
    "Int64": "q",
    "Float64": "d",
    "Date": "H",
    "DateTime64(3, 'UTC')": "q",
}
"""The types that are a number of the machine, each with its letter in `array` and numpy."""

_MISFITS: Final = (TypeError, ValueError, OverflowError, AttributeError, LookupError)
_DICTIONARY: Final = (1 << 9) | (1 << 10)  # this block brings its own dictionary, and all of it


class DoesNotFit(ValueError):
    """A value is none that its column can hold, or the column is of a type that this version does not write.

    Look where the row was made; or compare `gatepulse schema show` with this version.
    """


class Out(Protocol):
    """Where a column is written to: the driver's buffer in front of the socket."""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""

    def write_strings(self, items: Sequence[Any], encoding: str = ...) -> None:
        """Append texts, the length of each before it."""


def insert(client: Client, statement: str, block: TableRows) -> None:
    """Run `statement`, an `INSERT INTO table (columns) VALUES`, with the rows of `block`; return once they are stored.

    Raises DoesNotFit, and what the driver raises; the client is disconnected then.
    """
    with client.disconnect_on_error(statement, None):
        connection, end = client.connection, ColumnOrientedBlock()
        connection.send_query(statement)
        connection.send_data(end)  # no tables come with the statement
        _send(connection.fout, client.receive_sample_block().columns_with_types, block)
        connection.send_data(end)
        client.receive_end_of_insert_query()


def _send(out: Out, columns: Sequence[tuple[str, str]], block: TableRows) -> None:
    """Write one packet of data: the columns that the server expects, by name and type."""
    write_varint(ClientPacketTypes.DATA, out)
    write_binary_str("", out)  # for the statement's own table
    BlockInfo().write(out)
    write_varint(len(columns), out)
    write_varint(len(next(iter(block.columns.values()))), out)
    for name, kind in columns:
        write_binary_str(name, out)
        write_binary_str(kind, out)
        write_column(out, name, kind, block.columns[name])


def write_column(out: Out, name: str, kind: str, column: ColumnValues) -> None:
    """Write a column of at least one value, in the units of `rows.py`, as the server's type `kind`.

    Raises DoesNotFit, which names the column and what does not fit; a part of it may be written by then.
    """
    write = _WRITERS.get(kind)
    if write is None:
        raise DoesNotFit(f"column {name} is {kind} on the server, which this version does not write")
    try:
        write(out, kind, column)
    except _MISFITS as error:
        raise DoesNotFit(
            f"column {name} takes {_expected(kind)}, not {_misfit(kind, column)} ({type(error).__name__})"
        ) from error


def prove(block: TableRows, types: Mapping[str, str]) -> None:
    """See whether the rows of a block (at least one) can be written, without writing them; `types` by column.

    Raises DoesNotFit. A column of which no type is known is passed over.
    """
    for name, column in block.columns.items():
        if name in types:
            write_column(_Nowhere(), name, types[name], column)


def _write_numbers(out: Out, kind: str, column: ColumnValues) -> None:
    out.write(_numbers(_NUMBERS[kind], column).tobytes())


def _numbers(letter: str, column: ColumnValues) -> Any:  # noqa: ANN401 - an array of either library
    """Return the same numbers in another type; raise where one would be rounded or wrapped."""
    wanted = np.dtype(letter)
    if not isinstance(column, np.ndarray) or column.dtype.kind not in ("buif" if wanted.kind == "f" else "bui"):
        return array(letter, as_list(column))
    if wanted.kind != "f" and not np.iinfo(wanted).min <= column.min() <= column.max() <= np.iinfo(wanted).max:
        raise OverflowError("out of range")
    return column.astype(wanted)


def _write_windows(out: Out, _: str, column: ColumnValues) -> None:
    if isinstance(column, np.ndarray):
        seconds: ColumnValues = column // 1000
    else:
        seconds = [milliseconds // 1000 for milliseconds in as_list(column)]
    out.write(_numbers("I", seconds).tobytes())


def _write_nullable(out: Out, kind: str, column: ColumnValues) -> None:
    """Write what is missing as a byte each and then the numbers, 0 where one is missing."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        missing = np.isnan(column)
        filled: ColumnValues = np.where(missing, 0.0, column)
    else:
        values = as_list(column)
        missing = np.array([value is None for value in values])
        filled = [0 if value is None else value for value in values]
    out.write(missing.tobytes())
    _write_numbers(out, _without_null(kind), filled)


def _without_null(kind: str) -> str:
    return kind[len("Nullable(") : -1] if kind.startswith("Nullable(") else kind


def _write_text(out: Out, _: str, column: ColumnValues) -> None:
    if isinstance(column, PackedColumn):
        out.write(column.with_lengths())
        return
    out.write_strings(as_list(column), encoding="utf-8")


def _write_few_texts(out: Out, _: str, column: ColumnValues) -> None:
    """Write each different text once, and where it stands among them for each row."""
    codes, names = (column.codes, column.names) if isinstance(column, CodedColumn) else _codes(as_list(column))
    different = len(names)
    width = (different > 1 << 8) + (different > 1 << 16)  # places take 1, 2 or 4 bytes
    out.write(struct.pack("<3Q", 1, _DICTIONARY | width, different))
    out.write_strings(list(names), encoding="utf-8")
    out.write(struct.pack("<Q", len(codes)))
    out.write(codes.astype("BHI"[width]).tobytes())


def _codes(values: Sequence[str]) -> tuple[np.ndarray[Any, Any], Sequence[str]]:
    places = {text: place for place, text in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(places.__getitem__, values), np.uint32, len(values)), list(places)


def _write_ranges(out: Out, _: str, column: ColumnValues) -> None:
    """Write where the ranges of each row end, then all first numbers, then all last ones."""
    ranges_by_row = as_list(column)
    flat = list(chain.from_iterable(ranges_by_row))
    out.write(np.cumsum([len(ranges) for ranges in ranges_by_row], dtype=np.uint64).tobytes())
    for end in (0, 1):
        out.write(array("Q", [bounds[end] for bounds in flat]).tobytes())


_WRITERS: Final[Mapping[str, Callable[[Out, str, ColumnValues], None]]] = {
    **dict.fromkeys(_NUMBERS, _write_numbers),
    **{f"Nullable({number})": _write_nullable for number in _NUMBERS},
    "DateTime('UTC')": _write_windows,
    "String": _write_text,
    "LowCardinality(String)": _write_few_texts,
    "Array(Tuple(UInt64, UInt64))": _write_ranges,
}


class _Nowhere:
    """An Out that keeps nothing."""

    def write(self, _: bytes, /) -> None:
        """Take no note."""

    def write_strings(self, items: Sequence[Any], encoding: str = "utf-8") -> None:
        """See whether they are texts."""
        for item in items:
            item.encode(encoding)


def _expected(kind: str) -> str:
    """Say what values a type has."""
    letter = _NUMBERS.get(_without_null(kind), "d")
    if letter == "d":
        return kind
    limits = np.iinfo(letter)
    return f"{kind}, which is whole numbers from {limits.min} to {limits.max}"


def _misfit(kind: str, column: ColumnValues) -> str:
    """Tell of what kind the first value is that cannot be written; the value itself is nobody's business."""
    for value in as_list(column):
        try:
            _WRITERS[kind](_Nowhere(), kind, [value])
        except _MISFITS:
            return "this text" if isinstance(value, str) else f"this {type(value).__name__}"
    return "these values together"
