"""Runs one server process, by itself or supervised: the base of the servers in `infra/servers`."""

import time
from pathlib import Path

from infra.process.child import Child, has_ended, tail
from infra.process.supervisor import Service


class Server:
    """A process that serves on loopback: start(), wait_ready(seconds), stop(); start() again goes on at the same place.

    A subclass has a `name` for messages, the type of its errors, and service() and answers().
    """

    name: str
    error: type[Exception]
    log_path: Path
    _child: Child | None = None

    def service(self) -> Service:
        """Make it a supervised service (instead of start())."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers now."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the process and return; use wait_ready() before asking it anything."""
        if self._child is not None and self._child.running:
            if not has_ended(self._child.pid):
                return
            self._child.stop()  # it was killed a moment ago, and its last threads still hold its files and its port
        service = self.service()
        argv = service.argv() if callable(service.argv) else service.argv
        self._child = Child(argv, service.log_path, service.env, service.cwd)
        self._child.start()

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when it answers; one that is not ready within `seconds` is stopped. Raises `error`."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            code = None if self._child is None else self._child.poll()
            if code is not None:
                raise self._failure(f"ended with exit code {code} while starting", code)
            if time.monotonic() > deadline:
                self.stop()
                raise self._failure(f"was not ready within {seconds:g} s", None)
            time.sleep(0.05)

    def stop(self, seconds: float = 10.0) -> None:
        """End it (SIGTERM, then SIGKILL); safe to call twice."""
        if self._child is not None:
            self._child.stop(seconds)

    def _failure(self, reason: str, code: int | None) -> Exception:
        del code
        return self.error(f"{self.name} {reason}. {self._log()}")

    def _log(self) -> str:
        return f"Log: {self.log_path}. Last lines:\n{tail(self.log_path, 10)}"
