"""Forecasting models of the library statsforecast, to compare ours with; the project does not depend on it.

`pip install statsforecast` into an environment of its own and put it on the path; `docs/forecast.md` shows what came
of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.kernels.forecast.paths import HORIZON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.kernels.forecast.paths import Floats
    from tests.benchmarks.backtest.days import Course
    from tests.benchmarks.backtest.methods import Method

_WINDOW: Final = 180
"""Minutes that a model without a season is given."""


class NoLibraryError(RuntimeError):
    """statsforecast cannot be imported: `pip install statsforecast`, or leave out --library."""


def methods() -> Mapping[tuple[str, int], Method]:
    """Return the library's methods. Raises NoLibraryError."""
    try:
        models = importlib.import_module("statsforecast.models")
    except ImportError as error:
        raise NoLibraryError(f"{error}; install statsforecast into this environment, or leave out --library") from error
    return {
        ("statsforecast AutoETS, damped trend", 0): _lately(lambda: models.AutoETS(model="AAN", damped=True)),
        ("statsforecast AutoETS, chosen by AICc", 0): _lately(lambda: models.AutoETS(model="ZZN")),
        ("statsforecast AutoTheta", 0): _lately(models.AutoTheta),
        ("statsforecast SeasonalNaive, a day", 3): _with_days(lambda: models.SeasonalNaive(1440)),
    }


def _lately(make: Callable[[], Any]) -> Method:
    def forecast(_: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
        return [_ahead(make(), course.inside[max(0, minute + 1 - _WINDOW) : minute + 1]) for minute in origins]

    return forecast


def _with_days(make: Callable[[], Any]) -> Method:
    def forecast(past: Sequence[Course], course: Course, origins: Sequence[int]) -> list[Floats]:
        before = [day.inside for day in past]
        return [_ahead(make(), np.concatenate([*before, course.inside[: minute + 1]])) for minute in origins]

    return forecast


def _ahead(model: Any, inside: Any) -> Floats:
    path: Floats = np.asarray(model.forecast(y=inside.astype(np.float64), h=HORIZON)["mean"], np.float64)
    return path
