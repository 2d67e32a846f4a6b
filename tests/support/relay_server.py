"""Runs services as processes of a test: the relay, and any other that serves HTTP on loopback."""

import sys
from dataclasses import replace
from pathlib import Path

from infra.alerting.server import answers
from infra.process.ports import LOOPBACK, free_port
from infra.process.server import Server
from infra.process.supervisor import OFTEN, Service


class ServiceServer(Server):
    """A service without a supervisor; `env` is what it is started with."""

    error = AssertionError

    def __init__(self, service: Service, port: int) -> None:
        self.name, self.log_path, self._service = service.name, service.log_path, service
        self.address = f"{LOOPBACK}:{port}"
        self.env = service.env

    def service(self) -> Service:
        """Return the service with the environment of now."""
        return replace(self._service, env=self.env)

    def answers(self) -> bool:
        """Whether it answers that it is ready, now."""
        return self._service.healthy is not None and self._service.healthy()


class RelayServer(ServiceServer):
    """The relay; its settings are a TOML file that names `port`, and a `state` that outlives it.

    `env` has the settings of the brokers; None: this process's own.
    """

    def __init__(self, directory: Path, config: str, *, port: int | None = None) -> None:
        port = port or free_port()
        file = directory.resolve() / "relay.toml"
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(config, encoding="utf-8")
        argv = [sys.executable, "-m", "infra.cli.main", "relay", str(file)]
        url = f"http://{LOOPBACK}:{port}/healthy"
        log_path = directory.resolve() / "relay.log"
        super().__init__(Service("relay", argv, log_path, healthy=lambda: answers(url), restart=OFTEN), port)
