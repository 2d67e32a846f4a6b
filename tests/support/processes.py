"""Helpers for tests of processes: small programs to run, and waiting for conditions."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from infra.process.sandbox import landlock_version

needs_landlock = pytest.mark.skipif(
    landlock_version() == 0, reason="this kernel has no Landlock (Linux 5.13): there is no confinement to be tested"
)


needs_kafka = pytest.mark.usefixtures("kafka_installed")
"""For tests that start their own Apache Kafka: skipped, with the reason, where it cannot run (tests/conftest.py)."""


class Server(Protocol):
    """An embedded server."""

    def start(self) -> None:
        """Start it."""

    def wait_ready(self) -> None:
        """Return when it answers."""

    def stop(self) -> None:
        """End it."""


S = TypeVar("S", bound=Server)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Let a server run for the time of a block."""
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


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


def ends_with_its_parent(code: str) -> bool:
    """Run a program that starts a process and prints its pid; kill the program, and return whether the process ends."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        kill(parent.pid)
        return eventually(lambda: not alive(pid))


def server_ends_with_its_parent(server: type, directory: Path) -> bool:
    """Start a server from a program of its own; kill the program, and return whether the server ends."""
    code = f"""
import time
from pathlib import Path
from {server.__module__} import {server.__name__}
server = {server.__name__}(Path({str(directory)!r}))
server.start()
server.wait_ready()
print(server.pid, flush=True)
time.sleep(600)
"""
    return ends_with_its_parent(code)
