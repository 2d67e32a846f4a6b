"""What the kernels must know of the site: where its entrances lead, its days, and the limits of its clocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.kernels.calendar import SiteDays
from streams.kernels.times import TimeRules

OUTSIDE: Final = "outside"
"""The world: the one area whose occupancy is nobody's business."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where an entrance leads: `in` goes from the outer area to the inner one."""

    outer: str
    inner: str

    @property
    def boundary(self) -> bool:
        """Whether the entrance joins the site with the world."""
        return self.outer == OUTSIDE


@dataclass(frozen=True, slots=True)
class Place:
    """The site as the kernels see it; entrances by their ids, `times` says which event times are believed."""

    gates: Mapping[str, Gate]
    days: SiteDays
    times: TimeRules
