"""Past days of a site, and how a forecaster is trained on them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from streams.forecasting.areas import AreaKind, flows
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast.forecast import Forecaster
from streams.kernels.forecast.paths import Profile, by_clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.forecasting.areas import Courses
    from streams.kernels.forecast.forecast import Forecast
    from streams.kernels.forecast.paths import Floats, Minutes
    from streams.site.model import Site

Day: TypeAlias = "tuple[Floats, Floats, Floats]"
"""Entered, departed and inside (at its end) in each minute of a day, or of a part of one."""


@dataclass(frozen=True)
class PastDay:
    """A past day of an area: when it began (ms), its minutes, and what the clock showed in each."""

    begin: int
    day: Day
    clock: Minutes

    @cached_property
    def by_clock(self) -> Day:
        """The day as a profile has it: 1440 minutes, however many there were."""
        entered, departed, inside = (by_clock(each, self.clock) for each in self.day)
        return entered, departed, inside


def day_of(site: Site, passed: Courses, *, minutes: int) -> dict[AreaKind, Day]:
    """Return a past day of every area; when it began it was empty, and fewer than nobody (drift) is nobody."""
    return {
        area: (entered, departed, np.maximum(np.cumsum(entered - departed), 0.0))
        for area, (entered, departed) in flows(site, passed, minutes=minutes).items()
    }


def learnt(capacity: int, levels: Sequence[int], past: Sequence[PastDay]) -> Forecaster:
    """Return a forecaster that has gone through past days, each with those before it."""
    forecaster = Forecaster(capacity, levels, midnight=0)
    for number, each in enumerate(past):
        forecaster.begin_day(each.begin // MINUTE_MS, profile_of(past[:number]), clock=each.clock)
        observe(forecaster, each.begin, *each.day)
    return forecaster


def profile_of(past: Sequence[PastDay]) -> Profile | None:
    """Return the mean of some days, None without any."""
    return Profile.of_days([each.by_clock for each in past]) if past else None


def observe(forecaster: Forecaster, start: int, entered: Floats, departed: Floats, inside: Floats) -> Forecast | None:
    """Let a forecaster go through the minutes from `start` (ms) on, beginning when anybody is about.

    Returns its last forecast, None if nobody was about.
    """
    about = np.flatnonzero((entered > 0) | (departed > 0) | (inside != 0))
    begun = forecaster.minute is not None and forecaster.minute == start // MINUTE_MS - 1
    first = 0 if begun else int(about[0]) if len(about) else len(inside)
    forecast = None
    for place in range(first, len(inside)):
        forecast = forecaster.observe(
            start // MINUTE_MS + place,
            entered=int(entered[place]),
            departed=int(departed[place]),
            inside=int(inside[place]),
        )
    return forecast


def inside_before(net: Floats, end: float) -> Floats:
    """Return what was inside at the end of each minute: `net` is the flow in each, `end` what is inside at last."""
    return end - (np.cumsum(net[::-1])[::-1] - net)


def since_midnight(site: Site, passed: Courses, *, minutes: int, inside: Mapping[AreaKind, int]) -> dict[AreaKind, Day]:
    """Return the minutes of today of every area of which it is known what is inside at their end."""
    return {
        area: (entered, departed, inside_before(entered - departed, inside[area]))
        for area, (entered, departed) in flows(site, passed, minutes=minutes).items()
        if area in inside
    }
