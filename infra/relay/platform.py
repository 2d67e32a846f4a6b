"""Reads the platform's own alerts from Alertmanager's webhook (version 4), and tracks them in the outbox.

Their beginning, their end and a missing heartbeat become notices. Their only identity is a fingerprint, and when they
began is forgotten whenever Prometheus and Alertmanager are killed together. So whether one is on is stored here, and
that it is gone is sent only when it has stayed away for a while.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Final, Literal

import msgspec

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from infra.relay.options import HEARTBEAT
from infra.relay.outbox import Outbox
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.rules import LEVELS

EPISODE: Final = "GatepulseEpisode"
"""The alert rule about episodes, for other ways of delivery. The relay reads episodes from Kafka and ignores it."""

GONE_MS: Final = 120_000
"""An alert that is back within this was never away."""
SAME_MS: Final = 900_000
"""One that is on and was reported within this is the same, whatever its time of beginning (it is sent every 5 min)."""
SILENT_MS: Final = 120_000
"""A heartbeat missing for this long means that its sender is down (Alertmanager sends one every 20 to 30 s)."""


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


MONITORING: Final = HEARTBEAT
TOPIC: Final = "alarms-topic"
_SILENT: Final = {
    MONITORING: OwnWords(
        "监控链路中断：超过 2 分钟没有收到 Prometheus 或 Alertmanager 的心跳，平台自身的告警可能送不到",
        "monitoring is cut off: no heartbeat of Prometheus and Alertmanager for 2 min, alarms about the platform may "
        "not arrive",
        "查看 Prometheus 和 Alertmanager 是否在运行；恢复前以大屏为准。",
        "See whether Prometheus and Alertmanager run; until then watch the wall.",
    ),
    TOPIC: OwnWords(
        "告警通道中断：超过 2 分钟读不到 Kafka 中的告警，新告警送不到",
        "alarms are cut off: the topic of alarms could not be read from Kafka for 2 min, new alarms do not arrive",
        "查看 Kafka 是否在运行、转发器能否连上；恢复前以大屏为准，恢复后补发。",
        "See whether Kafka runs and the relay reaches it; until then watch the wall. What is missed is sent later.",
    ),
}
"""The pulses, which beat as long as alarms can arrive, with the words for when one does not."""


@dataclass(frozen=True)
class _Known:
    """What is stored of an alert: the newest change of it that was accepted."""

    fingerprint: str
    alarm: str
    change: int
    firing: bool
    starts_ms: int
    seen_ms: int


@dataclass(frozen=True)
class PlatformBox:
    """Platform alerts and pulses, written to the robots named; times in ms UTC."""

    outbox: Outbox

    def note(self, alert: Alert, robots: Sequence[str], now_ms: int) -> None:
        """Take an alert in; whoever calls again with the same one changes nothing."""
        with self.outbox.at_once():
            known = self._known(alert.fingerprint)
            if alert.status == "resolved":
                if known is not None and known.firing:
                    self._gone(alert, known, robots, now_ms)
            elif known is not None and self._is_on(alert, known, now_ms):
                self._store(replace(known, firing=True, seen_ms=now_ms))
            else:
                self._begins(alert, known, robots, now_ms)

    def beat(self, pulse: str, robots: Sequence[str], now_ms: int) -> None:
        """Note a beat: "silence" is sent only when no other follows in time."""
        with self.outbox.at_once():
            known = self._known(pulse)
            warned = [] if known is None else self._warned(known)
            if known is not None and not warned and self._postponed(known, now_ms + SILENT_MS):
                return
            if known is not None:
                self._withdrawn(known)
                again = _over(_silence(pulse, known.alarm, known.starts_ms), change=2, at_ms=now_ms)
                self.outbox.accept(again, warned, now_ms)
            alarm = f"{PLATFORM}:{pulse}:{now_ms}"
            self.outbox.accept(_silence(pulse, alarm, now_ms), robots, now_ms, due_ms=now_ms + SILENT_MS)
            self._store(_Known(pulse, alarm, 1, firing=True, starts_ms=now_ms, seen_ms=now_ms))

    def begin(self, robots: Sequence[str], now_ms: int) -> None:
        """When the relay starts: it was itself away, so nobody was silent yet. From now on the topic must be read."""
        for pulse in (MONITORING, TOPIC):
            known = self._known(pulse)
            if known is not None:
                due_ms = now_ms + SILENT_MS
                if self._postponed(known, due_ms):  # for robots that were not in the settings before, too
                    self.outbox.accept(_silence(pulse, known.alarm, known.starts_ms), robots, now_ms, due_ms=due_ms)
            elif pulse == TOPIC:
                self.beat(pulse, robots, now_ms)

    def _is_on(self, alert: Alert, known: _Known, now_ms: int) -> bool:
        same = known.starts_ms == alert.starts_ms or now_ms - known.seen_ms <= SAME_MS
        return same and (known.firing or self._withdrawn(known))

    def _begins(self, alert: Alert, known: _Known | None, robots: Sequence[str], now_ms: int) -> None:
        notice = alert_notice(alert)
        if known is not None and known.alarm == notice.episode.episode:  # it was called gone, and was not
            notice = Notice(replace(notice.episode, change=known.change + 1), notice.own)
        self.outbox.accept(notice, robots, now_ms)
        episode = notice.episode
        self._store(_Known(alert.fingerprint, episode.episode, episode.change, True, alert.starts_ms, now_ms))

    def _gone(self, alert: Alert, known: _Known, robots: Sequence[str], now_ms: int) -> None:
        raised = alert_notice(alert)
        raised = Notice(replace(raised.episode, episode=known.alarm), raised.own)
        notice = _over(raised, change=known.change + 1, at_ms=now_ms)
        self.outbox.accept(notice, robots, now_ms, due_ms=now_ms + GONE_MS)
        self._store(replace(known, change=notice.episode.change, firing=False))

    def _withdrawn(self, known: _Known) -> bool:
        """Take the newest change back; whether it had not been sent to anybody."""
        return self._change(known, "state = 'withdrawn'", ())

    def _postponed(self, known: _Known, due_ms: int) -> bool:
        return self._change(known, "due_ms = ?", (due_ms,))

    def _change(self, known: _Known, assignment: str, values: tuple[int, ...]) -> bool:
        done = self.outbox.db.execute(
            f"UPDATE notices SET {assignment} WHERE alarm = ? AND change = ? AND state = 'waiting' AND letter IS NULL",  # noqa: S608 - ours
            (*values, known.alarm, known.change),
        )
        return done.rowcount > 0

    def _warned(self, known: _Known) -> list[str]:
        """Return the robots that the newest change has been sent to, or is being sent to."""
        rows = self.outbox.db.execute(
            "SELECT robot FROM notices WHERE alarm = ? AND change = ? AND letter IS NOT NULL",
            (known.alarm, known.change),
        )
        return [robot for (robot,) in rows]

    def _known(self, fingerprint: str) -> _Known | None:
        row = self.outbox.db.execute(
            "SELECT fingerprint, alarm, change, firing, starts_ms, seen_ms FROM platform WHERE fingerprint = ?",
            (fingerprint,),
        ).fetchone()
        return None if row is None else _Known(*row)

    def _store(self, known: _Known) -> None:
        self.outbox.db.execute("INSERT OR REPLACE INTO platform VALUES (?, ?, ?, ?, ?, ?)", astuple(known))


def _silence(pulse: str, alarm: str, at_ms: int) -> Notice:
    return platform_notice(alarm, pulse, _SILENT[pulse], at_ms=at_ms, level="red")


def _over(raised: Notice, *, change: int, at_ms: int) -> Notice:
    episode = replace(
        raised.episode, state="cleared", what="cleared", change=change, changed_at=at_ms, cleared_at=at_ms
    )
    return Notice(episode, raised.own)
