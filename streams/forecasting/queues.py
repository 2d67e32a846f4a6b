"""Estimates the queue at each entrance, with the uncertainty of the plan that it is computed from; pure.

Passages tell whether somebody waits, a plan of arrivals how many (`kernels/forecast/queueing.py`). How wrong the
plan is shows while lanes have time to spare, when passages are arrivals: that is the error of the day, and the
interval follows it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from streams.forecasting.areas import Courses
from streams.kernels.counts.batch import Bools
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast import advice
from streams.kernels.forecast.paths import UNCHANGED, Floats, Minutes
from streams.kernels.forecast.queueing import (
    PERSONS_A_MINUTE,
    SATURATED,
    VEHICLES_A_MINUTE,
    Estimate,
    Planned,
    Shortfall,
    check_plan,
    estimate,
)
from streams.site.model import Entrance, Site

AHEAD: Final = 45
"""Minutes of the plan that an advice looks ahead."""
_BLOCK: Final = 15
"""Minutes over which passages and plan are compared."""
_FEW: Final = 50.0
"""Persons or vehicles: blocks for which fewer are planned say nothing."""
_ENOUGH: Final = 4
"""Blocks from which on the day's own errors count."""
_UNPROVEN: Final = (0.7, 1.3)
"""Factors of the plan while the day has shown nothing (assumed)."""


@dataclass(frozen=True)
class PlanDeviation:
    """How today's arrivals compare with the plan: they were 90 % likely `low` to `high` times as many.

    `mean`: mean absolute error as a share of the plan, None until it has been seen often enough.
    """

    low: float = _UNPROVEN[0]
    high: float = _UNPROVEN[1]
    mean: float | None = None


@dataclass(frozen=True)
class QueueNow:
    """The queue of an entrance: as planned, and if as few (`fewer`) or as many (`more`) come as may be expected."""

    entrance: Entrance
    lanes: int
    usual: Estimate
    fewer: Estimate
    more: Estimate
    plan_error: PlanDeviation
    ahead: Floats

    def for_advice(self) -> advice.EntranceLoad:
        """Return it as `kernels.forecast.advice` takes it."""
        plan = self.entrance.plan
        return advice.EntranceLoad(
            id=self.entrance.id,
            inner=self.entrance.inner,
            open_lanes=self.lanes,
            spare_lanes=len(self.entrance.lanes) - self.lanes,
            waiting=self.usual.waiting if plan.expected else None,
            arrivals=tuple(self.ahead.tolist()),
            rate=plan.lane_rate,
            rated=rated(self.entrance),
            links=tuple(advice.Link(to, minutes) for to, minutes in plan.ways.items()),
        )


def rated(entrance: Entrance) -> float:
    """Return the planning rate: persons or vehicles a minute and lane."""
    return PERSONS_A_MINUTE if entrance.kind == "person" else VEHICLES_A_MINUTE


def planned_lanes(entrance: Entrance) -> int:
    """Return how many lanes are to be open."""
    return len(entrance.lanes) if entrance.plan.open_lanes is None else entrance.plan.open_lanes


def queue_now(
    entrance: Entrance, passed: Floats, *, active_devices: int, opened: Floats, opens: int, clock: Minutes = UNCHANGED
) -> QueueNow:
    """Return the queue after the day's first minutes, in which `passed` came in.

    `active_devices`: lanes that somebody passed lately; a lane that nobody needs is silent, so where lanes have time to
    spare those that are planned count as open, too. `opened`: lanes that were open in each of the minutes, as stored
    then; the last one is replaced. `opens`: minute of the day; who comes before it waits. `clock`: which minute of
    the plan each minute of the day is.
    """
    rate = entrance.plan.lane_rate or rated(entrance)
    working = bool(active_devices) and passed[-1] >= SATURATED * active_devices * rate
    lanes = min(active_devices if working else max(active_devices, planned_lanes(entrance)), len(entrance.lanes))
    minute = len(passed)
    opened = np.where(np.arange(minute) < opens, 0.0, [*opened[:-1], lanes])
    expected = entrance.plan.course()[clock]
    before, ahead = expected[:minute], np.concatenate([expected[minute:], np.zeros(AHEAD)])[:AHEAD]
    error = _plan_error(passed, before, spare=passed < SATURATED * opened * rate)

    def at(factor: float) -> Estimate:
        if entrance.plan.expected:
            known = estimate(
                passed, lanes=opened, rate=entrance.plan.lane_rate, rated=rated(entrance), arrivals=factor * before,
                ahead=factor * ahead,
            )  # fmt: skip
            return replace(known, saturated_for=min(known.saturated_for, max(minute - opens, 0)))
        if minute <= opens:
            return Estimate(0, None, None, None)
        return estimate(passed[opens:], lanes=opened[opens:], rate=entrance.plan.lane_rate, rated=rated(entrance))

    return QueueNow(entrance, lanes, at(1.0), at(error.low), at(error.high), error, ahead)


