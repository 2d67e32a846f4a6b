"""Runs one trial: starts the generators together and waits until all they sent is stored; next: `options.py`."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from infra.loadtest import measure
from infra.loadtest.generator import READY, Assignment, write_assignment
from infra.loadtest.latency import Samples
from infra.loadtest.load import Phase, Rates
from infra.loadtest.sampling import ProcessSampler, StoreSampler, WallSampler
from infra.loadtest.target import StoppedError
from infra.process.files import write_private
from infra.process.supervisor import NEVER, Service, ServiceError, State, Supervisor
from simulators.distortion.settings import Distortion
from streams.clock import real_now

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from infra.loadtest.load import Load
    from infra.loadtest.measure import SentEvents, TrialFigures
    from infra.loadtest.options import LoadOptions
    from infra.loadtest.target import LoadTarget
    from streams.progress_bar import ProgressBar

_AT_ONCE: Final = 5_000
"""Events for each generator to send as fast as it can."""
_AT_ONCE_RATE: Final = 1e6
_CALM: Final = Phase(200.0, 3.0)
_LEAD_MS: Final = 2_000
"""From the word to begin until the first event is due: the generators connect meanwhile."""
_POLL_SECONDS: Final = 0.05
_STUCK_SECONDS: Final = 45.0
"""Without anything more being stored for so long, the rest is not waited for."""
_MAKE_UP_SECONDS: Final = 180.0
_WALL_SECONDS: Final = 10.0
_MAX_LAG: Final = 20_000
"""Events that may wait in one partition of the embedded broker, which stores 5 MB of each."""


class TrialRunner:
    """Makes one trial after the other on a target, each within `sampling`.

    Ledgers are below `folder`/ledgers, all else below `folder`/loadtest-`epoch`; each trial has a device epoch of its
    own, from `epoch` on.
    """

    def __init__(
        self,
        target: LoadTarget,
        options: LoadOptions,
        folder: Path,
        *,
        epoch: int,
        stop: threading.Event,
        progress: ProgressBar,
    ) -> None:
        self._target, self._options, self._folder, self._epoch = target, options, folder, epoch
        self._stop, self._progress = stop, progress
        self.store = StoreSampler(target.store, target.cluster)
        self._wall = WallSampler(target.wall_url)
        self._generators: dict[str, int] = {}
        self._processes = ProcessSampler(lambda: {**target.pids(), "loadtest": os.getpid(), **self._generators})
        self.ceiling = math.inf
        """How many events a second the generators can send."""
        self._entries = 0
        self._trials = 0

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample the target for the time of a block."""
        with self.store, self._wall, self._processes:
            if self._target.wall_url:
                self._until(lambda: self._wall.connected, seconds=_WALL_SECONDS)
            self._entries = self._wall.entries
            yield

    def warm_up(self) -> None:
        """Send a little, so that everything is up and running, and see how fast the generators can be: `ceiling`."""
        at_once = Phase(_AT_ONCE_RATE, self._options.generators * _AT_ONCE / _AT_ONCE_RATE)
        delivered = self._trial(Rates((at_once, _CALM)), "warm-up", distortion="")[1]
        first = delivered.due_ms < delivered.due_ms.min() + at_once.seconds * 1000
        self.ceiling = measure.reached(delivered.due_ms[first], delivered.arrived_ms[first])

    def run(self, load: Load, what: str) -> TrialFigures:
        """Make one trial, and wait until all of it is stored. Raises StoppedError and ServiceError."""
        return self._trial(load, what, distortion=self._options.distortion)[0]

    def _trial(self, load: Load, what: str, *, distortion: str) -> tuple[TrialFigures, SentEvents]:
        self._trials += 1
        assignments = self._assignments(load, distortion)
        begins_ms = self._generate(assignments, load.seconds, what)
        self._progress.report(f"{what}: waiting until everything is stored …")
        delivered = measure.read_delivered(
            [each.folder for each in assignments], [each.ledger for each in assignments], self._target.site
        )
        drained = self._drained(delivered)
        seen = self._seen(delivered)
        target = load.peak if isinstance(load, Rates) else len(delivered.due_ms) / load.seconds
        figures = measure.measure(
            delivered, seen, begins_ms=begins_ms, target=target, ceiling=self.ceiling, seconds=load.seconds,
            drained=drained,
        )  # fmt: skip
        return figures, delivered

    def _assignments(self, load: Load, distortion: str) -> list[Assignment]:
        target, options, epoch = self._target, self._options, self._epoch + self._trials
        folder = self._folder / f"loadtest-{self._epoch}" / f"trial-{self._trials:03}"
        return [
            Assignment(
                scenario=options.scenario.name, site=target.site_name, seed=options.seed, epoch=epoch, load=load,
                part=part, parts=options.generators, distortion=distortion, frame=options.frame,
                bootstrap=target.kafka.brokers, api_version=tuple(target.kafka.client.get("api_version", ())),
                group=target.kafka.group if target.place == "embedded" else "",
                max_lag=_MAX_LAG // options.generators, folder=folder / f"generator-{part + 1}",
                ledger=self._folder / "ledgers" / f"{epoch}-generator-{part + 1}",
            )
            for part in range(options.generators)
        ]  # fmt: skip

    def _generate(self, assignments: Sequence[Assignment], lasts: float, what: str) -> int:
        """Let the generators send; return when they began (ms since 1970 UTC)."""
        with Supervisor() as generators:
            for each in assignments:
                generators.start(_service(each), ready=False)
            self._progress.report(f"{what}: making events up …")
            ready = [each.folder / READY for each in assignments]
            made_up = self._until(
                lambda: all(each.exists() for each in ready), seconds=_MAKE_UP_SECONDS, check=generators.check
            )
            if not made_up:
                raise ServiceError(f"no events after {_MAKE_UP_SECONDS:g} s; see {assignments[0].folder}")
            self._generators = {each.name: each.pid for each in generators.services() if each.pid is not None}
            begins_ms = real_now() + _LEAD_MS
            write_private(assignments[0].begin, str(begins_ms))

            def ended() -> bool:
                done = min(max((real_now() - begins_ms) / 1000 / lasts, 0.0), 1.0)
                self._progress.update(done, f"{what}: {done:.0%}, {self.store.received:,} events stored")
                return all(each.state == State.ENDED for each in generators.services())

            self._until(ended, check=generators.check)
        return begins_ms

    def _drained(self, delivered: SentEvents) -> bool:
        """Wait until all that was delivered is stored, as long as there is progress; return whether it is."""
        last, moved = -1, time.monotonic()
        ends = delivered.ends

        def stored_or_stuck() -> bool:
            nonlocal last, moved
            if self.store.received != last:
                last, moved = self.store.received, time.monotonic()
            return self.store.covers(ends) or time.monotonic() - moved > _STUCK_SECONDS

        self._until(stored_or_stuck)
        return self.store.covers(ends)

    def _seen(self, delivered: SentEvents) -> measure.Observations:
        """Collect the samples, once the wall has had time to show the last entry."""
        before, entries = self._entries, len(delivered.entries_due)
        self._entries += entries
        distortion = Distortion.parse(self._options.distortion)
        shown = bool(self._target.wall_url) and not distortion.clocks and not distortion.drifts
        if shown:
            self._until(lambda: self._wall.entries >= self._entries, seconds=_WALL_SECONDS)
        same_day = len(self._wall.days) <= 1
        return measure.Observations(
            logs=self.store.offset_samples(),
            wall=self._wall.samples() if shown and same_day else Samples.of([]),
            entries_before=before,
            samples={key: list(found) for key, found in self._processes.samples.copy().items()},
            machine=list(self._processes.machine),
            cores=os.cpu_count() or 1,
            throttled=self._target.place == "embedded",
        )

    def _until(
        self, true: Callable[[], bool], *, seconds: float = math.inf, check: Callable[[], None] = lambda: None
    ) -> bool:
        """Wait until something is true; False after `seconds`.

        Raises StoppedError, and what `check` and the target's own check raise.
        """
        deadline = time.monotonic() + seconds
        while not true():
            check()
            self._target.check()
            if self._stop.wait(_POLL_SECONDS):
                raise StoppedError("the load test was ended before its end: nothing is proven 压力测试被中止, 结果无效")
            if time.monotonic() > deadline:
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
