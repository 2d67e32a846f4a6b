"""Opens the record batches of an answer with compiled kernels, and what is odd with aiokafka's parser; for `consumer`.

A kernel reads a batch ten times as fast as the parser, which makes an object of each record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from aiokafka import codec
from aiokafka.record.memory_records import MemoryRecords

from streams.kernels.lines.records import SMALLEST, find_values, join_values
from streams.kernels.lines.words import with_slack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.kernels.counts.batch import Ints

_MAGIC: Final = 16  # places in a batch
_ATTRIBUTES: Final = slice(21, 23)
_FIRST_TIME: Final = slice(27, 35)
_LAST_TIME: Final = slice(35, 43)
_COUNT: Final = slice(57, 61)
_HEADER: Final = 61
_FORMAT: Final = 2
_CODEC: Final = 0b111
_NO_TIME: Final = -1  # the oldest format has no time
_APPEND_TIME: Final = 0b1000
_DECODERS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    0: lambda body: body, 1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Values:
    """Records of one partition: their values, each with a newline behind it, and for each its size without that.

    `arrived` in ms, `lines` in each value.
    """

    value: bytes
    size: Ints
    offset: Ints
    arrived: Ints
    lines: Ints

    @classmethod
    def of(cls, records: Sequence[Any]) -> Values:
        """Take the values of aiokafka's records."""
        values = [record.value or b"" for record in records]
        return cls(
            b"".join(value + b"\n" for value in values),
            *(np.array(each, np.int64) for each in (
                [len(value) for value in values],
                [record.offset for record in records],
                [_NO_TIME if record.timestamp is None else record.timestamp for record in records],
                [value.count(b"\n") + 1 for value in values],
            )),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence[Values]) -> Values:
        """Append the records of some batches."""
        if len(parts) == 1:
            return parts[0]
        columns = ([getattr(each, name) for each in parts] for name in ("size", "offset", "arrived", "lines"))
        return cls(b"".join(each.value for each in parts), *map(np.concatenate, columns))

    def part(self, start: int, end: int) -> Values:
        """Keep the records from a place up to before another."""
        if start == 0 and end == len(self.offset):
            return self
        ends = np.cumsum(self.size + 1)
        begin, stop = int(ends[start - 1]) if start else 0, int(ends[end - 1])
        some = slice(start, end)
        return Values(self.value[begin:stop], self.size[some], self.offset[some], self.arrived[some], self.lines[some])

    def from_offset(self, first: int) -> Values | None:
        """Leave out the records before an offset; None if that leaves none."""
        start = int(np.searchsorted(self.offset, first))
        return self.part(start, len(self.offset)) if start < len(self.offset) else None


class KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka says nothing of its type
    """The batches of an answer, and their bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data, self._at = data, 0

    def next_bytes(self) -> tuple[Any, memoryview]:
        """Return the next batch, and its bytes."""
        batch = self.next_batch()
        end = self._at + 12 + int.from_bytes(self._data[self._at + 8 : self._at + 12])
        found = memoryview(self._data)[self._at : end]
        self._at = end
        return batch, found


def open_batch(batch: Any, data: memoryview) -> Values | None:  # noqa: ANN401  # aiokafka's batch
    """Return the records of a batch that is no control batch; None if there are none. Raises what aiokafka raises."""
    found = _opened(data) if data[_MAGIC] == _FORMAT else None
    if found is None:
        records = list(batch)
        return Values.of(records) if records else None
    return found if len(found.offset) else None


def _opened(data: memoryview) -> Values | None:
    """Read a batch of format 2; None if it is not plain."""
    if len(data) < _HEADER:
        return None
    attributes, count = int.from_bytes(data[_ATTRIBUTES]), int.from_bytes(data[_COUNT])
    decode = _DECODERS.get(attributes & _CODEC)
    if decode is None:
        return None
    body = decode(bytes(data[_HEADER:]))
    if count > len(body) // SMALLEST:
        return None
    text, size, values = with_slack(body), len(body), np.zeros((count, 2), np.int64)
    del body  # answers are large
    offset, time, lines = (np.zeros(count, np.int64) for _ in range(3))
    if not find_values(text, size, values, offset, time):
        return None
    sizes = values[:, 1] - values[:, 0]
    joined = np.zeros(int(sizes.sum()) + count, np.uint8)
    join_values(text, values, joined, lines)
    del text
    if attributes & _APPEND_TIME:
        time[:] = int.from_bytes(data[_LAST_TIME], signed=True)
    else:
        time += int.from_bytes(data[_FIRST_TIME], signed=True)
    return Values(joined.tobytes(), sizes, offset + int.from_bytes(data[:8], signed=True), time, lines)
