"""Measures each step of an event from bytes to stored rows: `python -m tests.benchmarks.kernel_profile`.

Passages of the expo's peak day, as the consumer joins them: one event a record, and frames of 100 events. Each step's
time is the process's own, less that of the steps within it. Nothing is read from Kafka and nothing is stored. Prints a
table of µs an event and shares.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from simulators.scenario.day import PERSON
from simulators.scenario.expo.expo import expo_day
from simulators.scenario.lines import make_lines
from streams.contract.codec import PassageCodec, Records
from streams.kernels.counts.admission import Devices
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.cells import Counted
from streams.kernels.counts.live import Live
from streams.kernels.counts.offset_bucket import OffsetBucket
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.site.kernel_views import place_of, vocabulary_of
from streams.site.reader import load_site
from streams.worker.compiling import compile_kernels

JOINED: Final = 5_000
"""Events in one joined message: a megabyte."""
FLUSHED: Final = 50_000
"""Events between two flushes."""
STEPS: Final[Sequence[tuple[str, Any, str]]] = (
    ("decode and check", PassageCodec, "read"),
    ("identity, times, duplicates", Devices, "admit"),
    ("cells: sorted once", Counted, "of"),
    ("windows, days, flows", OffsetBucket, "count"),
    ("seconds and lanes for alarms", Live, "count"),
    ("rows", PassageLog, "drain"),
    ("the rest of counting", PassageLog, "apply"),
)


@dataclass
class Watch:
    """Seconds of the process by step, each without the steps within it."""

    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys((step for step, _, _ in STEPS), 0.0))
    _within: list[float] = field(default_factory=list)

    def timed(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function."""

        def wrapped(*given: Any, **named: Any) -> Any:  # whatever it wraps
            self._within.append(0.0)
            began = time.process_time()
            try:
                return call(*given, **named)
            finally:
                took = time.process_time() - began
                self.spent[step] += took - self._within.pop()
                if self._within:
                    self._within[-1] += took

        return wrapped


def records(lines: Sequence[bytes], ts: Ints, *, frame: int) -> Iterator[Records]:
    """Join lines as the consumer does; each record arrives 200 ms after its last event."""
    offset = 0
    for start in range(0, len(lines), JOINED):
        some, times = lines[start : start + JOINED], ts[start : start + JOINED]
        firsts = np.arange(0, len(some), frame)
        lasts = np.minimum(firsts + frame, len(some)) - 1
        yield Records(b"\n".join(some), offset + np.arange(len(firsts)), times[lasts] + 200, lasts - firsts + 1)
        offset += len(firsts)


def profile(lines: Sequence[bytes], ts: Ints, *, frame: int) -> dict[str, float]:
    """Count all lines in one log, and return the seconds of each step."""
    site, watch = load_site("expo"), Watch()
    place = place_of(site, TimeRules(SiteClock(), suspect_ms=300_000, horizon_ms=48 * 3_600_000))
    codec = PassageCodec("person", vocabulary_of(site))
    log = PassageLog(PartitionId("profile", "turnstile.passages", 0), "person", place, next_offset=0)
    waiting = list(records(lines, ts, frame=frame))
    compile_kernels()
    with ExitStack() as patches:
        for step, owner, name in STEPS:
            patches.enter_context(patch.object(owner, name, watch.timed(step, getattr(owner, name))))
        for number, each in enumerate(waiting, start=1):
            log.apply(codec.read(each))
            if number % (FLUSHED // JOINED) == 0:
                log.drain()
    assert log.tally.received == len(lines)
    return watch.spent


def table(spent: Mapping[str, float], events: int) -> str:
    """Write a profile as lines of text."""
    whole = sum(spent.values())
    rows = [f"| {step} | {took / events * 1e6:.2f} | {took / whole:.0%} |" for step, took in spent.items()]
    return "\n".join([*rows, f"| **together** | **{whole / events * 1e6:.2f}** | {events / whole:,.0f} events/s |"])


def main() -> None:
    """Profile both kinds of messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    options = parser.parse_args()
    day = expo_day(load_site("expo"))
    persons = day.take(np.flatnonzero(day.kind == PERSON)[300_000 : 300_000 + options.events])
    lines = make_lines(persons)
    for frame in (1, 100):
        sys.stdout.write(f"{len(lines):,} events of the peak day, {frame} to a message: µs an event, share\n\n")
        sys.stdout.write(f"{table(profile(lines, persons.ts, frame=frame), len(lines))}\n\n")


if __name__ == "__main__":
    main()
