"""Estimates the queue at each entrance now, with the uncertainty of the plan that it is computed from; pure.

Passages tell whether somebody waits, a plan of arrivals how many (`kernels/forecast/queueing.py`). How wrong the
plan is shows while lanes have time to spare, when passages are arrivals: that is the error of the day, and the
interval follows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from streams.kernels.forecast import advice
from streams.kernels.forecast.paths import UNCHANGED
from streams.kernels.forecast.queueing import PERSONS_A_MINUTE, SATURATED, VEHICLES_A_MINUTE, Estimate, estimate

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.kernels.forecast.paths import Floats, Minutes
    from streams.site.model import Entrance

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
        """Return it as `kernels.advice` takes it."""
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
        if not entrance.plan.expected:
            return _by_passages(entrance, passed[opens:], opened[opens:])
        known = estimate(
            passed, lanes=opened, rate=entrance.plan.lane_rate, rated=rated(entrance), arrivals=factor * before,
            ahead=factor * ahead,
        )  # fmt: skip
        return replace(known, saturated_for=min(known.saturated_for, max(minute - opens, 0)))

    return QueueNow(entrance, lanes, at(1.0), at(error.low), at(error.high), error, ahead)


def _by_passages(entrance: Entrance, passed: Floats, opened: Floats) -> Estimate:
    """Return what passages alone say; before opening that is nothing."""
    if not len(passed):
        return Estimate(0, None, None, None)
    return estimate(passed, lanes=opened, rate=entrance.plan.lane_rate, rated=rated(entrance))


def _plan_error(passed: Floats, expected: Floats, *, spare: npt.NDArray[np.bool_]) -> PlanDeviation:
    """Compare passages with the plan where lanes had time to `spare`."""
    whole = len(passed) // _BLOCK * _BLOCK
    through, planned = (each[:whole].reshape(-1, _BLOCK).sum(axis=1) for each in (passed, expected))
    says = spare[:whole].reshape(-1, _BLOCK).all(axis=1) & (planned >= _FEW) & (through > 0)
    if says.sum() < _ENOUGH:
        return PlanDeviation()
    ratio = through[says] / planned[says]
    low, high = np.quantile(ratio, (0.05, 0.95))
    return PlanDeviation(float(low), float(high), float(np.abs(ratio - 1).mean()))
