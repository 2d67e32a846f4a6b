"""The type of a contender: its name, its share of the input, and how it is run on a topic; next: `contenders/`."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.peers.input import Feed
from tests.benchmarks.peers.job import Answer, Job, understand
from tests.benchmarks.peers.process import ContenderFailed, Pinned, Use

PROJECT: Final = Path(__file__).resolve().parents[3]
PEERS_PYTHON: Final = PROJECT / ".venv-bench/bin/python"


@dataclass(frozen=True)
class Place:
    """Where a contender runs: the broker, an empty folder, and how long it may take (seconds)."""

    brokers: str
    folder: Path
    patience: float

    def job(self, feed: Feed) -> Job:
        """Describe a topic to a contender's process; `folder` names the run, and so the consumer group."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Job(
            brokers=self.brokers,
            topic=feed.topic,
            group=self.folder.name,
            messages=feed.messages,
            events=feed.events,
            frame=feed.frame,
            folder=str(self.folder),
        )

    @property
    def deadline(self) -> float:
        """The monotonic time at which a contender that is started now is given up."""
        return time.monotonic() + self.patience


@dataclass(frozen=True)
class Measured:
    """An answer, when the process was started (ms since 1970), what it used, and what it printed."""

    answer: Answer
    started_ms: float
    use: Use
    said: str


Start = Callable[[Place, Feed], Measured]
"""Runs a contender on a topic. Raises ContenderFailed."""


@dataclass(frozen=True)
class Contender:
    """Somebody who can do the job; `share` of the events is what it gets: fewer if it is slow, more if it is fast."""

    name: str
    title: str
    start: Start
    share: float = 1.0


def in_own_environment(module: str) -> Start:
    """Return what runs a program of `contenders/` with the peers' own Python. Raises ContenderFailed."""

    def start(place: Place, feed: Feed) -> Measured:
        if not PEERS_PYTHON.exists():
            raise ContenderFailed(f"{PEERS_PYTHON} is missing: `make bench` installs the peers there")
        command = [str(PEERS_PYTHON), "-m", f"tests.benchmarks.peers.contenders.{module}"]
        return run_program(command, place, feed, env={**os.environ, "PYTHONPATH": str(PROJECT)})

    return start


def run_program(argv: Sequence[str], place: Place, feed: Feed, *, env: Mapping[str, str] | None = None) -> Measured:
    """Run a program that takes the job as its last argument, and ends with its answer. Raises ContenderFailed."""
    job, deadline = place.job(feed), place.deadline
    with Pinned([*argv, job.as_argument()], place.folder / "said.log", env=env) as process:
        process.wait(deadline)
        said = process.said()
        answer = understand(said)
        if answer is None:
            raise process.failed("ended without an answer")
        return Measured(answer, process.started_ms, process.use, said)
