"""The site as the counting kernels see it: where entrances lead, the calendar, time limits and state limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.times import TimeRules

OUTSIDE: Final = "outside"
"""The world: the one area whose occupancy is nobody's business."""

MOST_SITE_ENTRANCES: Final = 2_048
MOST_LANES: Final = 20_480
MOST_AREAS: Final = 256
MOST_SITE_CATEGORIES: Final = 64
"""What a profile may have, at most: entrances, lanes, areas; categories of persons and classes of vehicles, each. With
these the largest state that all limits allow fits its record: a larger site is several."""
MOST_DEVICES: Final = 8_192
"""Different devices that a log remembers, where the site is not so large that it needs more."""
MOST_RANGES: Final = 8_192
"""Ranges of numbers of one device and epoch that a log remembers: so often has something been lost and not come."""
STRETCH_EVENTS: Final = 1 << 14
"""Events of a segment, accepted ones, after which its state is looked at: it is bounded at such places only, which the
log alone determines."""
MOST_CELLS: Final = 1 << 15
"""Cells of a segment's part at the end of a stretch, at most; a full segment of a peak day has a fifth of these."""


def devices_of(lanes: int) -> int:
    """Return how many devices a log of a site with so many lanes remembers: each lane's may be exchanged once."""
    return max(MOST_DEVICES, 2 * lanes)


@dataclass(frozen=True, slots=True)
class EntranceSides:
    """Where an entrance leads: `in` goes from the outer area to the inner one."""

    outer: str
    inner: str

    @property
    def boundary(self) -> bool:
        """Whether the entrance joins the site with the world."""
        return self.outer == OUTSIDE


@dataclass(frozen=True, slots=True)
class CountingSite:
    """The site as the kernels see it; entrances by their ids, `times` says which event times are believed.

    most_devices: so many different ones does a log remember; events of others are rejected. most_ranges, stretch,
    most_cells: see MOST_RANGES, STRETCH, MOST_CELLS.
    """

    sides: Mapping[str, EntranceSides]
    days: SiteDays
    times: TimeRules
    most_devices: int = MOST_DEVICES
    most_ranges: int = MOST_RANGES
    stretch: int = STRETCH_EVENTS
    most_cells: int = MOST_CELLS
