"""How good forecasts were on days whose outcome is known: coverage, errors in persons, errors in minutes to a level."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

import numpy as np

from streams.kernels.forecast.calibration import LEADS
from streams.kernels.forecast.forecast import Forecaster
from streams.kernels.forecast.paths import HORIZON, MINUTES, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.kernels.forecast.forecast import Crossing, Forecast
    from tests.benchmarks.backtest.days import Course, FlowDay

FROM, UNTIL = 360, 1320
"""Minutes after midnight between which forecasts are judged: people come from 06:30, and are gone by 22:00."""
LEVELS: Final = (80, 90, 100)
"""Per cent of the capacity whose forecasts are judged."""
EVERY: Final = 5
"""Minutes between the forecasts whose intervals for the levels are judged."""
_LONG: Final = 10 * HORIZON
_SETTINGS: Final = {0: "no past day", 1: "1 past day"}
_AT: Final = np.array(LEADS) - 1


@dataclass(frozen=True)
class LevelError:
    """How well levels were foreseen `lead` minutes before they were reached; errors in minutes of those foreseen."""

    lead: int
    reached: int
    foreseen: int
    mean: float | None
    median: float | None


@dataclass(frozen=True)
class Score:
    """One setting on all days and areas; figures by lead are in the order of LEADS, persons as % of capacity.

    `coverage`: % of outcomes inside the 90 % interval, `worst`: of the worst area and day. `error`: mean absolute
    error. `width`: of the interval. `level_*`: of the intervals for minutes to a level, where either a level was
    reached within HORIZON or the interval said that it might; in %, `reached` of those where it was.
    """

    setting: str
    days: int
    coverage: tuple[float, ...]
    worst: tuple[float, ...]
    error: tuple[float, ...]
    width: tuple[float, ...]
    level_forecasts: int
    level_coverage: float
    level_too_early: float
    level_too_late: float
    level_coverage_reached: float
    levels: tuple[LevelError, ...]


@dataclass(frozen=True)
class Foreseen:
    """A level that was reached, and what was forecast `lead` minutes before (None: nothing within HORIZON)."""

    level: int
    lead: int
    forecast: int | None


@dataclass
class Foresight:
    """What was forecast of each level before it was reached; minutes that nobody saw are not judged."""

    found: list[Foreseen] = field(default_factory=list)
    said: dict[int, dict[int, int | None]] = field(default_factory=dict)  # by minute: minutes until each level
    below_since: dict[int, int] = field(default_factory=dict)  # by level: the minute

    def note(self, forecast: Forecast) -> None:
        """Take in the next forecast, and look back from the levels that are reached in its minute."""
        minute = forecast.minute
        for crossing in forecast.crossings:
            if forecast.observed < crossing.persons:
                self.below_since.setdefault(crossing.level, minute)
                continue
            since = self.below_since.pop(crossing.level, None)
            if since is not None and minute - 1 in self.said:
                self.found += [
                    Foreseen(crossing.level, lead, self.said[minute - lead][crossing.level])
                    for lead in LEADS
                    if minute - lead >= since and minute - lead in self.said
                ]
        self.said[minute] = {crossing.level: crossing.minutes for crossing in forecast.crossings}


@dataclass(eq=False)
class _Tally:
    """What is collected over areas and days."""

    coverage: list[list[float]] = field(default_factory=list)
    checked: list[list[int]] = field(default_factory=list)
    error: list[list[float]] = field(default_factory=list)
    width: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = field(default_factory=list)
    levels: list[tuple[bool, bool, bool]] = field(default_factory=list)
    foreseen: list[Foreseen] = field(default_factory=list)


def score(days: Sequence[FlowDay], *, past: int, history: int) -> Score:
    """Judge forecasts on `days[history:]`, each with the mean of the `past` days before it as a profile (0: none).

    The intervals keep from day to day what they learnt, as they would on a real site.
    """
    tally = _Tally()
    for area in days[history].courses:
        state: Forecaster | None = None
        foresight = Foresight(tally.foreseen)
        for number in range(history, len(days)):
            course, midnight = days[number].courses[area], number * MINUTES
            profile = profile_of([days[each].courses[area] for each in range(number - past, number)])
            state = state or Forecaster(course.capacity, LEVELS, midnight=midnight, profile=profile)
            state.begin_day(midnight, profile)
            _follow(course, state, foresight, tally)
    return _summed(tally, setting=_SETTINGS.get(past, f"{past} past days"), days=len(days) - history)


def profile_of(days: Sequence[Course]) -> Profile | None:
    """Return the profile of some days, None of none."""
    return Profile.of_days([(day.entered, day.departed, day.inside) for day in days]) if days else None


def _follow(course: Course, state: Forecaster, foresight: Foresight, tally: _Tally) -> None:
    """Let a day pass, minute by minute."""
    columns = zip(course.entered.tolist(), course.departed.tolist(), course.inside.tolist(), strict=True)
    for minute, (entered, departed, inside) in enumerate(columns):
        if not FROM <= minute < UNTIL + HORIZON:
            continue
        forecast = state.observe(state.midnight + minute, entered=entered, departed=departed, inside=inside)
        foresight.note(forecast)
        if minute < UNTIL and minute % EVERY == 0:
            tally.width.append((np.array(forecast.upper)[_AT] - np.array(forecast.lower)[_AT]) / course.capacity)
            tally.levels += _judged(forecast, course, minute)
    measured = state.measured()
    tally.coverage.append([np.nan if share is None else share for share in measured.covered])
    tally.checked.append(list(measured.checked))
    tally.error.append([np.nan if error is None else error / course.capacity for error in measured.error])


def _judged(forecast: Forecast, course: Course, minute: int) -> Iterable[tuple[bool, bool, bool]]:
    """Return for each level if it was reached, earlier than the interval says, later than it says."""
    for crossing in forecast.crossings:
        reached = np.flatnonzero(course.inside[minute + 1 : minute + 1 + HORIZON] >= crossing.persons)
        after = int(reached[0]) + 1 if len(reached) else None
        if crossing.minutes != 0 and (after is not None or crossing.earliest is not None):
            yield _early_or_late(crossing, after)


def _early_or_late(crossing: Crossing, after: int | None) -> tuple[bool, bool, bool]:
    truth = after or _LONG
    return after is not None, truth < (crossing.earliest or _LONG), truth > (crossing.latest or _LONG)


def _summed(tally: _Tally, *, setting: str, days: int) -> Score:
    checked = np.array(tally.checked, float)
    levels = np.array(tally.levels, bool).reshape(-1, 3)
    inside = ~levels[:, 1] & ~levels[:, 2]
    return Score(
        setting=setting,
        days=days,
        coverage=_percent(np.nansum(np.array(tally.coverage) * checked, axis=0) / checked.sum(axis=0)),
        worst=_percent(np.nanmin(tally.coverage, axis=0)),
        error=_percent(np.nansum(np.array(tally.error) * checked, axis=0) / checked.sum(axis=0)),
        width=_percent(np.mean(tally.width, axis=0)),
        level_forecasts=len(levels),
        level_coverage=_share(inside),
        level_too_early=_share(levels[:, 1]),
        level_too_late=_share(levels[:, 2]),
        level_coverage_reached=_share(inside[levels[:, 0]]),
        levels=tuple(_level_error(lead, tally.foreseen) for lead in LEADS),
    )


def _level_error(lead: int, foreseen: Iterable[Foreseen]) -> LevelError:
    said = [each.forecast for each in foreseen if each.lead == lead]
    errors = [abs(minutes - lead) for minutes in said if minutes is not None]
    return LevelError(
        lead=lead,
        reached=len(said),
        foreseen=len(errors),
        mean=round(fmean(errors), 1) if errors else None,
        median=float(median(errors)) if errors else None,
    )


def _percent(shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, ...]:
    return tuple(round(100 * float(share), 2) for share in shares)


def _share(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    return round(100 * float(flags.mean()), 1) if len(flags) else float("nan")
