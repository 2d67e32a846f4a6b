"""The input and output of a contender process: its job, and its answer of one line; standard library only.

The job: read a topic, and count who passed (outcome `passed`) in each minute of event time, by entrance and direction.
A message holds one event, or several as lines of JSON.
"""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

MINUTE_MS = 60_000
EAGER = {"fetch.queue.backoff.ms": "10"}
"""For librdkafka: with its default of 1 s whoever counts quickly waits for the next records."""

Window = tuple[str, str, int]
"""Entrance, direction, and the start of the minute in ms since 1970 UTC."""


@dataclass(frozen=True)
class Job:
    """One topic to count: `events` in so many `messages`; `folder` is empty and the contender's own."""

    brokers: str
    topic: str
    group: str
    messages: int
    events: int
    frame: int
    folder: str

    def as_argument(self) -> str:
        """Write it as the one argument of a contender's process."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Answer:
    """What was counted, and when (ms since 1970): the first record was in hand, everything was counted."""

    first_ms: float
    last_ms: float
    events: int
    counts: Mapping[Window, int]


def read_job() -> Job:
    """Return the job that this process was started with."""
    return Job(**json.loads(sys.argv[1]))


def now_ms() -> float:
    """Read the machine's clock, in ms since 1970."""
    return time.time_ns() / 1e6


def answer(first_ms: float, last_ms: float, events: int, counts: Iterable[tuple[str, str, int, int]]) -> None:
    """Print the answer: a line for `understand`."""
    line = {"first_ms": first_ms, "last_ms": last_ms, "events": events, "counts": [list(each) for each in counts]}
    sys.stdout.write("\n" + json.dumps(line) + "\n")
    sys.stdout.flush()


def understand(said: str) -> Answer | None:
    """Find the answer in what a process printed; None if it gave none."""
    for line in reversed(said.splitlines()):
        if line.startswith('{"first_ms"'):
            answer = json.loads(line)
            counts = {(entrance, direction, minute): n for entrance, direction, minute, n in answer["counts"]}
            return Answer(answer["first_ms"], answer["last_ms"], answer["events"], counts)
    return None
