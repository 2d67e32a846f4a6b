"""The cases in which kernels are measured: sizes of sites and numbers of passages; next: `kernels.py`. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

from streams.kernels.counts.cells import BUCKET_BITS
from streams.settings import WorkerSettings
from streams.worker.consumer import LARGEST_JOIN
from tests.benchmarks.growth.traffic import PACE

PARTS: Final = ("decode", "apply", "drain", "publish", "totals", "snapshot")
"""decode: lines to columns. apply: count. drain: the rows that changed. publish: the record of `alarm.inputs`. totals:
the records of `entrance.totals`. snapshot: the state as plain values, packed and compressed."""
Kind = Literal["backlog", "live"]
_LINE: Final = 209  # bytes
A_JOIN: Final = LARGEST_JOIN // _LINE
A_FLUSH: Final = 20_000
"""What one poll brings at most (`streams/worker/app.py`); with a backlog a flush has at least that."""
_A_POLL_SECONDS: Final = 0.05
_A_BUCKET: Final = 1 << BUCKET_BITS
"""Passages: a snapshot grows until the end of an offset bucket, and starts again with the next one."""


@dataclass(frozen=True)
class Case:
    """A backlog: the first passages of a day of ten million, as fast as it goes; or live: `rate` of them a second.

    Before the live ones each device has had a few: `warm_up` passages that are not measured.
    """

    kind: Kind
    entrances: int
    devices: int
    events: int
    rate: int = 0

    @property
    def warm_up(self) -> int:
        """Passages before those that are measured."""
        return 5 * self.devices if self.kind == "live" else 0

    @property
    def pace(self) -> float:
        """Passages a second, by their event times."""
        return self.rate if self.kind == "live" else PACE

    @property
    def a_poll(self) -> int:
        """Passages that come as one message."""
        return max(1, round(self.rate * _A_POLL_SECONDS)) if self.kind == "live" else A_JOIN

    @property
    def a_flush(self) -> int:
        """Passages between two flushes; every fourth flush writes a snapshot."""
        return max(1, round(self.rate * WorkerSettings().flush_seconds)) if self.kind == "live" else A_FLUSH


@dataclass(frozen=True)
class Measured:
    """The results of a case.

    `spent`: processor seconds by part. `rows` and `records`: for the store, and for the topic of totals. Memory in MB:
    most at a tenth of the passages and in all, above what the process had before the first. `snapshot`: bytes of the
    largest one, compressed; `snapshots`: how many. `thaw`: processor seconds to restore the last one.
    """

    case: Case
    spent: dict[str, float]
    rows: int
    records: int
    memory_early: float
    memory: float
    snapshot: int
    snapshots: int
    thaw: float


def cases_of(*, most: int) -> list[Case]:
    """Return what is measured: each size on its own, and a city; at most so many passages in a case."""

    def backlog(entrances: int, devices: int, events: int) -> Case:
        return Case("backlog", entrances, devices, min(events, most))

    def live(entrances: int, devices: int, rate: int) -> Case:
        return Case("live", entrances, devices, min(max(_A_BUCKET, 10 * rate), most), rate)

    return [
        *(backlog(entrances, 2_000, 1_000_000) for entrances in (20, 200, 2_000)),
        *(backlog(200, devices, 1_000_000) for devices in (200, 20_000)),
        *(backlog(200, 2_000, events) for events in (100_000, 10_000_000)),
        *(live(entrances, 2_000, 1_000) for entrances in (20, 200, 2_000)),
        *(live(200, devices, 1_000) for devices in (200, 20_000)),
        live(2_000, 20_000, 1_000),
        live(200, 2_000, 10_000),
    ]
