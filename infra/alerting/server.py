"""Prometheus and Alertmanager as services on loopback, each with a data folder that outlives its process.

The programs are Debian's packages `prometheus` and `prometheus-alertmanager`, or the makers' own, on the PATH.
"""

import shutil
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from infra.process.ports import LOOPBACK
from infra.process.supervisor import OFTEN, Service

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


def prometheus(directory: Path, config: str, port: int) -> Service:
    """Scrape the workers and evaluate the rules; remember 15 days. Raises ProgramMissingError when started."""
    options = [
        f"--storage.tsdb.path={directory.resolve() / 'data'}",
        "--storage.tsdb.retention.time=15d",
        # An alert that Alertmanager missed is sent again only after this; the default is a minute.
        "--rules.alert.resend-delay=5s",
    ]
    return _service("prometheus", directory, config, port, options)


def alertmanager(directory: Path, config: str, port: int) -> Service:
    """Group alerts and pass them on to the relay; alone, in no cluster. Raises ProgramMissingError when started."""
    options = [f"--storage.path={directory.resolve() / 'data'}", "--cluster.listen-address="]
    return _service("alertmanager", directory, config, port, options)


def _service(name: str, directory: Path, config: str, port: int, options: Sequence[str]) -> Service:
    config_path, address = directory.resolve() / f"{name}.yml", f"{LOOPBACK}:{port}"

    def prepare() -> Sequence[str]:
        directory.mkdir(parents=True, exist_ok=True)
        config_path.write_text(config, encoding="utf-8")
        return [program(name), f"--config.file={config_path}", f"--web.listen-address={address}", *options]

    log_path = directory.resolve() / f"{name}.log"
    return Service(name, prepare, log_path, healthy=lambda: answers(f"http://{address}/-/ready"), restart=OFTEN)


def answers(url: str) -> bool:
    """Whether a server answers that it is ready, now."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 - http
            return bool(answer.status == 200)
    except OSError:
        return False
