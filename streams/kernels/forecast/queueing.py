"""A fluid queue model of an entrance: waiting time and when the queue is gone, before opening and during the day.

The queue grows by those who arrive and shrinks by those whom the open lanes let through.

**What turnstile events tell of a queue, and what not.** They count who went through, never who waits. While lanes have
time to spare, everybody who arrives goes through at once: arrivals are the passages, and there is no queue. A lane
whose passages follow each other at its service time is *saturated*: somebody was always next, so there is a queue, but
ten people behind it and ten thousand look the same. How long it is can only be known from arrivals: from a plan, or
from counts upstream (a metro's exit gates, a camera, a coach park). Without either, `estimate` says that there is a
queue and since when, gives no wait, and never takes the passages of a saturated entrance for its demand.

Next: `opening.py` (a plan checked before opening) and `advice.py` (which lanes to open).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kernels.forecast.paths import Floats

Course: TypeAlias = "Sequence[float] | Floats"
"""A number of persons (or vehicles) for each of some intervals of equal length."""

PERSONS_A_MINUTE: Final = 11.0
"""Per lane: 660 an hour, the planning rate of the UK Green Guide (as quoted by crowd consultancies)."""
VEHICLES_A_MINUTE: Final = 275 / 60
"""Per lane with stop and ticket: 250 to 300 an hour (a maker's figure, weak)."""
LONGEST_WAIT: Final = 10.0
"""Minutes: an estimated wait above this is an overload."""
SATURATED: Final = 0.9
"""Share of what its open lanes can do from which an entrance counts as saturated."""


class QueueError(ValueError):
    """A rate, a number of lanes or of arrivals cannot be: the message names it, and says what was expected."""


@dataclass(frozen=True, eq=False)
class Queue:
    """One entrance over a course of intervals, values at the end of each; minutes are `inf` where it never gets there.

    `waiting`: persons in the queue. `wait`: minutes that somebody who arrives then will wait, counted from opening for
    those who come before. `to_clear`: minutes from the last arrival, or from opening if that is later, until
    nobody waits any more.
    """

    waiting: Floats
    wait: Floats
    to_clear: float

    @property
    def worst_wait(self) -> float:
        """The longest of the waits, minutes."""
        return float(self.wait.max())


@dataclass(frozen=True)
class Estimate:
    """What can be said of an entrance now; the rest is None where passages alone cannot tell.

    `saturated_for`: minutes for which its lanes have had no time to spare. `waiting`: persons. `wait`: minutes for
    somebody who arrives now. `to_clear`: minutes until the queue is gone.
    """

    saturated_for: int
    waiting: float | None
    wait: float | None
    to_clear: float | None


def lane_rate(measured: float | None, *, rated: float = PERSONS_A_MINUTE) -> float:
    """Return persons per minute and lane to reckon with: what was measured, at most the planning rate `rated`.

    Raises QueueError for a rate that is not above 0.
    """
    rate = rated if measured is None else min(measured, rated)
    if not 0 < rate < inf:
        raise QueueError(
            f"rate: {rate} persons per minute and lane; expected one above 0: leave it out if not measured"
        )
    return rate


def minutes_to_admit(people: float, lanes: int, *, rate: float = PERSONS_A_MINUTE) -> float:
    """Return the minutes that `lanes` need for `people`, all working all the time; `inf` without lanes."""
    if not people:
        return 0.0
    return people / (lanes * lane_rate(rate, rated=rate)) if lanes else inf


def run(arrivals: Course, served: Course, *, minutes: float = 1.0, waiting: float = 0.0, opens: float = 0.0) -> Queue:
    """Let a queue run: `arrivals`, and as many as can be `served`, in each interval of `minutes`; `waiting` before it.

    After the last interval nobody arrives, and lanes go on as in it. Waits count from minute `opens` at the earliest.
    Raises QueueError for numbers below 0 or courses of different length.
    """
    coming, service = np.asarray(arrivals, np.float64), np.asarray(served, np.float64)
    if coming.shape != service.shape or coming.ndim != 1 or not len(coming):
        raise QueueError(f"arrivals: {coming.shape}, served: {service.shape}; expected both for every interval")
    for name, values in (("arrivals", coming), ("served", service), ("waiting", np.array([waiting]))):
        if not np.isfinite(values).all() or (values < 0).any():
            raise QueueError(f"{name}: {values.min()} is below 0 or not finite; expected a number of persons")
    left = _waiting(coming, service, waiting)
    ends = np.arange(1, len(coming) + 1, dtype=np.float64) * minutes
    gone = _served_at(np.cumsum(service) + left, service, minutes)
    wait = np.where(left > 0, np.maximum(gone - np.maximum(ends, opens), 0.0), 0.0)
    return Queue(left, wait, _to_clear(coming, left, gone, ends=ends, opens=opens))


def estimate(
    passed: Course,
    *,
    lanes: int | Course,
    rate: float | None = None,
    rated: float = PERSONS_A_MINUTE,
    arrivals: Course | None = None,
    ahead: Course = (),
) -> Estimate:
    """Return what can be said of an entrance after the minutes in which `passed` persons went through its open lanes.

    `lanes`: how many are open, or were in each of the minutes (before opening none: who comes then waits). `rate`:
    persons per minute and lane as measured; without it, and at most when waits are reckoned, the planning rate `rated`.
    `arrivals`: persons who came in the same minutes, by plan or upstream counts; `ahead`: those expected next. Who came
    before the lanes last had time to spare is through, whatever plan or counts say. Raises QueueError.
    """
    through = np.asarray(passed, np.float64)
    opened = np.broadcast_to(np.asarray(lanes, np.float64), through.shape)
    busy = through >= SATURATED * opened * (rated if rate is None else rate)
    rested = np.flatnonzero(~busy)
    saturated = len(through) - (int(rested[-1]) + 1 if len(rested) else 0)
    if arrivals is None:
        nobody = 0.0 if not saturated else None
        return Estimate(saturated, nobody, nobody, nobody)
    since = len(through) - saturated
    waiting = float(run(arrivals[since:], through[since:]).waiting[-1]) if saturated else 0.0
    serves = float(opened[-1]) * lane_rate(rate, rated=rated)
    wait = waiting / serves if serves else (inf if waiting else 0.0)
    return Estimate(saturated, waiting, wait, _empty_after(waiting, ahead, serves))


def _empty_after(waiting: float, coming: Course, serves: float) -> float:
    """Return the minutes until nobody waits, if as many as `coming` arrive in the next minutes and then nobody."""
    for minute, arrivals in enumerate(coming):
        if waiting + arrivals <= serves:
            return minute + (waiting / (serves - arrivals) if waiting else 0.0)
        waiting += arrivals - serves
    if not waiting:
        return 0.0
    return len(coming) + waiting / serves if serves else inf


def _waiting(coming: Floats, service: Floats, before: float) -> Floats:
    """Return the queue after each interval: what is left of queue + arrivals - served, at least 0 (Lindley)."""
    total = before + np.cumsum(coming - service)
    left: Floats = total - np.minimum(np.minimum.accumulate(total), 0.0)
    return left


def _served_at(people: Floats, service: Floats, minutes: float) -> Floats:
    """Return the minute by which as many as `people` could be served, counted from the beginning."""
    done = np.concatenate([[0.0], np.cumsum(service)])
    rest, pace = np.maximum(people - done[-1], 0.0), service[-1] / minutes
    after = rest / pace if pace > 0 else np.where(rest > 0, inf, 0.0)
    within = np.minimum(people, done[-1])
    place = np.clip(np.searchsorted(done, within), 1, len(service))
    share = np.divide(
        within - done[place - 1], service[place - 1], out=np.ones_like(within), where=service[place - 1] > 0
    )
    at: Floats = (place - 1 + share) * minutes + after
    return at


def _to_clear(coming: Floats, left: Floats, gone: Floats, *, ends: Floats, opens: float) -> float:
    """Return the minutes from the last arrival, or from opening, until those who wait then have gone through."""
    came = np.flatnonzero(coming)
    last = int(came[-1]) if len(came) else 0
    return max(float(gone[last] - max(ends[last], opens)), 0.0) if left[last] > 0 else 0.0
