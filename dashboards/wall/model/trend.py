"""Computes the trend of a day in steps: passages in by category, passages out, occupancy, a day to compare; pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal

import msgspec
import numpy as np

from dashboards.wall.model.rows import MINUTE, STEP, InsideRow, StepRow, Stretch, TrendRows
from dashboards.wall.model.scopes import crossings
from streams.kernels.counts.calendar import DAY_MINUTES
from streams.site.model import Site
from streams.text import Kind

StepCounts = Sequence[int | None]


class ComparedDay(msgspec.Struct, frozen=True):
    """The day to compare with, over all of its steps: the day before, or the plan, which has no occupancy."""

    name: Literal["yesterday", "plan"]
    entered: Sequence[float]
    inside: StepCounts


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Passages in steps of `step_ms` from `start_ms` (site time), and inside at the end of each step.

    `entered` is by category. The lists end with the newest full step, those of `behind` with the day, which has
    `steps` of them. A step before the first event ever is None.
    """

    kind: Kind
    area: str
    start_ms: int
    step_ms: int
    steps: int
    entered: Mapping[str, StepCounts]
    departed: StepCounts
    inside: StepCounts
    behind: ComparedDay | None


def trend_of(rows: TrendRows, site: Site) -> Trend:
    """Lay the rows of a trend on a grid of steps; an occupancy stays until the next one is known."""
    day, end = rows.span.trend, min(rows.span.end, rows.span.trend.end)
    steps = range(day.start, max(day.start, end - end % STEP), STEP)
    inside = _inside(rows.inside, steps)
    first = min((row.step for row in rows.steps), default=end)
    unknown = [people is None and step < first for step, people in zip(steps, inside, strict=True)]

    def counts_of(some: Iterable[StepRow]) -> StepCounts:
        passages = _passages(some)
        return [None if hidden else passages.get(step, 0) for step, hidden in zip(steps, unknown, strict=True)]

    into = [row for row in rows.steps if row.way == "in"]
    categories = [each.id for each in site.categories_of(rows.scope.kind)]
    return Trend(
        kind=rows.scope.kind,
        area=rows.scope.area,
        start_ms=day.start,
        step_ms=STEP,
        steps=(day.end - day.start) // STEP,
        entered={name: counts_of(row for row in into if row.category == name) for name in categories},
        departed=counts_of(row for row in rows.steps if row.way == "out"),
        inside=inside,
        behind=_yesterday(rows, site) or _plan(rows, site),
    )


def _passages(rows: Iterable[StepRow]) -> Mapping[int, int]:
    passages: dict[int, int] = {}
    for row in rows:
        passages[row.step] = passages.get(row.step, 0) + row.passages
    return passages


def _inside(rows: Iterable[InsideRow], steps: Iterable[int]) -> StepCounts:
    changes: dict[int, dict[str, int]] = {}
    for row in rows:
        changes.setdefault(row.step, {})[row.area] = row.inside
    now = accumulate((changes.get(step, {}) for step in steps), lambda old, new: old | new, initial=changes.get(0, {}))
    next(now)
    return [sum(areas.values()) if areas else None for areas in now]


def _yesterday(rows: TrendRows, site: Site) -> ComparedDay | None:
    """Return the day before, if anybody entered then; its steps are matched to today's by what the clock shows."""
    into = _passages(row for row in rows.before if row.way == "in")
    if not into:
        return None
    steps = _steps(rows.span.before)
    entered, inside = [into.get(step, 0) for step in steps], _inside(rows.inside_before, steps)
    before, today = (_clock(stretch, site) for stretch in (rows.span.before, rows.span.trend))
    if before == today:
        return ComparedDay("yesterday", entered, inside)
    return ComparedDay("yesterday", [_mean(entered, before, shown) for shown in today], _upto(inside, before, today))


def _clock(stretch: Stretch, site: Site) -> Sequence[int]:
    """Return what the clock shows in each step: minutes of the day."""
    shown = [site.days.shows(step) for step in _steps(stretch)]
    return [(each.hour * 60 + each.minute - site.day_starts) % DAY_MINUTES for each in shown]


def _mean(values: Sequence[int], clock: Sequence[int], shown: int) -> float:
    """Return the passages at this time of the clock: the mean if it was shown twice, 0 if it was never shown."""
    some = [value for value, each in zip(values, clock, strict=True) if each == shown]
    return sum(some) / len(some) if some else 0


def _upto(inside: StepCounts, clock: Sequence[int], today: Sequence[int]) -> StepCounts:
    """Return the occupancy at today's times of the clock, or the last one before each."""
    known = dict(zip(clock, inside, strict=True))
    return [known.get(max((each for each in known if each <= shown), default=-1)) for shown in today]


def _plan(rows: TrendRows, site: Site) -> ComparedDay | None:
    """Return the people expected by the profile, if it plans any of the scope's entrances."""
    into = [site.entrance(name).plan for name, way in crossings(rows.scope, site).into if way == "in"]
    if not any(plan.expected for plan in into):
        return None
    day = rows.span.day
    by_minute = np.sum([plan.course() for plan in into], axis=0)[site.days.clock(day)]
    firsts = [(step - site.days.begin(day)) // MINUTE for step in _steps(rows.span.trend)]
    return ComparedDay(
        "plan", [round(float(by_minute[first : first + STEP // MINUTE].sum()), 1) for first in firsts], []
    )


def _steps(stretch: Stretch) -> range:
    return range(stretch.start, stretch.end, STEP)
