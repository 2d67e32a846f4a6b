"""The settings of Prometheus and Alertmanager, generated from a site's profile: one route for each zone (pure).

From a change of an episode to the relay: scraped every second, evaluated twice a second, grouped by episode and sent at
once, so about two seconds at most. What one group has sent, it sends again only after a second (`group_interval`).

Both files are JSON, which is YAML too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from infra.relay.notice import EPISODE, HEARTBEAT, PLATFORM, SITE
from streams.site.model import Site

RULES: Final = Path(__file__).with_name("rules")
HEARTBEAT_ALERT: Final = "GatepulseHeartbeat"
_MADE: Final = "# Made by `gatepulse alerting write`; changes here are lost when it is run again.\n"

_AT_ONCE: Final = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "4h"}
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
    fast = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return _written(
        {
            "global": {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "1s"},
            "rule_files": [str(rules / "*.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [places.alertmanager]}]}]},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": list(targets)}]}
                | (fast if name == "gatepulse-worker" else {})
                for name, targets in jobs.items()
                if targets
            ],
        }
    )


def alertmanager_config(site: Site, places: Places) -> str:
    """Return alertmanager.yml: each zone's episodes to its own path of the relay, the rest to the platform's."""
    zones = [zone.id for zone in site.zones]
    return _written(
        {
            "route": {
                "receiver": PLATFORM,
                "group_by": ["alertname"],
                **_CALM,
                "routes": [
                    {"matchers": [_is("alertname", HEARTBEAT_ALERT)], "receiver": HEARTBEAT, **_BEATING},
                    {
                        "matchers": [_is("alertname", EPISODE)],
                        "receiver": SITE,
                        "group_by": ["episode"],
                        **_AT_ONCE,
                        "routes": [{"matchers": [_is("zone", zone)], "receiver": zone} for zone in zones],
                    },
                ],
            },
            "inhibit_rules": [*_lower_levels(), *_consequences()],
            "receivers": [_receiver(name, places) for name in [PLATFORM, HEARTBEAT, SITE, *zones]],
        }
    )


def _receiver(name: str, places: Places) -> Mapping[str, Any]:
    hook: dict[str, Any] = {
        "url": f"http://{places.relay}/alerts/{quote(name, safe='')}",
        # The relay reads a change also from an alert that has gone: it may not have heard of it while it was away.
        "send_resolved": True,
    }
    if places.token_file is not None:
        hook["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": str(places.token_file)}}
    return {"name": name, "webhook_configs": [hook]}


def _lower_levels() -> list[Mapping[str, Any]]:
    """While an alarm is on, lower ones of the same rule and subject are not told; that one is over always is."""
    about = {"equal": ["rule", "subject", "kind"]}
    lower = {"red": "orange|yellow", "orange": "yellow"}
    return [
        {
            "source_matchers": [_is("alertname", EPISODE), _is("level", level), 'state!="cleared"'],
            "target_matchers": [_is("alertname", EPISODE), f'level=~"{below}"', 'state!~"cleared|deescalated"'],
            **about,
        }
        for level, below in lower.items()
    ]


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
