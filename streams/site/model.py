"""The types of a site profile: areas, entrances, lanes, categories and zones; `reader.py` reads them from TOML."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from streams.kernels.alarms.rules import CAPACITY, LimitRule
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.forecast.paths import MINUTES, Floats
from streams.site.screens import Screen
from streams.text import Kind, Text

OUTSIDE = "outside"
"""The area around the site: every profile has it, nobody counts who is in it."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class PlanRectangle:
    """Where an area stands on the heat plan: its left upper corner and its size, in units of the whole plan."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Area:
    """A place that holds people or vehicles; at `comfort` many inside, flow control is prepared."""

    id: str
    title: Text
    capacity: Mapping[Kind, int]
    kinds: tuple[Kind, ...]
    comfort: Mapping[Kind, int]
    place: PlanRectangle | None = None


@dataclass(frozen=True)
class EntrancePlan:
    """What is planned for an entrance on a usual day; nothing, if the profile says nothing.

    `open_lanes`: how many of its lanes are open, None for all. `expected`: (minute after midnight of the day's date,
    persons or vehicles an hour from then on), in order. `lane_rate`: persons or vehicles a minute and lane as measured.
    `ways`: minutes on foot to other entrances. `day_starts`: minutes after midnight at which a day begins.
    """

    open_lanes: int | None = None
    expected: tuple[tuple[int, float], ...] = ()
    lane_rate: float | None = None
    ways: Mapping[str, float] = field(default_factory=dict)
    day_starts: int = 0

    def course(self) -> Floats:
        """Return how many are expected in each of the 1440 minutes of a day by the clock, from its start on."""
        course = np.zeros(MINUTES)
        for minute, per_hour in self.expected:
            course[minute - self.day_starts :] = per_hour / 60
        return course


@dataclass(frozen=True)
class Entrance:
    """A set of lanes (device ids) between two areas; direction `in` means from `outer` to `inner`."""

    id: str
    title: Text
    kind: Kind
    outer: str
    inner: str
    lanes: tuple[str, ...]
    zone: str
    gateway: str = ""
    """The network box that its lanes share with those of other entrances; "" if that is not known."""
    plan: EntrancePlan = field(default_factory=EntrancePlan)

    @property
    def boundary(self) -> bool:
        """Whether passing in brings somebody onto the site."""
        return self.outer == OUTSIDE


@dataclass(frozen=True)
class Category:
    """A credential type or a vehicle class, with the colour of its card."""

    id: str
    title: Text
    colour: str


@dataclass(frozen=True)
class Grid:
    """A part of the ground around the site; the top of grid > unit > zone."""

    id: str
    title: Text


@dataclass(frozen=True)
class Unit:
    """A management unit within a grid."""

    id: str
    title: Text
    grid: str


@dataclass(frozen=True)
class Zone:
    """A responsibility zone with its own response team."""

    id: str
    title: Text
    team: Text
    unit: str


@dataclass(frozen=True)
class Opening:
    """Opening hours from Monday on: (opens, closes) in minutes after midnight, None when closed.

    They lie within a day of the site, which may end after midnight: 02:00 is then minute 1560.
    """

    week: tuple[tuple[int, int] | None, ...]

    def on(self, date: dt.date) -> tuple[int, int] | None:
        """Return the hours of one day."""
        return self.week[date.weekday()]


@dataclass(frozen=True)
class Site:
    """One deployment; `capacity` is what the whole site may hold, when that is less than its areas may."""

    id: str
    title: Text
    time_zone: str
    opening: Opening
    capacity: Mapping[Kind, int]
    grids: tuple[Grid, ...]
    units: tuple[Unit, ...]
    zones: tuple[Zone, ...]
    areas: tuple[Area, ...]
    entrances: tuple[Entrance, ...]
    categories: tuple[Category, ...]
    vehicle_classes: tuple[Category, ...]
    alarms: Mapping[str, LimitRule]
    screens: tuple[Screen, ...]
    day_starts: int = 0
    """Minutes after midnight at which a day of the site begins."""

    @cached_property
    def days(self) -> SiteDays:
        """The site's days: when they begin and end, and what its clock shows."""
        return SiteDays(ZoneInfo(self.time_zone), self.day_starts)

    @cached_property
    def levels(self) -> dict[str, int]:
        """The levels of a capacity, lowest first, with the per cent from which each holds: {"yellow": 80, …}."""
        return {limit.level: round(limit.value) for limit in self.alarms[CAPACITY].limits}

    def hours(self, day: dt.date) -> tuple[int, int] | None:
        """Return when (ms UTC) the site opens and closes on one of its days, None when it stays closed."""
        hours = self.opening.on(day)
        return hours and (self.days.moment(day, hours[0]), self.days.moment(day, hours[1]))

    def area(self, area_id: str) -> Area:
        """Return an area by its id; `KeyError` when there is none."""
        return self._areas[area_id]

    def entrance(self, entrance_id: str) -> Entrance:
        """Return an entrance by its id; `KeyError` when there is none."""
        return self._entrances[entrance_id]

    def categories_of(self, kind: Kind) -> tuple[Category, ...]:
        """Return the credential types of persons, or the classes of vehicles."""
        return self.categories if kind == "person" else self.vehicle_classes

    @cached_property
    def _areas(self) -> dict[str, Area]:
        return {each.id: each for each in self.areas}

    @cached_property
    def _entrances(self) -> dict[str, Entrance]:
        return {each.id: each for each in self.entrances}
