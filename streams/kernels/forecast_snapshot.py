"""A forecaster's state as plain lists and numbers, and back; the profile is kept by who made it."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.kernels.calibration import Calibration, Due
from streams.kernels.forecast import Forecaster, Foreseen
from streams.kernels.paths import UNCHANGED, Recent

if TYPE_CHECKING:
    from streams.kernels.paths import Minutes, Profile

FORMAT: Final = 1
_LEARNT: Final = ("below", "above", "checked", "covered", "error")


class ForecastSnapshotError(ValueError):
    """A forecaster's snapshot is of another version, or of a forecaster with or without a profile, unlike this one."""


def freeze(state: Forecaster) -> dict[str, Any]:
    """Write the state as of the minute observed last; equal states read alike."""
    return {
        "format": FORMAT,
        "method": state.method,
        "capacity": state.capacity,
        "midnight": state.midnight,
        "minute": state.minute,
        "inside": state.inside,
        "recent": list(astuple(state.recent)),
        "calibration": {name: getattr(state.calibration, name).tolist() for name in _LEARNT},
        "due": [
            [minute, kept.inside, kept.lower, kept.upper, kept.scale, kept.minutes]
            for minute, kept in sorted(state.due.items())
        ],
        "below_since": list(state.below_since),
        "foreseen": [[each.level, each.lead, each.forecast] for each in state.foreseen],
    }


def thaw(plain: dict[str, Any], *, profile: Profile | None, clock: Minutes = UNCHANGED) -> Forecaster:
    """Take a forecaster up where `freeze` left it, with its profile and clock. Raises ForecastSnapshotError."""
    if plain.get("format") != FORMAT:
        raise ForecastSnapshotError(
            f"format: {plain.get('format')!r}; expected {FORMAT}: drop the snapshot, the forecasts begin anew"
        )
    state = Forecaster(plain["capacity"], midnight=plain["midnight"], profile=profile, clock=clock)
    if plain["method"] != state.method:
        raise ForecastSnapshotError(
            f"method: {plain['method']!r}; expected {state.method!r}: give the profile that the forecaster had, "
            "or begin the day anew with `begin_day`"
        )
    state.minute, state.inside = plain["minute"], plain["inside"]
    state.recent = Recent(*plain["recent"])
    state.calibration = Calibration(**{name: np.array(plain["calibration"][name]) for name in _LEARNT})
    state.due = {minute: Due(*kept) for minute, *kept in plain["due"]}
    state.below_since = list(plain["below_since"])
    state.foreseen = [Foreseen(*each) for each in plain["foreseen"]]
    return state
