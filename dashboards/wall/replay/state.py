"""The state of the site at a past moment as one `WallRows`, as the live wall would have read it; pure.

Differences from the live wall: entrances, areas and capacities are those of today's profile. There are no forecasts,
since the store has only the newest. In a corrected replay a device is known by its passages alone. Next: `queries.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS, DayRows
from dashboards.wall.model.rows import (
    MINUTE,
    STEP,
    AreaRow,
    InsideRow,
    LogRow,
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
from dashboards.wall.model.scopes import Scope, areas_of
from dashboards.wall.replay.counts import PassageCounts
from dashboards.wall.replay.devices import DevicesAsCorrected, DevicesAsKnown, ReceivedRanges
from dashboards.wall.replay.inside import CorrectionRow, EarlierFlows, Slot, effects, occupancy
from dashboards.wall.replay.logs import LogProgress, ProgressRow, complete_logs
from dashboards.wall.replay.timeline import WINDOW, Known, Moment, Passages, PendingRows
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows that became known in one stretch of a replay, each list in the order of its first column.

    That column is a time on the axis of the replay; for the `queues` it is site time.
    """

    passages: Passages
    received: list[ReceivedRanges]
    events: list[tuple[int, str]]
    progress: list[ProgressRow]
    episodes: list[tuple[int, Episode]]
    queues: list[tuple[int, QueueRow]]


