"""Checks event timestamps: whether a device's time can be true, and whether an event is late; read `admission` next.

A device's clock may be wrong, and what it says is all that there is. Two things are known beside it: when its event
arrived, and its own numbering, in which time does not run backwards. A time that contradicts either is suspect.
"""

from dataclasses import dataclass

from streams.kernels.counts.batch import Bools, Ints
from streams.kernels.counts.identity import Reference
from streams.kernels.counts.site_clock import SiteClock


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How far a device's clock may be wrong and how late its events may come, both in ms of site time.

    `clock` tells the site time at which a record arrived. A record without a time of arrival (0 or less) is compared
    with none.
    """

    clock: SiteClock
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
        """Say why a time is suspect; None if it is not.

        `before` and `after` are the times of the nearest lower and higher number that have come from the device.
        """
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
