"""A day in a small hall with a car park, made up from a seed: some 6,500 passages in a moment.

It fits every site with one area for people and one for vehicles, at whatever hours it is open. Cleaners go in and out
at night, so that something happens in the hour that daylight saving repeats. To write a scenario of your own, copy this
file and add its name to `registry.py`; `docs/scenarios.md` goes through it.
"""

import datetime as dt
from dataclasses import replace
from typing import Final

import numpy as np

from simulators.scenario.assemble import assemble
from simulators.scenario.day import DENIED, IN, OUT, REASONS, Coded, Day, Floats, Ints, SiteCodes
from simulators.scenario.draws import numbered, some, weighted
from simulators.scenario.scenario import Scenario, UnfitSiteError
from simulators.scenario.steps import Steps, joined, passed
from streams.site.model import Site
from streams.text import Kind

_VISITORS: Final = 2_600
"""A day (assumed: a well visited weekend of a regional exhibition)."""
_STAFF: Final = 40
"""People a day who are there from before the opening until after closing time (assumed)."""
_CLEANERS, _ROUNDS = 6, 8
"""People of a night, and how often each of them goes in and out between 00:30 and 05:00 (assumed)."""
_CARS: Final = 550
"""A day (assumed: two in five visitors come by car, two in most cars)."""
_ARRIVING: Final = (6, 9, 12, 12, 14, 16, 13, 9, 6, 3)
"""Percent of the visitors who come in each tenth of the opening hours (assumed: most in the early afternoon)."""
_STAY_MINUTES: Final = 95.0
"""Median stay of a visitor, spread log-normally (assumed)."""
_REFUSED: Final = 0.01
"""Share of entries with a refusal first, the second try passing (assumed)."""
_LANE_MS: Final[dict[Kind, int]] = {"person": 3_000, "vehicle": 10_000}
"""A lane takes one at least this long: 20 people a minute, the least that makers of turnstiles claim; 360 cars an hour,
some more than the 250 to 300 of a barrier with tickets (weak source)."""
_WALK_MS: Final = 20_000
"""Nobody gets from one lane to the next in less (assumed)."""
_MINUTE: Final = 60.0


class NotAHallError(UnfitSiteError):
    """The site is not laid out as a hall: entrances from outside into one area for people, and one for vehicles."""


def hall_day(site: Site, *, date: dt.date, seed: int = 0, epoch: int = 0, share: float = 1.0) -> Day:
    """Return one day, as `scenario.MakeDay` specifies; where the site stays closed, only cleaners come."""
    rng = np.random.default_rng([seed, date.toordinal()])
    hall = _Hall(site, rng)
    begins, ends = site.days.bounds(date)
    hours = site.hours(date)
    opens, closes = ((each - begins) / 1000 for each in hours or (ends, ends))
    latest = (ends - begins) / 1000 - _MINUTE
    visitors, staff, cars = (round(usual * share) if hours else 0 for usual in (_VISITORS, _STAFF, _CARS))
    cleaner, _ = numbered(np.full(_CLEANERS, _ROUNDS))
    cleaning = np.sort(rng.uniform(0.05, 0.5, (_CLEANERS, 2 * _ROUNDS)), axis=1) * opens
    arrival, departure = _visits(visitors, opens, closes, rng)
    people = [
        hall.stays("visitor", np.arange(visitors), arrival, departure),
        hall.stays(
            "staff", visitors + np.arange(staff), opens - _MINUTE * rng.uniform(15, 60, staff),
            np.minimum(closes + _MINUTE * rng.uniform(5, 30, staff), latest),
        ),
        hall.stays("staff", visitors + staff + cleaner, cleaning[:, ::2].ravel(), cleaning[:, 1::2].ravel()),
    ]  # fmt: skip
    vehicles = hall.stays("car", np.arange(cars), *_visits(cars, opens, closes, rng))
    return assemble(
        joined([*people, _refused(people[0], rng)]), vehicles, hall.names, rng=rng, date=date, seed=seed, epoch=epoch,
        begins=begins, service_ms=_LANE_MS, least_gap_ms=_WALK_MS,
    )  # fmt: skip


class _Hall:
    """The ways into one site; raises `NotAHallError` if they do not suit."""

    def __init__(self, site: Site, rng: np.random.Generator) -> None:
        self.names, self._rng = SiteCodes(site), rng
        self._categories = self.names.categories.tolist()
        for kind, needed in (("person", {"visitor", "staff"}), ("vehicle", {"car"})):
            entrances = [each for each in site.entrances if each.kind == kind]
            within = {each.inner for each in entrances}
            if len(within) != 1 or not all(each.boundary for each in entrances) or not needed <= set(self._categories):
                raise NotAHallError(
                    f"site {site.id}: expected {kind} entrances that all lead from outside into one area, and the "
                    f"categories {', '.join(sorted(needed))}; use the scenario that fits the profile"
                )

    def stays(self, category: str, who: Ints, arrival: Floats, departure: Floats) -> Steps:
        """Return the way in and the way out of each stay; times are seconds since the day began."""
        names, code = self.names, self._categories.index(category)
        kind = "person" if code < len(names.site.categories) else "vehicle"
        ways = np.array([number for number, each in enumerate(names.site.entrances) if each.kind == kind], np.int64)
        size = len(who)
        return passed(
            time=np.concatenate([arrival, departure]),
            who=np.tile(who, 2),
            entrance=ways[weighted(self._rng, names.lanes[ways], 2 * size)],
            direction=np.repeat([IN, OUT], size),
            category=np.full(2 * size, code),
        )


def _visits(size: int, opens: float, closes: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return when each comes and goes: all come a quarter of an hour before closing time at the latest."""
    tenth = (closes - 15 * _MINUTE - opens) / 10
    arrival = opens + tenth * (weighted(rng, _ARRIVING, size) + rng.random(size))
    stay = _MINUTE * _STAY_MINUTES * np.exp(rng.normal(0, 0.45, size))
    return arrival, np.minimum(arrival + stay, closes - _MINUTE * rng.uniform(0, 10, size))


def _refused(stays: Steps, rng: np.random.Generator) -> Steps:
    """Return refusals of some who then pass: their ticket was not read at once."""
    entries = np.flatnonzero(stays.direction == IN)
    first = stays.take(entries[some(rng, _REFUSED, len(entries))])
    return replace(
        first,
        time=first.time - rng.uniform(20, 60, len(first)),
        outcome=np.full(len(first), DENIED),
    ).with_optional(reason=Coded(np.full(len(first), REASONS.index("unknown-credential")), REASONS))


HALL: Final = Scenario(
    name="hall", profile="hall", date=dt.date(2026, 10, 24), rush=dt.time(13, 30), events=6_500, peak=1.0,
    make_day=hall_day,
)  # fmt: skip
