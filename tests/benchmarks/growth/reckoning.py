"""Calculates the machines that a city needs from the measured figures; next: `page.py`. Pure."""

import math
from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 86_400
METRO: Final = 24_000_000
"""Passages a day: 12 million trips, each in and out (docs of the field: a metro to plan for)."""
BUSIEST_HOUR: Final = 0.15
"""Share of a day in its busiest hour: an assumption, not a source; a flat day would have 1/24 = 0.042."""
USED: Final = 0.5
"""How much of a core is planned with: the rest is for a restart that has to catch up, and for what is not foreseen."""


@dataclass(frozen=True)
class Demand:
    """How many passages there are."""

    cities: int

    @property
    def a_day(self) -> int:
        """Passages a day."""
        return METRO * self.cities

    @property
    def mean(self) -> float:
        """Passages a second, on average over the day."""
        return self.a_day / DAY_SECONDS

    @property
    def peak(self) -> float:
        """Passages a second in the busiest hour."""
        return self.a_day * BUSIEST_HOUR / 3600


@dataclass(frozen=True)
class Needs:
    """What carries a demand.

    `cores` for workers: as busy as the passages make them, and with room (`planned`, whole ones). `disk`: bytes a day.
    `catching_up`: seconds after an hour's standstill in the busiest hour, until nothing waits any more; infinite where
    what comes in is more than what the planned cores can read.
    """

    cores: float
    planned: int
    disk: float
    catching_up: float


def needs(demand: Demand, *, backlog_a_core: float, busy_a_second: float, disk_a_passage: float) -> Needs:
    """Reckon.

    `backlog_a_core`: passages a second that a worker's core reads when they wait for it. `busy_a_second`: cores that
    workers are busy with for each passage a second that comes in live. `disk_a_passage`: bytes.
    """
    cores = demand.peak * busy_a_second
    planned = max(1, math.ceil(cores / USED))
    return Needs(
        cores, planned, demand.a_day * disk_a_passage, catching_up(demand.peak, planned * backlog_a_core, 3600)
    )


def catching_up(rate: float, capacity: float, stood: float) -> float:
    """Return the seconds until what came in during a standstill of so many seconds is read, while more comes in."""
    return rate * stood / (capacity - rate) if capacity > rate else math.inf
