"""Plays a programme: sends what is due, waits for slow workers, and at the end sends all late deliveries.

Time, the producer and the wish to stop are given, so that a test can play a day in no time. Next: `run.py`.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from zoneinfo import ZoneInfo

from simulators.distortion.distort import Schedule
from simulators.sending.pace import MachineTime, Track, wait_for
from simulators.sending.plan import Plan
from simulators.sending.produce import EventSender
from streams.kernels.counts.site_clock import SiteClock

_MOST = 10_000
"""Deliveries at a time."""
_PATIENCE_MS = 30_000
"""How long to wait at the end for workers that make no progress, before the rest is sent all the same."""

NextSchedule: TypeAlias = Callable[[Callable[[], int]], Schedule | None]
"""Returns what is played next, None behind the last; at a rate, its argument returns when (ms) it begins."""


@dataclass(frozen=True)
class Progress:
    """How far it is: site time (ms), events, seconds since the first, share done."""

    site_ms: int
    events: int
    seconds: float
    share: float
    waiting: bool

    def text(self, zone: ZoneInfo) -> str:
        """Write it in a line."""
        rate = self.events / self.seconds if self.seconds > 0 else 0.0
        clock = f"{dt.datetime.fromtimestamp(self.site_ms / 1000, zone):%m-%d %H:%M:%S}, " if self.site_ms else ""
        return f"{clock}{self.events:,} events, {rate:,.0f}/s" + (", waiting for the workers" if self.waiting else "")


@dataclass(frozen=True)
class Ended:
    """How a run ended: the site time reached, real seconds since the first send, and whether it was stopped."""

    site_ms: int
    seconds: float
    stopped: bool


class ProgrammePlayer:
    """Plays one programme, as fast and as long as `plan` says.

    `committed` returns the workers' offsets; None: sending waits for no worker. `at_clock` is called with the site's
    clock before anything is sent: the workers must have the same one.
    """

    def __init__(
        self,
        plan: Plan,
        next_schedule: NextSchedule,
        sender: EventSender,
        real: MachineTime,
        *,
        stop: Callable[[], bool],
        report: Callable[[Progress], None] = lambda _: None,
        committed: Callable[[], Mapping[tuple[str, int], int]] | None = None,
        at_clock: Callable[[SiteClock], None] = lambda _: None,
    ) -> None:
        self._plan, self._next_schedule, self._sender, self._real = plan, next_schedule, sender, real
        self._stop, self._report, self._committed, self._at_clock = stop, report, committed, at_clock
        self._tracks: list[Track] = []
        self._clock = SiteClock()
        self._started = 0
        self._reached = 0

    def play(self) -> Ended:
        """Play until the programme, the time or the patience of the user is over."""
        self._open()
        self._start()
        while self._may_continue() and self._open_if_over():
            if not self._send_due():
                soonest = min((track.next_at for track in self._tracks if track.next_at is not None), default=None)
                self._sender.settle()
                wait_for(soonest, self._clock, self._real)
            self._show_progress()
        self._finish()
        return Ended(self._reached, self._seconds(), self._stop())

    def _start(self) -> None:
        """Set the clock: the first send is now."""
        plan, now = self._plan, self._real.now_ms()
        first = self._tracks[0].next_at if self._tracks else None
        self._started = now
        if plan.rate is not None:
            self._started = max(now, first or now)
        else:
            self._clock = plan.clock or SiteClock(plan.start_at or first or now, now, plan.speed)
        self._at_clock(self._clock)

    def _may_continue(self) -> bool:
        limit = self._plan.for_seconds
        return not self._stop() and (limit is None or self._seconds() < limit)

    def _seconds(self) -> float:
        return (self._real.now_ms() - self._started) / 1000

    def _open(self, after: Track | None = None) -> None:
        """Open the next day; at a rate it follows the last one without a gap, and the first begins in a second."""
        schedule = self._next_schedule(lambda: after.ends + 1 if after else self._real.now_ms() + 1000)
        if schedule is not None:
            self._tracks.append(Track(schedule))

    def _open_if_over(self) -> bool:
        """Open the next day when all events of the last one have happened; return whether anything is left to play."""
        newest = self._tracks[-1] if self._tracks else None
        if newest is None or newest.ends <= self._now():
            self._open(newest)
        self._tracks = [track for track in self._tracks if not track.done]
        return bool(self._tracks)

    def _now(self) -> int:
        return self._clock.now(self._real.now_ms())

    def _send_due(self) -> bool:
        """Send what is due now; return whether more is due already, so that nothing is to be waited for."""
        now = self._now()
        more = False
        for track in self._tracks:
            batch = track.due(now, most=_MOST)
            if batch:
                self._wait_for_workers(self._may_continue)
                self._sender.send(track, batch)
                more = more or batch.behind > 0
        self._reached = self._now()
        return more

    def _finish(self) -> None:
        """Send what has happened but was to arrive later, and wait until the broker has everything."""
        for track in self._tracks:
            while batch := track.on_the_way(self._reached, most=_MOST):
                self._wait_for_workers(self._patience())
                self._sender.send(track, batch)
        self._sender.flush()
        self._show_progress()

    def _patience(self) -> Callable[[], bool]:
        until = self._real.now_ms() + _PATIENCE_MS
        return lambda: self._real.now_ms() < until

    def _wait_for_workers(self, may_continue: Callable[[], bool]) -> None:
        """Wait while more events than allowed wait for the workers."""
        backlog = self._sender.backlog
        if backlog is None or self._committed is None:
            return
        while self._sender.waiting() > self._plan.max_lag:
            self._sender.settle(at_once=True)
            backlog.committed(self._committed())
            if self._sender.waiting() <= self._plan.max_lag or not may_continue():
                return
            self._show_progress(waiting=True)
            self._real.wait(0.05)

    def _show_progress(self, *, waiting: bool = False) -> None:
        seconds, limit = self._seconds(), self._plan.for_seconds
        played = min((track.share for track in self._tracks), default=1.0)
        share = max(played, min(seconds / limit, 1.0)) if limit else played
        self._report(Progress(self._reached, self._sender.counts.events, seconds, share, waiting))
