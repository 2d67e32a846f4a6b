"""Reads the columns of an answer in ClickHouse's native wire format, as `native.py` writes it; `clickhouse.py` uses it.

The driver makes a Python object of every value. Here numbers become arrays, and texts of which few are different become
codes, block by block; connecting, asking and all that is no data stay the driver's. `native.REVISION` is older than
columns that leave out what is zero.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np
from clickhouse_driver import Client, errors
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.columns.service import read_column as drivers_read_column
from clickhouse_driver.connection import Connection
from clickhouse_driver.protocol import ServerPacketTypes
from clickhouse_driver.reader import read_binary_str
from clickhouse_driver.varint import read_varint

Array = np.ndarray[Any, Any]

_NUMBERS: Final[Mapping[str, str]] = {
    "Bool": "?",
    "UInt8": "<u1",
    "UInt16": "<u2",
    "UInt32": "<u4",
    "UInt64": "<u8",
    "Int8": "<i1",
    "Int16": "<i2",
    "Int32": "<i4",
    "Int64": "<i8",
    "Float32": "<f4",
    "Float64": "<f8",
    "Date": "<u2",
    "DateTime64(3, 'UTC')": "<i8",
}
"""The types that are a number of the machine, each with its name in numpy."""

_CODES: Final = ("<u1", "<u2", "<u4", "<u8")
"""How places in a dictionary are stored, by the lowest byte of what is said about it."""
_SHARED, _OWN = 1 << 8, 1 << 9  # a dictionary for several blocks; one that comes with the block


class CannotRead(ValueError):
    """An answer has a form that this version does not read: ask for other types, without totals and extremes."""


class In(Protocol):
    """Where a column is read from: the driver's buffer behind the socket. Raises EOFError if the rest never comes."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""

    def read_strings(self, rows: int, encoding: str = ...) -> Sequence[str]:
        """Return texts, the length of each before it."""


@dataclass(frozen=True, eq=False)
class Texts:
    """A column of texts of which few are different: row i has `names[codes[i]]`; no name is there twice."""

    codes: np.ndarray[Any, np.dtype[np.int32]]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def tolist(self) -> list[str]:
        """Return the text of every row."""
        return list(map(self.names.__getitem__, self.codes.tolist()))


