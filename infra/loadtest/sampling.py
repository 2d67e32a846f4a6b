"""Samples the target while it is under load: what is stored, what the wall shows, what the processes use.

Each sampler is a thread that only records; `measure.py` evaluates. Next: `trial.py`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from infra.loadtest.latency import FIRST_PLACE, Samples
from infra.loadtest.target import SOURCE_TOPICS
from sinks.clickhouse import ClickHouseReader
from sinks.sink import StoreError
from streams.clock import real_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sinks.clickhouse import StoreAddress

_STORE_EVERY: Final = 0.05
"""Seconds between two queries of the store: latency is exact to so much, plus the time that the answer takes."""
_STORE_SHARE: Final = 0.25
"""Querying takes at most this share of the time, so that a store that is slow is not made slower."""
_PROCESSES_EVERY: Final = 0.5
_TRY_AGAIN: Final = 0.2
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROGRESS: Final = (
    "SELECT topic, partition, next_offset, received FROM gatepulse.progress "
    "WHERE cluster = %(cluster)s AND topic IN %(topics)s"
)


class _Sampler:
    """A thread that samples again and again for the time of a block."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        raise NotImplementedError


class StoreSampler(_Sampler):
    """How far each log is stored, many times a second."""

    def __init__(self, store: StoreAddress, cluster: str) -> None:
        super().__init__("sample-store")
        self._reader = ClickHouseReader(store)
        self._cluster = cluster
        self._seen: dict[int, list[tuple[int, int]]] = {}
        self.received = 0
        self.queries = 0

    def offset_samples(self) -> dict[int, Samples]:
        """Return what was seen so far of the next offset of each place."""
        return {place: Samples.of(list(seen)) for place, seen in list(self._seen.items())}

    def covers(self, ends: Mapping[int, int]) -> bool:
        """Whether everything below these offsets is stored."""
        return all(place in self._seen and self._seen[place][-1][1] >= end for place, end in ends.items())

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                began = time.monotonic()
                self._query()
                took = time.monotonic() - began
                self._ended.wait(max(_STORE_EVERY - took, took * (1 / _STORE_SHARE - 1)))
        finally:
            self._reader.close()

    def _query(self) -> None:
        try:
            rows = self._reader.query(_PROGRESS, {"cluster": self._cluster, "topics": SOURCE_TOPICS})
        except StoreError:
            self._ended.wait(_TRY_AGAIN)
            return
        at, received = real_now(), 0
        for topic, partition, next_offset, lines in rows:
            received += lines
            seen = self._seen.setdefault(FIRST_PLACE[topic] + partition, [(at, next_offset)])
            if seen[-1][1] != next_offset:
                seen.append((at, next_offset))
        self.received = received
        self.queries += 1


class WallSampler(_Sampler):
    """What the wall sends to a display: entries today, at each beat. Without a wall nothing is ever seen."""

    def __init__(self, url: str) -> None:
        super().__init__("sample-wall")
        self._url = url
        self._seen: list[tuple[int, int]] = []
        self.days: set[str] = set()
        self.connected = False

    @property
    def entries(self) -> int:
        """Return how many entries the newest beat shows."""
        return self._seen[-1][1] if self._seen else 0

    def samples(self) -> Samples:
        """Return what was seen so far."""
        return Samples.of(list(self._seen))

    def _run(self) -> None:
        while self._url and not self._ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read_events()
            self._ended.wait(_TRY_AGAIN)

    def _read_events(self) -> None:
        with urllib.request.urlopen(f"{self._url}events", timeout=10) as stream:  # noqa: S310  # our own wall
            event = b""
            for line in stream:
                if self._ended.is_set():
                    return
                if line.startswith(b"event:"):
                    event = line[6:].strip()
                elif line.startswith(b"data:") and event == b"beat":
                    self._add(line[5:])

    def _add(self, data: bytes) -> None:
        snapshot = json.loads(data)["snapshot"]
        self.connected = self.connected or snapshot["store"] == "ok"
        entries = snapshot["today"].get("person", {}).get("entries")
        if entries is not None:
            self._seen.append((real_now(), int(entries)))
            self.days.add(str(snapshot["day"]))


@dataclass(frozen=True)
class Sample:
    """What a process had used by a moment: processor seconds since its start, and memory in MB."""

    at_ms: int
    cpu_seconds: float
    memory_mb: int


class ProcessSampler(_Sampler):
    """What each process uses, twice a second, and the whole machine; `pids` are looked up each time."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        super().__init__("sample-processes")
        self._pids = pids
        self.samples: dict[tuple[str, int], list[Sample]] = {}
        """By name and process id: a process that was started again is another one."""
        self.machine: list[Sample] = []

    def _run(self) -> None:
        while not self._ended.is_set():
            for name, pid in self._pids().items():
                with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended
                    self.samples.setdefault((name, pid), []).append(_sample(pid))
            self.machine.append(_machine_sample())
            self._ended.wait(_PROCESSES_EVERY)


def _sample(pid: int) -> Sample:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    user, system = int(fields[11]), int(fields[12])
    return Sample(real_now(), (user + system) / _TICKS, pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000)


def _machine_sample() -> Sample:
    """Return what all processors together have been busy with, since the machine started."""
    user, nice, system, _idle, _waiting, irq, soft, steal, *_ = (
        int(each) for each in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    )
    return Sample(real_now(), (user + nice + system + irq + soft + steal) / _TICKS, 0)
