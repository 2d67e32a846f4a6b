"""Restarts one process after every end, as a service manager does, and records its ends."""

import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.process.child import Child, tail
from infra.process.supervisor import described

_POLL_SECONDS = 0.02
_PAUSE = 0.3
"""Seconds until an ended process is started again."""


class NotRunningError(RuntimeError):
    """Something was to be done to a process that does not run: wait until it does (`Trial.until`)."""


@dataclass(frozen=True)
class End:
    """How a process ended: `code` as subprocess has it, `ours` whether we had killed it, `why` its last words."""

    at: float
    lived: float
    code: int
    ours: bool
    why: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"after {self.lived:.1f} s {described(self.code)}{' (killed by us)' if self.ours else ''}: {self.why}"


class Kept:
    """Keeps a process running in a thread of its own: start(), stop() and what can be done to it in between."""

    def __init__(self, name: str, argv: Sequence[str], log_path: Path, env: Mapping[str, str]) -> None:
        self.name, self.log_path, self.env = name, log_path, dict(env)
        self.argv = argv
        """What is run from the next start on."""
        self.ends: list[End] = []
        self._child: Child | None = None
        self._begun = 0.0
        self._killed: set[int] = set()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it, and start it again after every end until stop()."""
        if not self._wanted.is_set():
            self._wanted.set()
            self._launch()
            self._thread = threading.Thread(target=self._keep, name=f"keep-{self.name}", daemon=True)
            self._thread.start()

    def stop(self, seconds: float = 10.0) -> int | None:
        """End it for good: SIGTERM, and SIGKILL after `seconds`; return the exit code."""
        self._wanted.clear()
        if self._thread is not None:
            self._thread.join()
        if self._child is None:
            return None
        if self._child.running:
            self.signal(signal.SIGCONT)  # a stopped process would not hear SIGTERM
        return self._child.stop(seconds)

    def kill(self) -> None:
        """`kill -9`; it comes back by itself. Raises NotRunningError."""
        self._killed.add(self.pid)
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal (SIGSTOP, SIGCONT, SIGTERM ...). Raises NotRunningError."""
        os.kill(self.pid, number)

    @property
    def pid(self) -> int:
        """The process id. Raises NotRunningError."""
        child = self._child
        if child is None or not child.running or child.pid is None:
            raise NotRunningError(f"{self.name} does not run at the moment")
        return child.pid

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._child is not None and self._child.running

    @property
    def age(self) -> float:
        """Seconds since its last start."""
        return time.monotonic() - self._begun

    @property
    def kills(self) -> int:
        """How often it was killed by us."""
        return sum(end.ours for end in self.ends)

    def _launch(self) -> None:
        self._child = Child(self.argv, self.log_path, env=self.env)
        self._child.start()
        self._begun = time.monotonic()

    def _keep(self) -> None:
        while self._wanted.is_set():
            child = self._child
            code = None if child is None else child.poll()
            if child is None or code is None:
                time.sleep(_POLL_SECONDS)
                continue
            self.ends.append(
                End(time.monotonic(), self.age, code, child.pid in self._killed, last_words(self.log_path))
            )
            pause = time.monotonic() + _PAUSE
            while self._wanted.is_set() and time.monotonic() < pause:
                time.sleep(_POLL_SECONDS)
            if self._wanted.is_set():
                self._launch()


def last_words(log_path: Path) -> str:
    """Return why a worker said that it ends, or the last line of its log."""
    lines = tail(log_path, 40).splitlines()
    for line in reversed(lines):
        if line.startswith("{") and '"worker ends"' in line:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            return f"{said.get('kind')}: {said.get('reason')}"
    return lines[-1][:300] if lines else ""


def peak_memory(pid: int) -> int:
    """Return the most memory (MB, resident) that a process has had so far; 0 when it is gone."""
    return _memory(pid, "VmHWM:")


def memory_now(pid: int) -> int:
    """Return the memory (MB, resident) of a process; 0 when it is gone."""
    return _memory(pid, "VmRSS:")


def _memory(pid: int, what: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [int(line.split()[1]) for line in status.splitlines() if line.startswith(what)]
    return found[0] // 1000 if found else 0
