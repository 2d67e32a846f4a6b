"""The types of a supervised service: its command, restart policy, state and status; for `supervisor.py`."""

import contextlib
import enum
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


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
