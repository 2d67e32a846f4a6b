"""Checks a plan before opening: finds the entrances whose lanes cannot admit the planned people in time.

Next: `advice.py`, which says during the day what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streams.kernels.forecast.queueing import LONGEST_WAIT, PERSONS_A_MINUTE, Queue, QueueError, lane_rate, run

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Planned:
    """What is planned for an entrance: `arrivals` persons in each interval, and `lanes` open from minute `opens` on.

    Minutes count from the beginning of the first interval; an interval has `minutes`. `rate` is persons per minute and
    lane: as measured on past days (capped by `rated`), or None for the planning rate `rated`.
    """

    entrance: str
    arrivals: tuple[float, ...]
    lanes: int
    opens: float = 0.0
    minutes: float = 1.0
    rate: float | None = None
    rated: float = PERSONS_A_MINUTE


@dataclass(frozen=True)
class Shortfall:
    """An entrance whose plan does not work out; minutes are `inf` where nobody would ever get in.

    `worst_wait`: minutes, from opening for those who come before. `to_clear`: minutes that people still wait after the
    last has come (or after opening, if that is later). `lanes_needed`: the fewest that keep both within the limit.
    """

    entrance: str
    lanes: int
    people: float
    worst_wait: float
    to_clear: float
    lanes_needed: int

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
    131 minutes at 660 an hour. Raises QueueError for what cannot be.
    """
    if not limit > 0:
        raise QueueError(f"limit: {limit} min; expected one above 0: no number of lanes serves everybody at once")
    found = []
    for plan in plans:
        queue = run_plan(plan)
        if max(queue.worst_wait, queue.to_clear) > limit:
            needed = _lanes_needed(plan, limit)
            found.append(
                Shortfall(plan.entrance, plan.lanes, sum(plan.arrivals), queue.worst_wait, queue.to_clear, needed)
            )
    return tuple(sorted(found, key=lambda each: (-each.worst_wait, each.entrance)))


def run_plan(plan: Planned) -> Queue:
    """Let the queue of a plan run. Raises QueueError for lanes, an opening or an interval that cannot be."""
    if plan.lanes < 0 or plan.minutes <= 0 or plan.opens < 0:
        raise QueueError(
            f"{plan.entrance}: lanes {plan.lanes}, opens {plan.opens}, minutes {plan.minutes}; expected lanes and "
            "opening not below 0, and intervals above 0"
        )
    opens_later = max(0, int(np.ceil(plan.opens / plan.minutes)) + 1 - len(plan.arrivals))
    arrivals = np.array([*plan.arrivals, *[0.0] * opens_later])
    ends = np.arange(1, len(arrivals) + 1) * plan.minutes
    open_for = np.clip(ends - plan.opens, 0.0, plan.minutes)
    served = plan.lanes * lane_rate(plan.rate, rated=plan.rated) * open_for
    return run(arrivals, served, minutes=plan.minutes, opens=plan.opens)


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
