"""Minutes until an area reaches each level of its capacity, with a 90 % interval, and the error so far today.

Minute by minute `observe` takes in what was counted and returns what follows; the same minutes always give the same
forecast. Read `paths.py` (the forecast) and `calibration.py` (its error) first; `docs/forecast.md` shows how good it
is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from streams.kernels.forecast.calibration import LEADS, Calibration, Due, due
from streams.kernels.forecast.paths import HORIZON, UNCHANGED, Floats, FlowSums, Minutes, Path, Profile, look_ahead


class TimeRunsBackwardsError(ValueError):
    """Minutes must be observed in order; what arrived late is in the next minute's `inside`."""


@dataclass(frozen=True)
class Crossing:
    """When an area reaches a level, minutes from now; 0: it is reached. None: not within HORIZON minutes."""

    level: int  # per cent
    persons: int
    minutes: int | None
    earliest: int | None
    latest: int | None  # None: perhaps never


@dataclass(frozen=True)
class ForecastErrors:
    """Errors of today's forecasts so far: one value for each of LEADS; None where nothing has fallen due yet."""

    checked: tuple[int, ...]
    error: tuple[float | None, ...]  # mean absolute error, persons
    covered: tuple[float | None, ...]  # share of outcomes inside the 90 % interval


@dataclass(frozen=True)
class Forecast:
    """Persons expected inside at the end of each of the next HORIZON minutes, with the ends of the 90 % interval."""

    minute: int
    observed: int  # persons inside at the end of `minute`, which it starts from
    method: Literal["profile", "flows"]
    inside: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    crossings: tuple[Crossing, ...]
    measured: ForecastErrors


class Forecaster:
    """The state of one area's forecasts.

    `capacity` is in persons (or vehicles), `levels` are per cent of it; a minute is a number of minutes
    since any moment that stays the same, such as 1970 UTC; the day begins at minute `midnight`. `clock`: which minute
    of the profile each minute of the day is; left out where the clock does not change.
    """

    def __init__(
        self,
        capacity: int,
        levels: Sequence[int],
        *,
        midnight: int,
        profile: Profile | None = None,
        clock: Minutes = UNCHANGED,
    ) -> None:
        self.capacity, self.levels = capacity, levels
        self.midnight, self.profile, self.clock = midnight, profile, clock
        self.minute: int | None = None
        self.inside = 0.0
        self.recent = FlowSums()
        self.calibration = Calibration(self.method)
        self.due: dict[int, Due] = {}

    @property
    def method(self) -> Literal["profile", "flows"]:
        """How it is forecast."""
        return "flows" if self.profile is None else "profile"

    def begin_day(self, midnight: int, profile: Profile | None, *, clock: Minutes = UNCHANGED) -> None:
        """Go on with another day's profile; the errors of the day begin anew, the intervals keep what they learnt."""
        before = self.method
        self.midnight, self.profile, self.clock = midnight, profile, clock
        if self.method != before:
            self.calibration = Calibration(self.method)
        self.calibration.begin_day()

    def observe(self, minute: int, *, entered: int, departed: int, inside: int) -> Forecast:
        """Take in the persons that entered and departed in `minute`, and those inside at its end; return the forecast.

        Minutes may be left out (nothing falls due in them). Raises TimeRunsBackwardsError.
        """
        if self.minute is not None and minute <= self.minute:
            raise TimeRunsBackwardsError(
                f"minute: {minute} comes after {self.minute}; expected a later one: observe each minute once, in order"
            )
        elapsed = 1 if self.minute is None else minute - self.minute
        usual = self._usual(minute)
        for number, lead in enumerate(LEADS):
            if minute - lead in self.due:
                self.calibration.check(number, self.due[minute - lead], inside)
        self.due = {when: forecast for when, forecast in self.due.items() if when > minute - HORIZON}
        self.recent = self.recent.after(elapsed, entered=entered, departed=departed, inside=inside, usual=usual)
        self.minute, self.inside = minute, float(inside)
        return self._look_ahead(minute)

    def _usual(self, minute: int) -> tuple[float, float]:
        """Return how many the profile lets enter, and how many of those inside it lets depart."""
        if self.profile is None:
            return 0.0, 0.0
        at = self.clock[[self._of_day(minute)]]
        return float(self.profile.entered[at[0]]), float(self.profile.leaving(at)[0]) * max(self.inside, 0.0)

    def _of_day(self, minute: int) -> int:
        return min(max(minute - self.midnight, 0), len(self.clock) - 1)

    def _look_ahead(self, minute: int) -> Forecast:
        path = look_ahead(self.inside, self.recent, self.profile, self._of_day(minute), clock=self.clock)
        lower, upper = self.calibration.interval(path)
        crossings = tuple(self._crossing(level, path, lower, upper) for level in self.levels)
        self.due[minute] = due(path, lower, upper)
        inside, low, high = (tuple(each.tolist()) for each in (path.inside, lower, upper))
        return Forecast(minute, int(self.inside), self.method, inside, low, high, crossings, self.measured())

    def _crossing(self, level: int, path: Path, lower: Floats, upper: Floats) -> Crossing:
        persons = -(-level * self.capacity // 100)  # the least number that is this level of the capacity
        if self.inside >= persons:
            return Crossing(level, persons, 0, 0, 0)
        return Crossing(level, persons, *(_first(each >= persons) for each in (path.inside, upper, lower)))

    def measured(self) -> ForecastErrors:
        """Return the errors of the day so far."""
        of = self.calibration
        checked = tuple(int(count) for count in of.checked)
        return ForecastErrors(
            checked=checked,
            error=tuple(float(sums / n) if n else None for sums, n in zip(of.error, checked, strict=True)),
            covered=tuple(float(sums / n) if n else None for sums, n in zip(of.covered, checked, strict=True)),
        )


def _first(reached: Any) -> int | None:  # noqa: ANN401 - a comparison of arrays
    return int(np.argmax(reached)) + 1 if reached.any() else None
