"""Starts the relay, Prometheus and Alertmanager as services of one supervisor."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.alerting.config import Places, alertmanager_config, prometheus_config
from infra.alerting.server import AlertingError, AlertmanagerServer, PrometheusServer
from infra.process.ports import LOOPBACK, accepts
from infra.process.service import RestartPolicy, Service
from infra.relay.options import RelayOptions

_RESTART: Final = RestartPolicy(most=20, within=120.0)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The alerting processes between the workers and the robots.

    `relay_file` and its content, `options`; Prometheus and Alertmanager keep their data in `state`. `workers` and
    `audits` are "host:port" of metrics. `token_file`: where Alertmanager sees the relay's token, if somewhere else.
    `environment` is the relay's, with the settings of the brokers; None: that of this process. Without `monitored` the
    relay runs alone.
    """

    relay_file: Path
    options: RelayOptions
    state: Path
    workers: Sequence[str]
    audits: Sequence[str] = ()
    token_file: Path | None = None
    prometheus_port: int = 9090
    alertmanager_port: int = 9093
    environment: Mapping[str, str] | None = None
    monitored: bool = True

    @property
    def places(self) -> Places:
        """Where everybody is."""
        return Places(
            workers=self.workers,
            relay=f"{self.options.host}:{self.options.port}",
            alertmanager=f"{LOOPBACK}:{self.alertmanager_port}",
            audits=self.audits,
            token_file=self.token_file or self.options.token_file,
        )

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where to look, by name."""
        places = self.places
        monitors = {
            "prometheus": f"http://{LOOPBACK}:{self.prometheus_port}/",
            "alertmanager": f"http://{places.alertmanager}/",
        }
        return (monitors if self.monitored else {}) | {"relay": f"http://{places.relay}/metrics"}

    def services(self) -> tuple[Service, ...]:
        """Return them in the order in which they are to be started: who listens, before who connects to it.

        Raises ProgramMissingError when one is started, and AlertingError for a relay without a port.
        """
        if not self.options.port:
            raise AlertingError(f"{self.relay_file}: port = 0: Alertmanager must know it; give one, such as 9105")
        if not self.monitored:
            return (self._relay(),)
        places = self.places
        alertmanager = AlertmanagerServer(
            self.state / "alertmanager", alertmanager_config(places), port=self.alertmanager_port
        )
        prometheus = PrometheusServer(self.state / "prometheus", prometheus_config(places), port=self.prometheus_port)
        return self._relay(), alertmanager.service(), prometheus.service()

    def _relay(self) -> Service:
        host, port = self.options.host, self.options.port
        return Service(
            "relay",
            [sys.executable, "-P", "-m", "infra.relay", str(self.relay_file)],
            self.state / "relay.log",
            env=self.environment,
            healthy=lambda: accepts(host, port),
            restart=_RESTART,
        )
