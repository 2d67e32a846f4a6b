"""Checks a whole site's plan before opening: the people expected against the lanes planned; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.forecasting.queues import planned_lanes, rated
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast.paths import UNCHANGED
from streams.kernels.forecast.queueing import Planned, Shortfall, check_plan

if TYPE_CHECKING:
    import datetime as dt

    from streams.kernels.forecast.paths import Minutes
    from streams.site.model import Entrance, Site


def shortfalls(site: Site, date: dt.date) -> tuple[Shortfall, ...]:
    """Return the entrances whose planned lanes keep people waiting too long on a day, the longest wait first."""
    hours = site.hours(date)
    if hours is None:
        return ()
    opens, clock = (hours[0] - site.days.begin(date)) // MINUTE_MS, site.days.clock(date)
    return check_plan(
        planned(entrance, opens=opens, clock=clock) for entrance in site.entrances if entrance.plan.expected
    )


def planned(entrance: Entrance, *, opens: int, clock: Minutes = UNCHANGED) -> Planned:
    """Return an entrance's plan as `check_plan` takes it, from the first arrivals to the last.

    `opens`: minute of the day. `clock`: which minute of the plan each minute of the day is.
    """
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
