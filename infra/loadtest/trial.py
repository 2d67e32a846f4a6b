"""Runs one trial: starts the generators together and waits until all they sent is stored; next: `measure.py`."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from infra.loadtest import measure, shape
from infra.loadtest.assignment import DONE, READY, Assignment, Curve, write_assignment, write_atomically
from infra.loadtest.sampling import ProcessSampler, StoreSampler, WallSampler
from infra.process.supervisor import NEVER, Service, State, Supervisor
from streams.clock import real_now

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from infra.loadtest.measure import SentEvents, TrialFigures
    from infra.loadtest.target import LoadTarget
    from streams.progress_bar import ProgressBar

_AT_ONCE: Final = 5_000
"""Events for each generator to send as fast as it can."""
_AT_ONCE_RATE: Final = 1e6
_CALM: Final = (shape.Phase(200.0, 3.0),)
_LEAD_MS: Final = 2_000
"""From the word to begin until the first event is due: the generators connect meanwhile."""
_POLL_SECONDS: Final = 0.05
_STUCK_SECONDS: Final = 45.0
"""Without anything more being stored for so long, the rest is not waited for."""
_MAKE_UP_SECONDS: Final = 180.0
_WALL_SECONDS: Final = 10.0
_MAX_LAG: Final = 20_000
"""Events that may wait in one partition of the embedded broker, which stores 5 MB of each."""


class StoppedError(RuntimeError):
    """The load test was ended from outside: nothing is proven."""


class GeneratorError(RuntimeError):
    """A generator did not complete; the message has the path of its log."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """How a load is generated: by so many processes, `frame` events a message, with what goes wrong on the way."""

    scenario: str
    processes: int
    frame: int
    distortion: str
    wrong_clocks: bool
    seed: int
    epoch: int


class TrialRunner:
    """A target with watches on it, on which one trial after the other is made; for a `with` block.

    `ledgers` is the folder of the ledgers, `scratch` that of everything else.
    """

    def __init__(
        self,
        target: LoadTarget,
        mix: Mix,
        *,
        ledgers: Path,
        scratch: Path,
        stop: threading.Event,
        progress: ProgressBar,
    ) -> None:
        self.target, self._mix, self._ledgers, self._scratch = target, mix, ledgers, scratch
        self._stop, self._progress = stop, progress
        self.store = StoreSampler(target.store, target.cluster)
        self.wall = WallSampler(target.wall_url)
        self.processes = ProcessSampler(lambda: {**target.pids(), "loadtest": os.getpid()})
        self.ceiling = math.inf
        self._entries = 0
        self._trials = 0
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        """Begin to sample."""
        for sampler in (self.store, self.wall, self.processes):
            self._ending.enter_context(sampler)
        if self.target.wall_url:
            self._until(lambda: self.wall.connected, seconds=_WALL_SECONDS)
        self._entries = self.wall.entries
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling."""
        self._ending.close()

    def run(self, load: tuple[shape.Phase, ...] | Curve, what: str) -> TrialFigures:
        """Make one trial, and wait until all of it is stored. Raises StoppedError, GeneratorError, ServiceError."""
        return self._trial(load, what, self._mix)[0]

    def warm_up(self) -> None:
        """Send a little, so that everything is up and running, and see how fast the generators can be: `ceiling`."""
        at_once = shape.Phase(_AT_ONCE_RATE, self._mix.processes * _AT_ONCE / _AT_ONCE_RATE)
        delivered = self._trial((at_once, *_CALM), "warm-up", replace(self._mix, distortion=""))[1]
        first = delivered.due_ms < delivered.due_ms.min() + at_once.seconds * 1000
        self.ceiling = measure.reached(delivered.due_ms[first], delivered.arrived_ms[first])

    def _trial(self, load: tuple[shape.Phase, ...] | Curve, what: str, mix: Mix) -> tuple[TrialFigures, SentEvents]:
        self._trials += 1
        assignments = self._assignments(load, mix)
        lasts = load.seconds if isinstance(load, Curve) else shape.seconds(load)
        begins_ms = self._generate(assignments, lasts, what)
        self._progress.report(f"{what}: waiting until everything is stored …")
        delivered = measure.read_delivered(
            [each.folder for each in assignments], [each.ledger for each in assignments], self.target.site
        )
        drained = self._drained(delivered)
        seen = self._seen(delivered)
        target = len(delivered.due_ms) / lasts if isinstance(load, Curve) else shape.highest(load)
        measured = measure.measure(
            delivered, seen, begins_ms=begins_ms, target=target, ceiling=self.ceiling, seconds=lasts, drained=drained
        )
        return measured, delivered

    # -- generating ----------------------------------------------------------------------------------------------------

    def _assignments(self, load: tuple[shape.Phase, ...] | Curve, mix: Mix) -> list[Assignment]:
        target, kafka = self.target, self.target.kafka
        folder, epoch = self._scratch / f"trial-{self._trials:03}", mix.epoch + self._trials
        return [
            Assignment(
                scenario=mix.scenario, site=target.site_name, seed=mix.seed, epoch=epoch, load=load, part=part,
                parts=mix.processes, distortion=mix.distortion, frame=mix.frame, bootstrap=kafka.brokers,
                api_version=tuple(kafka.client.get("api_version", ())),
                group=kafka.group if target.place == "embedded" else "", max_lag=_MAX_LAG // mix.processes,
                folder=folder / f"generator-{part + 1}", ledger=self._ledgers / f"{epoch}-generator-{part + 1}",
            )
            for part in range(mix.processes)
        ]  # fmt: skip

    def _generate(self, assignments: Sequence[Assignment], lasts: float, what: str) -> int:
        """Let the generators send; return when they began (ms since 1970 UTC)."""
        with Supervisor() as generators:
            for each in assignments:
                generators.start(_service(each), ready=False)

            def alive() -> None:
                generators.check()
                self.target.check()

            self._progress.report(f"{what}: making events up …")
            ready = [each.folder / READY for each in assignments]
            if not self._until(lambda: all(each.exists() for each in ready), seconds=_MAKE_UP_SECONDS, check=alive):
                raise GeneratorError(f"no events after {_MAKE_UP_SECONDS:g} s; see {assignments[0].folder}")
            self.processes.also({each.name: each.pid for each in generators.services() if each.pid is not None})
            begins_ms = real_now() + _LEAD_MS
            write_atomically(assignments[0].begin, str(begins_ms).encode())

            def ended() -> bool:
                done = min(max((real_now() - begins_ms) / 1000 / lasts, 0.0), 1.0)
                self._progress.update(done, f"{what}: {done:.0%}, {self.store.received:,} events stored")
                return all(each.state == State.ENDED for each in generators.services())

            self._until(ended, check=alive)
        for each in assignments:
            _require_done(each)
        return begins_ms

    # -- waiting -------------------------------------------------------------------------------------------------------

    def _drained(self, delivered: SentEvents) -> bool:
        """Wait until all that was delivered is stored, as long as there is progress; return whether it is."""
        last, moved = -1, time.monotonic()
        ends = delivered.ends

        def stored_or_stuck() -> bool:
            nonlocal last, moved
            if self.store.received != last:
                last, moved = self.store.received, time.monotonic()
            return self.store.covers(ends) or time.monotonic() - moved > _STUCK_SECONDS

        self._until(stored_or_stuck, check=self.target.check)
        return self.store.covers(ends)

    def _seen(self, delivered: SentEvents) -> measure.Observations:
        """Collect the samples, once the wall has had time to show the last entry."""
        before, entries = self._entries, len(delivered.entries_due)
        self._entries += entries
        shown = bool(self.target.wall_url) and not self._mix.wrong_clocks
        if shown:
            self._until(lambda: self.wall.entries >= self._entries, seconds=_WALL_SECONDS, check=self.target.check)
        same_day = len(self.wall.days) <= 1
        return measure.Observations(
            logs=self.store.offset_samples(),
            wall=self.wall.samples() if shown and same_day else None,
            entries_before=before,
            samples={key: list(found) for key, found in self.processes.samples.copy().items()},
            machine=list(self.processes.machine),
            cores=os.cpu_count() or 1,
            throttled=self.target.place == "embedded",
        )

    def _until(
        self, true: Callable[[], bool], *, seconds: float | None = None, check: Callable[[], Any] = lambda: None
    ) -> bool:
        """Wait until something is true; False after `seconds`. Raises StoppedError, and what `check` raises."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not true():
            check()
            if self._stop.wait(_POLL_SECONDS):
                raise StoppedError("the load test was ended before its end: nothing is proven 压力测试被中止, 结果无效")
            if deadline is not None and time.monotonic() > deadline:
                return False
        return True


def _service(assignment: Assignment) -> Service:
    assignment.folder.mkdir(parents=True, exist_ok=True)
    file = assignment.folder / "assignment.json"
    write_assignment(file, assignment)
    return Service(
        assignment.folder.name, [sys.executable, "-P", "-m", "infra.loadtest.generator", str(file)],
        assignment.folder / "generator.log", restart=NEVER, completes=True, stop_within=2.0,
    )  # fmt: skip


def _require_done(assignment: Assignment) -> None:
    if not (assignment.folder / DONE).exists():
        raise GeneratorError(
            f"{assignment.folder.name} did not write what it sent; see {assignment.folder / 'generator.log'}"
        )
