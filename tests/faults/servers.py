"""Kills, stops, freezes and restarts a server of the plant."""

import os
import signal
import time
from typing import Protocol

from tests.faults.kept import NotRunningError
from tests.support.processes import alive

_GONE_WITHIN = 10.0


class Startable(Protocol):
    """What an embedded server can do by itself; see infra.servers.kafka.server and infra.servers.clickhouse."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    def start(self) -> None:
        """Start it, on the data it had."""

    def wait_ready(self) -> None:
        """Return when it answers."""

    def stop(self) -> None:
        """End it in good order."""


class Server:
    """One server under test; its address stays the same."""

    def __init__(self, name: str, server: Startable) -> None:
        self.name, self._server = name, server
        self.kills = 0

    def start(self) -> None:
        """Start it and return when it answers."""
        self._server.start()
        self._server.wait_ready()

    def stop(self) -> None:
        """End it in good order."""
        self._server.stop()

    def kill(self) -> None:
        """`kill -9`; it stays away until start()."""
        self.signal(signal.SIGKILL)
        self.kills += 1
        deadline = time.monotonic() + _GONE_WITHIN
        while self.running and time.monotonic() < deadline:
            time.sleep(0.01)
        self._server.stop()  # it is dead: this takes its exit code

    def freeze(self) -> None:
        """Let it neither answer nor end (SIGSTOP) until thaw()."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal. Raises NotRunningError."""
        if not self.running:
            raise NotRunningError(f"{self.name} does not run at the moment")
        os.kill(self.pid, number)

    @property
    def pid(self) -> int:
        """The process id; 0 before the first start."""
        return self._server.pid or 0

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.pid > 0 and alive(self.pid)
