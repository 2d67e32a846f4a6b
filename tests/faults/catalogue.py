"""The catalogue of fault scenarios: the decorator `fault` enters a function, whose docstring says what it does.

    @fault("T01", layout=Layout(workers=2))
    def killed(trial: Trial) -> None:
        '''`kill -9` the worker at random moments.'''

Next: `trial.py`, which is what the function is given.
"""

import datetime as dt
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.faults.trial import Trial

Play = Callable[["Trial"], None]


@dataclass(frozen=True)
class Program:
    """A scenario with plants and a truth of its own: arguments of Python, whose exit code is the verdict."""

    full: tuple[str, ...]
    quick: tuple[str, ...]


THEMES: Final = (
    "undisturbed",
    "crashes",
    "broker",
    "network",
    "replicas",
    "store",
    "refusals",
    "disk",
    "lines",
    "clocks",
    "calendar",
    "load_shapes",
    "walls",
    "sites",
    "soak",
    "alarms",
    "members",
    "recovery",
    "versions",
    "sameness",
    "operations",
)
"""The modules that have scenarios, in the order in which they are read."""


@dataclass(frozen=True)
class Layout:
    """The plant that a scenario needs; see `plant.py`.

    `settings` are the workers', without GATEPULSE_ ("WORKER__FLUSH_SECONDS": "1"). Where a proxy is asked for, the
    workers reach broker or store through it; everybody else goes past it. `speed` lets the site's clock run so fast,
    from `start_at` (site time of the day that is played; None: half an hour before its rush) on; without it site time
    is real time. `scenario` names the only one of `simulators` that can be played, where a fault names its devices; ""
    for any. `worker` is a file of this folder that is run instead of the worker; `clock_of_workers` lets the scenario
    set their host clock, which is so many seconds ahead when they start (`workers_ahead`). `small_disks` puts folders
    of the plant on disks of their own, of so many MB. Several `brokers` keep copies of each other's data; there is no
    proxy before them.
    """

    workers: int = 1
    brokers: int = 1
    wall: bool = False
    broker_proxy: bool = False
    store_proxy: bool = False
    speed: float | None = None
    start_at: dt.time | None = None
    scenario: str = ""
    worker: str = ""
    clock_of_workers: bool = False
    workers_ahead: int = 0
    small_disks: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    broker_settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Limits:
    """What a scenario may take: seconds until it is caught up after the fault, and MB of a worker's memory."""

    recovery: float = 60.0
    memory: int = 600


@dataclass(frozen=True)
class Fault:
    """One scenario. `runs` and `quick_runs`: how often it is run, each time on a new plant with another seed."""

    id: str
    name: str
    what: str
    play: Play | Program
    layout: Layout
    limits: Limits
    runs: int
    quick_runs: int


_faults: dict[str, Fault] = {}


def fault(
    id_: str,
    *,
    layout: Layout | None = None,
    limits: Limits | None = None,
    runs: int = 1,
    quick_runs: int = 1,
) -> Callable[[Play], Play]:
    """Enter a scenario in the catalogue; the first line of its docstring says what is done."""

    def enter(play: Play) -> Play:
        what = (inspect.getdoc(play) or "").partition("\n")[0]
        if not what:
            raise ValueError(f"{id_}: say in the first line of its docstring what is done to the plant")
        name = play.__name__.replace("_", " ")
        _enter(Fault(id_, name, what, play, layout or Layout(), limits or Limits(), runs, quick_runs))
        return play

    return enter


def _enter(fault: Fault) -> None:
    known = _faults.get(fault.id, fault)
    if (known.name, known.what) != (fault.name, fault.what):
        raise ValueError(f"{fault.id} is in the catalogue already: give each scenario an id of its own")
    _faults[fault.id] = fault


def by_program(id_: str, name: str, what: str, *full: str, quick: tuple[str, ...] = ()) -> None:
    """Enter a scenario that is a program: arguments of Python, `quick` those of the small size if it has one."""
    program = Program(full, quick or full)
    _enter(Fault(id_, name, what, program, Layout(), Limits(), runs=1, quick_runs=1))


def by_tests(id_: str, name: str, what: str, *selected: str) -> None:
    """Enter a scenario that tests of the suite play: they are run, and all of them must pass."""
    by_program(id_, name, what, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected)


def catalogue() -> dict[str, Fault]:
    """Return all scenarios by id: T01, T02, T02b, T03 ..."""
    for theme in THEMES:
        importlib.import_module(f"tests.faults.{theme}")
    return dict(sorted(_faults.items()))
