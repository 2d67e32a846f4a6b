"""The state of the site at a past moment as one `WallRows`, as the live wall would have read it; pure.

Differences from the live wall: entrances, areas and capacities are those of today's profile. There are no forecasts,
since the store has only the newest. In a corrected replay a device is known by its passages alone. Next: `queries.py`.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import Any

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS, DayRows
from dashboards.wall.model.rows import (
    STEP,
    AreaRow,
    InsideRow,
    LossRow,
    QueueRow,
    Span,
    Stretch,
    TodayRow,
    TrendRows,
    WallRows,
    lost_on,
    span_of,
)
from dashboards.wall.model.scopes import Scope, areas_of, site_kinds
from dashboards.wall.replay.counts import WINDOW, PassageCounts
from dashboards.wall.replay.inside import CorrectionRow, EarlierFlows, Slot, occupancy
from dashboards.wall.replay.request import Known, Moment
from dashboards.wall.replay.sources import ProgressRow, ReceivedRanges, SourcesCorrected, SourcesThen
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


@dataclass(slots=True, kw_only=True)
class Chunk:
    """The rows that became known in one stretch of a replay, and wait for their moment; each is taken out once.

    Each list is in the order of its first column, a time on the axis of the replay; for the `queues` it is site time.
    `passages` are the columns of `queries.PASSAGES`. `devices`: what was received from them, as it was known then;
    in a corrected replay, which has no `progress`, the times of their events.
    """

    passages: Ints
    devices: list[ReceivedRanges] | list[tuple[int, str]]
    progress: list[ProgressRow]
    episodes: list[tuple[Any, ...]]
    queues: list[tuple[Any, ...]]


@dataclass(slots=True, kw_only=True)
class SiteState:
    """The state of the site as of the last requested moment; moments never go back.

    `corrections` are all up to the end of the replay.
    `firsts`: by day and kind, when on the axis each credential was first known to have come in, sorted.
    """

    known: Known
    site: Site
    clock: SiteClock
    capacities: Mapping[Slot, int | None]
    earlier: EarlierFlows
    corrections: Sequence[CorrectionRow]
    counts: PassageCounts
    sources: SourcesThen | SourcesCorrected
    waiting: Chunk
    firsts: dict[date, Mapping[str, Ints]] = field(default_factory=dict)
    _episodes: dict[str, Episode] = field(default_factory=dict)
    _queues: dict[str, QueueRow] = field(default_factory=dict)

    def advance(self, moment: Moment) -> None:
        """Move on to a moment: count what has become known by then."""
        axis, waiting = moment.on(self.known), self.waiting
        due = int(np.searchsorted(waiting.passages[0], axis, side="right"))
        self.counts.add(waiting.passages[:, :due])
        waiting.passages = waiting.passages[:, due:]
        self.sources.add_devices(pop_due(waiting.devices, axis))
        if isinstance(self.sources, SourcesThen):
            self.sources.add_progress(pop_due(waiting.progress, axis))
        for _, *values in pop_due(waiting.episodes, axis):
            episode = Episode(*values)
            self._episodes[episode.episode] = episode
        for _, *values in pop_due(waiting.queues, moment.site):
            queue = QueueRow(*values)
            self._queues[queue.entrance] = queue

    def span(self, moment: Moment) -> Span:
        """Move on to a moment and return the spans of its figures."""
        self.advance(moment)
        return span_of(self.sources.logs(moment), self.clock, moment.real, self.site)

    def rows(self, span: Span, moment: Moment, losses: Sequence[LossRow]) -> WallRows:
        """Return the rows as of a moment, with the `losses` known by then; `firsts` must have the day of its `span`."""
        axis = moment.on(self.known)
        return WallRows(
            real_ms=moment.real,
            span=span,
            logs=self.sources.logs(moment),
            today=self._today(span.day, axis, losses),
            areas=[self._area(place, axis, losses) for place in range(len(self.counts.slots))],
            totals=self.counts.totals(*self.site.days.bounds(span.day)),
            flows=self.counts.flows(span.end),
            devices=self.sources.devices(moment),
            episodes=self._shown(),
            queues=[row for row in self._queues.values() if row.at > span.end - QUEUES_MS],
            lost=lost_on(span.day, losses),
        )

    def trend(self, span: Span, moment: Moment, behind: Mapping[Scope, DayRows]) -> list[TrendRows]:
        """Return each scope's day up to the moment of `span`; `behind` has the days before."""
        stretch = Stretch(span.trend.start, min(span.end, span.trend.end))
        readings = []
        for scope in self.counts.scopes:
            steps = list(self.counts.steps(scope, stretch.start, stretch.end))
            inside = self._inside(scope, stretch, moment.on(self.known))
            readings.append(TrendRows(span, scope, steps, inside, *behind[scope]))
        return readings

    def _today(self, day: date, axis: int, losses: Sequence[LossRow]) -> list[TodayRow]:
        start, end = self.site.days.bounds(day)
        rows = []
        for kind in site_kinds(self.site):
            entries, exits, unidentified = self.counts.boundary(kind, start, end)
            known = self.firsts[day].get(kind)
            distinct = 0 if known is None else int(np.searchsorted(known, axis, side="right"))
            lost = lost_on(day, (each for each in losses if each.kind == kind))
            row = TodayRow(kind, entries, exits, distinct, unidentified, lost)
            if any(row[1:]):
                rows.append(row)
        return rows

    def _area(self, place: int, axis: int, losses: Sequence[LossRow]) -> AreaRow:
        area, kind = slot = self.counts.slots[place]
        newest = self.counts.newest_of(place)
        if not newest and self._began_earlier(place, axis):
            newest = self.earlier.newest[slot]
        counted = [each.window + WINDOW for each in self._corrections(slot, axis) if each.absolute is not None]
        since = max(counted, default=0)
        lost = sum(each.records for each in losses if each.kind in ("", kind) and each.end >= since)
        inside = int(self._occupancy(place, axis)[-1])
        return AreaRow(area, kind, newest or None, inside, self.capacities.get(slot), lost)

    def _occupancy(self, place: int, axis: int) -> Ints:
        slot, counts = self.counts.slots[place], self.counts

        def before(since: int) -> int:
            return self.earlier.net_since(since, slot, counts.signs[place], axis=axis)

        flow = counts.windows[place].astype(np.int64)
        return occupancy(flow, counts.start, self._corrections(slot, axis), before)

    def _corrections(self, slot: Slot, axis: int) -> list[CorrectionRow]:
        return [each for each in self.corrections if (each.area, each.kind) == slot and each.axis <= axis]

    def _inside(self, scope: Scope, stretch: Stretch, axis: int) -> list[InsideRow]:
        """Return the occupancy of the scope's areas at the end of each step; in step 0 what was before them."""
        rows = []
        for area in areas_of(scope, self.site):
            place = self.counts.slots.index((area, scope.kind))
            inside = self._occupancy(place, axis)
            known_from = self._known_from(place, axis)
            for step in (stretch.start - STEP, *range(stretch.start, stretch.end, STEP)):
                last = min(step + STEP, stretch.end) - WINDOW
                if known_from is not None and known_from <= last:
                    at = (last - self.counts.start) // WINDOW
                    rows.append(InsideRow(area, 0 if step < stretch.start else step, int(inside[at])))
        return rows

    def _known_from(self, place: int, axis: int) -> int | None:
        """Return the first window in which an area has passages or corrections; 0 if that was before the grid."""
        if self._began_earlier(place, axis):
            return 0
        found = [each.window for each in self._corrections(self.counts.slots[place], axis)]
        if self.counts.oldest[place] < self.counts.end:
            found.append(int(self.counts.oldest[place]))
        return min(found, default=None)

    def _began_earlier(self, place: int, axis: int) -> bool:
        return self.earlier.has_passages(self.counts.slots[place], self.counts.signs[place], axis=axis)

    def _shown(self) -> list[Episode]:
        """Return the alarms that the live wall shows; those that it will never show again are forgotten."""
        newest = sorted(self._episodes.values(), key=lambda row: -row.raised_at)
        over = [row for row in newest if row.cleared_at is not None][:ACKNOWLEDGEABLE]
        shown = [row for row in newest if row.cleared_at is None] + over
        self._episodes = {row.episode: row for row in shown}
        return [row for row in shown if row.state != "cleared"]


def pop_due(rows: list[Any], at: int) -> list[Any]:
    """Remove and return the rows up to a time; they begin with theirs, in its order."""
    due = bisect_right(rows, at, key=itemgetter(0))
    taken = rows[:due]
    del rows[:due]
    return taken
