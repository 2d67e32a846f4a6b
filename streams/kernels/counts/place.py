"""The site as the counting kernels see it: where entrances lead, which event times are believed, limits of the state.

A device's clock may be wrong, and what it says is all that there is. Two things are known beside it: when its event
arrived, and its own numbering, in which time does not run backwards. A time that contradicts either is suspect. Read
`admission` next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.kernels.counts.batch import Bools, Ints
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.identity import Reference
from streams.kernels.counts.site_clock import SiteClock

OUTSIDE: Final = "outside"  # the world: the one area whose occupancy is nobody's business

# What a profile may have, at most: entrances, lanes, areas; categories of persons and classes of vehicles, each. With
# these the largest state that all limits allow fits its record: a larger site is several.
MOST_SITE_ENTRANCES: Final = 2_048
MOST_LANES: Final = 20_480
MOST_AREAS: Final = 256
MOST_SITE_CATEGORIES: Final = 64
MOST_DEVICES: Final = 8_192  # different devices that a log remembers, where the site is not so large that it needs more
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
class TimeRules:
    """How far a device's clock may be wrong and how late its events may come, both in ms of site time.

    A record without a time of arrival (0 or less) is compared with none.
    """

    clock: SiteClock  # tells the site time at which a record arrived
    suspect_ms: int
    horizon_ms: int

    def ahead(self, ts: Ints, arrived: Ints) -> Bools:
        """Which events say that they happen after they have arrived."""
        answer: Bools = (ts > self.clock.at(arrived) + self.suspect_ms) & (arrived > 0)
        return answer

    def late(self, ts: Ints, arrived: Ints) -> Bools:
        """Which events arrive beyond the horizon."""
        answer: Bools = (ts < self.clock.at(arrived) - self.horizon_ms) & (arrived > 0)
        return answer

    def timestamp_error(self, ts: int, arrived: int, *, before: Reference, after: Reference) -> str | None:
        """Say why a time is suspect, by its arrival and the times of the device's next lower and higher number."""
        site = self.clock.now(arrived)
        if arrived > 0 and ts > site + self.suspect_ms:
            return self._off(ts, ts - site, f"after its arrival at {site}")
        if before is not None and ts < before - self.suspect_ms:
            return self._off(ts, before - ts, f"before {before}, the time of a lower number of the device")
        if after is not None and ts > after + self.suspect_ms:
            return self._off(ts, ts - after, f"after {after}, the time of a higher number of the device")
        return None

    def _off(self, ts: int, by: int, what: str) -> str:
        return f"ts: {ts} is {by} ms {what}; at most {self.suspect_ms} ms are believed"


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
    """The site as the kernels see it; entrances by their ids."""

    sides: Mapping[str, EntranceSides]
    days: SiteDays
    times: TimeRules
    most_devices: int = MOST_DEVICES  # so many different ones does a log remember; events of others are rejected
    most_ranges: int = MOST_RANGES
    stretch: int = STRETCH_EVENTS
    most_cells: int = MOST_CELLS
