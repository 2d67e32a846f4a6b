"""The format of the topic `parked`: batches of rows that the store refused, until they can be stored.

Their values are absolute and versioned, so they may be stored at any later time, twice, and in any order. A record's
key is a hash of its rows: parked again after a crash it takes its own place. `operations/parked_rows.py` reads them.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from sinks.rows import TABLES
from sinks.sink import Refusal, as_list
from streams.kernels.counts.columns import Block

LARGEST_PARKED: Final = 4_000_000
"""Bytes of one record, unless a single row is larger."""

_MOST_ROW_BYTES: Final = LARGEST_PARKED - 100_000  # the rest is for what a record says of itself
_HEADER: Final = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_NAME_LENGTH: Final = 16


class NotParkedError(ValueError):
    """A record of the topic is no parked batch, or its rows cannot be read."""


class ParkedBatch(Struct, frozen=True):
    """One parked batch: what a record says of itself before its rows.

    `logs` are those whose rows are in it, each with the moment (ms) up to which it is complete without the batch.
    """

    id: str
    table: str
    columns: tuple[str, ...]
    rows: int
    reason: str
    advice: str
    at: int
    worker: str
    logs: dict[str, int]


def park(refusal: Refusal, *, logs: Mapping[str, int], worker: str, at: int) -> list[tuple[ParkedBatch, bytes]]:
    """Return the records that keep the rows of a refusal; several, where one would be too large."""
    block, error = refusal.block, refusal.error
    names = TABLES[block.table].columns
    columns = [as_list(block.columns[name]) for name in names]
    parked: list[tuple[ParkedBatch, bytes]] = []
    for rows, plain, payload in _pieces(columns):
        name = hashlib.sha256(_encode((block.table, sorted(logs))) + plain).hexdigest()[:_NAME_LENGTH]
        head = ParkedBatch(
            id=name,
            table=block.table,
            columns=names,
            rows=rows,
            reason=error.reason,
            advice=error.advice,
            at=at,
            worker=worker,
            logs=dict(logs),
        )
        encoded = _encode(head)
        parked.append((head, _HEADER.pack(len(encoded)) + encoded + payload))
    return parked


def header(value: bytes) -> ParkedBatch:
    """Read what a record says of itself. Raises NotParkedError."""
    return _parts(value)[0]


def rows_of(value: bytes) -> Block:
    """Read the rows of a record. Raises NotParkedError."""
    head, payload = _parts(value)
    try:
        columns = msgspec.msgpack.decode(zlib.decompress(payload), type=list[list[Any]])
        return Block(head.table, dict(zip(head.columns, map(_as_they_were, columns), strict=True)))
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise NotParkedError(f"the rows of batch {head.id} cannot be read") from error


def _parts(value: bytes) -> tuple[ParkedBatch, memoryview]:
    try:
        (size,) = _HEADER.unpack_from(value)
        rest = memoryview(value)[_HEADER.size :]
        return msgspec.msgpack.decode(rest[:size], type=ParkedBatch), rest[size:]
    except (struct.error, msgspec.MsgspecError, ValueError) as error:
        raise NotParkedError("the record does not begin as a parked batch does") from error


def status_rows(parked: Sequence[ParkedBatch], *, resolved: bool) -> Block:
    """Tell the store which batches wait, or no longer do."""
    rows = [(each, log, complete_to) for each in parked for log, complete_to in each.logs.items()]
    return Block(
        "parked_batches",
        {
            "id": [each.id for each, _, _ in rows],
            "log": [log for _, log, _ in rows],
            "table": [each.table for each, _, _ in rows],
            "rows": [each.rows for each, _, _ in rows],
            "reason": [each.reason for each, _, _ in rows],
            "at": [each.at for each, _, _ in rows],
            "complete_to": [complete_to for _, _, complete_to in rows],
            "resolved": [int(resolved)] * len(rows),
            "version": [int(resolved)] * len(rows),
        },
    )


def _pieces(columns: list[list[Any]]) -> Iterator[tuple[int, bytes, bytes]]:
    """Cut rows into halves until each piece is small enough: how many, as they are, and compressed."""
    rows, plain = len(columns[0]), _encode(columns)
    payload = zlib.compress(plain, level=1)
    if len(payload) <= _MOST_ROW_BYTES or rows == 1:
        yield rows, plain, payload
        return
    half = rows // 2
    yield from _pieces([column[:half] for column in columns])
    yield from _pieces([column[half:] for column in columns])


def _as_they_were(column: list[Any]) -> list[Any]:
    """Make tuples of lists again, which MessagePack does not have."""
    if column and isinstance(column[0], list):
        return [[tuple(each) for each in value] for value in column]
    return column
