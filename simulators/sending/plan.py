"""The plan of a simulation: what to play, and how fast; next: `play.py`."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from simulators.distortion.distort import Schedule, distort
from simulators.distortion.settings import Distortion
from simulators.scenario.scenario import Scenario
from simulators.sending.pace import at_rate
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


class WrongPlanError(ValueError):
    """A plan cannot be played as it is."""


@dataclass(frozen=True)
class Plan:
    """What to play, and how fast: a day of a scenario, its own one unless a `date` is given.

    `speed` is site seconds a real second, from `start_at` (site ms; None: the first event) on; what happened before
    is sent at once. `clock`, if there is one already, replaces both. `rate` instead sends so many events a second
    with the present time, over and over. `for_seconds` (real, from the first send) ends the run; what is on its way
    then is sent at once. `epoch` is the devices' epoch; None takes the present second, so that no two runs share
    identities. `frame` events of an entrance make one message; None: 1, or 50 when far behind. `max_lag` is the most
    events that may wait for the workers in one partition: the embedded broker stores 5 MB of each.
    """

    scenario: Scenario
    date: dt.date | None = None
    seed: int = 0
    epoch: int | None = None
    speed: float = 1.0
    rate: float | None = None
    start_at: int | None = None
    clock: SiteClock | None = None
    for_seconds: float | None = None
    distortion: Distortion = field(default_factory=Distortion)
    frame: int | None = None
    max_lag: int = 20_000

    def __post_init__(self) -> None:
        if self.rate is not None and self.clock not in {None, SiteClock()}:
            raise WrongPlanError(
                "rate: events at a rate have the present time, and the site's clock is set to another; "
                "leave out the rate, or the settings of the clock"
            )

    @property
    def first_day(self) -> dt.date:
        """The day that is played."""
        return self.date or self.scenario.date

    def described(self, site: Site, epoch: int) -> Mapping[str, Any]:
        """Return what is written of the plan into the ledger."""
        return {
            "scenario": self.scenario.name,
            "site": site.id,
            "date": self.first_day.isoformat(),
            "seed": self.seed,
            "epoch": epoch,
            "speed": self.speed,
            "rate": self.rate,
            "distortion": str(self.distortion),
        } | ({"clock": asdict(self.clock)} if self.clock else {})


def site_time(site: Site, date: dt.date, time: dt.time) -> int:
    """Return a time that the clock shows on a day of the site as milliseconds since 1970 UTC.

    One that is earlier than the day begins is after the next midnight.
    """
    minute = time.hour * 60 + time.minute
    into = round(time.second * 1000 + time.microsecond / 1000)
    return site.days.moment(date, minute + 1440 * (minute < site.day_starts)) + into


class Programme:
    """The schedules of a plan: one, or at a rate the same day over and over, in which devices keep counting."""

    def __init__(self, plan: Plan, site: Site, *, epoch: int) -> None:
        self._plan = plan
        self._day = plan.scenario.make_day(site, date=plan.first_day, seed=plan.seed, epoch=epoch)
        self._number = 0
        self._last_seq = np.zeros(len(self._day.names.devices), np.int64)

    def next(self, begins: Callable[[], int]) -> Schedule | None:
        """Return the next schedule, as `play.NextSchedule` says."""
        plan, day = self._plan, self._day
        if plan.rate is None and self._number:
            return None
        if plan.rate is not None:
            day = at_rate(day, rate=plan.rate, start_ms=begins())
        distortion = plan.distortion if not self._number else plan.distortion.without_devices()
        day = replace(day, seq=day.seq + self._last_seq[day.device])
        schedule = distort(day, distortion, np.random.default_rng([plan.seed, 7, self._number]))
        self._last_seq = np.maximum(self._last_seq, schedule.day.last_seq)
        self._number += 1
        return schedule
