"""Compares methods that forecast occupancy on the same days: the kernels' own, and simpler rivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from streams.kernels.forecast.calibration import LEADS
from streams.kernels.forecast.paths import HORIZON, FlowSums, Path, Profile, by_flows, by_profile, look_ahead
from tests.benchmarks.backtest.days import MINUTES
from tests.benchmarks.backtest.score import FROM, UNTIL, profile_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.kernels.forecast.paths import Floats
    from tests.benchmarks.backtest.days import Course, FlowDay

EVERY: Final = 10
"""Minutes between the forecasts that are compared."""
_AHEAD: Final = np.arange(1, HORIZON + 1, dtype=np.float64)
_AT: Final = np.array(LEADS) - 1

Method: TypeAlias = "Callable[[Sequence[Course], Course, Sequence[int]], Sequence[Floats]]"
"""Takes past days, the day, and the minutes from which it is to look ahead (it may look at what was until then)."""


@dataclass(frozen=True)
class Rival:
    """A method's mean absolute error, % of capacity, in the order of LEADS."""

    method: str
    past: int
    error: tuple[float, ...]


def compare(days: Sequence[FlowDay], *, history: int, methods: Mapping[tuple[str, int], Method]) -> list[Rival]:
    """Judge each method (by name, and the number of past days it may see) on `days[history:]`, all areas."""
    return [
        Rival(name, past, _error(days, history, past=past, method=method)) for (name, past), method in methods.items()
    ]


def _error(days: Sequence[FlowDay], history: int, *, past: int, method: Method) -> tuple[float, ...]:
    origins = range(FROM + 30, UNTIL, EVERY)
    errors = []
    for number in range(history, len(days)):
        for area, course in days[number].courses.items():
            before = [days[each].courses[area] for each in range(number - past, number)]
            later = np.concatenate([course.inside, np.full(HORIZON, course.inside[-1])])
            for minute, path in zip(origins, method(before, course, origins), strict=True):
                errors.append(np.abs(path[_AT] - later[minute + 1 + _AT]) / course.capacity)
    return tuple(round(100 * float(error), 2) for error in np.mean(errors, axis=0))


def persistence(_: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
    """Let the net flow of the last five minutes go on."""
    return [
        course.inside[minute] + (course.inside[minute] - course.inside[minute - 5]) / 5 * _AHEAD for minute in origins
    ]


def holt(_: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
    """Follow a damped trend (Holt; its three constants were the best of six on the tuning days)."""
    level_weight, trend_weight, damping = 0.8, 0.1, 0.99
    level, trend = float(course.inside[0]), 0.0
    states = [(level, trend)]
    for inside in course.inside[1:].tolist():
        before, expected = level, level + damping * trend
        level = level_weight * inside + (1 - level_weight) * expected
        trend = trend_weight * (level - before) + (1 - trend_weight) * damping * trend
        states.append((level, trend))
    fading = np.cumsum(damping**_AHEAD)
    return [states[minute][0] + states[minute][1] * fading for minute in origins]


def ratio(past: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
    """Scale the past days' occupancy by how today's compares with it now; without a past day, persistence."""
    profile = profile_of(past)
    if profile is None:
        return persistence(past, course, origins)
    usual = np.concatenate([profile.inside, np.zeros(HORIZON)])
    return [
        (course.inside[minute] + 50) / (usual[minute] + 50) * usual[minute + 1 : minute + 1 + HORIZON]
        for minute in origins
    ]


def kernel(past: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
    """Forecast as the kernels do."""
    return _kernel(profile_of(past), course, origins, look_ahead)


def profile_alone(past: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
    """Trust the profile from the first minute on."""
    return _kernel(profile_of(past), course, origins, _by_profile)


def _by_profile(inside: float, recent: FlowSums, profile: Profile | None, minute: int) -> Path:
    return by_profile(inside, recent, profile, minute) if profile else by_flows(inside, recent)


def _kernel(
    profile: Profile | None,
    course: Course,
    origins: Sequence[int],
    look: Callable[[float, FlowSums, Profile | None, int], Path],
) -> list[Floats]:
    recent = FlowSums()
    paths = []
    for minute in range(FROM, MINUTES):
        inside = float(course.inside[minute])
        recent = recent.after(
            1,
            entered=float(course.entered[minute]),
            departed=float(course.departed[minute]),
            inside=inside,
            usual=_usual(profile, minute, float(course.inside[minute - 1])),
        )
        if minute in origins:
            paths.append(look(inside, recent, profile, minute).inside)
    return paths


def _usual(profile: Profile | None, minute: int, inside: float) -> tuple[float, float]:
    if profile is None:
        return 0.0, 0.0
    return float(profile.entered[minute]), float(profile.leaving(np.array([minute]))[0]) * inside


METHODS: Final[Mapping[tuple[str, int], Method]] = {
    ("net flow of the last 5 min continues", 0): persistence,
    ("damped trend (Holt)", 0): holt,
    ("arrivals continue, a share leaves (`by_flows`)", 0): kernel,
    ("past occupancy, scaled", 1): ratio,
    ("past occupancy, scaled", 3): ratio,
    ("past flows, scaled (`by_profile`)", 1): profile_alone,
    ("past flows, scaled (`by_profile`)", 3): profile_alone,
    ("both (`look_ahead`): the method in use", 1): kernel,
    ("both (`look_ahead`): the method in use", 3): kernel,
}
