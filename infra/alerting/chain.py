"""Starts the relay, Prometheus and Alertmanager as services of one supervisor, and writes the settings of the two.

Prometheus has the platform's own alerts and their heartbeat. Episodes of alarms reach the relay through Kafka. Their
alert, `GatepulseEpisode`, is for whoever delivers alarms by Alertmanager without a relay: here it goes to a receiver
that sends nothing, so that nobody gets an alarm twice. Both files of settings are JSON, which is YAML too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboards.messages.notice import PLATFORM
from infra.alerting.server import AlertingError, alertmanager, prometheus
from infra.process.child import gatepulse
from infra.process.ports import LOOPBACK, accepts
from infra.process.supervisor import OFTEN, Service
from infra.relay.options import HEARTBEAT, RelayOptions
from infra.relay.platform import EPISODE

RULES: Final = Path(__file__).with_name("rules")
_HEARTBEAT_ALERT: Final = "GatepulseHeartbeat"
_EPISODES: Final = "episodes"
"""The receiver that sends nothing."""
_MADE: Final = "# Made by `gatepulse alerting write`; changes here are lost when it is run again.\n"

_CALM: Final = {"group_wait": "5s", "group_interval": "30s", "repeat_interval": "5m"}
_BEATING: Final = {"group_wait": "0s", "group_interval": "10s", "repeat_interval": "15s"}
_CAUSES: Final = {
    "GatepulseAllWorkersDown": "GatepulseWorkerDown|GatepulseNoProgress|GatepulseLag|GatepulseWorkerRestarts",
    "GatepulseStorageBehind": "GatepulseLag|GatepulseNoProgress",
}
"""One alarm for one cause: while it fires, its consequences are not sent."""


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
    def addresses(self) -> Mapping[str, str]:
        """Where to look, by name."""
        monitors = {
            "prometheus": f"http://{LOOPBACK}:{self.prometheus_port}/",
            "alertmanager": f"http://{LOOPBACK}:{self.alertmanager_port}/",
        }
        return (monitors if self.monitored else {}) | {"relay": f"http://{self._relay_address}/metrics"}

    @property
    def _relay_address(self) -> str:
        return f"{self.options.host}:{self.options.port}"

    def services(self) -> tuple[Service, ...]:
        """Return them in the order in which they are to be started: who listens, before who connects to it.

        Raises ProgramMissingError when one is started, and AlertingError for a relay without a port.
        """
        if not self.options.port:
            raise AlertingError(f"{self.relay_file}: port = 0: Alertmanager must know it; give one, such as 9105")
        if not self.monitored:
            return (self._relay(),)
        return (
            self._relay(),
            alertmanager(self.state / "alertmanager", self.alertmanager_config(), self.alertmanager_port),
            prometheus(self.state / "prometheus", self.prometheus_config(), self.prometheus_port),
        )

    def _relay(self) -> Service:
        host, port = self.options.host, self.options.port
        return Service(
            "relay",
            gatepulse("relay", str(self.relay_file)),
            self.state / "relay.log",
            env=self.environment,
            healthy=lambda: accepts(host, port),
            restart=OFTEN,
        )

    def prometheus_config(self) -> str:
        """Return prometheus.yml."""
        jobs = {
            "gatepulse-worker": self.workers,
            "gatepulse-relay": [self._relay_address],
            "gatepulse-audit": self.audits,
        }
        target = f"{LOOPBACK}:{self.alertmanager_port}"
        return _written(
            {
                "global": {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES / "*.yml")],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]},
                "scrape_configs": [
                    {"job_name": name, "static_configs": [{"targets": list(targets)}]}
                    for name, targets in jobs.items()
                    if targets
                ],
            }
        )

    def alertmanager_config(self) -> str:
        """Return alertmanager.yml."""
        return _written(
            {
                "route": {
                    "receiver": PLATFORM,
                    "group_by": ["alertname"],
                    **_CALM,
                    "routes": [
                        {"matchers": [_is("alertname", _HEARTBEAT_ALERT)], "receiver": HEARTBEAT, **_BEATING},
                        {"matchers": [_is("alertname", EPISODE)], "receiver": _EPISODES},
                    ],
                },
                "inhibit_rules": [
                    {"source_matchers": [_is("alertname", cause)], "target_matchers": [f'alertname=~"{effects}"']}
                    for cause, effects in _CAUSES.items()
                ],
                "receivers": [self._receiver(PLATFORM), self._receiver(HEARTBEAT), {"name": _EPISODES}],
            }
        )

    def _receiver(self, name: str) -> Mapping[str, Any]:
        hook: dict[str, Any] = {"url": f"http://{self._relay_address}/alerts/{name}", "send_resolved": True}
        token_file = self.token_file or self.options.token_file
        if token_file is not None:
            hook["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": str(token_file)}}
        return {"name": name, "webhook_configs": [hook]}


def _is(label: str, value: str) -> str:
    return f"{label}={json.dumps(value)}"


def _written(settings: Mapping[str, Any]) -> str:
    return _MADE + json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
