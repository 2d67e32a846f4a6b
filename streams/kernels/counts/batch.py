"""A batch of events in columns, as the codec hands it to the kernels; read `identity` next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from streams.kernels.counts.columns import DictColumn
    from streams.kernels.lines.texts import PackedTexts

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

DIRECTIONS = ("in", "out")  # columns hold the places in these
OUTCOMES = ("passed", "granted", "denied")
PASSED, GRANTED, DENIED = map(OUTCOMES.index, ("passed", "granted", "denied"))

# Reasons of rejections that only the kernels can tell.
SUSPECT_TIME: Final = "suspect-time"  # an event's time is not believed, see `place.TimeRules`
TOO_MANY_DEVICES: Final = "too-many-devices"  # a device, or a counter of one, beyond those that a log remembers
TOO_MANY_CORRECTIONS: Final = "too-many-corrections"  # a correction beyond those that a log remembers
NUMBER_TOO_OLD: Final = "number-too-old"  # so far below others of its device that nobody knows whether it has come
UNPROCESSABLE: Final = "unprocessable"  # our own code fails on this line, see `streams.worker.isolation`


@dataclass(frozen=True, slots=True)
class Position:
    """Where a line stood: offset of its record, its line within the record (from 0), arrival at the broker in ms."""

    offset: int
    line: int
    arrived: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that could not be accepted."""

    position: Position
    reason: str
    detail: str
    sha256: str
    first_bytes: bytes

    @classmethod
    def of(cls, line: bytes, position: Position, *, reason: str, detail: str) -> Rejection:
        """Say why a line is not accepted, and keep as much of it as tells which it was."""
        return cls(position, reason, detail, hashlib.sha256(line).hexdigest(), line[:256])


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines that are not blank each record of a batch brought, before anything was made of them."""

    record: Ints
    count: Ints

    def of_offset(self, first: int) -> int:
        """Count those of the records at or behind an offset."""
        return int(self.count[self.record >= first].sum())

    def records(self, first: int) -> int:
        """Count the records at or behind an offset."""
        return int(np.count_nonzero(self.record >= first))


class RawLines(Sequence[bytes]):
    """Lines of some records as they came: line i is `value[starts[i] : ends[i]]`."""

    def __init__(self, value: bytes, starts: Ints, ends: Ints) -> None:
        self._value, self._starts, self._ends = value, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> bytes: ...

    @overload
    def __getitem__(self, row: slice) -> RawLines: ...

    def __getitem__(self, row: int | slice) -> bytes | RawLines:
        if isinstance(row, slice):
            return self.take(row)
        return self._value[self._starts[row] : self._ends[row]]

    def __iter__(self) -> Iterator[bytes]:
        value = self._value
        return (value[start:end] for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True))

    def take(self, rows: Ints | slice) -> RawLines:
        """Keep some lines."""
        return RawLines(self._value, self._starts[rows], self._ends[rows])


def taken(column: Any, rows: Ints | slice) -> Any:  # noqa: ANN401  # a list, an array, or a column with `take`
    """Keep some rows of a column."""
    if isinstance(column, np.ndarray):
        return column[rows]
    if isinstance(column, list):
        return column[rows] if isinstance(rows, slice) else [column[row] for row in rows.tolist()]
    return column.take(rows)


@dataclass(frozen=True, slots=True)
class Batch:
    """Accepted events of one log in the order of the log: n values a column, times in ms UTC.

    The records, accepted or not, are those of the offsets `first` to before `after`, without a gap.
    """

    first: int
    after: int
    lines: LineCounts
    # The line of each event until it is admitted, then none: a batch waits in memory for the store.
    raw: RawLines | list[bytes]
    offset: Ints
    line: Ints
    arrived: Ints
    device: DictColumn
    epoch: Ints
    seq: Ints
    ts: Ints
    entrance: DictColumn
    direction: Ints  # see DIRECTIONS
    outcome: Ints  # see OUTCOMES
    category: DictColumn
    reason: DictColumn  # missing text is ""
    credential: PackedTexts
    temperature: Floats  # missing: NaN
    health: DictColumn
    # Columns that are stored and that no kernel computes with, by name; a missing number is None or NaN.
    carried: Mapping[str, list[Any] | Floats | DictColumn] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offset)

    def select(self, rows: Ints | slice) -> Batch:
        """Keep the accepted events at these positions, and every rejection."""
        raw = taken(self.raw, rows) if len(self.raw) else []
        columns = {name: taken(getattr(self, name), rows) for name in COLUMNS}
        carried = {name: taken(each, rows) for name, each in self.carried.items()}
        return replace(self, raw=raw, carried=carried, **columns)

    def part(self, start: int, end: int) -> Batch:
        """Keep the accepted events from a place up to before another, and every rejection."""
        return self if start == 0 and end == len(self) else self.select(slice(start, end))

    def admitted(self, rows: Ints) -> Batch:
        """Keep the events at these positions, without their lines, and of credentials no more than theirs."""
        bare = replace(self, raw=[])
        if len(rows) == len(self):
            return replace(bare, credential=self.credential.take(slice(None)))
        return bare.select(rows)

    def from_offset(self, first: int) -> Batch:
        """Leave out everything below an offset, except in `lines`: it has been applied before."""
        if first <= self.first:
            return self
        selected = self.select(np.flatnonzero(self.offset >= first))
        rejections = [each for each in self.rejections if each.position.offset >= first]
        return replace(selected, first=first, rejections=rejections)

    def rejection(self, row: int, reason: str, detail: str) -> Rejection:
        """Say why the event at a position is not accepted; only while the batch has its lines."""
        position = Position(int(self.offset[row]), int(self.line[row]), int(self.arrived[row]))
        return Rejection.of(self.raw[row], position, reason=reason, detail=detail)


_NO_COLUMNS = frozenset({"first", "after", "lines", "raw", "carried", "rejections"})
COLUMNS: Final = tuple(each.name for each in fields(Batch) if each.name not in _NO_COLUMNS)
"""The columns that kernels know by name."""
