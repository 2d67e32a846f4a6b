"""Plays a scenario into Kafka with its ledger: what `gatepulse simulate` calls.

The order of things: `expo.py` makes the day, `distort.py` the schedule, `pace.py` says when, `produce.py` sends.
"""

from __future__ import annotations

import datetime as dt
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from simulators.distort import distort
from simulators.distortion import Distortion
from simulators.expo import PEAK_DAY, expo_day
from simulators.lag import Backlog, ConsumerLag
from simulators.ledger import LedgerWriter
from simulators.pace import MachineTime, Track, at_rate, wait_for
from simulators.produce import NoLedger, Sender, make_producer
from simulators.progress import Progress, Report, Silence
from streams.clock import SiteClock
from streams.contract import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from simulators.day import Day, Ints
    from simulators.distort import Schedule
    from simulators.pace import Batch, RealTime
    from streams.site import Site

SCENARIOS: Mapping[str, Callable[..., Day]] = {"expo": expo_day}
"""The scenarios by name: each makes a day of a site from a date, a seed, an epoch and the last sequence numbers."""

_MOST = 10_000
"""Deliveries at a time."""
_PATIENCE = 30.0
"""Seconds to wait at the end for workers that make no progress, before the rest is sent all the same."""


class UnknownScenarioError(ValueError):
    """There is no scenario of this name."""


@dataclass(frozen=True)
class Plan:
    """What to play, and how fast.

    `speed` is site seconds a real second, from `start_at` (site ms) on, with everything before sent at once; None is
    as fast as possible. `rate` instead sends so many events a second with the present time, over and over.
    `for_seconds` (real, from the first send) ends the run; what is still on its way then is sent. `epoch` is the
    devices' epoch; None takes the present second, so that no two runs share identities. `days` ends the run after
    so many days; None goes on. `max_lag` is the most events that may wait in a partition for the workers.
    """

    scenario: str = "expo"
    date: dt.date = PEAK_DAY
    seed: int = 0
    epoch: int | None = None
    speed: float | None = 1.0
    rate: float | None = None
    start_at: int | None = None
    clock: SiteClock | None = None
    for_seconds: float | None = None
    days: int | None = 1
    distortion: Distortion = field(default_factory=Distortion)
    frame: int | None = None
    max_lag: int = 20_000


@dataclass(frozen=True)
class Summary:
    """What was sent: `events` passages (each once), of which `lost` never left; `sent` counts their deliveries.

    `unknown` deliveries may have arrived or not. `site_ms` is the site time that was reached, `seconds` real time.
    """

    events: int
    lost: int
    sent: int
    duplicates: int
    unknown: int
    malformed: int
    messages: int
    site_ms: int
    seconds: float
    epoch: int
    stopped: bool


def site_time(site: Site, date: dt.date, time: dt.time) -> int:
    """Return a local time of the site as milliseconds since 1970 UTC."""
    return round(dt.datetime.combine(date, time, ZoneInfo(site.time_zone)).timestamp() * 1000)


def simulate(
    plan: Plan,
    site: Site,
    *,
    bootstrap: str,
    ledger: Path | None = None,
    consumer_group: str | None = None,
    stop: threading.Event | None = None,
    report: Report | None = None,
    kafka: Mapping[str, Any] | None = None,
) -> Summary:
    """Play `plan` until it ends or `stop` is set; return what was sent.

    `ledger` is a new directory for the truth. With `consumer_group`, sending waits while the workers of that group
    are more than `plan.max_lag` events behind. `kafka` are further settings of kafka-python's clients. Raises
    `UnknownScenarioError`, `UnknownDeviceError`, `NotAnExpoError`, `LedgerExists`, and what kafka-python raises.
    """
    real = MachineTime()
    epoch = plan.epoch if plan.epoch is not None else real.now_ms() // 1000
    days = Days(plan, site, epoch=epoch)
    producer = make_producer(bootstrap, **(kafka or {}))
    topics = (Topic.TURNSTILES, Topic.VEHICLES)
    lag = ConsumerLag(bootstrap, consumer_group, topics, **(kafka or {})) if consumer_group else None
    writer = LedgerWriter(ledger, meta=_meta(plan, site, epoch)) if ledger else NoLedger()
    sender = Sender(producer, writer, real, frame=plan.frame, backlog=Backlog() if lag else None)
    player = Player(plan, days, sender, real=real, stop=stop, report=report)
    try:
        return player.play(lag.committed if lag else None)
    finally:
        producer.close(timeout=10)
        if lag:
            lag.close()
        if isinstance(writer, LedgerWriter):
            writer.close()


class Days:
    """The schedules of a plan, one day after the other; devices keep counting from day to day."""

    def __init__(self, plan: Plan, site: Site, *, epoch: int) -> None:
        if plan.scenario not in SCENARIOS:
            raise UnknownScenarioError(f"'{plan.scenario}' is not a scenario; expected {', '.join(SCENARIOS)}")
        self.epoch = epoch
        self._plan, self._site = plan, site
        self._days = self._make()
        self._opened = 0
        self._last: Ints | None = None
        self._first: Day | None = None

    def next(self, now_ms: int) -> Schedule | None:
        """Return the next day's schedule, None after the last; with a rate it begins at `now_ms` or after the last."""
        plan = self._plan
        if plan.days is not None and plan.rate is None and self._opened >= plan.days:
            return None
        day = self._next_day(now_ms)
        rng = np.random.default_rng([plan.seed, 7, self._opened])
        schedule = distort(day, plan.distortion if not self._opened else plan.distortion.without_skips(), rng)
        last = schedule.day.last_seq
        self._last = last if self._last is None else np.maximum(self._last, last)
        self._opened += 1
        return schedule
