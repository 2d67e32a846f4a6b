"""A past moment as one `Reading`: the rows that the live wall would have read; pure. Read next: `questions.py`.

What differs from the live wall: entrances and areas are those of today's profile, capacities those of today, and there
are no forecasts, since only the newest are kept. In a corrected replay a device is known by its passages alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS, Day
from dashboards.wall.model.reading import (
    MINUTE,
    STEP,
    AreaRow,
    EpisodeRow,
    InsideRow,
    LogRow,
    LossRow,
    QueueRow,
    Reading,
    Span,
    Stretch,
    TodayRow,
    TrendReading,
    lost_on,
    span_of,
)
from dashboards.wall.model.scopes import Scope, areas_of
from dashboards.wall.replay.counts import Counts
from dashboards.wall.replay.devices import HeardSince, Received, ReceivedThen
from dashboards.wall.replay.inside import Correction, Earlier, Slot, course, effects
from dashboards.wall.replay.logs import Logs, Progress, made_up
from dashboards.wall.replay.timeline import WINDOW, Ints, Known, Moment, Passages, Waiting
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


@dataclass(frozen=True, slots=True)
class Chunk:
    """What became known in some stretch of a replay, each in the order of its first column.

    All on the axis of the replay, but for the `queues`, which are in site time.
    """

    passages: Passages
    received: list[Received]
    heard: list[tuple[int, str]]
    progress: list[Progress]
    episodes: list[tuple[int, EpisodeRow]]
    queues: list[tuple[int, QueueRow]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a replay knows from its beginning on.

    `corrections` are all up to its end; `rejected` (sorted, real time) is for a corrected replay.
    """

    known: Known
    site: Site
    clock: SiteClock
    flow_minutes: int
    capacities: Mapping[Slot, int | None]
    earlier: Earlier
    corrections: Sequence[Correction]
    rejected: Ints


