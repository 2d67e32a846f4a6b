"""Writes the settings of Prometheus and Alertmanager, with the platform's own alerts and their heartbeat (pure).

Episodes of alarms reach the relay through Kafka. Their alert, `GatepulseEpisode`, is for whoever delivers alarms by
Alertmanager without a relay: here it goes to a receiver that sends nothing, so that nobody gets an alarm twice.

Both files are JSON, which is YAML too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboards.messages.notice import PLATFORM
from infra.relay.alerts import EPISODE, HEARTBEAT

RULES: Final = Path(__file__).with_name("rules")
HEARTBEAT_ALERT: Final = "GatepulseHeartbeat"
EPISODES: Final = "episodes"
"""The receiver that sends nothing."""
_MADE: Final = "# Made by `gatepulse alerting write`; changes here are lost when it is run again.\n"

_CALM: Final = {"group_wait": "5s", "group_interval": "30s", "repeat_interval": "5m"}
_BEATING: Final = {"group_wait": "0s", "group_interval": "10s", "repeat_interval": "15s"}


@dataclass(frozen=True)
class Places:
    """Where everybody is, as "host:port"; `token_file` holds what the relay wants to be shown, if anything."""

    workers: Sequence[str] = ("127.0.0.1:9100",)
    relay: str = "127.0.0.1:9105"
    alertmanager: str = "127.0.0.1:9093"
    audits: Sequence[str] = ()
    token_file: Path | None = None


def prometheus_config(places: Places, *, rules: Path = RULES) -> str:
    """Return prometheus.yml."""
    jobs = {"gatepulse-worker": places.workers, "gatepulse-relay": [places.relay], "gatepulse-audit": places.audits}
    return _written(
        {
            "global": {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "1s"},
            "rule_files": [str(rules / "*.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [places.alertmanager]}]}]},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": list(targets)}]}
                for name, targets in jobs.items()
                if targets
            ],
        }
    )


def alertmanager_config(places: Places) -> str:
    """Return alertmanager.yml."""
    return _written(
        {
            "route": {
                "receiver": PLATFORM,
                "group_by": ["alertname"],
                **_CALM,
                "routes": [
                    {"matchers": [_is("alertname", HEARTBEAT_ALERT)], "receiver": HEARTBEAT, **_BEATING},
                    {"matchers": [_is("alertname", EPISODE)], "receiver": EPISODES},
                ],
            },
            "inhibit_rules": _consequences(),
            "receivers": [_receiver(PLATFORM, places), _receiver(HEARTBEAT, places), {"name": EPISODES}],
        }
    )


def _receiver(name: str, places: Places) -> Mapping[str, Any]:
    hook: dict[str, Any] = {
        "url": f"http://{places.relay}/alerts/{name}",
        "send_resolved": True,
    }
    if places.token_file is not None:
        hook["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": str(places.token_file)}}
    return {"name": name, "webhook_configs": [hook]}


def _consequences() -> list[Mapping[str, Any]]:
    """One alarm for one cause."""
    causes = {
        "GatepulseAllWorkersDown": "GatepulseWorkerDown|GatepulseNoProgress|GatepulseLag|GatepulseWorkerRestarts",
        "GatepulseStorageBehind": "GatepulseLag|GatepulseNoProgress",
    }
    return [
        {"source_matchers": [_is("alertname", cause)], "target_matchers": [f'alertname=~"{effects}"']}
        for cause, effects in causes.items()
    ]


def _is(label: str, value: str) -> str:
    return f"{label}={json.dumps(value)}"


def _written(settings: Mapping[str, Any]) -> str:
    return _MADE + json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
