"""The options of a load test, and the checks that refuse wrong ones; next: `run.py`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.loadtest.load import Curve, Load, Shape, burst, steady
from infra.loadtest.search import HIGHEST
from infra.loadtest.target import WrongLoadError
from simulators.distortion.distort import check_devices
from simulators.distortion.settings import Distortion
from streams.site.reader import load_site

if TYPE_CHECKING:
    from pathlib import Path

    from infra.stack.local_stack import BrokerKind
    from simulators.scenario.scenario import Scenario
    from streams.settings import Settings

_BY_ONE_GENERATOR: Final = 15_000.0
"""Events a second planned for one generator, when the number of generators is not given."""


@dataclass(frozen=True)
class Bounds:
    """The most that may be put on a target: `events` in all, and `seconds` of one load."""

    events: int
    seconds: float
    where: str


OWN: Final = Bounds(20_000_000, 3_600.0, "in one load test")
EXISTING: Final = Bounds(1_000_000, 600.0, "on brokers of the settings")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What to do; see `gatepulse loadtest --help`. `settings`: their brokers and store are loaded, if given."""

    scenario: Scenario
    rate: float | None = None
    times: float | None = None
    for_seconds: float | None = None
    shape: Shape = "steady"
    distortion: str = ""
    workers: int = 1
    broker: BrokerKind | None = None
    processes: int | None = None
    frame: int = 1
    seed: int = 1
    keep: Path | None = None
    report: Path | None = None
    as_json: bool = False
    settings: Settings | None = None
    really: bool = False

    @property
    def seconds(self) -> float:
        """Seconds of one load: those of each step, when a limit is looked for."""
        return self.for_seconds or (8.0 if self.shape == "ramp-to-limit" else 30.0)

    @property
    def first_rate(self) -> float:
        """Events a second to begin with; a search for the limit begins there."""
        return self.rate or 1_000.0

    @property
    def load(self) -> Load:
        """The load of a test that makes one trial; a search begins with it."""
        if self.times is not None:
            peak = self.scenario.peak * self.times
            return Curve(self.times, self.seconds, f"{self.scenario.rush:%H:%M}", peak)
        make = burst if self.shape == "burst" else steady
        return make(self.first_rate, self.seconds)

    @property
    def size_text(self) -> str:
        """The size of the load in words."""
        if self.times is not None:
            return f"{self.times:g} × {self.scenario.name} ({self.scenario.rush:%H:%M}–)"
        return f"{self.first_rate:,.0f}/s"

    @property
    def bounds(self) -> Bounds:
        """The most that may be put on the target."""
        return OWN if self.settings is None else EXISTING

    @property
    def generators(self) -> int:
        """How many generators send, if it is not given as many as the load needs; at most one for each processor."""
        if self.processes is not None:
            return self.processes
        most = os.cpu_count() or 1
        if self.shape == "ramp-to-limit":
            return min(2, most)
        return max(1, min(most, math.ceil(self.load.peak / _BY_ONE_GENERATOR)))


def check(options: LoadOptions) -> None:
    """Raise WrongLoadError, DistortionError or UnknownDeviceError if the options do not go together."""
    if options.rate is not None and options.times is not None:
        raise WrongLoadError("--rate, --times: both set how many events come; leave out one of them")
    if options.times is not None and options.shape != "steady":
        raise WrongLoadError(f"--times: the scenario's own curve is the shape; leave out --shape {options.shape}")
    if options.settings is not None and (options.workers != 1 or options.broker is not None):
        raise WrongLoadError("--workers, --broker: with --to existing they are as they are; leave these out")
    site = options.scenario.profile if options.settings is None else options.settings.site
    check_devices(Distortion.parse(options.distortion), load_site(site))
    load, most, seconds = options.load, options.bounds, options.seconds
    if seconds > most.seconds:
        raise WrongLoadError(f"--for {seconds:g}: at most {most.seconds:g} s {most.where}; give a shorter time")
    if load.events > most.events:
        raise WrongLoadError(
            f"--rate, --times, --for: {load.events:,.0f} events in all, at most {most.events:,} {most.where}; "
            "give less of them"
        )
    if load.peak > HIGHEST:
        raise WrongLoadError(f"--rate, --times: {load.peak:,.0f} events/s, at most {HIGHEST:,.0f}; give a lower one")
    if options.report is not None and not options.report.parent.is_dir():
        raise WrongLoadError(f"--report {options.report}: there is no folder {options.report.parent}; make it first")
