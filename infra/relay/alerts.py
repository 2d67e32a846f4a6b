"""Reads the platform's own alerts from Alertmanager's webhook (version 4), as notices; read `platform` next."""

import datetime as dt
from typing import Final, Literal

import msgspec

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.rules import LEVELS

SITE: Final = "site"
"""The route of alarms that belong to no zone."""
HEARTBEAT: Final = "heartbeat"
"""The route of the alert that always fires while Prometheus and Alertmanager work."""

EPISODE: Final = "GatepulseEpisode"
"""The alert rule about episodes, for other ways of delivery. The relay reads episodes from Kafka and ignores it."""


class WebhookError(ValueError):
    """A request is not a webhook of Alertmanager's; the message names what was expected."""

    quotes_events = True


class Alert(msgspec.Struct, frozen=True):
    """One alert as Alertmanager sends it."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: dt.datetime  # noqa: N815 - its name there
    fingerprint: str

    @property
    def starts_ms(self) -> int:
        """When it began to fire, ms UTC."""
        return int(self.startsAt.timestamp() * 1000)


class Webhook(msgspec.Struct, frozen=True):
    """What Alertmanager posts."""

    version: Literal["4"]
    alerts: list[Alert]


def read_webhook(body: bytes) -> Webhook:
    """Read a request's body. Raises WebhookError."""
    try:
        return msgspec.json.decode(body, type=Webhook)
    except msgspec.DecodeError as error:
        raise WebhookError(f"expected Alertmanager's webhook, version 4: {error}") from error


def alert_notice(alert: Alert) -> Notice:
    """Return the notice that a platform alert has begun to fire; its change is 1."""
    labels, words = alert.labels, alert.annotations
    level, name = labels.get("level", "orange"), labels.get("alertname", "")
    own = OwnWords(
        words.get("summary_zh", name), words.get("summary_en", name), words.get("todo_zh", ""), words.get("todo_en", "")
    )
    alarm = f"{PLATFORM}:{alert.fingerprint}:{alert.starts_ms}"
    return platform_notice(alarm, name, own, at_ms=alert.starts_ms, level=level if level in LEVELS else "orange")


def platform_notice(alarm: str, subject: str, own: OwnWords, *, at_ms: int, level: str) -> Notice:
    """Return the notice that an alarm of the platform is raised."""
    episode = Episode(
        episode=alarm, rule=PLATFORM, subject=subject, kind="", zone="", level=level, state="raised", what="raised",
        change=1, value=0.0, limit=0.0, unit="", raised_at=at_ms, changed_at=at_ms,
    )  # fmt: skip
    return Notice(episode, own)
