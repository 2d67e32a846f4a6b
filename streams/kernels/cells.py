"""Windowed counts of one segment of a log: absolute, and final once the segment is over; read `passages` next.

A segment is a fixed stretch of a log's offsets. A cell counts the events of one segment in one event-time window,
so its value depends on the log alone: not on the order in which windows fill, nor on where a batch, a
checkpoint or a crash happened to fall. An event that is hours late opens a cell of its own window in the segment in
which it arrives; readers add the segments up. Hence no watermark is needed, the horizon beyond which an event is late
(`times`) costs nothing, and the state holds the cells of one segment only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streams.kernels.batch import Ints

SEGMENT_BITS: Final = 14
"""A segment is 2^14 = 16,384 offsets: at 44 events/s on four partitions about 25 minutes of cells in the state."""

# A cell's key packs window (29 bits and more), entrance (14), category (10), direction (1), outcome (2).
_ENTRANCE: Final = 13
_CATEGORY: Final = 3
MOST_ENTRANCES: Final = 1 << 14
MOST_CATEGORIES: Final = 1 << 10
_WINDOW: Final = 27


def segment_of(offset: int) -> int:
    """Tell the segment in which an offset lies."""
    return offset >> SEGMENT_BITS


def end_of(segment: int) -> int:
    """Tell the first offset behind a segment."""
    return (segment + 1) << SEGMENT_BITS


def segments_in(offsets: Ints) -> list[tuple[int, int]]:
    """Cut rising offsets where a segment ends: [start, end) of each part."""
    if not len(offsets):
        return []
    cuts = (np.flatnonzero(np.diff(offsets >> SEGMENT_BITS)) + 1).tolist()
    return list(zip([0, *cuts], [*cuts, len(offsets)], strict=True))


def pack(window: Ints, entrance: Ints, category: Ints, direction: Ints, outcome: Ints) -> Ints:
    """Make one integer of a cell's key."""
    packed: Ints = (window << _WINDOW) | (entrance << _ENTRANCE) | (category << _CATEGORY) | (direction << 2) | outcome
    return packed


def newest_by(keys: Ints, values: Ints) -> tuple[Ints, Ints, Ints]:
    """Group: the distinct keys, how often each stands there, and the highest value of each."""
    distinct, back, times = np.unique(keys, return_inverse=True, return_counts=True)
    newest = np.full(len(distinct), np.iinfo(np.int64).min, dtype=np.int64)
    np.maximum.at(newest, back, values)
    return distinct, times, newest


@dataclass(frozen=True, slots=True)
class CellKeys:
    """The parts of packed keys, a column each."""

    window: Ints
    entrance: Ints
    category: Ints
    direction: Ints
    outcome: Ints


def unpack(keys: Ints) -> CellKeys:
    """Undo `pack`."""
    return CellKeys(
        window=keys >> _WINDOW,
        entrance=(keys >> _ENTRANCE) & (MOST_ENTRANCES - 1),
        category=(keys >> _CATEGORY) & (MOST_CATEGORIES - 1),
        direction=(keys >> 2) & 1,
        outcome=keys & 3,
    )


@dataclass(slots=True)
class Cells:
    """Counts by packed key, and which of them have changed since they were last taken."""

    counts: dict[int, int] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def add(self, keys: Ints) -> None:
        """Count one event for each key given."""
        distinct, times = np.unique(keys, return_counts=True)
        counts = self.counts
        for key, n in zip(distinct.tolist(), times.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + n
            self.changed.add(key)

    def take_changed(self) -> tuple[Ints, list[int]]:
        """Return the changed keys, sorted, with their absolute counts, and forget that they changed."""
        keys = sorted(self.changed)
        self.changed.clear()
        return np.array(keys, dtype=np.int64), self.of(keys)

    def of(self, keys: Iterable[int]) -> list[int]:
        """Look counts up; 0 where nothing was counted."""
        return [self.counts.get(key, 0) for key in keys]
