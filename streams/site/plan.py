"""Reads the plan of an entrance from a site profile: open lanes, expected people, and ways to other entrances."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from streams.kernels.forecast.paths import MINUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.kernels.forecast.paths import Floats
    from streams.site.validation import ProfileTable

_TIME: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_MOST: Final = 1_000_000
_LONGEST_WAY: Final = 120


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


def read_plan(table: ProfileTable, lanes: int, *, day_starts: int = 0) -> EntrancePlan:
    """Return the plan of an entrance with so many lanes; mistakes are noted in the table."""
    plan = EntrancePlan(
        open_lanes=_open_lanes(table, lanes),
        expected=_expected(table, day_starts) if table.has("expected") else (),
        lane_rate=_lane_rate(table),
        ways=_ways(table) if table.has("ways") else {},
        day_starts=day_starts,
    )
    table.allow(("open_lanes", "expected", "lane_rate", "ways"))
    return plan


def _open_lanes(table: ProfileTable, lanes: int) -> int | None:
    if not table.has("open_lanes"):
        return None
    value: int | None = table.take("open_lanes", f"a number of lanes from 0 to {lanes}", int)
    if value is not None and not 0 <= value <= lanes:
        table.wrong("open_lanes", f"expected 0 to {lanes} lanes, as many as there are, found {value}")
        return None
    return value


def _lane_rate(table: ProfileTable) -> float | None:
    if not table.has("lane_rate"):
        return None
    value = table.take("lane_rate", "persons or vehicles a minute and lane, above 0", int, float)
    if value is not None and not 0 < value <= _MOST:
        table.wrong("lane_rate", f"expected persons or vehicles a minute and lane, above 0, found {value}")
        return None
    return value and float(value)


def _expected(table: ProfileTable, day_starts: int) -> tuple[tuple[int, float], ...]:
    """Read `{ "08:30" = 1200, "10:00" = 0 }`: how many an hour, from each moment on."""
    steps = table.table("expected")
    course = []
    for key in steps.names():
        number = steps.take(key, "persons or vehicles an hour", int, float)
        match = _TIME.fullmatch(key)
        minute = int(match[1]) * 60 + int(match[2]) if match else MINUTES
        if minute >= MINUTES:
            steps.wrong(key, 'expected a time of day like "08:30"')
        elif number is not None and not 0 <= number <= _MOST:
            steps.wrong(key, f"expected persons or vehicles an hour, from 0 to {_MOST:,}, found {number}")
        elif number is not None:
            course.append((minute + MINUTES * (minute < day_starts), float(number)))
    if not steps.names():
        table.wrong("expected", 'is empty; expected times and numbers an hour like { "08:30" = 1200, "10:00" = 0 }')
    return tuple(sorted(course))


def _ways(table: ProfileTable) -> dict[str, float]:
    """Read `{ N4 = 5 }`: minutes on foot to other entrances."""
    content = table.table("ways")
    ways = {}
    for key in content.names():
        minutes = content.take(key, "minutes on foot", int, float)
        if minutes is not None and not 0 <= minutes <= _LONGEST_WAY:
            content.wrong(key, f"expected minutes on foot, from 0 to {_LONGEST_WAY}, found {minutes}")
        elif minutes is not None:
            ways[key] = float(minutes)
    return ways
