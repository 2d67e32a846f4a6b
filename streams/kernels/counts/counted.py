"""Groups a batch's events into 10 s windows, from which wider windows are added up; read `offset_bucket` next.

Events are sorted by cell once, in 10 s windows. There are fewer cells than events, so that minutes, days, totals and
flows cost little more.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from streams.kernels.counts.batch import OUTCOMES, Batch, Ints
from streams.kernels.counts.calendar import MINUTE_MS, SiteDays
from streams.kernels.counts.cells import CellKeys, groups_of, in_window, pack, unpack

WINDOW_MS: Final = 10_000
_PASSED: Final = OUTCOMES.index("passed")


@dataclass(frozen=True, slots=True)
class Named:
    """Events with the numbers that their log has for the names of their entrances and categories."""

    batch: Batch
    entrance: Ints
    category: Ints

    def part(self, start: int, end: int) -> "Named":
        """Keep the events from a place up to before another."""
        return Named(self.batch.part(start, end), self.entrance[start:end], self.category[start:end])

    def select(self, rows: Ints) -> "Named":
        """Keep the events at these positions."""
        return Named(self.batch.select(rows), self.entrance[rows], self.category[rows])

    def keys(self, window: Ints) -> Ints:
        """Return the key of each event's cell, in its window."""
        return pack(window, self.entrance, self.category, self.batch.direction, self.batch.outcome)


@dataclass(frozen=True, slots=True)
class Counted:
    """Distinct cells by packed key, sorted: how many events each has, how many of them without a credential.

    newest: the time (ms) of each cell's newest event.
    """

    keys: Ints
    times: Ints
    anonymous: Ints
    newest: Ints

    @classmethod
    def of(cls, events: Named) -> "Counted":
        """Count events (at least one) by 10 s window."""
        batch = events.batch
        groups = groups_of(events.keys(batch.ts // WINDOW_MS))
        anonymous = np.array([not each for each in batch.credential], dtype=np.int64)
        return cls(groups.keys, groups.sizes, groups.sums(anonymous), groups.newest(batch.ts))

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
        rows = np.flatnonzero(self.parts.outcome == _PASSED)
        return Counted(self.keys[rows], self.times[rows], self.anonymous[rows], self.newest[rows])
