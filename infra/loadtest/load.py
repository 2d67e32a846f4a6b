"""The events of a load, made from a simulated day, and the time at which each is due; next: `generator.py`.

The times are set before anything is sent, so a generator that is held up cannot move them: how long an event waited is
counted from when it was due (no coordinated omission).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from simulators.sending.plan import site_time

if TYPE_CHECKING:
    from simulators.scenario.day import Day
    from simulators.scenario.scenario import Scenario
    from streams.site.model import Site

Floats: TypeAlias = npt.NDArray[np.float64]
Shape = Literal["steady", "burst", "ramp-to-limit"]

BURST_TIMES: Final = 5.0
"""A burst is so many times the usual rate."""
_BEFORE, _BURST = 0.4, 0.2
"""Shares of the time before a burst and of the burst itself."""
_FEWEST: Final = 8_000
"""Events of the smallest day that is made: with fewer, too few people would come for all that happens on a day."""


class NothingToSendError(ValueError):
    """The scenario has no events at the chosen time; choose another time, or a rate."""


class Phase(msgspec.Struct, frozen=True):
    """A time in which events come at one rate: `seconds` long, `rate` events a second."""

    rate: float
    seconds: float

    @property
    def events(self) -> int:
        """How many events are due in it."""
        return round(self.rate * self.seconds)


class Rates(msgspec.Struct, frozen=True, tag=True):
    """A load of given rates, one phase after the other."""

    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def events(self) -> int:
        """How many events are due in all."""
        return sum(phase.events for phase in self.phases)

    @property
    def peak(self) -> float:
        """The highest rate, in events a second."""
        return max(phase.rate for phase in self.phases)

    def due(self) -> Floats:
        """Return when each event is due, in milliseconds from the begin: evenly spread within each phase, in order."""
        begins = np.cumsum([0.0, *(phase.seconds for phase in self.phases)])
        return np.concatenate(
            [
                (begin + np.arange(phase.events) * (phase.seconds / max(phase.events, 1))) * 1000
                for begin, phase in zip(begins, self.phases, strict=False)
            ]
        )

    def make_day(self, scenario: Scenario, site: Site, *, seed: int, epoch: int) -> Day:
        """Return the first events of a day that is as busy as need be, over and over when the load wants them.

        Times are milliseconds from the begin of the load. Raises UnfitSiteError.
        """
        times = self.due().astype(np.int64)
        share = min(1.0, max(_FEWEST, 1.05 * len(times)) / scenario.events)
        made = scenario.make_day(site, date=scenario.date, seed=seed, epoch=epoch, share=share)
        number = np.arange(len(times))
        day, rounds = made.take(number % len(made)), number // len(made)
        return replace(day, seq=day.seq + rounds * made.last_seq[day.device], true_ts=times, ts=times)


class Curve(msgspec.Struct, frozen=True, tag=True):
    """The scenario's own curve: from `start_at` (local hh:mm) on for `seconds` real seconds, `times` as many events.

    `peak` is how many events a second are due at the busiest time, at most.
    """

    times: float
    seconds: float
    start_at: str
    peak: float

    @property
    def events(self) -> float:
        """How many events are due in all, at most."""
        return self.peak * self.seconds

    def make_day(self, scenario: Scenario, site: Site, *, seed: int, epoch: int) -> Day:
        """Return the scenario's own events, so many times as fast; every device counts from 1.

        Times are milliseconds from the begin of the load. Raises NothingToSendError and UnfitSiteError.
        """
        made = scenario.make_day(site, date=scenario.date, seed=seed, epoch=epoch)
        first = site_time(site, scenario.date, dt.time.fromisoformat(self.start_at))
        site_seconds = self.seconds * self.times
        rows = np.flatnonzero((made.true_ts >= first) & (made.true_ts < first + site_seconds * 1000))
        if not len(rows):
            raise NothingToSendError(
                f"--times: from {self.start_at} on, {site_seconds:,.0f} s of the scenario have no event; "
                "give a larger --times or --for, or a --rate"
            )
        day = made.take(rows)
        before = made.take(slice(0, rows[0])).last_seq
        times = ((day.true_ts - first) / self.times).astype(np.int64)
        return replace(day, seq=day.seq - before[day.device], true_ts=times, ts=times)


Load: TypeAlias = Rates | Curve


def steady(rate: float, seconds: float) -> Rates:
    """Return one rate all the time."""
    return Rates((Phase(rate, seconds),))


def burst(rate: float, seconds: float) -> Rates:
    """Return the usual rate, in between `BURST_TIMES` as much for a fifth of the time, and the usual rate again."""
    return Rates(
        (
            Phase(rate, seconds * _BEFORE),
            Phase(rate * BURST_TIMES, seconds * _BURST),
            Phase(rate, seconds * (1 - _BEFORE - _BURST)),
        )
    )
