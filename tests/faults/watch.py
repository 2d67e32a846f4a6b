"""Polls the plant during a trial: the workers' identity of counts, their memory, and the group's lag."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from infra.process.ports import LOOPBACK
from tests.faults.kept import peak_memory
from tests.faults.lag import Group, Position

_EVERY: Final = 1.0
_LOOK_EVERY: Final = 0.5
_PARTS: Final = ("counted", "duplicate", "late", "rejected", "conflicts")

Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


def scrape(port: int, *, seconds: float = 2.0) -> Samples:
    """Return a worker's metrics by name. Raises OSError or HTTPException."""
    connection = HTTPConnection(LOOPBACK, port, timeout=seconds)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def violations(samples: Samples) -> Iterator[str]:
    """Yield the logs in which received is not counted + duplicate + late + rejected + conflicts."""
    sums: dict[tuple[str, str], dict[str, float]] = {}
    for what in ("received", *_PARTS):
        for labels, value in samples.get(f"gatepulse_events_{what}_total", []):
            figures = sums.setdefault((labels["topic"], labels["partition"]), {})
            figures[what] = figures.get(what, 0) + value
    for (topic, partition), figures in sums.items():
        parts = {what: figures.get(what, 0) for what in _PARTS}
        if figures.get("received", 0) != sum(parts.values()):
            parts_text = " + ".join(f"{value:.0f} {what}" for what, value in parts.items())
            yield f"{topic}-{partition}: {figures.get('received', 0):.0f} received, {parts_text}"


@dataclass
class Watch:
    """What was seen so far. `ports` are the workers' metrics ports by name, `pids` all processes of the plant."""

    ports: Callable[[], Mapping[str, int]]
    pids: Callable[[], Mapping[str, int]]
    group: Group
    scrapes: int = 0
    broken: list[str] = field(default_factory=list)
    """Violations of the identity, each with the worker that said so."""
    memory: dict[str, int] = field(default_factory=dict)
    """Peak MB of each process by name, over all its lives."""
    position: Position | None = None
    """The newest one; an old one while the broker does not answer (see its `at`)."""
    course: list[Position] = field(default_factory=list)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look for the time of a block."""
        stop = threading.Event()
        loops = ((self._scrape_all, _EVERY), (self._look, _LOOK_EVERY))
        threads = [threading.Thread(target=_repeat, args=(*look, stop), daemon=True) for look in loops]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(10)
            self.group.close()

    def _look(self) -> None:
        position = self.group.look()
        if position is not None:
            self.position = position
            self.course.append(position)

    def _scrape_all(self) -> None:
        for name, pid in dict(self.pids()).items():
            self.memory[name] = max(self.memory.get(name, 0), peak_memory(pid))
        for name, port in dict(self.ports()).items():  # a copy: workers are added meanwhile
            try:
                samples = scrape(port)
            except (OSError, HTTPException):
                continue  # it is being started, stopped or is dead
            self.scrapes += 1
            self.broken += [f"{name}: {parts_text}" for parts_text in violations(samples)]


def _repeat(look: Callable[[], None], every: float, stop: threading.Event) -> None:
    due = time.monotonic()
    while not stop.is_set():
        look()
        due = max(due + every, time.monotonic())
        stop.wait(due - time.monotonic())