def ask(client: Client, sql: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Run a query and return its columns by name, one value per row: see `join`.

    Raises CannotRead, and what the driver raises; the client is disconnected then.
    """
    columns: list[_Column] = []
    with client.disconnect_on_error(sql, None):
        connection = client.connection
        connection.send_query(sql if params is None else client.substitute_params(sql, params, connection.context))
        connection.send_data(ColumnOrientedBlock())  # no tables come with the query
        while _next_block(connection):
            _read_block(connection, columns)
    return {each.name: join(each.kind, each.parts) for each in columns}


@dataclass(frozen=True)
class _Column:
    """A column as its blocks come; the first of them has no rows."""

    name: str
    kind: str
    parts: list[Any]


def _next_block(connection: Connection) -> bool:
    """Read up to the next block and return True, or up to the end of the answer; raise what the server says instead."""
    while (packet := read_varint(connection.fin)) != ServerPacketTypes.END_OF_STREAM:
        if packet == ServerPacketTypes.DATA:
            return True
        if packet == ServerPacketTypes.PROGRESS:
            connection.receive_progress()
        elif packet == ServerPacketTypes.PROFILE_INFO:
            connection.receive_profile_info()
        elif packet == ServerPacketTypes.EXCEPTION:
            raise connection.receive_exception()
        elif packet in (ServerPacketTypes.TOTALS, ServerPacketTypes.EXTREMES):
            raise CannotRead("the answer has totals or extremes, which this version does not read")
        else:
            raise errors.UnknownPacketFromServerError(f"packet {packet}")
    connection.is_query_executing = False
    return False


def _read_block(connection: Connection, columns: list[_Column]) -> None:
    """Append to each of `columns` what a block has of it; the first block adds them."""
    source = connection.fin
    read_binary_str(source)  # the name of a table, which answers do not have
    BlockInfo().read(source)
    size, rows = read_varint(source), read_varint(source)
    for place in range(size):
        name, kind = read_binary_str(source), read_binary_str(source)
        if place == len(columns):
            columns.append(_Column(name, kind, []))
        if rows:
            columns[place].parts.append(read_part(source, kind, rows, connection.context))


def read_part(source: In, kind: str, rows: int, context: Any) -> Any:  # noqa: ANN401 - the driver's, and what `join` takes
    """Read the values that one block has of a column of the server's type `kind`; `rows` is at least 1.

    A type that is not known here is read by the driver, in its `context`.
    """
    form = _FORMS.get(kind)
    return form.read(source, kind, rows) if form else drivers_read_column(context, kind, rows, source)


def join(kind: str, parts: Sequence[Any]) -> Any:  # noqa: ANN401 - as the type wants it
    """Return the column that was read in `parts`, in the units of `rows.py`.

    Numbers, days and times are an array of their own (whole seconds in ms: int64), `LowCardinality(String)` is Texts,
    and all else is a list: None for NULL.
    """
    return _FORMS[kind].join(kind, parts) if kind in _FORMS else _listed(kind, parts)


def _read_numbers(source: In, kind: str, rows: int) -> Array:
    found = np.dtype(_NUMBERS[kind])
    return np.frombuffer(source.read(rows * found.itemsize), found)


def _appended(kind: str, parts: Sequence[Array]) -> Array:
    return np.concatenate([np.empty(0, _NUMBERS[kind]), *parts])


def _read_windows(source: In, _: str, rows: int) -> Array:
    return np.frombuffer(source.read(rows * 4), "<u4")


def _in_milliseconds(_: str, parts: Sequence[Array]) -> Array:
    return np.concatenate([np.empty(0, np.int64), *parts]) * 1000


def _read_nullable(source: In, kind: str, rows: int) -> list[Any]:
    """Read what is missing as a byte each, and then the numbers, of which those that are missing mean nothing."""
    missing = np.frombuffer(source.read(rows), np.bool_)
    values = _read_numbers(source, kind[len("Nullable(") : -1], rows).astype(object)
    values[missing] = None
    return values.tolist()  # type: ignore[no-any-return]  # it is a list


def _read_texts(source: In, _: str, rows: int) -> Sequence[str]:
    return source.read_strings(rows, encoding="utf-8")


def _listed(_: str, parts: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _read_few_texts(source: In, _: str, rows: int) -> tuple[Array, Sequence[str]]:
    """Read the different texts of a block, and for each row where among them its text stands."""
    _, said, different = struct.unpack("<3Q", source.read(24))
    if said & _SHARED or not said & _OWN:
        raise CannotRead("the answer has texts of a dictionary for several blocks, which this version does not read")
    names = source.read_strings(different, encoding="utf-8")
    places = np.dtype(_CODES[said & 0xFF])
    source.read(8)  # the number of rows
    return np.frombuffer(source.read(rows * places.itemsize), places), names


def _in_one_dictionary(_: str, parts: Sequence[tuple[Array, Sequence[str]]]) -> Texts:
    numbers: dict[str, int] = {}
    codes = [np.empty(0, np.int32)]
    for places, names in parts:
        codes.append(np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)[places])
    return Texts(np.concatenate(codes), list(numbers))


@dataclass(frozen=True)
class _Form:
    """How a type is read from one block, and how what was read of several becomes a column."""

    read: Callable[[In, str, int], Any]
    join: Callable[[str, Sequence[Any]], Any]


_FORMS: Final[Mapping[str, _Form]] = {
    **dict.fromkeys(_NUMBERS, _Form(_read_numbers, _appended)),
    **{f"Nullable({number})": _Form(_read_nullable, _listed) for number in _NUMBERS},
    "DateTime('UTC')": _Form(_read_windows, _in_milliseconds),
    "String": _Form(_read_texts, _listed),
    "LowCardinality(String)": _Form(_read_few_texts, _in_one_dictionary),
}
