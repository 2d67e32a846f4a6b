"""Simulated days for the back-test of forecasts, minute by minute and area by area; next: `backtest.py`.

The people are those of the expo scenario. From day to day the attendance, its shape over the hours, the length of stays
and the favourite halls differ; late trains hold arrivals up, and rain sends people home and keeps others away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.scenario.day import IN, SiteCodes
from simulators.scenario.expo.people import Visits, find_gates, make_visits, walk
from simulators.scenario.expo.spec import PeopleSpec
from streams.site.model import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.scenario.day import Ints
    from simulators.scenario.steps import Steps
    from streams.site.model import Site

MINUTES: Final = 1440
WHOLE: Final = "site"
"""The name of the course of all areas together: who is on site."""
_CLOSING: Final = 20 * 3600.0
_LEAST_STAY: Final = 20 * 60.0


@dataclass(frozen=True)
class Weather:
    """What made a day different; shares and factors are assumed, times are seconds after local midnight.

    `attendance` and `stays` are factors on the figures of the peak day, `shift` moves all arrivals. Who arrives in the
    40 minutes from `trains_at` on comes up to 40 minutes later. From `rain_at` on, `leaving` of those on site go home
    within 45 minutes, and as large a share of those who would come in the two hours after it stays away.
    """

    attendance: float
    stays: float
    shift: float
    trains_at: float | None
    rain_at: float | None
    leaving: float


@dataclass(frozen=True, eq=False)
class Course:
    """Persons entered and departed in each minute of a day, and inside at the minute's end, of one area."""

    entered: Ints
    departed: Ints
    inside: Ints
    capacity: int


@dataclass(frozen=True, eq=False)
class FlowDay:
    """One simulated day: the course of every area that holds persons, and of the whole site under `WHOLE`."""

    number: int
    weather: Weather
    courses: Mapping[str, Course]


def flow_day(site: Site, *, seed: int, number: int, entries: int = PeopleSpec.entries) -> FlowDay:
    """Return day `number` of a seed; `entries` is the attendance that an average day has.

    Raises `NotAnExpoError` for a site laid out otherwise.
    """
    rng = np.random.default_rng([seed, 11, number])
    weather = _draw_weather(rng)
    spec = _spec(weather, entries, rng)
    gates = find_gates(SiteCodes(site), rng)
    visits = _disturbed(make_visits(spec, _CLOSING, rng), weather, rng)
    return FlowDay(number, weather, MappingProxyType(_courses(walk(visits, gates, spec, rng), site)))


def _draw_weather(rng: np.random.Generator) -> Weather:
    trains, rain = rng.random(2)
    return Weather(
        attendance=rng.uniform(0.75, 1.25),
        stays=float(np.exp(rng.normal(0, 0.1))),
        shift=float(np.clip(rng.normal(0, 600), -1500, 1500)),
        trains_at=rng.uniform(8, 15) * 3600 if trains < 0.5 else None,
        rain_at=rng.uniform(10, 16) * 3600 if rain < 0.4 else None,
        leaving=rng.uniform(0.08, 0.25),
    )


def _spec(weather: Weather, entries: int, rng: np.random.Generator) -> PeopleSpec:
    """Return the figures of a day: the shares of the hours differ by a quarter or so (one standard deviation)."""
    usual = PeopleSpec()
    scale = weather.attendance * entries / usual.entries
    by_hour = np.asarray(usual.entries_by_hour) * np.exp(rng.normal(0, 0.25, 24))
    return replace(
        usual,
        entries=round(usual.entries * scale),
        returning=round(usual.returning * scale * rng.uniform(0.5, 1.1)),
        entries_by_hour=tuple(by_hour.tolist()),
        stay_hours={name: hours * weather.stays for name, hours in usual.stay_hours.items()},
    )


def _disturbed(visits: Visits, weather: Weather, rng: np.random.Generator) -> Visits:
    """Return the visits as the day's shift, trains and rain change them."""
    parties = len(visits.size)
    delay = np.full(parties, weather.shift)
    if weather.trains_at is not None:
        held = (visits.arrival >= weather.trains_at) & (visits.arrival < weather.trains_at + 2400)
        delay = delay + held * (weather.trains_at + 2400 + rng.uniform(0, 600, parties) - visits.arrival)
    arrival, departure = visits.arrival + delay, visits.departure + delay
    stays_away = np.zeros(parties, bool)
    if weather.rain_at is not None:
        drawn = rng.random(parties) < weather.leaving
        goes = drawn & (arrival < weather.rain_at) & (departure > weather.rain_at)
        home = weather.rain_at + rng.uniform(0, 2700, parties)
        departure = np.where(goes, np.minimum(departure, home), departure)
        stays_away = drawn & (arrival >= weather.rain_at) & (arrival < weather.rain_at + 7200)
    departure = np.maximum(departure, arrival + _LEAST_STAY)
    come = ~stays_away
    return Visits(arrival[come], departure[come], visits.first[come], visits.size[come], visits.category[come])


def _courses(steps: Steps, site: Site) -> dict[str, Course]:
    """Count the steps by area and minute; what happens after midnight belongs to the last minute."""
    areas = [OUTSIDE, *(area.id for area in site.areas if "person" in area.capacity)]
    codes = {area: code for code, area in enumerate(areas)}
    outer = np.array([codes.get(each.outer, 0) for each in site.entrances])[steps.entrance]
    inner = np.array([codes.get(each.inner, 0) for each in site.entrances])[steps.entrance]
    minute = np.clip(steps.time // 60, 0, MINUTES - 1).astype(np.int64)
    inward = steps.direction == IN
    entered = _by_minute(np.where(inward, inner, outer), minute, len(areas))
    departed = _by_minute(np.where(inward, outer, inner), minute, len(areas))
    capacity = [site.capacity.get("person", 0), *(site.area(area).capacity["person"] for area in areas[1:])]
    into_site = departed[0]  # who departs from outside enters the site
    entered[0], departed[0] = into_site.copy(), entered[0].copy()
    return {
        WHOLE if area == OUTSIDE else area: Course(ins, outs, np.cumsum(ins - outs), most)
        for area, ins, outs, most in zip(areas, entered, departed, capacity, strict=True)
    }


def _by_minute(area: Ints, minute: Ints, areas: int) -> Ints:
    counts: Ints = np.bincount(area * MINUTES + minute, minlength=areas * MINUTES).reshape(areas, MINUTES)
    return counts
