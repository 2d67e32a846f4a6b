"""A batch of events in columns, as the codec hands it to the kernels; read `identity` next."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = ("in", "out")  # columns hold the places in these
OUTCOMES = ("passed", "granted", "denied")
PASSED, GRANTED, DENIED = map(OUTCOMES.index, ("passed", "granted", "denied"))

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

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
    def of(cls, line: bytes, position: Position, *, reason: str, detail: str) -> "Rejection":
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Accepted events of one log in the order of the log: n values a column, times in ms UTC.

    The records, accepted or not, are those of the offsets `first` to before `after`, without a gap.
    """

    first: int
    after: int
    lines: LineCounts
    raw: list[bytes]  # the line of each event until it is admitted, then none: a batch waits in memory for the store
    offset: Ints
    line: Ints
    arrived: Ints
    device: list[str]
    epoch: Ints
    seq: Ints
    ts: Ints
    entrance: list[str]
    direction: Ints  # see DIRECTIONS
    outcome: Ints  # see OUTCOMES
    category: list[str]
    reason: list[str]  # missing text is ""
    credential: list[str]
    temperature: Floats  # missing: NaN
    health: list[str]
    # Columns that are stored and that no kernel computes with, by name; a missing number is None or NaN.
    carried: Mapping[str, list[Any] | Floats] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offset)

    def select(self, rows: Ints) -> "Batch":
        """Keep the accepted events at these positions, and every rejection."""
        chosen = rows.tolist()
        raw = [self.raw[i] for i in chosen] if self.raw else []
        return self._with(raw, lambda column: [column[i] for i in chosen] if isinstance(column, list) else column[rows])

    def part(self, start: int, end: int) -> "Batch":
        """Keep the accepted events from a place up to before another, and every rejection."""
        if start == 0 and end == len(self):
            return self
        return self._with(self.raw[start:end], lambda column: column[start:end])

    def admitted(self, rows: Ints) -> "Batch":
        """Keep the events at these positions, without their lines."""
        bare = replace(self, raw=[])
        return bare if len(rows) == len(self) else bare.select(rows)

    def from_offset(self, first: int) -> "Batch":
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

    def _with(self, raw: list[bytes], choose: Callable[[Any], Any]) -> "Batch":
        columns = {name: choose(getattr(self, name)) for name in COLUMNS}
        return replace(self, raw=raw, carried={name: choose(each) for name, each in self.carried.items()}, **columns)


_NO_COLUMNS = frozenset({"first", "after", "lines", "raw", "carried", "rejections"})
COLUMNS: Final = tuple(each.name for each in fields(Batch) if each.name not in _NO_COLUMNS)
"""The columns that kernels know by name."""
