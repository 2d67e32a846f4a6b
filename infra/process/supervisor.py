"""Keeps a set of processes running and ends them together (see child.py for how one is started).

    with Supervisor() as supervisor:
        supervisor.start(Service("clickhouse", argv, log_path=...))   # returns when it is healthy
        supervisor.wait(60)                                            # raises when a service is given up

Each service is watched by a thread of its own. Times are seconds.
"""

import contextlib
import enum
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from infra.process.child import Child, tail

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05  # how often a process is looked at


class ServiceError(RuntimeError):
    """A service does not stay up; the message has its exit code and the end of its log."""


class State(enum.StrEnum):
    """Where a service is in its life."""

    STARTING = "starting"  # not healthy yet
    RUNNING = "running"
    UNHEALTHY = "unhealthy"  # runs, but its health check fails
    WAITING = "waiting"  # ended, to be started again in a moment
    ENDED = "ended"  # came to its own good end
    FAILED = "failed"  # given up
    STOPPED = "stopped"  # by us


@dataclass(frozen=True)
class RestartPolicy:
    """Start again after an unwanted end: at most ``most`` times within ``within`` seconds, waiting longer each time."""

    most: int = 5
    within: float = 60.0
    first_wait: float = 0.2
    longest_wait: float = 5.0

    def wait(self, recent: int) -> float | None:
        """Seconds before the next start after so many recent restarts; None: give up."""
        if recent >= self.most:
            return None
        return float(min(self.longest_wait, self.first_wait * 2**recent))


NEVER = RestartPolicy(most=0)
OFTEN = RestartPolicy(most=20, within=120.0)


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    ``argv`` may be a function: it is called before every start, so that it can prepare what the process needs.
    ``healthy`` is called every ``health_every`` seconds; without it a running process counts as healthy.
    A service that ``completes`` may end with exit code 0 (for example a simulation of a given length).
    """

    name: str
    argv: Sequence[str] | Callable[[], Sequence[str]]
    log_path: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    healthy: Callable[[], bool] | None = None
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    completes: bool = False
    ready_within: float = 30.0
    unhealthy_for: float = 20.0
    health_every: float = 1.0
    stop_within: float = 5.0


@dataclass(frozen=True)
class Status:
    """What a display shows of a service: ``pid`` is None while no process runs."""

    name: str
    state: State
    pid: int | None
    restarts: int
    exit_code: int | None


def described(exit_code: int | None) -> str:
    """Return an exit code in words: "with exit code 1", "by signal SIGKILL"."""
    if exit_code is None or exit_code >= 0:
        return f"with exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"by signal {signal.Signals(-exit_code).name}"
    return f"by signal {-exit_code}"


class Supervisor:
    """Starts services in order, restarts what ends, stops all in reverse order within ``stop_within`` seconds."""

    def __init__(self, *, stop_within: float = 8.0) -> None:
        self._stop_within = stop_within
        self._watches: list[_Watch] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        """Begin with no services."""
        return self

    def __exit__(self, *_: object) -> None:
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
            watch.leaving.set()  # from now on an end of the process is no reason to start it again
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
        self.leaving = threading.Event()
        self._child: Child | None = None
        self._state = State.STARTING
        self._restarts: deque[float] = deque()
        self._restart_count = 0

    def status(self) -> Status:
        child = self._child
        return Status(
            name=self.service.name,
            state=self._state,
            pid=child.pid if child is not None and child.running else None,
            restarts=self._restart_count,
            exit_code=None if child is None else child.poll(),
        )

    def wait_ready(self) -> None:
        with self._changed:
            ready = self._changed.wait_for(
                lambda: self._state not in {State.STARTING, State.WAITING}, self.service.ready_within
            )
        if self.error is not None:
            raise self.error
        if not ready:
            raise ServiceError(
                f"{self.service.name} was not ready within {self.service.ready_within:g} s. {self._log()}"
            )

    def stop(self, seconds: float) -> None:
        self.thread.join(min(seconds, 1.0))  # it may be inside a start or a health check
        if self._child is not None and self._child.running:
            self._child.stop(min(seconds, self.service.stop_within))
        if self._state not in {State.ENDED, State.FAILED}:
            self._enter(State.STOPPED)

    def _run(self) -> None:
        try:
            while not self.leaving.is_set():
                self._start_once()
                self._watch_once()
                if self.leaving.is_set() or not self._wait_for_restart():
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
        if self.leaving.is_set():  # stop() may have looked just before the process was there
            child.stop(service.stop_within)
        self._enter(State.STARTING)

    def _watch_once(self) -> None:
        """Return when the process has ended, has been unhealthy for too long (then it is ended), or we leave."""
        child, service = self._child, self.service
        assert child is not None  # noqa: S101 -- _start_once set it
        good = time.monotonic()
        limit = service.ready_within
        next_look = 0.0
        while child.running and not self.leaving.is_set():
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
            self.leaving.wait(_POLL_SECONDS)

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
        return not self.leaving.wait(wait)

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
