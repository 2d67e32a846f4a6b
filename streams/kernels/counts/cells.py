"""Assigns events to event-time windows, and counts them in cells of one offset bucket; read `offset_bucket` next.

An offset bucket is a fixed range of a log's offsets. A cell counts the events of one bucket in one event-time window,
so its value depends on the log alone; readers add the buckets up. DESIGN.md, section 2, says why.

Whoever sends times and names without sense can open as many cells as events. So a bucket is counted in stretches of
so many events; once one has ended with too many cells, what comes next in the bucket is counted in another part of
it, with cells of its own.

Events are sorted by cell once, in 10 s windows. There are fewer cells than events, so that minutes, days, totals and
flows cost little more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from streams.kernels.counts.batch import PASSED, Batch, Ints
from streams.kernels.counts.calendar import MINUTE_MS, SiteDays

BUCKET_BITS: Final = 14
"""A bucket is 2^14 = 16,384 offsets: at 44 events/s on four partitions about 25 minutes of cells in the state."""
WINDOW_MS: Final = 10_000

# A cell's key packs window (29 bits and more), entrance (14), category (10), direction (1), outcome (2).
_ENTRANCE: Final = 13
_CATEGORY: Final = 3
MOST_ENTRANCES: Final = 1 << 14
MOST_CATEGORIES: Final = 1 << 10
_WINDOW: Final = 27


def bucket_of(offset: int) -> int:
    """Return the bucket in which an offset lies."""
    return offset >> BUCKET_BITS


def stretches_in(offsets: Ints, stretch: int, *, begun: int) -> list[tuple[int, int]]:
    """Cut rising offsets, [start, end), where buckets end, and each `stretch` events, of which `begun` came before."""
    parts: list[tuple[int, int]] = []
    if not len(offsets):
        return parts
    ends = (np.flatnonzero(np.diff(offsets >> BUCKET_BITS)) + 1).tolist()
    for start, end in pairwise([0, *ends, len(offsets)]):
        parts += pairwise([start, *range(start + stretch - begun, end, stretch), end])
        begun = 0
    return parts


def pack(window: Ints, entrance: Ints, category: Ints, direction: Ints, outcome: Ints) -> Ints:
    """Make one integer of a cell's key."""
    packed: Ints = (window << _WINDOW) | (entrance << _ENTRANCE) | (category << _CATEGORY) | (direction << 2) | outcome
    return packed


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


def in_window(keys: Ints, window: Ints | int) -> Ints:
    """Return the same cells in other windows."""
    moved: Ints = (window << _WINDOW) | (keys & ((1 << _WINDOW) - 1))
    return moved


@dataclass(frozen=True, slots=True)
class KeyGroups:
    """Equal keys found together: `order` sorts the rows by key, and each group begins at one of `starts` in it."""

    order: Ints
    starts: Ints
    keys: Ints

    @property
    def sizes(self) -> Ints:
        """How many rows each group has."""
        sizes: Ints = np.diff(np.append(self.starts, len(self.order)))
        return sizes

    def sums(self, values: Ints) -> Ints:
        """Add up the values of each group."""
        sums: Ints = np.add.reduceat(values[self.order], self.starts)
        return sums

    def newest(self, values: Ints) -> Ints:
        """Return the highest value of each group."""
        newest: Ints = np.maximum.reduceat(values[self.order], self.starts)
        return newest


def groups_of(keys: Ints) -> KeyGroups:
    """Group rows by key, sorted. Rows of one group stay in their order."""
    if not len(keys):
        return KeyGroups(keys, keys, keys)
    order = np.argsort(keys, kind="stable")
    found = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], found[1:] != found[:-1])))
    return KeyGroups(order, starts, found[starts])


@dataclass(frozen=True, slots=True)
class Named:
    """Events with the numbers that their log has for the names of their entrances and categories."""

    batch: Batch
    entrance: Ints
    category: Ints

    def select(self, rows: Ints) -> "Named":
        """Keep the events at these positions."""
        return Named(self.batch.select(rows), self.entrance[rows], self.category[rows])

    def keys(self, window: Ints) -> Ints:
        """Return the key of each event's cell, in its window."""
        return pack(window, self.entrance, self.category, self.batch.direction, self.batch.outcome)


@dataclass(frozen=True, slots=True)
class Counted:
    """Distinct cells by packed key, sorted: how many events each has, how many of them without a credential."""

    keys: Ints
    times: Ints
    anonymous: Ints
    newest: Ints  # the time (ms) of each cell's newest event

    @classmethod
    def of(cls, events: Named) -> "Counted":
        """Count events (at least one) by 10 s window."""
        batch = events.batch
        groups = groups_of(events.keys(batch.ts // WINDOW_MS))
        anonymous = groups.sums(batch.credential.is_empty.astype(np.int64))
        return cls(groups.keys, groups.sizes, anonymous, groups.newest(batch.ts))

    @property
    def parts(self) -> CellKeys:
        """The parts of the keys."""
        return unpack(self.keys)

    def by(self, keys: Ints) -> "Counted":
        """Add up what has the same of other keys."""
        groups = groups_of(keys)
        return Counted(groups.keys, groups.sums(self.times), groups.sums(self.anonymous), groups.newest(self.newest))

    def by_minute(self) -> "Counted":
        """Add up cells of 10 s by minute."""
        return self.by(in_window(self.keys, self.parts.window // (MINUTE_MS // WINDOW_MS)))

    def by_day(self, days: SiteDays) -> "Counted":
        """Add up cells of a minute by the site's day; days begin on full minutes everywhere."""
        return self.by(in_window(self.keys, days.of(self.parts.window * MINUTE_MS)))

    def passed(self) -> "Counted":
        """Keep the cells of those who passed."""
        rows = np.flatnonzero(self.parts.outcome == PASSED)
        return Counted(self.keys[rows], self.times[rows], self.anonymous[rows], self.newest[rows])


@dataclass(slots=True)
class Cells:
    """Counts by packed key, and which of them have changed since they were last drained, and last saved."""

    counts: dict[int, int] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    drained: set[int] = field(init=False, default_factory=set, compare=False)  # since the last snapshot; see `unsaved`

    def add(self, keys: Ints, times: Ints | None = None) -> None:
        """Count one event for each key given, or so many `times` for each."""
        if times is None:
            keys, times = np.unique(keys, return_counts=True)
        counts, names = self.counts, keys.tolist()
        for key, n in zip(names, times.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + n
        self.changed.update(names)

    def drain_changed(self) -> tuple[Ints, list[int]]:
        """Return the changed keys, sorted, with their absolute counts, and forget that they changed."""
        keys = np.fromiter(self.changed, dtype=np.int64, count=len(self.changed))
        keys.sort()
        self.drained |= self.changed
        self.changed.clear()
        return keys, self.of(keys.tolist())

    @property
    def unsaved(self) -> set[int]:
        """The keys that may have changed since the last snapshot."""
        return self.drained | self.changed

    def of(self, keys: Iterable[int]) -> list[int]:
        """Look counts up; 0 where nothing was counted."""
        return [self.counts.get(key, 0) for key in keys]

    def plain(self) -> list[list[int]]:
        """Return the keys, sorted, and their counts, as snapshots have them."""
        keys = sorted(self.counts)
        return [keys, self.of(keys)]