def _plan_error(passed: Floats, expected: Floats, *, spare: Bools) -> PlanDeviation:
    """Compare passages with the plan where lanes had time to `spare`."""
    whole = len(passed) // _BLOCK * _BLOCK
    through, planned = (each[:whole].reshape(-1, _BLOCK).sum(axis=1) for each in (passed, expected))
    says = spare[:whole].reshape(-1, _BLOCK).all(axis=1) & (planned >= _FEW) & (through > 0)
    if says.sum() < _ENOUGH:
        return PlanDeviation()
    ratio = through[says] / planned[says]
    low, high = np.quantile(ratio, (0.05, 0.95))
    return PlanDeviation(float(low), float(high), float(np.abs(ratio - 1).mean()))


@dataclass
class DaySoFar:
    """One day of a site so far: `minutes` of it, from `begin` (ms) on; `clock`: what is shown in each minute of it."""

    site: Site
    date: dt.date
    begin: int
    clock: Minutes
    passed: dict[str, Floats]
    opened: dict[str, Floats]
    minutes: int = 0

    @classmethod
    def begun(cls, site: Site, date: dt.date, begin: int, lanes: Iterable[tuple[int, str, int]]) -> "DaySoFar":
        """Begin a day; `lanes`: (end of a minute in ms, entrance, open lanes) where that was said already, in order."""
        opened = {entrance.id: [float(planned_lanes(entrance))] for entrance in site.entrances}
        for end, entrance, count in lanes:
            course, minutes = opened.get(entrance, []), (end - begin) // MINUTE_MS
            course += [course[-1]] * (minutes - len(course)) if course else []
            course[-1:] = [float(count)]
        clock, opened_at = site.days.clock(date), {name: np.array(course) for name, course in opened.items()}
        return cls(site, date, begin, clock, {}, opened_at)

    def extend(self, passed: Courses, minutes: int) -> None:
        """Take in what passed in the next minutes."""
        self.minutes += minutes
        for entrance in self.site.entrances:
            more = passed.get((entrance.id, "in"), np.zeros(minutes))
            self.passed[entrance.id] = np.concatenate([self.passed.get(entrance.id, np.zeros(0)), more])

    def queues(self, active_devices: Mapping[str, int]) -> list[QueueNow]:
        """Return the queue at every entrance, if the site opens today; `active_devices`: lanes in use lately."""
        opens = _opens(self.site, self.date)
        if opens is None or not self.minutes:
            return []
        found = []
        for entrance in self.site.entrances:
            opened = self.opened[entrance.id]
            opened = np.concatenate([opened, np.full(max(self.minutes - len(opened), 0), opened[-1])])[: self.minutes]
            queue = queue_now(
                entrance, self.passed[entrance.id], active_devices=active_devices.get(entrance.id, 0),
                opened=opened, opens=opens, clock=self.clock,
            )  # fmt: skip
            opened[-1] = queue.lanes
            self.opened[entrance.id] = opened
            found.append(queue)
        return found


def shortfalls(site: Site, date: dt.date) -> tuple[Shortfall, ...]:
    """Return the entrances whose planned lanes keep people waiting too long on a day, the longest wait first."""
    opens, clock = _opens(site, date), site.days.clock(date)
    if opens is None:
        return ()
    return check_plan(_planned(entrance, opens, clock) for entrance in site.entrances if entrance.plan.expected)


def _opens(site: Site, date: dt.date) -> int | None:
    """Return the minute of a day in which the site opens, None when it stays closed."""
    hours = site.hours(date)
    return None if hours is None else (hours[0] - site.days.begin(date)) // MINUTE_MS


def _planned(entrance: Entrance, opens: int, clock: Minutes) -> Planned:
    """Return an entrance's plan from the first arrivals to the last, on a day that shows `clock`."""
    expected = entrance.plan.course()[clock]
    coming = np.flatnonzero(expected)
    first, last = (int(coming[0]), int(coming[-1]) + 1) if len(coming) else (opens, opens + 1)
    return Planned(
        entrance.id,
        tuple(expected[first:last].tolist()),
        planned_lanes(entrance),
        opens=max(opens - first, 0),
        rate=entrance.plan.lane_rate,
        rated=rated(entrance),
    )
