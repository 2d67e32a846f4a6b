"""What is to be told of an alarm, and how it is read from Alertmanager's webhook (version 4); read `outbox` next."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Level = Literal["yellow", "orange", "red"]
LEVELS: Final[tuple[Level, ...]] = ("yellow", "orange", "red")

SITE: Final = "site"
"""The route of alarms that belong to no zone."""
PLATFORM: Final = "platform"
"""The route of alarms about gatepulse itself."""
HEARTBEAT: Final = "heartbeat"
"""The route of the alert that always fires, and tells that Prometheus and Alertmanager work."""
ROUTES: Final = (SITE, PLATFORM, HEARTBEAT)

EPISODE: Final = "GatepulseEpisode"
"""The name of the one alert rule that carries every episode."""

_MOST_TEXT: Final = 200  # characters of a label that reaches a message


class WebhookError(ValueError):
    """A request is not a webhook of Alertmanager's; the message says what was expected."""

    quotes_events = True


class AlertError(ValueError):
    """A label of an alert does not fit: its name, its value, and what was expected."""

    quotes_events = True  # for the chat that would have got the alarm, and for no log

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"label {name} = {value[:_MOST_TEXT]!r}: expected {expected}; see infra/alerting/rules")


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


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of one alarm, to be told once to each robot; `alarm` and `change` are its identity. Times in ms UTC.

    `value` and `limit` are in `unit`. `zh` and `en` are what the platform's alarms say of themselves, `todo_…` what to
    do; the wording of an episode follows from the rest.
    """

    alarm: str
    change: int
    rule: str
    level: Level
    state: str
    raised_ms: int
    changed_ms: int
    subject: str = ""
    kind: str = ""
    zone: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    zh: str = ""
    en: str = ""
    todo_zh: str = ""
    todo_en: str = ""

    @property
    def over(self) -> bool:
        """Whether it tells of an end."""
        return self.state == "cleared"

    @property
    def severity(self) -> int:
        """How much it matters: 0 for an end, then by level."""
        return 0 if self.over else 1 + LEVELS.index(self.level)


def read_webhook(body: bytes) -> Webhook:
    """Read a request's body. Raises WebhookError."""
    try:
        return msgspec.json.decode(body, type=Webhook)
    except msgspec.DecodeError as error:
        raise WebhookError(f"expected Alertmanager's webhook, version 4: {error}") from error


def is_episode(alert: Alert) -> bool:
    """Whether an alert carries an episode, and not the platform's own trouble."""
    return alert.labels.get("alertname") == EPISODE


def episode_notice(alert: Alert) -> Notice:
    """Read the change that an episode's alert names, whatever its status. Raises AlertError.

    The status says whether Prometheus still sees the series, and it vanishes also when a worker is killed. That an
    episode is over stands in the label `state`, and nowhere else.
    """
    labels = alert.labels
    level = _text(labels, "level", "yellow, orange or red")
    if level not in LEVELS:
        raise AlertError("level", level, "yellow, orange or red")
    return Notice(
        alarm=_text(labels, "episode", "the episode's id"),
        change=_count(labels, "change"),
        rule=_text(labels, "rule", "the rule's name"),
        level=level,
        state=_text(labels, "state", "raised, escalated, deescalated, repeated, acknowledged or cleared"),
        raised_ms=_count(labels, "raised_ms"),
        changed_ms=_count(labels, "changed_ms"),
        subject=labels.get("subject", ""),
        kind=labels.get("kind", ""),
        zone=labels.get("zone", ""),
        value=_number(alert.annotations.get("value", "")),
        limit=_number(labels.get("limit", "")),
        unit=labels.get("unit", ""),
    )


def platform_notice(alert: Alert, *, state: Literal["raised", "cleared"], now_ms: int) -> Notice:
    """Say of the platform's own alert that it fires, or that it is no longer reported; its change is 1."""
    labels, said = alert.labels, alert.annotations
    level, name = labels.get("level", "orange"), labels.get("alertname", "")
    return Notice(
        alarm=f"{PLATFORM}:{alert.fingerprint}:{alert.starts_ms}",
        change=1,
        rule=PLATFORM,
        level=level if level in LEVELS else "orange",
        state=state,
        raised_ms=alert.starts_ms,
        changed_ms=alert.starts_ms if state == "raised" else now_ms,
        subject=name,
        zh=said.get("summary_zh", name),
        en=said.get("summary_en", name),
        todo_zh=said.get("todo_zh", ""),
        todo_en=said.get("todo_en", ""),
    )


def unreadable_notice(alert: Alert, error: AlertError, now_ms: int) -> Notice:
    """Tell of an alarm that cannot be read, rather than lose it."""
    shown = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))[:_MOST_TEXT]
    return Notice(
        alarm=f"unreadable:{alert.fingerprint}", change=1, rule=PLATFORM, level="orange", state="raised",
        raised_ms=now_ms, changed_ms=now_ms, subject="unreadable",
        zh=f"收到无法解读的告警：{shown}", en=f"an alarm that cannot be read: {error}",
        todo_zh="查看大屏上的告警列表，并通知平台工程师。",
        todo_en="See the alarms on the wall, and tell the engineer.",
    )  # fmt: skip


def _text(labels: Mapping[str, str], name: str, expected: str) -> str:
    value = labels.get(name, "")
    if not value:
        raise AlertError(name, value, expected)
    return value


def _count(labels: Mapping[str, str], name: str) -> int:
    value = labels.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise AlertError(name, value, "a whole number")
    return int(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