@dataclass(slots=True, kw_only=True)
class SiteState:
    """The state of the site as of the last requested moment; moments never go back.

    `corrections` are all up to the end of the replay. `rejected` (sorted, real time) is for a corrected replay.
    `firsts`: by day and kind, when on the axis each credential was first known to have come in, sorted.
    """

    known: Known
    site: Site
    clock: SiteClock
    flow_minutes: int
    capacities: Mapping[Slot, int | None]
    earlier: EarlierFlows
    corrections: Sequence[CorrectionRow]
    rejected: Ints
    counts: PassageCounts
    devices: DevicesAsKnown | DevicesAsCorrected
    logs: LogProgress
    firsts: dict[date, Mapping[str, Ints]] = field(default_factory=dict)
    _passages: list[Passages] = field(default_factory=list)
    _received: PendingRows[ReceivedRanges] = field(default_factory=PendingRows)
    _events: PendingRows[tuple[int, str]] = field(default_factory=PendingRows)
    _progress: PendingRows[ProgressRow] = field(default_factory=PendingRows)
    _changes: PendingRows[tuple[int, Episode]] = field(default_factory=PendingRows)
    _estimates: PendingRows[tuple[int, QueueRow]] = field(default_factory=PendingRows)
    _episodes: dict[str, Episode] = field(default_factory=dict)
    _queues: dict[str, QueueRow] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        """Add rows that wait for their moment."""
        self._passages.append(chunk.passages)
        self._received.add(chunk.received)
        self._events.add(chunk.events)
        self._progress.add(chunk.progress)
        self._changes.add(chunk.episodes)
        self._estimates.add(chunk.queues)

    def span(self, moment: Moment) -> Span:
        """Move on to a moment and return the spans of its figures."""
        self._advance(moment)
        return span_of(self._logs(moment), self.clock, moment.real, self.site, flow_minutes=self.flow_minutes)

    def rows(self, span: Span, moment: Moment, losses: Sequence[LossRow]) -> WallRows:
        """Return the rows as of a moment; `span` is its span, whose day must be in `firsts`.

        `losses`: the losses that were known by then.
        """
        axis = moment.on(self.known)
        start, end = self.site.days.bounds(span.day)
        return WallRows(
            real_ms=moment.real,
            span=span,
            logs=self._logs(moment),
            today=self._today(span.day, start, end, axis, losses),
            areas=[self._area(place, axis, losses) for place in range(len(self.counts.slots))],
            totals=self.counts.totals(start, end),
            flows=self.counts.flows(span),
            devices=self.devices.rows(axis),
            episodes=self._shown(),
            queues=[row for row in self._queues.values() if row.at > span.end - QUEUES_MS],
            lost=lost_on(span.day, losses),
        )

    def trend(self, span: Span, moment: Moment, behind: Mapping[Scope, DayRows]) -> list[TrendRows]:
        """Return each scope's day up to the moment of `span`; `behind` has the days before."""
        end = min(span.end, span.trend.end)
        readings = []
        for scope in self.counts.scopes:
            steps = [row for row in self.counts.steps(scope, span.trend.start, end) if row.step < end]
            inside = self._inside(scope, Stretch(span.trend.start, end), moment.on(self.known))
            readings.append(TrendRows(span, scope, steps, inside, *behind[scope]))
        return readings

    def _advance(self, moment: Moment) -> None:
        axis = moment.on(self.known)
        waiting, self._passages = self._passages, []
        for rows in waiting:
            due = int(np.searchsorted(rows.axis, axis, side="right"))
            self.counts.add(rows.part(0, due))
            if due < len(rows.axis):
                self._passages.append(rows.part(due, len(rows.axis)))
        if isinstance(self.devices, DevicesAsKnown):
            self.devices.add(self._received.upto(axis))
        else:
            self.devices.add(self._events.upto(axis))
        self.logs.add(self._progress.upto(moment.real))
        self._episodes |= {row.episode: row for _, row in self._changes.upto(axis)}
        self._queues |= {row.entrance: row for _, row in self._estimates.upto(moment.site)}

    def _logs(self, moment: Moment) -> list[LogRow]:
        if self.known == "then":
            return self.logs.rows(moment.real)
        return complete_logs(moment, int(np.searchsorted(self.rejected, moment.real, side="right")))

    def _today(self, day: date, start: int, end: int, axis: int, losses: Sequence[LossRow]) -> list[TodayRow]:
        entrances = {each.id: each for each in self.site.entrances}
        passages = {(kind, way): 0 for kind in ("person", "vehicle") for way in ("in", "out")}
        for total in self.counts.totals(start, end):
            entrance = entrances[total.entrance]
            if entrance.boundary:
                passages[entrance.kind, total.direction] += total.passages
        unidentified = self.counts.unidentified(start, end)
        firsts = self.firsts[day]
        rows = []
        for kind in ("person", "vehicle"):
            known = firsts.get(kind)
            distinct = 0 if known is None else int(np.searchsorted(known, axis, side="right"))
            lost = lost_on(day, (each for each in losses if each.kind == kind))
            row = TodayRow(kind, passages[kind, "in"], passages[kind, "out"], distinct, unidentified.get(kind, 0), lost)
            if any(row[1:]):
                rows.append(row)
        return rows

    def _occupancy(self, place: int, axis: int) -> Ints:
        slot, counts = self.counts.slots[place], self.counts
        corrected = effects([each for each in self._corrections(slot) if each.axis <= axis])

        def before(since: int) -> int:
            return self.earlier.net_since(since, slot, counts.signs[place], axis=axis)

        return occupancy(counts.flow(place), counts.grid.start, corrected, before)

    def _area(self, place: int, axis: int, losses: Sequence[LossRow]) -> AreaRow:
        slot = self.counts.slots[place]
        earlier, newest = self.earlier, self.counts.newest_of(place)
        if not newest and earlier.has_passages(slot, self.counts.signs[place], axis=axis):
            newest = earlier.newest[slot]
        inside = int(self._occupancy(place, axis)[-1])
        counted = [
            each.window + WINDOW for each in self._corrections(slot) if each.absolute is not None and each.axis <= axis
        ]
        since = max(counted, default=0)
        lost = sum(each.records for each in losses if each.of(slot[1]) and each.end >= since)
        return AreaRow(*slot, newest or None, inside, self.capacities.get(slot), lost)

    def _corrections(self, slot: Slot) -> list[CorrectionRow]:
        return [each for each in self.corrections if (each.area, each.kind) == slot]

    def _inside(self, scope: Scope, stretch: Stretch, axis: int) -> list[InsideRow]:
        """Return the occupancy of the scope's areas at the end of each step; in step 0 what was before them."""
        rows = []
        grid = self.counts.grid
        for area in areas_of(scope, self.site):
            place = self.counts.slots.index((area, scope.kind))
            inside = self._occupancy(place, axis)
            known_from = self._known_from(place, axis)
            for step in (stretch.start - STEP, *range(stretch.start, stretch.end, STEP)):
                last = min(step + STEP, stretch.end) - WINDOW
                if known_from is not None and known_from <= last:
                    at = (last - grid.start) // WINDOW
                    rows.append(InsideRow(area, 0 if step < stretch.start else step, int(inside[at])))
        return rows

    def _known_from(self, place: int, axis: int) -> int | None:
        """Return the first window in which an area has passages or corrections; 0 if that was before the grid."""
        slot, oldest = self.counts.slots[place], self.counts.oldest_of(place)
        if self.earlier.has_passages(slot, self.counts.signs[place], axis=axis):
            return 0
        found = [each.window for each in self._corrections(slot) if each.axis <= axis]
        found += [] if oldest is None else [oldest]
        return min(found, default=None)

    def _shown(self) -> list[Episode]:
        """Return the alarms that the live wall shows; those that it will never show again are forgotten."""
        newest = sorted(self._episodes.values(), key=lambda row: -row.raised_at)
        over = [row for row in newest if row.cleared_at is not None][:ACKNOWLEDGEABLE]
        shown = [row for row in newest if row.cleared_at is None] + over
        self._episodes = {row.episode: row for row in shown}
        return [row for row in shown if row.state != "cleared"]


def grid_start(day: date, site: Site) -> int:
    """Return where a grid must begin: an hour before the day does, on a full hour of UTC."""
    start = site.days.begin(day) - 60 * MINUTE
    return start - start % (60 * MINUTE)
