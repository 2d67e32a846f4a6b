"""Maps real time to site time, so that a demonstration can run a day in minutes.

Event times are site time; ages of data are real time. Read next: `streams/site/model.py`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class ClockError(ValueError):
    """A site clock was given a speed it cannot run at."""


@dataclass(frozen=True, slots=True)
class SiteClock:
    """A linear map from real to site ms, both since 1970-01-01 UTC; by default, in production, they are the same."""

    site_ms: int = 0  # the site time at the real time `real_ms`
    real_ms: int = 0
    speed: float = 1.0  # site seconds per real second

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise ClockError(
                f"speed: {self.speed!r} is not a positive, finite number of site seconds per real second; "
                "use 1 for a real site, 60 to run an hour in a minute"
            )

    def now(self, real_ms: int) -> int:
        """Site time in milliseconds at the real time `real_ms`."""
        # Integers stay integers at whole speeds: a float product of epoch milliseconds would lose some.
        elapsed, whole = real_ms - self.real_ms, int(self.speed)
        return self.site_ms + (elapsed * whole if whole == self.speed else round(elapsed * self.speed))

    def at(self, real_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Site times in milliseconds at many real times: what `now` says of each."""
        elapsed, whole = real_ms - self.real_ms, int(self.speed)
        scaled = elapsed * whole if whole == self.speed else np.rint(elapsed * self.speed).astype(np.int64)
        return self.site_ms + scaled

    def real(self, site_ms: int) -> int:
        """Real time in milliseconds at which the site clock shows (or showed) `site_ms`."""
        return self.real_ms + round((site_ms - self.site_ms) / self.speed)
