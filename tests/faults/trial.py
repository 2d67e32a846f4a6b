"""The type `Trial` that a fault scenario gets: plant, random numbers, load, and helper methods.

Everything random comes from `random`, so that a seed repeats a trial's moments. Next: `load.py`, `oracle.py`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from simulators.distortion.settings import Distortion
from simulators.scenario.scenario import Scenario
from simulators.sending.plan import Plan
from tests.faults.kept import End, Kept
from tests.faults.load import Load, rush
from tests.faults.outcome import Check
from tests.faults.plant import Plant

T = TypeVar("T")

_POLL_SECONDS: Final = 0.05
_AT_WORK: Final = 150.0  # over a slow line a worker asks long for where it stands
_SENT: Final = 120.0


class NotInTimeError(AssertionError):
    """Something that should have happened did not within its time."""


@dataclass(frozen=True)
class Episode:
    """A time during which something was wrong: real ms, its end also in monotonic seconds.

    `done` are the messages that were committed at its end; `idle`: nothing was to happen at the gates meanwhile.
    """

    begun_ms: int
    ended_ms: int
    ended: float
    done: int
    idle: bool


class Trial:
    """One run of a scenario on a plant. `run` counts its runs from 0, `quick` asks for the small size.

    `minutes`, if given, replaces the length of a scenario that can be of any length. What is waited for
    may take `patience` times as long as usual.
    """

    def __init__(
        self,
        plant: Plant,
        *,
        seed: int,
        quick: bool,
        run: int = 0,
        say: Callable[[str], None] = lambda _: None,
        minutes: float | None = None,
        patience: float = 1.0,
    ) -> None:
        self.plant, self.seed, self.quick, self.run, self.minutes = plant, seed, quick, run, minutes
        self.patience = patience
        self.random = Random(seed)  # noqa: S311  # moments, not secrets
        self.checks: list[Check] = []
        self.notes: list[str] = []
        self.repeated = 0
        """Passages that were stored by the broker more than once."""
        self.episodes: list[Episode] = []
        """The times during which something was wrong."""
        self._say = say
        self._load: Load | None = None
        self._playing = ""
        self._ended: dict[Kept, int] = {}
        self._loads = 0

    def begin(self, scenario: str) -> None:
        """Begin a scenario on a plant that has played others: its checks bear its name, earlier ends do not count."""
        self._playing = f"{scenario}, "
        self._ended = {worker: len(worker.ends) for worker in self.plant.workers}
        self.say(scenario)

    @property
    def ends(self) -> list[End]:
        """Ends of workers since the scenario began."""
        return [end for worker in self.plant.workers for end in worker.ends[self._ended.get(worker, 0) :]]

    def size(self, *, full: T, quick: T) -> T:
        """Return the figure for the size that is run."""
        return quick if self.quick else full

    def say(self, step: str) -> None:
        """Show what is being done just now."""
        self._say(step)

    def note(self, text: str) -> None:
        """Add a remark to the outcome."""
        self.notes.append(text)

    def expect(self, name: str, holds: bool | None, text: str = "") -> None:  # noqa: FBT001 - it reads as a sentence
        """Add a check of the scenario's own to those that every scenario has."""
        self.checks.append(Check(f"{self._playing}{name}", holds, text))

    # -- time ----------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass; raises what the simulator raised, if it has failed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._load is not None:
                self._load.check()
            time.sleep(_POLL_SECONDS)

    def until(self, true: Callable[[], object], what: str, seconds: float = 60.0) -> float:
        """Wait until something is true; return how many seconds it took. Raises NotInTimeError."""
        begun = time.monotonic()
        while not true():
            if self._load is not None:
                self._load.check()
            if time.monotonic() - begun > seconds * self.patience:
                raise NotInTimeError(f"{what}: not within {seconds * self.patience:g} s")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - begun

    def at_work(self) -> None:
        """Wait until the workers get on: something is committed that was not when this was called."""
        before = self.done
        self.until(lambda: self.done > before, "progress of the workers", _AT_WORK)

    def counted_so_far(self, seconds: float = _AT_WORK) -> float:
        """Wait until all that is in Kafka now is committed, in every partition; return how many seconds it took."""
        now = time.monotonic()
        self.until(lambda: self._position_since(now), "a look at the broker", seconds)
        ends = self._position_since(now).ends
        self.until(lambda: self._position_since(now).covers(ends), "progress of every partition", seconds)
        return time.monotonic() - now

    def _position_since(self, moment: float) -> Any:  # None, or lag.Position
        position = self.plant.watch.position
        return position if position is not None and position.at > moment else None

    @property
    def done(self) -> int:
        """Messages that the workers have committed, as the broker said last."""
        position = self.plant.watch.position
        return position.done if position else 0

    @property
    def caught_up(self) -> bool:
        """Whether everything that is in Kafka is committed, as of a moment ago."""
        position = self.plant.watch.position
        return position is not None and position.at > time.monotonic() - 1.5 and position.behind == 0

    # -- what is sent --------------------------------------------------------------------------------------------------

    @property
    def rush(self) -> Scenario:
        """A small day of the plant's scenario."""
        return rush(self.plant.scenario)

    @property
    def ledgers(self) -> Path:
        """The folder of all ledgers of this trial."""
        return self.plant.path / "ledgers"

    def ledger(self) -> Path:
        """Return the path of a new ledger."""
        self._loads += 1
        return self.ledgers / f"{self._loads:04}"

    @contextmanager
    def load(self, rate: float = 2000.0, distortion: str = "", *, backlog: bool = False, **plan: Any) -> Iterator[Load]:
        """Send events for the time of a block, which begins when the workers count them; all are stored at its end.

        On a plant with a clock the day is played as its clock goes, `rate` does not count. With `backlog` the block
        does not wait for workers. `plan` are further fields of simulators.sending.plan.Plan.
        """
        paced = {"rate": rate, "scenario": self.rush}
        clock = {"clock": self.plant.clock} if self.plant.layout.speed is not None else paced
        ledger = self.ledger()
        wanted = Plan(self.plant.scenario, seed=self.seed, epoch=self._loads, distortion=Distortion.parse(distortion))
        load = Load(replace(wanted, **(clock | plan)), self.plant.site, bootstrap=self.plant.bootstrap, ledger=ledger)
        self.say("making up the day")
        load.start()
        self._load = load
        try:
            self.until(lambda: load.events > 0, "first event", _AT_WORK)
            if not backlog:
                self.at_work()
            yield load
            self.say("sending what is on its way")
            self.repeated += load.end(_SENT).duplicates
        except BaseException:
            with suppress(Exception):  # the first error is the one to be raised
                load.end(10)
            raise
        finally:
            self._load = None

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def kill(self, worker: Kept) -> None:
        """`kill -9` a worker as soon as it runs, and return when it has ended; it comes back by itself."""
        self.until(lambda: worker.running, f"{worker.name} to kill")
        before = worker.kills
        worker.kill()
        self.until(lambda: worker.kills > before, f"end of {worker.name}")

    @contextmanager
    def fault(self, what: str, *, idle: bool = False) -> Iterator[None]:
        """Mark the time during which something is wrong; `idle` if nothing is to happen at the gates meanwhile."""
        self.say(what)
        begun = _now_ms()
        yield
        self.episodes.append(Episode(begun, _now_ms(), time.monotonic(), self.done, idle))
        self.say("recovering")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
