"""The rate of a load over time, and the time at which each event is due; next: `load_events.py`.

Pure. The times are set before anything is sent, so a generator that is held up cannot move them: how long an event
waited is counted from when it was due (no coordinated omission).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats: TypeAlias = npt.NDArray[np.float64]
Shape = Literal["steady", "burst", "ramp-to-limit"]

BURST_TIMES: Final = 5.0
"""A burst is so many times the usual rate."""
_BEFORE, _BURST = 0.4, 0.2
"""Shares of the time before a burst and of the burst itself."""


@dataclass(frozen=True)
class Phase:
    """A time in which events come at one rate: `seconds` long, `rate` events a second."""

    rate: float
    seconds: float

    @property
    def events(self) -> int:
        """How many events are due in it."""
        return round(self.rate * self.seconds)


def steady(rate: float, seconds: float) -> tuple[Phase, ...]:
    """Return one rate all the time."""
    return (Phase(rate, seconds),)


def burst(rate: float, seconds: float) -> tuple[Phase, ...]:
    """Return the usual rate, in between `BURST_TIMES` as much for a fifth of the time, and the usual rate again."""
    return (
        Phase(rate, seconds * _BEFORE),
        Phase(rate * BURST_TIMES, seconds * _BURST),
        Phase(rate, seconds * (1 - _BEFORE - _BURST)),
    )


def due(phases: Sequence[Phase]) -> Floats:
    """Return when each event is due, in milliseconds from the begin: evenly spread within each phase, in order."""
    begins = np.cumsum([0.0, *(phase.seconds for phase in phases)])
    return np.concatenate(
        [
            (begin + np.arange(phase.events) * (phase.seconds / max(phase.events, 1))) * 1000
            for begin, phase in zip(begins, phases, strict=False)
        ]
    )


def events(phases: Sequence[Phase]) -> int:
    """Return how many events are due in all."""
    return sum(phase.events for phase in phases)


def seconds(phases: Sequence[Phase]) -> float:
    """Return how long it lasts."""
    return sum(phase.seconds for phase in phases)


def highest(phases: Sequence[Phase]) -> float:
    """Return the highest rate, in events a second."""
    return max((phase.rate for phase in phases), default=0.0)
