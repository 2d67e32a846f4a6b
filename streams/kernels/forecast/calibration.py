"""90 % prediction intervals that adapt to their misses, and the errors of the day so far.

An interval reaches from `below` to `above` the forecast, as multiples of the passages expected until then. Each time a
forecast falls due, its side is widened after a miss and narrowed a little otherwise, so that in the long run one in
twenty is missed on each side, whatever the day does: quantile tracking (Angelopoulos, Candes and Tibshirani,
"Conformal PID Control for Time Series Prediction", 2023), which follows from adaptive conformal inference (Gibbs and
Candes, 2021). Next: `forecast.py`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from streams.kernels.forecast.paths import Floats, Path

LEADS: Final = (5, 10, 15, 20, 30, 45, 60, 90, 120)
"""Minutes ahead at which forecasts are checked against what happened."""
MISSES: Final = 0.05  # share of outcomes wanted beyond each side of the interval: 90 % lie inside

_STEP: Final = 0.01
_LEAST: Final = 0.005
_MOST: Final = 20.0
_AT: Final = np.array(LEADS) - 1
FEW: Final = 20.0
"""Persons: forecasts of a smaller scale (some ten passages) are not judged and teach nothing: they are right anyway."""
USUAL: Final = {
    "profile": ((0.17,) * 9, (0.17,) * 9),
    "flows": ((0.25,) * 9, (0.25, 0.3, 0.35, 0.4, 0.55, 0.8, 1.1, 1.7, 2.5)),
}
"""Multiples below and above with which a method begins: 5 % quantiles of the errors of the tuning days."""


def scale_of(path: Path) -> Floats:
    """Return the persons by which a forecast may be off if its interval's multiple is 1, for each minute ahead."""
    scale: Floats = path.moved + 3 * np.sqrt(path.moved)
    return scale


@dataclass(frozen=True, eq=False, slots=True)
class Due:
    """What was forecast for each of LEADS, until it can be compared."""

    inside: list[float]
    lower: list[float]
    upper: list[float]
    scale: list[float]


class Calibration:
    """Multiples for each of LEADS, those with which a method begins, and what was measured since the day began."""

    def __init__(self, method: str) -> None:
        self.below, self.above = map(np.array, USUAL[method])
        self.begin_day()

    def begin_day(self) -> None:
        """Forget what was measured, keep what was learnt."""
        self.checked, self.covered, self.error = np.zeros((3, len(LEADS)))

    def interval(self, path: Path) -> tuple[Floats, Floats]:
        """Return the lower and upper end for each minute of a path, persons."""
        minutes = np.arange(1, len(path.inside) + 1)
        scale = scale_of(path)
        below, above = (np.interp(minutes, LEADS, multiples) for multiples in (self.below, self.above))
        lower = np.maximum(path.inside - below * scale, np.minimum(path.inside, 0.0))  # nobody is less than nobody
        return lower, path.inside + above * scale

    def check(self, lead: int, forecast: Due, inside: float) -> None:
        """Take in how a forecast of LEADS[lead] minutes ago came out; where nobody was to move, nothing is learnt."""
        if forecast.scale[lead] < FEW:
            return
        lower, upper = forecast.lower[lead], forecast.upper[lead]
        self.checked[lead] += 1
        self.covered[lead] += lower <= inside <= upper
        self.error[lead] += abs(inside - forecast.inside[lead])
        self.below[lead] = _learnt(self.below[lead], missed=inside < lower)
        self.above[lead] = _learnt(self.above[lead], missed=inside > upper)


def due(path: Path, lower: Floats, upper: Floats) -> Due:
    """Return what is compared later of a forecast, rounded to tenths of a person."""
    inside, low, high, scale = (np.round(all_[_AT], 1).tolist() for all_ in (path.inside, lower, upper, scale_of(path)))
    return Due(inside, low, high, scale)


def _learnt(multiple: float, *, missed: bool) -> float:
    """Return a multiple after one more outcome; in proportion, so that it stays positive."""
    return float(np.clip(multiple * np.exp(_STEP * (missed - MISSES)), _LEAST, _MOST))
