"""Decides when each delivery is sent: when the site clock reaches it, overdue ones at once; next: `produce.py`."""

import time
from dataclasses import dataclass, replace

import numpy as np

from simulators.distortion.distort import Schedule
from simulators.scenario.day import Day, Ints
from streams.kernels.counts.site_clock import SiteClock

_LONGEST_WAIT = 0.1
"""Seconds between two checks whether to stop."""
_SHORTEST_WAIT = 0.02
"""Seconds of deliveries that are sent together at least, since each time is a write to the ledger."""


class MachineTime:
    """The time of this machine, which never runs backwards while the program runs; tests bring their own."""

    def __init__(self) -> None:
        self._origin = time.time() - time.monotonic()

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return round((self._origin + time.monotonic()) * 1000)

    def wait(self, seconds: float) -> None:
        """Let `seconds` go by."""
        time.sleep(seconds)


@dataclass(frozen=True, eq=False)
class DueDeliveries:
    """Deliveries (indexes into the track's schedule) to be sent now; `behind` more are due as well."""

    deliveries: Ints
    behind: int


class Track:
    """A schedule, and how far it has been played; `index` is each event's row in the ledger, -1 before it has one."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.index = np.full(len(schedule.day), -1, np.int64)
        self._next = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to send."""
        return self._next >= len(self.schedule)

    @property
    def next_at(self) -> int | None:
        """Site time of the next delivery."""
        return None if self.done else int(self.schedule.at[self._next])

    @property
    def share(self) -> float:
        """Share of the schedule that has been played."""
        return self._next / max(len(self.schedule), 1)

    @property
    def ends(self) -> int:
        """Site time of the last event (some may still be on their way then); 0 when there is none."""
        events = self.schedule.day.true_ts
        return int(events[-1]) if len(events) else 0

    def due(self, site_ms: int, *, most: int) -> DueDeliveries | None:
        """Return the next deliveries that are due at `site_ms`, at most `most` of them."""
        ready = int(np.searchsorted(self.schedule.at, site_ms, side="right"))
        if ready <= self._next:
            return None
        first, self._next = self._next, min(ready, self._next + most)
        return DueDeliveries(np.arange(first, self._next), ready - self._next)

    def on_the_way(self, site_ms: int, *, most: int) -> DueDeliveries | None:
        """Return what has happened by `site_ms` but was to be delivered later; for the end of a run.

        What has not happened by then is dropped.
        """
        rest = np.arange(self._next, len(self.schedule))
        row = self.schedule.row[rest]
        rest = rest[np.where(row >= 0, self.schedule.day.true_ts[row], self.schedule.at[rest]) <= site_ms]
        if not len(rest):
            self._next = len(self.schedule)
            return None
        first = rest[:most]
        self._next = int(first[-1]) + 1
        return DueDeliveries(first, len(rest) - len(first))


def wait_for(site_ms: int | None, clock: SiteClock, real: MachineTime) -> None:
    """Wait until the clock shows `site_ms`, for 0.02 to 0.1 seconds."""
    missing = _LONGEST_WAIT if site_ms is None else (clock.real(site_ms) - real.now_ms()) / 1000
    real.wait(min(max(missing, _SHORTEST_WAIT), _LONGEST_WAIT))


def at_rate(day: Day, *, rate: float, start_ms: int) -> Day:
    """Return the events of `day` in their order, `rate` a second from `start_ms` on (true and device time)."""
    ts = start_ms + (np.arange(len(day)) * (1000 / rate)).astype(np.int64)
    return replace(day, true_ts=ts, ts=ts)
