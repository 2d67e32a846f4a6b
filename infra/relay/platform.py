"""Tracks the platform's own alerts in the outbox: announces their beginning, their end, and a missing heartbeat.

Their only identity is a fingerprint, and when they began is forgotten whenever Prometheus and Alertmanager are killed
together. So whether one is on is stored here, and that it is gone is sent only when it has stayed away for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from infra.relay.alerts import HEARTBEAT, Alert, alert_notice, platform_notice
from infra.relay.outbox import Outbox

GONE_MS: Final = 120_000
"""An alert that is back within this was never away."""
SAME_MS: Final = 900_000
"""One that is on and was reported within this is the same, whatever its time of beginning (it is sent every 5 min)."""
SILENT_MS: Final = 120_000
"""A heartbeat missing for this long means that its sender is down (Alertmanager sends one every 20 to 30 s)."""


@dataclass(frozen=True)
class Pulse:
    """Something that beats as long as alarms can arrive, and the words for when it does not."""

    name: str
    silent: OwnWords


MONITORING: Final = Pulse(
    HEARTBEAT,
    OwnWords(
        "监控链路中断：超过 2 分钟没有收到 Prometheus 或 Alertmanager 的心跳，平台自身的告警可能送不到",
        "monitoring is cut off: no heartbeat of Prometheus and Alertmanager for 2 min, alarms about the platform may "
        "not arrive",
        "查看 Prometheus 和 Alertmanager 是否在运行；恢复前以大屏为准。",
        "See whether Prometheus and Alertmanager run; until then watch the wall.",
    ),
)
TOPIC: Final = Pulse(
    "alarms-topic",
    OwnWords(
        "告警通道中断：超过 2 分钟读不到 Kafka 中的告警，新告警送不到",
        "alarms are cut off: the topic of alarms could not be read from Kafka for 2 min, new alarms do not arrive",
        "查看 Kafka 是否在运行、转发器能否连上；恢复前以大屏为准，恢复后补发。",
        "See whether Kafka runs and the relay reaches it; until then watch the wall. What is missed is sent later.",
    ),
)


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

    def beat(self, pulse: Pulse, robots: Sequence[str], now_ms: int) -> None:
        """Note a beat: "silence" is sent only when no other follows in time."""
        with self.outbox.at_once():
            known = self._known(pulse.name)
            warned = [] if known is None else self._warned(known)
            if known is not None and not warned and self._postponed(known, now_ms + SILENT_MS):
                return
            if known is not None:
                self._withdrawn(known)
                again = _over(_silence(pulse, known.alarm, known.starts_ms), change=2, at_ms=now_ms)
                self.outbox.accept([again], warned, now_ms)
            alarm = f"{PLATFORM}:{pulse.name}:{now_ms}"
            self.outbox.accept([_silence(pulse, alarm, now_ms)], robots, now_ms, due_ms=now_ms + SILENT_MS)
            self._store(_Known(pulse.name, alarm, 1, firing=True, starts_ms=now_ms, seen_ms=now_ms))

    def begin(self, robots: Sequence[str], now_ms: int) -> None:
        """When the relay starts: it was itself away, so nobody was silent yet. From now on the topic must be read."""
        for pulse in (MONITORING, TOPIC):
            known = self._known(pulse.name)
            if known is not None:
                due_ms = now_ms + SILENT_MS
                if self._postponed(known, due_ms):  # for robots that were not in the settings before, too
                    self.outbox.accept([_silence(pulse, known.alarm, known.starts_ms)], robots, now_ms, due_ms=due_ms)
            elif pulse is TOPIC:
                self.beat(pulse, robots, now_ms)

    def _is_on(self, alert: Alert, known: _Known, now_ms: int) -> bool:
        same = known.starts_ms == alert.starts_ms or now_ms - known.seen_ms <= SAME_MS
        return same and (known.firing or self._withdrawn(known))

    def _begins(self, alert: Alert, known: _Known | None, robots: Sequence[str], now_ms: int) -> None:
        notice = alert_notice(alert)
        if known is not None and known.alarm == notice.episode.episode:  # it was called gone, and was not
            notice = Notice(replace(notice.episode, change=known.change + 1), notice.own)
        self.outbox.accept([notice], robots, now_ms)
        episode = notice.episode
        self._store(_Known(alert.fingerprint, episode.episode, episode.change, True, alert.starts_ms, now_ms))

    def _gone(self, alert: Alert, known: _Known, robots: Sequence[str], now_ms: int) -> None:
        raised = alert_notice(alert)
        raised = Notice(replace(raised.episode, episode=known.alarm), raised.own)
        notice = _over(raised, change=known.change + 1, at_ms=now_ms)
        self.outbox.accept([notice], robots, now_ms, due_ms=now_ms + GONE_MS)
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
            "SELECT alarm, change, firing, starts_ms, seen_ms FROM platform WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return None if row is None else _Known(fingerprint, row[0], row[1], bool(row[2]), row[3], row[4])

    def _store(self, known: _Known) -> None:
        self.outbox.db.execute(
            "INSERT OR REPLACE INTO platform VALUES (?, ?, ?, ?, ?, ?)",
            (known.fingerprint, known.alarm, known.change, int(known.firing), known.starts_ms, known.seen_ms),
        )


def _silence(pulse: Pulse, alarm: str, at_ms: int) -> Notice:
    return platform_notice(alarm, pulse.name, pulse.silent, at_ms=at_ms, level="red")


def _over(raised: Notice, *, change: int, at_ms: int) -> Notice:
    episode = replace(
        raised.episode, state="cleared", what="cleared", change=change, changed_at=at_ms, cleared_at=at_ms
    )
    return Notice(episode, raised.own)