@dataclass(slots=True)
class Past:
    """The state of the site as of the moment that was asked for last; moments never go back.

    `firsts`: by day and kind, when on the axis each credential was first known to have come in, sorted.
    """

    setting: Setting
    counts: Counts
    devices: ReceivedThen | HeardSince
    logs: Logs
    firsts: dict[date, Mapping[str, Ints]] = field(default_factory=dict)
    _passages: list[Passages] = field(default_factory=list)
    _received: Waiting[Received] = field(default_factory=Waiting)
    _heard: Waiting[tuple[int, str]] = field(default_factory=Waiting)
    _progress: Waiting[Progress] = field(default_factory=Waiting)
    _changes: Waiting[tuple[int, EpisodeRow]] = field(default_factory=Waiting)
    _reckoned: Waiting[tuple[int, QueueRow]] = field(default_factory=Waiting)
    _episodes: dict[str, EpisodeRow] = field(default_factory=dict)
    _queues: dict[str, QueueRow] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        """Let what became known later wait for its moment."""
        self._passages.append(chunk.passages)
        self._received.add(chunk.received)
        self._heard.add(chunk.heard)
        self._progress.add(chunk.progress)
        self._changes.add(chunk.episodes)
        self._reckoned.add(chunk.queues)

    def span(self, moment: Moment) -> Span:
        """Move on to a moment and return what its figures are about."""
        self._advance(moment)
        setting = self.setting
        logs = self._logs(moment)
        return span_of(logs, setting.clock, moment.real, setting.site, flow_minutes=setting.flow_minutes)

    def reading(self, span: Span, moment: Moment, losses: Sequence[LossRow]) -> Reading:
        """Return the rows as of the moment that `span` was asked for; its day must be in `firsts`.

        `losses`: what was known to be lost for good.
        """
        axis = moment.on(self.setting.known)
        start, end = self.setting.site.days.bounds(span.day)
        return Reading(
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

    def trend(self, span: Span, moment: Moment, behind: Mapping[Scope, Day]) -> list[TrendReading]:
        """Return each scope's day up to the moment that `span` was asked for; `behind` has the days before."""
        end = min(span.end, span.trend.end)
        readings = []
        for scope in self.counts.scopes:
            steps = [row for row in self.counts.steps(scope, span.trend.start, end) if row.step < end]
            inside = self._inside(scope, Stretch(span.trend.start, end), moment.on(self.setting.known))
            readings.append(TrendReading(span, scope, steps, inside, *behind[scope]))
        return readings

    def _advance(self, moment: Moment) -> None:
        axis = moment.on(self.setting.known)
        waiting, self._passages = self._passages, []
        for rows in waiting:
            due = int(np.searchsorted(rows.axis, axis, side="right"))
            self.counts.add(rows.part(0, due))
            if due < len(rows.axis):
                self._passages.append(rows.part(due, len(rows.axis)))
        if isinstance(self.devices, ReceivedThen):
            self.devices.add(self._received.upto(axis))
        else:
            self.devices.add(self._heard.upto(axis))
        self.logs.add(self._progress.upto(moment.real))
        self._episodes |= {row.episode: row for _, row in self._changes.upto(axis)}
        self._queues |= {row.entrance: row for _, row in self._reckoned.upto(moment.site)}

    def _logs(self, moment: Moment) -> list[LogRow]:
        if self.setting.known == "then":
            return self.logs.rows(moment.real)
        return made_up(moment, int(np.searchsorted(self.setting.rejected, moment.real, side="right")))

    def _today(self, day: date, start: int, end: int, axis: int, losses: Sequence[LossRow]) -> list[TodayRow]:
        entrances = {each.id: each for each in self.setting.site.entrances}
        passages = {(kind, way): 0 for kind in ("person", "vehicle") for way in ("in", "out")}
        for gate in self.counts.totals(start, end):
            entrance = entrances[gate.entrance]
            if entrance.boundary:
                passages[entrance.kind, gate.direction] += gate.passages
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

    def _course(self, place: int, axis: int) -> Ints:
        slot, counts = self.counts.slots[place], self.counts
        happened = effects([each for each in self._corrections(slot) if each.axis <= axis])

        def before(since: int) -> int:
            return self.setting.earlier.net_since(since, slot, counts.signs[place], axis=axis)

        return course(counts.flow(place), counts.grid.start, happened, before)

    def _area(self, place: int, axis: int, losses: Sequence[LossRow]) -> AreaRow:
        slot = self.counts.slots[place]
        earlier, newest = self.setting.earlier, self.counts.newest_of(place)
        if not newest and earlier.heard(slot, self.counts.signs[place], axis=axis):
            newest = earlier.newest[slot]
        inside = int(self._course(place, axis)[-1])
        counted = [
            each.window + WINDOW for each in self._corrections(slot) if each.absolute is not None and each.axis <= axis
        ]
        since = max(counted, default=0)
        lost = sum(each.records for each in losses if each.of(slot[1]) and each.end >= since)
        return AreaRow(*slot, newest or None, inside, self.setting.capacities.get(slot), lost)

    def _corrections(self, slot: Slot) -> list[Correction]:
        return [each for each in self.setting.corrections if (each.area, each.kind) == slot]

    def _inside(self, scope: Scope, stretch: Stretch, axis: int) -> list[InsideRow]:
        """Return the occupancy of the scope's areas at the end of each step; in step 0 what was before them."""
        rows = []
        grid = self.counts.grid
        for area in areas_of(scope, self.setting.site):
            place = self.counts.slots.index((area, scope.kind))
            inside = self._course(place, axis)
            known_from = self._known_from(place, axis)
            for step in (stretch.start - STEP, *range(stretch.start, stretch.end, STEP)):
                last = min(step + STEP, stretch.end) - WINDOW
                if known_from is not None and known_from <= last:
                    at = (last - grid.start) // WINDOW
                    rows.append(InsideRow(area, 0 if step < stretch.start else step, int(inside[at])))
        return rows

    def _known_from(self, place: int, axis: int) -> int | None:
        """Return the first window of which something is known of an area; 0 if that was before the grid."""
        slot, oldest = self.counts.slots[place], self.counts.oldest_of(place)
        if self.setting.earlier.heard(slot, self.counts.signs[place], axis=axis):
            return 0
        found = [each.window for each in self._corrections(slot) if each.axis <= axis]
        found += [] if oldest is None else [oldest]
        return min(found, default=None)

    def _shown(self) -> list[EpisodeRow]:
        """Return the alarms as the live wall chooses them; those that it will never show again are let go."""
        newest = sorted(self._episodes.values(), key=lambda row: -row.raised_at)
        over = [row for row in newest if row.cleared_at is not None][:ACKNOWLEDGEABLE]
        kept = [row for row in newest if row.cleared_at is None] + over
        self._episodes = {row.episode: row for row in kept}
        return [row for row in kept if row.state != "cleared"]


def grid_start(day: date, site: Site) -> int:
    """Return where a grid must begin: an hour before the day does, on a full hour of UTC."""
    start = site.days.begin(day) - 60 * MINUTE
    return start - start % (60 * MINUTE)
