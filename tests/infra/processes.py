"""Small programs and waiting, for the tests of processes."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def python(code: str) -> list[str]:
    """Return the command that runs a piece of Python."""
    return [sys.executable, "-I", "-c", code]


SLEEPER = python("import time; time.sleep(600)")
STUBBORN = python(
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Wait until the condition holds; False when it does not come to hold in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def kill(pid: int) -> None:
    """End a process as `kill -9` does."""
    os.kill(pid, 9)
