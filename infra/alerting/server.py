"""Runs Prometheus and Alertmanager on loopback, each with a data folder that outlives its process.

The programs are Debian's packages `prometheus` and `prometheus-alertmanager`, or the makers' own, on the PATH.
"""

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.process.ports import LOOPBACK, free_port
from infra.process.server import Server
from infra.process.service import RestartPolicy, Service

_RESTART: Final = RestartPolicy(most=20, within=120.0)
_PROGRAMS: Final = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "promtool": ("promtool",),
    "amtool": ("amtool",),
}


class AlertingError(RuntimeError):
    """A program of the alerting is not available; the message has the reason and the path of its log."""


class ProgramMissingError(AlertingError):
    """A program is not installed; the message explains how to install it."""


def program(name: str) -> str:
    """Return where prometheus, alertmanager, promtool or amtool is. Raises ProgramMissingError."""
    found = next(filter(None, map(shutil.which, _PROGRAMS[name])), None)
    if found is None:
        raise ProgramMissingError(
            f"{name} is not installed: run `sh infra/install-prometheus.sh` "
            "(Debian, Ubuntu: apt-get install prometheus prometheus-alertmanager)."
        )
    return found


def missing(names: Iterable[str] = tuple(_PROGRAMS)) -> str:
    """Return which of these programs is not installed; empty if all are there."""
    for name in names:
        try:
            program(name)
        except ProgramMissingError as error:
            return str(error)
    return ""


class LoopbackServer(Server):
    """A program that serves HTTP at a port, a free one if none is given; it makes its `config` file at each start."""

    error = AlertingError
    suffix, ready = "yml", "/-/ready"
    env: Mapping[str, str] | None = None

    def __init__(self, directory: Path, config: str | Callable[[], str], *, port: int | None = None) -> None:
        self._directory, self._config = directory.resolve(), config
        self.port = port or free_port()
        self.log_path = self._directory / f"{self.name}.log"
        self.config_path = self._directory / f"{self.name}.{self.suffix}"

    @property
    def address(self) -> str:
        """Where it listens, "host:port"."""
        return f"{LOOPBACK}:{self.port}"

    def service(self) -> Service:
        """Make it a supervised service (instead of start()). Starting it raises ProgramMissingError."""
        return Service(self.name, self._prepare, self.log_path, env=self.env, healthy=self.answers, restart=_RESTART)

    def answers(self) -> bool:
        """Whether it answers that it is ready, now."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{self.ready}", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    def _prepare(self) -> Sequence[str]:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.config_path.write_text(self._config if isinstance(self._config, str) else self._config(), encoding="utf-8")
        return self._command()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError


class PrometheusServer(LoopbackServer):
    """Scrapes the workers and evaluates the rules; remembers `days`."""

    name = "prometheus"
    days = 15

    def _command(self) -> Sequence[str]:
        return [
            program("prometheus"),
            f"--config.file={self.config_path}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--storage.tsdb.retention.time={self.days}d",
            f"--web.listen-address={self.address}",
            # An alert that Alertmanager missed is sent again only after this; the default is a minute.
            "--rules.alert.resend-delay=5s",
        ]


class AlertmanagerServer(LoopbackServer):
    """Groups alerts and passes them on to the relay; alone, in no cluster."""

    name = "alertmanager"

    def _command(self) -> Sequence[str]:
        return [
            program("alertmanager"),
            f"--config.file={self.config_path}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
