"""The plan of a simulation: what to play, how fast, and the dates that follow; next: `play.py`."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from simulators.distortion.distort import Schedule, distort
from simulators.distortion.settings import Distortion
from simulators.scenario.day import Day, Ints
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
    is sent at once. None is as fast as possible. `clock`, if there is one already, replaces both. `rate` instead
    sends so many events a second with the present time, over and over. `for_seconds` (real, from the first send)
    ends the run; what is on its way then is sent at once. `days` ends it after so many days (None goes on).
    `epoch` is the devices' epoch; None takes the present second, so that no two runs share identities. `frame`
    events of an entrance make one message; None: 1, or 50 when far behind. `max_lag` is the most events that may
    wait for the workers in one partition: the embedded broker stores 5 MB of each.
    """

    scenario: Scenario
    date: dt.date | None = None
    seed: int = 0
    epoch: int | None = None
    speed: float | None = 1.0
    rate: float | None = None
    start_at: int | None = None
    clock: SiteClock | None = None
    for_seconds: float | None = None
    days: int | None = 1
    distortion: Distortion = field(default_factory=Distortion)
    frame: int | None = None
    max_lag: int = 20_000

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        for name in ("speed", "rate", "for_seconds", "frame", "max_lag", "days"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise WrongPlanError(f"{name}: {value} is not above 0; leave it out or give a positive number")
        if self.rate is not None and self.clock not in {None, SiteClock()}:
            raise WrongPlanError(
                "rate: events at a rate have the present time, and the site's clock is set to another; "
                "leave out the rate, or the settings of the clock"
            )

    @property
    def first_day(self) -> dt.date:
        """The day that is played, or with which playing begins."""
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
    """The schedules of a plan, one day after the other; devices keep counting from day to day."""

    def __init__(self, plan: Plan, site: Site, *, epoch: int) -> None:
        self._plan, self._site, self._epoch = plan, site, epoch
        self._number = 0
        self._last_seq: Ints | None = None
        self._day: Day | None = None

    def next(self, begins: Callable[[], int]) -> Schedule | None:
        """Return the next day's schedule, as `play.NextSchedule` says."""
        plan = self._plan
        if plan.rate is None and plan.days is not None and self._number >= plan.days:
            return None
        distortion = plan.distortion if not self._number else plan.distortion.without_devices()
        rng = np.random.default_rng([plan.seed, 7, self._number])
        schedule = distort(self._next_day(begins), distortion, rng)
        last = schedule.day.last_seq
        self._last_seq = last if self._last_seq is None else np.maximum(self._last_seq, last)
        self._number += 1
        return schedule

    def _next_day(self, begins: Callable[[], int]) -> Day:
        plan = self._plan
        if plan.rate is None:
            return self._make(plan.first_day + dt.timedelta(days=self._number), self._last_seq)
        if self._day is None:
            self._day = self._make(plan.first_day, None)
        day = self._day
        if self._last_seq is not None:
            day = replace(day, seq=day.seq + self._last_seq[day.device])
        return at_rate(day, rate=plan.rate, start_ms=begins())

    def _make(self, date: dt.date, last_seq: Ints | None) -> Day:
        plan = self._plan
        return plan.scenario.make_day(self._site, date=date, seed=plan.seed, epoch=self._epoch, last_seq=last_seq)
