"""Turns passages of entrances into flows and past days of areas, on which forecasters are trained; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from streams.kernels.counts.batch import Ints
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast.forecast import Forecast, Forecaster
from streams.kernels.forecast.paths import Floats, Minutes, Profile, by_clock
from streams.site.model import Site
from streams.text import Kind

AreaKind: TypeAlias = tuple[str, Kind]
"""An area and what is counted there; the site itself is an area of its own id."""
Courses: TypeAlias = Mapping[tuple[str, str], Floats]
"""Passages in each of some minutes by (entrance, direction)."""
Day: TypeAlias = tuple[Floats, Floats, Floats]
"""Entered, departed and inside (at its end) in each minute of a day, or of a part of one."""


def courses(columns: Mapping[str, Sequence[object] | Ints], *, start: int, minutes: int) -> Courses:
    """Lay out rows (minute in ms, entrance, direction, passages) as a course each, from `start` (ms) on."""
    laid_out: dict[tuple[str, str], Floats] = {}
    at = (np.asarray(columns["minute"], np.int64) - start) // MINUTE_MS
    for place, entrance, direction, passages in zip(
        at.tolist(), columns["entrance"], columns["direction"], columns["passages"], strict=True
    ):
        if 0 <= place < minutes:
            course = laid_out.setdefault((str(entrance), str(direction)), np.zeros(minutes))
            course[place] += passages
    return laid_out


def capacities(site: Site) -> dict[AreaKind, int]:
    """Return the approved capacity of every area that has one, and of the site."""
    areas: dict[AreaKind, int] = {
        (area.id, kind): capacity for area in site.areas for kind, capacity in area.capacity.items()
    }
    return areas | {(site.id, kind): capacity for kind, capacity in site.capacity.items()}


def flows(site: Site, passed: Courses, *, minutes: int) -> dict[AreaKind, tuple[Floats, Floats]]:
    """Return (entered, departed) in each minute for every area with a capacity."""
    found = {area: (np.zeros(minutes), np.zeros(minutes)) for area in capacities(site)}
    for entrance in site.entrances:
        inwards, outwards = (passed.get((entrance.id, direction), 0.0) for direction in ("in", "out"))
        moves = [(entrance.inner, inwards, outwards), (entrance.outer, outwards, inwards)]
        if entrance.boundary:
            moves.append((site.id, inwards, outwards))
        for area, entered, departed in moves:
            flow = found.get((area, entrance.kind))
            if flow:
                flow[0][:] += entered
                flow[1][:] += departed
    return found


def site_total(site: Site, inside: Mapping[AreaKind, int]) -> dict[AreaKind, int]:
    """Add the site itself: what is inside all its areas."""
    totals: dict[AreaKind, int] = {}
    for (_, kind), count in inside.items():
        totals[site.id, kind] = totals.get((site.id, kind), 0) + count
    return totals | dict(inside)


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


def past_days(site: Site, passed: Courses, begin: int, clock: Minutes) -> dict[AreaKind, PastDay]:
    """Return a past day of every area; when it began it was empty, and fewer than nobody (drift) is nobody."""
    return {
        area: PastDay(begin, (entered, departed, np.maximum(np.cumsum(entered - departed), 0.0)), clock)
        for area, (entered, departed) in flows(site, passed, minutes=len(clock)).items()
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
