"""Counts passages as they become known: by minute, area and 10 s window, and step of a trend. Next: `inside.py`."""

from collections.abc import Iterator, Sequence

import numpy as np

from dashboards.wall.model.rows import (
    BEFORE_MINUTES,
    FLOW_MINUTES,
    HOUR,
    MINUTE,
    STEP,
    EntranceTotalRow,
    FlowRow,
    StepRow,
)
from dashboards.wall.model.scopes import Crossings, Scope, crossings, site_kinds
from streams.contract.events import Direction
from streams.kernels.counts.batch import Ints
from streams.site.model import Site
from streams.text import Kind

WINDOW = 10_000
"""Milliseconds of the windows in which areas are counted."""
DIRECTIONS: tuple[Direction, Direction] = ("in", "out")


class PassageCounts:
    """Counts of passages by their event time, from `start` up to `end` (site ms, both full hours); ignores all others.

    Entrances and categories are numbers: see `numbered_names`. Rows of the store are added as columns; in them `out`
    is 1 for the direction `out`, and `category` is the number of categories where the profile does not know it.
    By area and kind (`slots`), `windows` are entries less departures in each 10 s, and `oldest` is the first window in
    which anybody went in or out (`end`: nobody did).
    """

    def __init__(self, start: int, end: int, site: Site, scopes: Sequence[Scope]) -> None:
        self.start, self.end, self.site, self.scopes = start, end, site, tuple(scopes)
        self.entrances, self._categories = numbered_names(site)
        self.slots: tuple[tuple[str, Kind], ...] = tuple((area.id, kind) for area in site.areas for kind in area.kinds)
        entrances, minutes = len(self.entrances), (end - start) // MINUTE
        self._minutes = np.zeros((entrances, 2, minutes), np.int32)
        self._anonymous = np.zeros((entrances, minutes), np.int32)
        self.windows = np.zeros((len(self.slots), (end - start) // WINDOW), np.int32)
        self._steps = np.zeros((len(scopes), 2, len(self._categories) + 1, (end - start) // STEP), np.int32)
        self._newest = np.zeros(entrances, np.int64)
        self.oldest = np.full(len(self.slots), end, np.int64)
        self.signs = _signs(self.entrances, [crossings(Scope(kind, area), site) for area, kind in self.slots])
        self._ways = _signs(self.entrances, [crossings(scope, site) for scope in scopes])

    def add(self, passages: Ints) -> None:
        """Count passages one by one: the columns of `queries.PASSAGES`."""
        on = (passages[1] >= self.start) & (passages[1] < self.end) & (passages[2] >= 0)
        _, ts, entrance, out, category, anonymous = passages[:, on]
        one = np.ones_like(ts)
        self.add_totals(entrance, out, ts - ts % WINDOW, one, anonymous, ts)
        self.add_steps(entrance, out, category, ts - ts % STEP, one)

    def add_totals(
        self, entrance: Ints, out: Ints, window: Ints, passages: Ints, anonymous: Ints, newest: Ints
    ) -> None:
        """Add sums by 10 s window; `anonymous` passages had no credential, `newest` is the time of the newest."""
        at = window - self.start
        np.add.at(self._minutes, (entrance, out, at // MINUTE), passages)
        entered = out == 0
        np.add.at(self._anonymous, (entrance[entered], at[entered] // MINUTE), anonymous[entered])
        np.maximum.at(self._newest, entrance, newest)
        for slot, sign in enumerate(self.signs):
            net = sign[entrance, out]
            moved = net != 0
            np.add.at(self.windows[slot], at[moved] // WINDOW, (net * passages)[moved])
            self.oldest[slot] = window[moved].min(initial=self.oldest[slot])

    def add_steps(self, entrance: Ints, out: Ints, category: Ints, step: Ints, passages: Ints) -> None:
        """Add sums by category and step of the trends."""
        at = (step - self.start) // STEP
        for scope, sign in enumerate(self._ways):
            net = sign[entrance, out]
            moved = net != 0
            way = (net[moved] < 0).astype(np.int64)
            np.add.at(self._steps[scope], (way, category[moved], at[moved]), passages[moved])

    def newest_of(self, slot: int) -> int:
        """Return the time of the newest passage into an area or out of it; 0 if there was none on the grid."""
        through = np.any(self.signs[slot] != 0, axis=1)
        return int(self._newest[through].max(initial=0))

    def totals(self, start: int, end: int) -> list[EntranceTotalRow]:
        """Return the passages of each entrance and direction in a stretch of full minutes."""
        passages = self._between(start, end)
        return [
            EntranceTotalRow(name, direction, int(passages[number, out]))
            for number, name in enumerate(self.entrances)
            for out, direction in enumerate(DIRECTIONS)
            if passages[number, out]
        ]

    def boundary(self, kind: Kind, start: int, end: int) -> tuple[int, int, int]:
        """Return entries and exits over the site's boundary, and how many of the entries had no credential."""
        on = np.array([each.boundary and each.kind == kind for each in self.site.entrances])
        first, after = self._range(start, end)
        entries, exits = self._minutes[on, :, first:after].sum(axis=(0, 2))
        return int(entries), int(exits), int(self._anonymous[on, first:after].sum())

    def flows(self, end: int) -> list[FlowRow]:
        """Return the rows of the ranking, for every entrance and direction with a passage in the hour before `end`."""
        minute = self._between(end - MINUTE, end)
        before = self._between(end - (1 + BEFORE_MINUTES) * MINUTE, end - MINUTE)
        lately = self._between(end - FLOW_MINUTES * MINUTE, end)
        start, after = self._range(end - HOUR, end)
        hour = self._minutes[:, :, start:after]
        sums = hour.sum(axis=2)
        rows = []
        for number, out in zip(*np.nonzero(sums), strict=True):
            first = self.start + (start + int(np.argmax(hour[number, out] > 0))) * MINUTE
            name, at = self.entrances[number], (number, out)
            rows.append(
                FlowRow(name, DIRECTIONS[out], int(minute[at]), int(before[at]), int(lately[at]), int(sums[at]), first)
            )
        return rows

    def steps(self, scope: Scope, start: int, end: int) -> Iterator[StepRow]:
        """Yield the passages into and out of a scope, by category and step; of the last step, those so far."""
        counted = self._steps[self.scopes.index(scope)]
        first, after = ((each - self.start) // STEP for each in (start, end + STEP - 1))
        for way, category, step in zip(*np.nonzero(counted[:, :-1, max(0, first) : after]), strict=True):
            at = max(0, first) + int(step)
            passages = int(counted[way, category, at])
            yield StepRow(self.start + at * STEP, DIRECTIONS[way], self._categories[category], passages)

    def _between(self, start: int, end: int) -> Ints:
        first, after = self._range(start, end)
        passages: Ints = self._minutes[:, :, first:after].sum(axis=2)
        return passages

    def _range(self, start: int, end: int) -> tuple[int, int]:
        first, after = ((each - self.start) // MINUTE for each in (start, end))
        return max(0, first), max(0, after)


def numbered_names(site: Site) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the entrances and the categories of a site; the number of each is its index."""
    categories = dict.fromkeys(each.id for kind in site_kinds(site) for each in site.categories_of(kind))
    return tuple(entrance.id for entrance in site.entrances), tuple(categories)


def _signs(entrances: Sequence[str], ways: Sequence[Crossings]) -> Ints:
    """Return +1 where an entrance and direction lead in, -1 where they lead out, else 0."""
    signs = np.zeros((len(ways), len(entrances), 2), np.int64)
    for place, (into, out_of) in enumerate(ways):
        for sign, crossed in ((1, into), (-1, out_of)):
            for entrance, direction in crossed:
                signs[place, entrances.index(entrance), DIRECTIONS.index(direction)] += sign
    return signs
