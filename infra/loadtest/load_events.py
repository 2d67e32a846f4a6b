"""Makes the events of a load from a simulated day, timed by the shape of the load; next: `generator.py`.

Every generator makes up the whole load and sends the share of its devices, so generators need not communicate.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from infra.loadtest import shape
from infra.loadtest.assignment import Assignment, Curve
from simulators.distortion.distort import Schedule, distort
from simulators.scenario.registry import find_scenario
from simulators.sending.plan import site_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.distortion.settings import Distortion
    from simulators.scenario.day import Day, Ints
    from streams.site.model import Site

_FEWEST: Final = 8_000
"""Events of the smallest day that is made: with fewer, too few people would come for all that happens on a day."""


class NothingToSendError(ValueError):
    """The scenario has no events at the chosen time; choose another time, or a rate."""


@dataclass(frozen=True)
class Share:
    """One generator's events, before it is known when the load begins: times are milliseconds from the begin."""

    day: Day
    load_ms: int

    def schedule(self, begins_ms: int, distortion: Distortion, seed: Sequence[int]) -> Schedule:
        """Return when each line is delivered, for a load that begins at `begins_ms` (ms since 1970 UTC)."""
        day = replace(self.day, true_ts=self.day.true_ts + begins_ms, ts=self.day.ts + begins_ms)
        return distort(day, distortion, np.random.default_rng(seed))


def make_share(assignment: Assignment, site: Site) -> Share:
    """Make up the events of an assignment. Raises NothingToSendError and UnfitSiteError."""
    whole = (
        _along_curve(assignment, assignment.load, site)
        if isinstance(assignment.load, Curve)
        else _at_rates(assignment, site)
    )
    lasts = assignment.load.seconds if isinstance(assignment.load, Curve) else shape.seconds(assignment.load)
    return Share(whole.take(np.flatnonzero(whole.device % assignment.parts == assignment.part)), round(lasts * 1000))


def _at_rates(assignment: Assignment, site: Site) -> Day:
    """Return the first events of a day that is as busy as need be, over and over, when the shape wants them."""
    assert not isinstance(assignment.load, Curve)  # noqa: S101  # who calls has looked
    times = shape.due(assignment.load).astype(np.int64)
    scenario = find_scenario(assignment.scenario)
    share = min(1.0, max(_FEWEST, 1.05 * len(times)) / scenario.events)
    made = scenario.make_day(site, date=scenario.date, seed=assignment.seed, epoch=assignment.epoch, share=share)
    number = np.arange(len(times))
    day, rounds = made.take(number % len(made)), number // len(made)
    return replace(day, seq=day.seq + rounds * made.last_seq[day.device], true_ts=times, ts=times)


def _along_curve(assignment: Assignment, curve: Curve, site: Site) -> Day:
    """Return the scenario's own events from a time of its day on, so many times as fast."""
    scenario = find_scenario(assignment.scenario)
    made = scenario.make_day(site, date=scenario.date, seed=assignment.seed, epoch=assignment.epoch)
    first = site_time(site, scenario.date, dt.time.fromisoformat(curve.start_at))
    rows = np.flatnonzero((made.true_ts >= first) & (made.true_ts < first + curve.seconds * 1000 * curve.times))
    if not len(rows):
        raise NothingToSendError(
            f"--times: from {curve.start_at} on, {curve.seconds * curve.times:,.0f} s of the scenario have no event; "
            "give a larger --times or --for, or a --rate"
        )
    day = made.take(rows)
    times = ((day.true_ts - first) / curve.times).astype(np.int64)
    return replace(day, seq=_counted_anew(day.device, day.seq), true_ts=times, ts=times)


def _counted_anew(device: Ints, seq: Ints) -> Ints:
    """Let every device count from 1, though its day began before."""
    first = np.full(int(device.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, device, seq)
    anew: Ints = seq - first[device] + 1
    return anew
