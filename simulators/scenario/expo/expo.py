"""The expo's peak day, made up from a seed: 227,000 entries and some 1.6 million events in a few seconds.

`spec.py` has the figures and where they come from; `people.py`, `vehicles.py` and `refusals.py` make the steps,
`assemble.py` gives each its lane and its turn. The same seed, date and site give the same day.
"""

import datetime as dt
from dataclasses import replace
from typing import Final

import numpy as np

from simulators.scenario.assemble import assemble
from simulators.scenario.day import Day, Floats, SiteCodes
from simulators.scenario.expo.people import find_gates, make_visits, walk
from simulators.scenario.expo.refusals import with_refusals
from simulators.scenario.expo.spec import ExpoSpec
from simulators.scenario.expo.vehicles import drive
from simulators.scenario.scenario import Scenario
from simulators.scenario.steps import Steps
from streams.kernels.counts.calendar import DAY_MINUTES
from streams.site.model import Site

PEAK_DAY = dt.date(2019, 11, 6)
"""A day of the edition with the peak of 227,000 entries; the documents do not name which of the six it was."""


_HOURS: Final = (7 * 60, 20 * 60)
"""When the doors open and close on the day that the figures are of, in minutes after midnight."""


def expo_day(
    site: Site,
    *,
    date: dt.date = PEAK_DAY,
    seed: int = 0,
    epoch: int = 0,
    share: float = 1.0,
    spec: ExpoSpec | None = None,
) -> Day:
    """Return one day, as `scenario.MakeDay` specifies, with the figures of `spec`.

    Raises `NotAnExpoError` for a site laid out otherwise.
    """
    spec = (spec or ExpoSpec()).scaled(share)
    names = SiteCodes(site)
    rng = np.random.default_rng([seed, date.toordinal()])
    people = _people(site, names, spec, date=date, rng=rng)
    vehicles = drive(spec.vehicles, names, rng)
    opens = (site.opening.on(date) or _HOURS)[0]
    midnight = site.days.moment(date, opens) - opens * 60_000  # as far as those who come then are concerned
    people = replace(people, time=_at_night(people.time, site, date, midnight=midnight))
    if vehicles is not None:
        vehicles = replace(vehicles, time=_at_night(vehicles.time, site, date, midnight=midnight))
    return assemble(
        people, vehicles, names, rng=rng, date=date, seed=seed, epoch=epoch, begins=midnight,
        service_ms={"person": spec.people.service_ms, "vehicle": spec.vehicles.service_ms}, least_gap_ms=spec.walk_ms,
    )  # fmt: skip


def _people(site: Site, names: SiteCodes, spec: ExpoSpec, *, date: dt.date, rng: np.random.Generator) -> Steps:
    """Return all steps of persons, with categories as codes of `names.categories`."""
    gates = find_gates(names, rng)
    _, closes = site.opening.on(date) or _HOURS
    closing = 60.0 * (_HOURS[1] if closes > DAY_MINUTES else closes)
    visits = make_visits(spec.people, closing, rng)
    steps = with_refusals(walk(visits, gates, spec.people, rng), gates, spec.people, rng)
    known = {category: code for code, category in enumerate(names.categories)}
    codes = np.array([known[name] for name in spec.people.shares], np.int64)
    return replace(steps, category=codes[steps.category])


def _at_night(time: Floats, site: Site, date: dt.date, *, midnight: int) -> Floats:
    """Move the times of a day (s after `midnight`, ms) into that of a site which is open past midnight."""
    hours, day, opening = site.hours(date), site.days.bounds(date), site.opening.on(date)
    if hours is None or opening is None or opening[1] <= DAY_MINUTES:
        return time
    moments = np.array([day[0], *hours, day[1]])
    moved: Floats = np.interp(time, [0, *(60 * each for each in _HOURS), 86_400], (moments - midnight) / 1000)
    return moved


EXPO: Final = Scenario(
    name="expo", profile="expo", date=PEAK_DAY, rush=dt.time(10), events=1_600_000, peak=72.0, make_day=expo_day
)
