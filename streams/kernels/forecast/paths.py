"""Forecasts the number of people inside for the next minutes, from recent flows and from the profile of past days.

How good each of them is, and both together, is measured in `docs/forecast.md`. Next: `calibration.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Minutes: TypeAlias = npt.NDArray[np.int64]

HORIZON: Final = 120  # minutes that a forecast looks ahead
MINUTES: Final = 1440  # minutes of a profile's day
UNCHANGED: Final[Minutes] = np.arange(MINUTES)  # a day in which the clock shows each minute once, one after the other

_AHEAD: Final = np.arange(1, HORIZON + 1, dtype=np.float64)
_DAMPING: Final = 0.995
"""What remains of the stream of arrivals from one minute to the next, where no profile knows better."""
_TRUST: Final = 15.0  # minutes ahead over which the weight of the flows falls to 37 %, where there is a profile
_MOST_LEAVE: Final = 0.3  # share of those inside that leaves in a minute, at most: keeps the products below away from 0
_SMOOTHED: Final = 7  # minutes over which a profile is averaged
_FEW_ENTERED, _FEW_DEPARTED = 30.0, 50.0
"""Persons on either side of a comparison with the profile, so that a handful of early birds does not scale the day."""


class ProfileError(ValueError):
    """A profile needs entered, departed and inside of each of 1440 minutes, finite and not negative."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Persons entered, departed (per minute) and inside (at its end) in each minute of a usual day, by the clock."""

    entered: Floats  # from the minute in which the site's day begins
    departed: Floats
    inside: Floats

    def __post_init__(self) -> None:
        for name in ("entered", "departed", "inside"):
            values = getattr(self, name)
            if values.shape != (MINUTES,) or not np.isfinite(values).all() or (values < 0).any():
                raise ProfileError(
                    f"{name}: shape {values.shape}, smallest value {np.min(values, initial=0)}; expected {MINUTES} "
                    "values that are finite and not below 0: take the drift out of the day, or leave the day out"
                )

    @classmethod
    def of_days(cls, days: Sequence[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]) -> "Profile":
        """Return the mean of some days, given as (entered, departed, inside), smoothed over 7 minutes.

        A plan is a day, too. Raises ProfileError where a day is not complete or below 0.
        """
        mean = [np.mean([np.asarray(day[column], np.float64) for day in days], axis=0) for column in range(3)]
        cls(*mean)
        return cls(*(np.convolve(each, np.full(_SMOOTHED, 1 / _SMOOTHED), "same") for each in mean))

    def leaving(self, minutes: Minutes) -> Floats:
        """Return the share of those inside that leaves in each of these minutes of the day."""
        share: Floats = self.departed[minutes] / np.maximum(self.inside[minutes], 20.0)
        return np.minimum(share, 0.2)


def by_clock(course: Floats, clock: Minutes) -> Floats:
    """Lay a real day's minutes out by what the clock showed in each: 1440 of them, as a profile has.

    Of a minute that came twice it is the mean; one that the clock skipped is between those around it.
    """
    times = np.bincount(clock, minlength=MINUTES)
    shown = np.flatnonzero(times)
    mean = np.bincount(clock, weights=course, minlength=MINUTES)[shown] / times[shown]
    laid_out: Floats = np.interp(np.arange(MINUTES), shown, mean)
    return laid_out


@dataclass(frozen=True, slots=True)
class FlowSums:
    """Sums over the last minutes, older ones counting less: half after the minutes that the name ends with."""

    minutes_3: float = 0.0
    entered_3: float = 0.0
    departed_10: float = 0.0
    inside_10: float = 0.0
    entered_15: float = 0.0
    entered_usual_15: float = 0.0
    departed_20: float = 0.0
    departed_usual_20: float = 0.0

    def after(
        self, elapsed: int, *, entered: float, departed: float, inside: float, usual: tuple[float, float]
    ) -> "FlowSums":
        """Return the sums `elapsed` minutes later; `usual` is what the profile makes us expect (entered, departed)."""
        fast, middle, slow, slower = (0.5 ** (elapsed / half) for half in (3, 10, 15, 20))
        return FlowSums(
            minutes_3=self.minutes_3 * fast + 1,
            entered_3=self.entered_3 * fast + entered,
            departed_10=self.departed_10 * middle + departed,
            inside_10=self.inside_10 * middle + inside,
            entered_15=self.entered_15 * slow + entered,
            entered_usual_15=self.entered_usual_15 * slow + usual[0],
            departed_20=self.departed_20 * slower + departed,
            departed_usual_20=self.departed_usual_20 * slower + usual[1],
        )


@dataclass(frozen=True, eq=False)
class Path:
    """Persons `inside` at the end of each of the next HORIZON minutes; `moved`: passages in and out until then."""

    inside: Floats
    moved: Floats


def look_ahead(
    inside: float, recent: FlowSums, profile: Profile | None, minute: int, *, clock: Minutes = UNCHANGED
) -> Path:
    """Trust the flows for the next minutes, and the profile (if there is one) for the time after them."""
    flows = by_flows(inside, recent)
    if profile is None:
        return flows
    usual = by_profile(inside, recent, profile, minute, clock=clock)
    trust = np.exp(-_AHEAD / _TRUST)
    return Path(
        trust * flows.inside + (1 - trust) * usual.inside,
        trust * flows.moved + (1 - trust) * usual.moved,
    )


def by_flows(inside: float, recent: FlowSums) -> Path:
    """Continue the arrivals of the last minutes, and the share of those inside that leaves per minute."""
    entered = recent.entered_3 / max(recent.minutes_3, 1.0) * _DAMPING**_AHEAD
    leaving = min(recent.departed_10 / max(recent.inside_10, 1.0), 0.2)
    return _walk(inside, entered, np.full(HORIZON, leaving))


def by_profile(inside: float, recent: FlowSums, profile: Profile, minute: int, *, clock: Minutes = UNCHANGED) -> Path:
    """Follow the profile after a `minute` of the day, scaled to how today's last minutes compare with it."""
    # Which minutes of the profile come: the day's last one stands for all behind it.
    ahead = clock[np.minimum(minute + np.arange(1, HORIZON + 1), len(clock) - 1)]
    more = (recent.entered_15 + _FEW_ENTERED) / (recent.entered_usual_15 + _FEW_ENTERED)
    faster = (recent.departed_20 + _FEW_DEPARTED) / (recent.departed_usual_20 + _FEW_DEPARTED)
    return _walk(inside, more * profile.entered[ahead], faster * profile.leaving(ahead))


def _walk(inside: float, entered: Floats, leaving: Floats) -> Path:
    """Let `entered` come and the share `leaving` of those inside go, minute by minute (in closed form)."""
    stay = np.cumprod(1 - np.clip(leaving, 0.0, _MOST_LEAVE))
    path = stay * (inside + np.cumsum(entered / stay))
    before = np.concatenate([[inside], path[:-1]])
    gone = np.maximum(before + entered - path, 0.0)
    return Path(path, np.cumsum(entered + gone))
