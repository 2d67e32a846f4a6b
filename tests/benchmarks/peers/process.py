"""Runs a process on one core, watches and ends it, and measures its use of resources from /proc.

What belongs to the measurement runs on one core, everything else (broker, store, this runner) on the other.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np

from infra.process.child import Child, tail

SERVERS_CORE: Final = min(os.sched_getaffinity(0))
CONTENDER_CORE: Final = max(os.sched_getaffinity(0))
"""The same one on a machine of one core: everything works there, and nothing can be measured."""
_POLL_SECONDS: Final = 0.05
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ContenderFailed(RuntimeError):
    """A contender ended with an error, gave no answer, or took too long; the message has the end of its log."""


def pin(pid: int, core: int) -> None:
    """Put all threads of a process, and those that it starts from now on, on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


@dataclass
class Use:
    """What a process has used so far: CPU seconds at each look, and the most memory (MB, resident)."""

    pid: int
    at: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: int = 0

    def look(self) -> None:
        """Look once more; a process that is gone is left as it was."""
        try:
            ticks = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
            status = Path(f"/proc/{self.pid}/status").read_text()
        except (OSError, IndexError):
            return
        peak = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
        self.peak_mb = max([self.peak_mb, *(kilobytes // 1000 for kilobytes in peak)])
        self.at.append(time.time_ns() / 1e6)
        self.cpu.append(sum(map(int, ticks)) / _TICKS)

    def between(self, first_ms: float, last_ms: float) -> float:
        """Return the CPU seconds between two moments."""
        if not self.at:
            return 0.0
        begun, ended = np.interp([first_ms, last_ms], self.at, self.cpu)
        return float(ended - begun)


class Pinned:
    """A process on the contenders' core; ended at the end of a `with` block, and with this process."""

    def __init__(self, argv: Sequence[str], log_path: Path, *, env: Mapping[str, str] | None = None) -> None:
        self._child = Child(["taskset", "-c", str(CONTENDER_CORE), *argv], log_path, env=env)
        self.log_path = log_path
        self.started_ms = 0.0

    def __enter__(self) -> Self:
        """Start it."""
        self.started_ms = time.time_ns() / 1e6
        self._child.start()
        self.use = Use(self._child.pid or 0)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._child.stop(3.0)

    def said(self) -> str:
        """Return all that it has printed."""
        return self.log_path.read_text(errors="replace")

    def wait(self, deadline: float) -> None:
        """Return when it has ended well; watch it meanwhile. `deadline` is monotonic. Raises ContenderFailed."""
        while self._child.running:
            self.glance(deadline)
        if self._child.poll() != 0:
            raise self.failed(f"ended with exit code {self._child.poll()}")

    def glance(self, deadline: float, *, pause: float = _POLL_SECONDS) -> None:
        """Look at it, and pause (seconds). Raises ContenderFailed after the deadline."""
        self.use.look()
        if time.monotonic() > deadline:
            raise self.failed("was not done in time")
        time.sleep(pause)

    def must_run(self) -> None:
        """Raise ContenderFailed if it has ended."""
        if not self._child.running:
            raise self.failed(f"ended with exit code {self._child.poll()}")

    def failed(self, what: str) -> ContenderFailed:
        """Return the error to raise."""
        return ContenderFailed(f"it {what}. The end of its log:\n{tail(self._child.log_path, 12)}")
