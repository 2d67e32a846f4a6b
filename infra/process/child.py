"""Starts a child process with its own log file that never outlives us; for `supervisor.py` and the servers."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_LIFELINE = Path(__file__).with_name("lifeline.py")

# The kernel ties a child's life to the *thread* that started it, so one thread starts them all and lives
# as long as this process does.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-starter")


@dataclass
class Child:
    """A process to be started at most once; it gets its own session, so Ctrl-C in a terminal reaches only us."""

    argv: Sequence[str]
    log_path: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Start it; its stdout and stderr are appended to ``log_path``."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._process = _starter.submit(self._spawn).result()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-I", "-S", str(_LIFELINE), str(os.getpid()), *self.argv]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the command is ours, no shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self.env is None else dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return None if self._process is None else self._process.pid

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), None while it runs or before the start."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Started and not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, seconds: float = 5.0) -> int | None:
        """SIGTERM, then SIGKILL after ``seconds``; returns the exit code (None if it was never started)."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def gatepulse(*words: str) -> list[str]:
    """Return the command line of `gatepulse` with these words."""
    return [sys.executable, "-P", "-m", "infra.cli.main", *words]


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a text file that may be missing; at most 16 kB of it are read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(empty)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty)"


def has_ended(pid: int | None) -> bool:
    """Whether a process is past its end, although not every thread of it is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
