"""Finds the values in a Kafka record batch, and joins them by newlines; used by the worker's consumer.

The records of a batch in format 2, one behind the other, as the Kafka protocol has them:

    size  attributes  time delta  offset delta  key size  key  value size  value  headers  (key size, key, size, value)*
    └ varint, zig-zag: all but attributes, which are a byte, keys and values ┘

What is not plainly so is left to aiokafka's parser, which says what is wrong with it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.kernels.lines.compiled import compiled, inlined
from streams.kernels.lines.words import Bytes

SMALLEST: Final = 7
"""Bytes of the smallest record: each of its numbers is one."""
_MOST_BYTES: Final = 9  # of a number: 63 bits
_NEWLINE: Final = ord("\n")


@inlined
def _number(body: Bytes, at: int) -> tuple[int, int]:
    """Read a varint: the number, and the place behind it; -1 if it is too long."""
    number, shift = 0, 0
    for _ in range(_MOST_BYTES):
        byte = int(body[at])
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # the bit that says that it goes on
            return number >> 1 ^ -(number & 1), at
        shift += 7
    return 0, -1


@inlined
def _bytes_end(body: Bytes, at: int, end: int) -> tuple[int, int]:
    """Read a size and pass over as many bytes: where they begin and end, at the same place if there are none.

    Both are -1 where they would end behind `end`.
    """
    size, start = _number(body, at) if at < end else (0, -1)
    if start < 0 or size < -1 or size > end - start:
        return -1, -1
    return start, start + max(size, 0)


@inlined
def _headers_end(body: Bytes, at: int, end: int) -> int:
    """Pass over the headers of a record: where they end, or -1."""
    headers, at = _number(body, at) if at < end else (0, -1)
    if headers < 0 or headers > end:
        return -1
    for _ in range(2 * headers):
        if at < 0:
            return -1
        _, at = _bytes_end(body, at, end)
    return at


@inlined
def _read_record(
    body: Bytes, at: int, end: int, values: NDArray[np.int64], offset: NDArray[np.int64], time: NDArray[np.int64],
    row: int,
) -> bool:  # fmt: skip
    """Read the record whose attributes are at a place; False unless it is plain and ends at `end`."""
    time[row], at = _number(body, at + 1)
    if at < 0:
        return False
    offset[row], at = _number(body, at)
    if at < 0:
        return False
    _, at = _bytes_end(body, at, end)
    if at < 0:
        return False
    values[row, 0], values[row, 1] = _bytes_end(body, at, end)
    return values[row, 1] >= 0 and _headers_end(body, values[row, 1], end) == end


@compiled
def find_values(
    body: Bytes, size: int, values: NDArray[np.int64], offset: NDArray[np.int64], time: NDArray[np.int64]
) -> bool:
    """Read as many records as there are rows from the first `size` bytes, to their end; False if they are not plain.

    `values` gets where each value begins and ends, a missing one empty; `offset` and `time` get what a record adds to
    those of its batch. SLACK bytes follow the body.
    """
    at = 0
    for row in range(len(offset)):
        if at >= size:
            return False
        length, at = _number(body, at)
        if at < 0 or length < SMALLEST - 1 or length > size - at:
            return False
        if not _read_record(body, at, at + length, values, offset, time, row):
            return False
        at += length
    return at == size


@compiled
def join_values(body: Bytes, values: NDArray[np.int64], into: Bytes, lines: NDArray[np.int64]) -> None:
    """Copy the values behind each other, each with a newline behind it; count the lines of each."""
    to = 0
    for row in range(len(values)):
        start, size = values[row, 0], values[row, 1] - values[row, 0]
        newlines = 0
        for at in range(size):
            newlines += body[start + at] == _NEWLINE
        for at in range(size):
            into[to + at] = body[start + at]
        lines[row] = 1 + newlines
        into[to + size] = _NEWLINE
        to += size + 1
