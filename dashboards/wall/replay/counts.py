"""Counts passages as they become known: by entrance and minute, by area and 10 s window, by step of a trend; pure.

Read next: `inside.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dashboards.wall.model.rows import BEFORE_MINUTES, MINUTE, STEP, EntranceTotalRow, FlowRow, Span, StepRow
from dashboards.wall.model.scopes import DirectedEntrance, Scope, crossings
from dashboards.wall.replay.timeline import WINDOW, Passages, ReplayGrid
from streams.contract.events import Direction
from streams.kernels.counts.batch import Ints
from streams.site.model import Site
from streams.text import Kind

DIRECTIONS: tuple[Direction, Direction] = ("in", "out")


@dataclass(frozen=True, slots=True)
class WindowTotals:
    """Passages summed by the store, in columns: by entrance, direction and 10 s window.

    `anonymous` of them had no credential; `newest` is the time of the newest.
    """

    entrance: Ints
    out: Ints
    window: Ints
    passages: Ints
    anonymous: Ints
    newest: Ints


@dataclass(frozen=True, slots=True)
class StepTotals:
    """The same by entrance, direction, category and step of the trend."""

    entrance: Ints
    out: Ints
    category: Ints
    step: Ints
    passages: Ints


class PassageCounts:
    """Counts of the passages whose event time is on the grid; the others are ignored."""

    def __init__(self, grid: ReplayGrid, site: Site, scopes: Sequence[Scope]) -> None:
        entrances = len(grid.entrances)
        self.grid, self.site, self.scopes = grid, site, tuple(scopes)
        self.slots: tuple[tuple[str, Kind], ...] = tuple((area.id, kind) for area in site.areas for kind in area.kinds)
        self._minutes = np.zeros((entrances, 2, grid.cells(MINUTE)), np.int32)
        self._anonymous = np.zeros((entrances, grid.cells(MINUTE)), np.int32)
        self._windows = np.zeros((len(self.slots), grid.cells(WINDOW)), np.int32)
        self._steps = np.zeros((len(scopes), 2, len(grid.categories) + 1, grid.cells(STEP)), np.int32)
        self.newest = np.zeros(entrances, np.int64)
        self._oldest = np.full(len(self.slots), grid.end, np.int64)
        self.signs = _signs(grid, [crossings(Scope(kind, area), site) for area, kind in self.slots])
        self._ways = _signs(grid, [crossings(scope, site) for scope in scopes])

    def add(self, rows: Passages) -> None:
        """Count passages one by one."""
        on = (rows.ts >= self.grid.start) & (rows.ts < self.grid.end) & (rows.entrance >= 0)
        entrance, out, ts = rows.entrance[on], rows.out[on], rows.ts[on]
        one = np.ones(len(ts), np.int64)
        self.add_totals(WindowTotals(entrance, out, ts - ts % WINDOW, one, rows.anonymous[on], ts))
        self.add_steps(StepTotals(entrance, out, rows.category[on], ts - ts % STEP, one))

    def add_totals(self, rows: WindowTotals) -> None:
        """Add sums of the store."""
        at = rows.window - self.grid.start
        np.add.at(self._minutes, (rows.entrance, rows.out, at // MINUTE), rows.passages)
        entered = rows.out == 0
        np.add.at(self._anonymous, (rows.entrance[entered], at[entered] // MINUTE), rows.anonymous[entered])
        np.maximum.at(self.newest, rows.entrance, rows.newest)
        for slot, sign in enumerate(self.signs):
            net = sign[rows.entrance, rows.out]
            moved = net != 0
            np.add.at(self._windows[slot], at[moved] // WINDOW, (net * rows.passages)[moved])
            self._oldest[slot] = rows.window[moved].min(initial=self._oldest[slot])

    def add_steps(self, rows: StepTotals) -> None:
        """Add sums of the store for the trends."""
        at = (rows.step - self.grid.start) // STEP
        for scope, sign in enumerate(self._ways):
            net = sign[rows.entrance, rows.out]
            moved = net != 0
            way = (net[moved] < 0).astype(np.int64)
            np.add.at(self._steps[scope], (way, rows.category[moved], at[moved]), rows.passages[moved])

    def flow(self, slot: int) -> Ints:
        """Return entries less departures, by 10 s window of the grid."""
        net: Ints = self._windows[slot].astype(np.int64)
        return net

    def newest_of(self, slot: int) -> int:
        """Return the time of the newest passage into an area or out of it; 0 if there was none on the grid."""
        through = np.any(self.signs[slot] != 0, axis=1)
        return int(self.newest[through].max(initial=0))

    def oldest_of(self, slot: int) -> int | None:
        """Return the first window in which anybody went into an area or out of it; None if nobody did on the grid."""
        oldest = int(self._oldest[slot])
        return oldest if oldest < self.grid.end else None

    def totals(self, start: int, end: int) -> list[EntranceTotalRow]:
        """Return the passages of each entrance and direction in a stretch of full minutes."""
        passages = self._between(start, end)
        return [
            EntranceTotalRow(name, direction, int(passages[number, out]))
            for number, name in enumerate(self.grid.entrances)
            for out, direction in enumerate(DIRECTIONS)
            if passages[number, out]
        ]

    def unidentified(self, start: int, end: int) -> Mapping[Kind, int]:
        """Return the entries from outside the site without a credential, by kind."""
        first, after = self._range(start, end)
        by_entrance = self._anonymous[:, first:after].sum(axis=1)
        found: dict[Kind, int] = {}
        for number, name in enumerate(self.grid.entrances):
            entrance = self.site.entrance(name)
            if entrance.boundary:
                found[entrance.kind] = found.get(entrance.kind, 0) + int(by_entrance[number])
        return found

    def flows(self, span: Span) -> list[FlowRow]:
        """Return the rows of the ranking, for every entrance and direction with a passage within the hour."""
        minute = self._between(span.minute_start, span.end)
        before = self._between(span.minute_start - BEFORE_MINUTES * MINUTE, span.minute_start)
        lately = self._between(span.flow_start, span.end)
        start, after = self._range(span.hour_start, span.end)
        hour = self._minutes[:, :, start:after]
        sums = hour.sum(axis=2)
        rows = []
        for number, out in zip(*np.nonzero(sums), strict=True):
            first = self.grid.start + (start + int(np.argmax(hour[number, out] > 0))) * MINUTE
            rows.append(
                FlowRow(
                    self.grid.entrances[number],
                    DIRECTIONS[out],
                    minute=int(minute[number, out]),
                    before=int(before[number, out]),
                    flow=int(lately[number, out]),
                    hour=int(sums[number, out]),
                    first=first,
                )
            )
        return rows

    def steps(self, scope: Scope, start: int, end: int) -> Iterator[StepRow]:
        """Yield the passages into and out of a scope, by step and category, in the full minutes before `end`."""
        counted = self._steps[self.scopes.index(scope)]
        first, after = ((each - self.grid.start) // STEP for each in (start, end + STEP - 1))
        for way, category, step in zip(*np.nonzero(counted[:, :-1, max(0, first) : after]), strict=True):
            at = max(0, first) + int(step)
            passages = int(counted[way, category, at])
            yield StepRow(self.grid.start + at * STEP, DIRECTIONS[way], self.grid.categories[category], passages)

    def _between(self, start: int, end: int) -> Ints:
        first, after = self._range(start, end)
        passages: Ints = self._minutes[:, :, first:after].sum(axis=2)
        return passages

    def _range(self, start: int, end: int) -> tuple[int, int]:
        first, after = ((each - self.grid.start) // MINUTE for each in (start, end))
        return max(0, first), max(0, after)


def _signs(grid: ReplayGrid, ways: Sequence[tuple[Sequence[DirectedEntrance], Sequence[DirectedEntrance]]]) -> Ints:
    """Return +1 where an entrance and direction lead in, -1 where they lead out, else 0."""
    numbers = {name: number for number, name in enumerate(grid.entrances)}
    signs = np.zeros((len(ways), len(grid.entrances), 2), np.int64)
    for place, (into, out_of) in enumerate(ways):
        for sign, crossed in ((1, into), (-1, out_of)):
            for entrance, direction in crossed:
                signs[place, numbers[entrance], DIRECTIONS.index(direction)] += sign
    return signs
