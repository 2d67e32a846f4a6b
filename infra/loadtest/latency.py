"""Computes how long events took until stored and shown, from the ledgers and the samples; next: `measure.py`.

Pure. Every wait begins when the event was due by the schedule, and ends at the first sample that shows it stored, or on
the wall: it is never too short, and too long by the time between two samples at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from streams.contract.topics import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Integers: TypeAlias = npt.NDArray[np.int64]

FIRST_PLACE: Final = {topic.value: number * 10_000 for number, topic in enumerate(SOURCES)}
"""Where an event is, by topic: this number plus that of the partition."""
NEVER: Final = -1
"""Instead of a time: it was not seen."""
_LONGEST_MS: Final = 3_600_000
_FIGURES: Final = 3  # significant ones: a value is right to 0.1 %
PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100)


@dataclass(frozen=True)
class Latency:
    """A distribution of waiting times, in ms: `count` events, and of how many it is not known (`unseen`).

    `curve` has (percentile, ms) for a plot.
    """

    count: int
    unseen: int
    p50: int
    p90: int
    p99: int
    p999: int
    max: int
    curve: tuple[tuple[float, int], ...]


@dataclass(frozen=True, eq=False)
class Samples:
    """What was seen of a number that only grows: at `at_ms` (real time, in order) it was `value`."""

    at_ms: Integers
    value: Integers

    @classmethod
    def of(cls, seen: Sequence[tuple[int, int]]) -> Samples:
        """Build it from samples (time, value); a value that is behind an earlier one was read from an older state."""
        columns = np.array(seen, np.int64).reshape(-1, 2)
        return cls(columns[:, 0], np.maximum.accumulate(columns[:, 1]))

    def first_at_least(self, values: Integers) -> Integers:
        """Return when each of `values` was reached or passed for the first time, `NEVER` if it was not."""
        found = np.searchsorted(self.value, values, side="left")
        return np.append(self.at_ms, NEVER)[found]


def stored_at(place: Integers, offset: Integers, samples: Mapping[int, Samples]) -> Integers:
    """Return when each event was first seen to be stored (ms), `NEVER` if it was not.

    `samples` are of the next offset of each place, everything below which is stored.
    """
    found = np.full(len(place), NEVER, np.int64)
    for each, seen in samples.items():
        rows = np.flatnonzero(place == each)
        found[rows] = seen.first_at_least(offset[rows] + 1)
    return found


def shown_at(entries: int, before: int, shown: Samples) -> Integers:
    """Return when the wall showed each of so many entries, in their order; `before` of them were there already."""
    return shown.first_at_least(before + 1 + np.arange(entries))


def latency_of(due_ms: Integers, seen_ms: Integers) -> Latency | None:
    """Return how long it took from due to seen; None if nothing was seen."""
    seen = seen_ms != NEVER
    if not seen.any():
        return None
    took = np.clip(seen_ms[seen] - due_ms[seen], 0, _LONGEST_MS)
    histogram = HdrHistogram(1, _LONGEST_MS, _FIGURES)
    for value, count in zip(*np.unique(took, return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    longest = int(took.max())  # a histogram gives the upper end of the last class

    def at(percentile: float) -> int:
        return min(int(histogram.get_value_at_percentile(percentile)), longest)

    return Latency(
        count=int(seen.sum()),
        unseen=int((~seen).sum()),
        **{name: at(percentile) for name, percentile in PERCENTILES.items()},
        max=longest,
        curve=tuple((percentile, at(percentile)) for percentile in CURVE),
    )


@dataclass(frozen=True)
class Second:
    """One second of a load: events `due`, `arrived` at the broker and `stored` in it; `waiting` at its end.

    `p99` is of the events that were due in it, in ms; None where none was, or not all have been seen.
    """

    number: int
    due: int
    arrived: int
    stored: int
    waiting: int
    p99: int | None


def by_second(due_ms: Integers, arrived_ms: Integers, stored_ms: Integers, *, begins_ms: int) -> tuple[Second, ...]:
    """Return each second from the begin on, up to the last thing that happened; 'waiting' is in Kafka, not stored."""
    ends = int(max(due_ms.max(initial=begins_ms), stored_ms.max(initial=begins_ms)))
    size = (ends - begins_ms) // 1000 + 1
    due, arrived, stored = (_per_second(times, begins_ms, size) for times in (due_ms, arrived_ms, stored_ms))
    waiting = np.cumsum(arrived) - np.cumsum(stored)
    worst = _p99_by_second(due_ms, stored_ms, begins_ms, size)
    counts = (column.tolist() for column in (due, arrived, stored, waiting))
    return tuple(map(Second, range(size), *counts, worst))


def _per_second(times: Integers, begins_ms: int, size: int) -> Integers:
    known = times[times != NEVER]
    return np.bincount(np.clip((known - begins_ms) // 1000, 0, size - 1), minlength=size).astype(np.int64)


def _p99_by_second(due_ms: Integers, seen_ms: Integers, begins_ms: int, size: int) -> list[int | None]:
    number = np.clip((due_ms - begins_ms) // 1000, 0, size - 1)
    order = np.argsort(number, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(number, minlength=size))[:-1])
    return [_p99(due_ms[rows], seen_ms[rows]) for rows in parts]


def _p99(due_ms: Integers, seen_ms: Integers) -> int | None:
    if not len(due_ms) or (seen_ms == NEVER).any():
        return None
    return int(np.quantile(seen_ms - due_ms, 0.99, method="higher"))
