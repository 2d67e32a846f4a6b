"""A fluid queue model of an entrance: waiting time and when the queue is gone, before opening and during the day.

The queue grows by those who arrive and shrinks by those whom the open lanes let through.

**What turnstile events tell of a queue, and what not.** They count who went through, never who waits. While lanes have
time to spare, everybody who arrives goes through at once: arrivals are the passages, and there is no queue. A lane
whose passages follow each other at its service time is *saturated*: somebody was always next, so there is a queue, but
ten people behind it and ten thousand look the same. How long it is can only be known from arrivals: from a plan, or
from counts upstream (a metro's exit gates, a camera, a coach park). Without either, `estimate` says that there is a
queue and since when, gives no wait, and never takes the passages of a saturated entrance for its demand.

A plan is checked before opening (`check_plan`); `advice.py` says during the day what to do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final, TypeAlias

import numpy as np

from streams.kernels.forecast.paths import Floats

Course: TypeAlias = Sequence[float] | Floats
"""A number of persons (or vehicles) for each of some minutes."""

PERSONS_A_MINUTE: Final = 11.0
"""Per lane: 660 an hour, the planning rate of the UK Green Guide (as quoted by crowd consultancies)."""
VEHICLES_A_MINUTE: Final = 275 / 60  # per lane with stop and ticket: 250 to 300 an hour (a maker's figure, weak)
LONGEST_WAIT: Final = 10.0  # minutes: an estimated wait above this is an overload
SATURATED: Final = 0.9  # share of what its open lanes can do from which an entrance counts as saturated


@dataclass(frozen=True, eq=False)
class Queue:
    """One entrance over a course of minutes, values at the end of each; minutes are `inf` where it never gets there."""

    waiting: Floats  # persons in the queue
    wait: Floats  # minutes that somebody who arrives then will wait, from opening for those who come before
    to_clear: float  # minutes from the last arrival, or from opening if that is later, until nobody waits any more

    @property
    def worst_wait(self) -> float:
        """The longest of the waits, minutes."""
        return float(self.wait.max())


@dataclass(frozen=True)
class Estimate:
    """What can be said of an entrance now; the rest is None where passages alone cannot tell."""

    saturated_for: int  # minutes for which its lanes have had no time to spare
    waiting: float | None  # persons
    wait: float | None  # minutes for somebody who arrives now
    to_clear: float | None  # minutes until the queue is gone


def lane_rate(measured: float | None, *, rated: float = PERSONS_A_MINUTE) -> float:
    """Return persons per minute and lane to reckon with: what was measured, at most the planning rate `rated`."""
    return rated if measured is None else min(measured, rated)


def run(arrivals: Course, served: Course, *, waiting: float = 0.0, opens: float = 0.0) -> Queue:
    """Let a queue run: `arrivals`, and as many as can be `served`, in each minute; `waiting` before it.

    After the last minute nobody arrives, and lanes go on as in it. Waits count from minute `opens` at the earliest.
    """
    coming, service = np.asarray(arrivals, np.float64), np.asarray(served, np.float64)
    total = waiting + np.cumsum(coming - service)
    left = total - np.minimum(np.minimum.accumulate(total), 0.0)  # after each minute, at least 0 (Lindley)
    gone = _served_at(np.cumsum(service) + left, service)
    since = np.maximum(np.arange(1, len(coming) + 1, dtype=np.float64), opens)
    wait = np.where(left > 0, np.maximum(gone - since, 0.0), 0.0)
    last = int(np.flatnonzero(coming)[-1]) if coming.any() else 0
    return Queue(left, wait, float(wait[last]))


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
    before the lanes last had time to spare is through, whatever plan or counts say.
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


def _served_at(people: Floats, service: Floats) -> Floats:
    """Return the minute by which as many as `people` could be served, counted from the beginning."""
    done = np.concatenate([[0.0], np.cumsum(service)])
    rest, pace = np.maximum(people - done[-1], 0.0), service[-1]
    after = rest / pace if pace > 0 else np.where(rest > 0, inf, 0.0)
    within = np.minimum(people, done[-1])
    place = np.clip(np.searchsorted(done, within), 1, len(service))
    share = np.divide(
        within - done[place - 1], service[place - 1], out=np.ones_like(within), where=service[place - 1] > 0
    )
    at: Floats = place - 1 + share + after
    return at


@dataclass(frozen=True)
class Planned:
    """What is planned for an entrance; minutes count from the first in which persons arrive."""

    entrance: str
    arrivals: tuple[float, ...]  # persons in each minute
    lanes: int  # open from minute `opens` on
    opens: float = 0.0
    rate: float | None = None  # persons per minute and lane as measured on past days, None for the planning rate
    rated: float = PERSONS_A_MINUTE  # the planning rate, which caps `rate`


@dataclass(frozen=True)
class Shortfall:
    """An entrance whose plan does not work out; minutes are `inf` where nobody would ever get in."""

    entrance: str
    lanes: int
    people: float
    worst_wait: float  # minutes, from opening for those who come before
    to_clear: float  # minutes that people still wait after the last has come (or after opening, if that is later)
    lanes_needed: int  # the fewest that keep both within the limit

    def text(self) -> str:
        """Return it as a sentence."""
        return (
            f"{self.entrance}: {self.lanes} lanes for {self.people:,.0f} people: the longest wait is "
            f"{self.worst_wait:.0f} min, the queue is gone {self.to_clear:.0f} min after the last has come; "
            f"{self.lanes_needed} lanes are needed"
        )

    def text_zh(self) -> str:
        """Return it as a sentence in Chinese."""
        return (
            f"{self.entrance}：{self.lanes} 条通道接待 {self.people:,.0f} 人，最长等候 {self.worst_wait:.0f} 分钟，"
            f"最后一人到达后 {self.to_clear:.0f} 分钟排队清空；需要 {self.lanes_needed} 条通道"
        )


def check_plan(plans: Iterable[Planned], *, limit: float = LONGEST_WAIT) -> tuple[Shortfall, ...]:
    """Return the entrances that keep people waiting for more than `limit` minutes by their plan, worst first.

    Seven turnstiles for 10,100 people, as at Hillsborough in 1989 (Taylor, interim report, paragraph 187), come out as
    131 minutes at 660 an hour.
    """
    found = []
    for plan in plans:
        queue = run_plan(plan)
        if max(queue.worst_wait, queue.to_clear) > limit:
            people, needed = sum(plan.arrivals), _lanes_needed(plan, limit)
            found.append(Shortfall(plan.entrance, plan.lanes, people, queue.worst_wait, queue.to_clear, needed))
    return tuple(sorted(found, key=lambda each: (-each.worst_wait, each.entrance)))


def run_plan(plan: Planned) -> Queue:
    """Let the queue of a plan run."""
    opens_later = max(0, int(np.ceil(plan.opens)) + 1 - len(plan.arrivals))
    arrivals = np.array([*plan.arrivals, *[0.0] * opens_later])
    open_for = np.clip(np.arange(1, len(arrivals) + 1) - plan.opens, 0.0, 1.0)
    served = plan.lanes * lane_rate(plan.rate, rated=plan.rated) * open_for
    return run(arrivals, served, opens=plan.opens)


def _lanes_needed(plan: Planned, limit: float) -> int:
    """Return the fewest lanes that keep the limit; enough to admit everybody within it always do."""
    rate = lane_rate(plan.rate, rated=plan.rated)
    low, high = plan.lanes, int(np.ceil(sum(plan.arrivals) / (rate * limit)))
    while low + 1 < high:
        lanes = (low + high) // 2
        queue = run_plan(replace(plan, lanes=lanes))
        enough = max(queue.worst_wait, queue.to_clear) <= limit
        low, high = (low, lanes) if enough else (lanes, high)
    return high
