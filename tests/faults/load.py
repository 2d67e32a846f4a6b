"""The load during a fault scenario: the simulator in a thread, with its ledger."""

import datetime as dt
import threading
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulators.scenario.day import Day
from simulators.scenario.scenario import Scenario
from simulators.sending.plan import Plan, site_time
from simulators.sending.play import Progress
from simulators.sending.run import Summary, simulate
from streams.site.model import Site

_BUSY: Final = 200_000
"""Events of the days that loads at a rate are taken from, at most: they are made up in half a second, and repeated."""


def rush(scenario: Scenario) -> Scenario:
    """Return the scenario of loads at a rate: a small day of it."""
    share = min(1.0, _BUSY / scenario.events)
    return replace(
        scenario, events=round(scenario.events * share), peak=scenario.peak * share,
        make_day=partial(scenario.make_day, share=share),
    )  # fmt: skip


def until(scenario: Scenario, end: dt.time) -> Scenario:
    """Return a scenario that is another one up to a time of the day."""
    whole = scenario.make_day

    def shorter(site: Site, *, date: dt.date, **more: Any) -> Day:
        day = whole(site, date=date, **more)
        return day.take(np.flatnonzero(day.true_ts < site_time(site, date, end)))

    return replace(scenario, name=f"{scenario.name} until {end}", make_day=shorter)


class Load:
    """Plays a plan until it is ended: start(), end()."""

    def __init__(self, plan: Plan, site: Site, *, bootstrap: str, ledger: Path) -> None:
        self._plan, self._site, self._bootstrap, self._ledger = plan, site, bootstrap, ledger
        self._stop = threading.Event()
        self._newest: Progress | None = None
        self._done: Future[Summary] = Future()

    def start(self) -> None:
        """Begin; the simulator makes up its day first, which takes some seconds."""
        threading.Thread(target=self._run, name="load", daemon=True).start()

    def _note(self, progress: Progress) -> None:
        self._newest = progress

    def _run(self) -> None:
        try:
            summary = simulate(
                self._plan, self._site, bootstrap=self._bootstrap, ledger=self._ledger, stop=self._stop,
                report=self._note,
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - handed to who waits for it
            self._done.set_exception(error)
        else:
            self._done.set_result(summary)

    @property
    def events(self) -> int:
        """Passages that were sent, or given up as lost on purpose, so far."""
        return self._newest.events if self._newest else 0

    @property
    def over(self) -> bool:
        """Whether the plan has come to its own end."""
        return self._done.done()

    def check(self) -> None:
        """Raise what the simulator raised, if it has failed."""
        if self._done.done():
            self._done.result()

    def end(self, seconds: float) -> Summary:
        """Send what is on its way, wait until the broker has confirmed it; raises TimeoutError after `seconds`."""
        self._stop.set()
        return self._done.result(seconds)
