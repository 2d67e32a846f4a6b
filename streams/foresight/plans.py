"""Before opening: the plan of a whole site, held against its lanes; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.foresight.queues import planned_lanes, rated
from streams.kernels.opening import Planned, Shortfall, check_plan

if TYPE_CHECKING:
    import datetime as dt

    from streams.site import Entrance, Site


def shortfalls(site: Site, date: dt.date) -> tuple[Shortfall, ...]:
    """Return the entrances whose planned lanes keep people waiting too long on a day, the longest wait first."""
    hours = site.opening.on(date)
    if hours is None:
        return ()
    return check_plan(planned(gate, opens=hours[0]) for gate in site.entrances if gate.plan.expected)


def planned(gate: Entrance, *, opens: int) -> Planned:
    """Return an entrance's plan as `kernels.opening` takes it, from the first arrivals to the last."""
    expected = gate.plan.course()
    coming = np.flatnonzero(expected)
    first, last = (int(coming[0]), int(coming[-1]) + 1) if len(coming) else (opens, opens + 1)
    return Planned(
        gate.id,
        tuple(expected[first:last].tolist()),
        planned_lanes(gate),
        opens=max(opens - first, 0),
        rate=gate.plan.lane_rate,
        rated=rated(gate),
    )
