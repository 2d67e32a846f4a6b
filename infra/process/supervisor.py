"""Keeps a set of processes running and ends them together (see child.py for how one is started).

    with Supervisor() as supervisor:
        supervisor.start(Service("clickhouse", argv, log_path=...))   # returns when it is healthy
        supervisor.wait(60)                                            # raises when a service is given up

Each service is watched by a thread of its own. Times are seconds.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from infra.process.child import Child, tail
from infra.process.service import Service, ServiceError, State, Status, described

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05  # how often a process is looked at


class Supervisor:
    """Starts services in order, restarts what ends, stops all in reverse order within ``stop_within`` seconds."""

    def __init__(self, *, stop_within: float = 8.0) -> None:
        self._stop_within = stop_within
        self._watches: list[_Watch] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        """Begin with no services."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all services."""
        self.stop()

    def start(self, service: Service, *, ready: bool = True) -> None:
        """Start a service and watch it from now on; with ``ready``, return when it is healthy or has completed.

        Raises ServiceError if it is given up before that, or not healthy within ``service.ready_within``.
        """
        if any(watch.service.name == service.name for watch in self._watches):
            raise ServiceError(f"A service named {service.name} is there already: give each its own name.")
        watch = _Watch(service, self._changed)
        self._watches.append(watch)
        watch.thread.start()
        if ready:
            watch.wait_ready()

    def services(self) -> tuple[Status, ...]:
        """Return the services in the order of their start."""
        return tuple(watch.status() for watch in self._watches)

    def check(self) -> None:
        """Raise ServiceError if a service has been given up."""
        for watch in self._watches:
            if watch.error is not None:
                raise watch.error

    def wait(self, seconds: float | None = None, *, until: Callable[[], bool] | None = None) -> bool:
        """Return True when ``until()`` holds (called at every change, and at least each second), False after the time.

        Raises ServiceError as soon as a service is given up.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            self.check()
            if until is not None and until():
                return True
            left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(left)

    def stop(self) -> None:
        """End all, the last started first; safe to call twice, and again after an interrupted call."""
        for watch in self._watches:
            watch.leave_ended()
        deadline = time.monotonic() + self._stop_within
        for watch in reversed(self._watches):
            watch.stop(max(0.1, deadline - time.monotonic()))


class _Watch:
    """The thread behind one service."""

    def __init__(self, service: Service, changed: threading.Condition) -> None:
        self.service = service
        self.error: ServiceError | None = None
        self.thread = threading.Thread(target=self._run, name=f"watch-{service.name}", daemon=True)
        self._changed = changed
        self._leaving = threading.Event()
        self._child: Child | None = None
        self._state = State.STARTING
        self._restarts: deque[float] = deque()
        self._restart_count = 0

    def status(self) -> Status:
        child = self._child
        running = child is not None and child.running
        return Status(
            name=self.service.name,
            state=self._state,
            pid=child.pid if running and child is not None else None,
            restarts=self._restart_count,
            exit_code=None if child is None else child.poll(),
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + self.service.ready_within
        with self._changed:
            while self._state in {State.STARTING, State.WAITING} and time.monotonic() < deadline:
                self._changed.wait(_POLL_SECONDS)
        if self.error is not None:
            raise self.error
        if self._state in {State.STARTING, State.WAITING}:
            raise ServiceError(
                f"{self.service.name} was not ready within {self.service.ready_within:g} s. {self._log()}"
            )

    def leave_ended(self) -> None:
        """From now on an end of the process is no reason to start it again."""
        self._leaving.set()

    def stop(self, seconds: float) -> None:
        self._leaving.set()
        self.thread.join(min(seconds, 1.0))  # it may be inside a start or a health check
        if self._child is not None and self._child.running:
            self._child.stop(min(seconds, self.service.stop_within))
        if self._state not in {State.ENDED, State.FAILED}:
            self._enter(State.STOPPED)

    def _run(self) -> None:
        try:
            while not self._leaving.is_set():
                self._start_once()
                self._watch_once()
                if self._leaving.is_set() or not self._wait_for_restart():
                    return
        except Exception as error:  # noqa: BLE001 - the thread's end must not go unseen: it is reported by check()
            _log.exception("The watch over %s broke", self.service.name)
            self._give_up(f"could not be started: {error}")

    def _start_once(self) -> None:
        service = self.service
        argv = service.argv() if callable(service.argv) else service.argv
        child = Child(list(argv), service.log_path, env=service.env, cwd=service.cwd)
        child.start()
        self._child = child
        if self._leaving.is_set():  # stop() may have looked just before the process was there
            child.stop(service.stop_within)
        self._enter(State.STARTING)

    def _watch_once(self) -> None:
        """Return when the process has ended, has been unhealthy for too long (then it is ended), or we leave."""
        child, service = self._child, self.service
        assert child is not None  # noqa: S101 -- _start_once set it
        good = time.monotonic()
        limit = service.ready_within
        next_look = 0.0
        while child.running and not self._leaving.is_set():
            now = time.monotonic()
            if now >= next_look:
                next_look = now + (service.health_every if self._state == State.RUNNING else _POLL_SECONDS)
                if service.healthy is None or service.healthy():
                    good, limit = time.monotonic(), service.unhealthy_for
                    self._enter(State.RUNNING)
                elif self._state == State.RUNNING:
                    self._enter(State.UNHEALTHY)
            if time.monotonic() - good > limit:
                _log.warning("%s is not healthy for %g s: it is restarted", service.name, limit)
                child.stop(service.stop_within)
                return
            self._leaving.wait(_POLL_SECONDS)

    def _wait_for_restart(self) -> bool:
        """After an end: True when it is time to start again, False at a good end or when given up."""
        service, code = self.service, None if self._child is None else self._child.poll()
        if service.completes and code == 0:
            self._enter(State.ENDED)
            return False
        now = time.monotonic()
        while self._restarts and self._restarts[0] < now - service.restart.within:
            self._restarts.popleft()
        wait = service.restart.wait(len(self._restarts))
        if wait is None:
            count = len(self._restarts) + 1
            often = "" if count == 1 else f"for the {count}th time within {service.restart.within:g} s, the last time "
            self._give_up(f"ended {often}{described(code)}")
            return False
        self._restarts.append(now)
        self._restart_count += 1
        _log.warning("%s ended %s: starting it again in %.1f s", service.name, described(code), wait)
        self._enter(State.WAITING)
        return not self._leaving.wait(wait)

    def _give_up(self, what: str) -> None:
        self.error = ServiceError(f"{self.service.name} {what}. {self._log()}")
        self._enter(State.FAILED)

    def _enter(self, state: State) -> None:
        if state != self._state:
            with self._changed:
                self._state = state
                self._changed.notify_all()

    def _log(self) -> str:
        return f"Log: {self.service.log_path}. Last lines:\n{tail(self.service.log_path)}"
