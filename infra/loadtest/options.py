"""The options of a load test, and the checks that refuse wrong ones; next: `run.py`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.loadtest import shape as shapes
from infra.loadtest import target as targets
from infra.loadtest.assignment import Curve
from infra.loadtest.target import WrongLoadError
from simulators.distortion.distort import check_devices
from simulators.distortion.settings import Distortion
from streams.site.reader import load_site

if TYPE_CHECKING:
    from pathlib import Path

    from infra.stack.local_stack import BrokerKind
    from simulators.scenario.scenario import Scenario
    from streams.settings import Settings

FIRST_RATE: Final = 1_000.0
"""Events a second, if none are given; a search for the limit begins there."""
_BY_ONE_GENERATOR: Final = 15_000.0
"""Events a second planned for one generator, when the number of generators is not given."""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What to do; see `gatepulse loadtest --help`. `settings`: their brokers and store are loaded, if given."""

    scenario: Scenario
    rate: float | None = None
    times: float | None = None
    for_seconds: float | None = None
    shape: shapes.Shape = "steady"
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
        """Events a second to begin with."""
        return self.rate or FIRST_RATE

    @property
    def load(self) -> tuple[shapes.Phase, ...] | Curve:
        """Return the load of a test that makes one trial."""
        if self.times is not None:
            return Curve(self.times, self.seconds, f"{self.scenario.rush:%H:%M}")
        make = shapes.burst if self.shape == "burst" else shapes.steady
        return make(self.first_rate, self.seconds)


def check(options: LoadOptions) -> None:
    """Raise WrongLoadError, DistortionError or UnknownDeviceError if the options do not go together."""
    if options.rate is not None and options.times is not None:
        raise WrongLoadError("--rate, --times: both set how many events come; leave out one of them")
    if options.times is not None and options.shape != "steady":
        raise WrongLoadError(f"--times: the scenario's own curve is the shape; leave out --shape {options.shape}")
    if options.settings is not None and (options.workers != 1 or options.broker is not None):
        raise WrongLoadError("--workers, --broker: with --to existing they are as they are; leave these out")
    distortion = Distortion.parse(options.distortion)
    site = options.scenario.profile if options.settings is None else options.settings.site
    check_devices(distortion, load_site(site))
    place = "embedded" if options.settings is None else "existing"
    targets.require_bounded(place, events=_events(options), peak=peak_rate(options), seconds=options.seconds)
    if options.report is not None and not options.report.parent.is_dir():
        raise WrongLoadError(f"--report {options.report}: there is no folder {options.report.parent}; make it first")


def _events(options: LoadOptions) -> float:
    """Return how many events are sent in one trial; for the scenario's own curve, how many at most."""
    load = options.load
    return peak_rate(options) * load.seconds if isinstance(load, Curve) else shapes.events(load)


def peak_rate(options: LoadOptions) -> float:
    """Return how many events a second are due at the busiest time; a search begins there."""
    load = options.load
    return options.scenario.peak * load.times if isinstance(load, Curve) else shapes.highest(load)


def generators_for(options: LoadOptions) -> int:
    """Return how many generators such a load needs, at most one for each processor."""
    most = os.cpu_count() or 1
    if options.shape == "ramp-to-limit":
        return min(2, most)
    return max(1, min(most, -int(-peak_rate(options) // _BY_ONE_GENERATOR)))
