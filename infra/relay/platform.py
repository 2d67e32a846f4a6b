"""The platform's own alerts in the outbox: told when they begin and when they stay away, and the heartbeat of both.

Their only identity is a fingerprint, and when they began is forgotten whenever Prometheus and Alertmanager are killed
together. So whether one is on is kept here, and that it is gone is told only when it has stayed away for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from infra.relay.notice import HEARTBEAT, PLATFORM, Alert, Notice, platform_notice
from infra.relay.outbox import Outbox

GONE_MS: Final = 120_000
"""An alert that is back within this was never away."""
SAME_MS: Final = 900_000
"""One that is on and was reported within this is the same, whenever it says that it began (it is sent every 5 min)."""
SILENT_MS: Final = 120_000
"""Without a heartbeat for this long, Prometheus or Alertmanager is taken for dead (one is sent every 20 to 30 s)."""


@dataclass(frozen=True)
class _Known:
    """What is kept of an alert: the newest change of it that was accepted."""

    fingerprint: str
    alarm: str
    change: int
    firing: bool
    starts_ms: int
    seen_ms: int


@dataclass(frozen=True)
class PlatformBox:
    """Platform alerts and heartbeats, written to the robots named; times in ms UTC."""

    outbox: Outbox

    def note(self, alert: Alert, robots: Sequence[str], now_ms: int) -> None:
        """Take an alert in; whoever calls again with the same one changes nothing."""
        with self.outbox.at_once():
            known = self._known(alert.fingerprint)
            if alert.status == "resolved":
                if known is not None and known.firing:
                    self._gone(alert, known, robots, now_ms)
            elif known is not None and self._is_on(alert, known, now_ms):
                self._keep(replace(known, firing=True, seen_ms=now_ms))
            else:
                self._begins(alert, known, robots, now_ms)

    def beat(self, robots: Sequence[str], now_ms: int) -> None:
        """Note a heartbeat: "silence" is to be told only when no other follows."""
        with self.outbox.at_once():
            known = self._known(HEARTBEAT)
            told = [] if known is None else self._told(known)
            if known is not None and not told and self._postponed(known, now_ms + SILENT_MS):
                return
            if known is not None:
                self._withdrawn(known)
                self.outbox.accept([_beats_again(known, now_ms)], told, now_ms)
            alarm = f"{PLATFORM}:{HEARTBEAT}:{now_ms}"
            self.outbox.accept([_silent(alarm, now_ms)], robots, now_ms, due_ms=now_ms + SILENT_MS)
            self._keep(_Known(HEARTBEAT, alarm, 1, firing=True, starts_ms=now_ms, seen_ms=now_ms))

    def begin(self, now_ms: int) -> None:
        """When the relay starts: it was itself away, so nobody was silent yet."""
        known = self._known(HEARTBEAT)
        if known is not None:
            self._postponed(known, now_ms + SILENT_MS)

    def _is_on(self, alert: Alert, known: _Known, now_ms: int) -> bool:
        same = known.starts_ms == alert.starts_ms or now_ms - known.seen_ms <= SAME_MS
        return same and (known.firing or self._withdrawn(known))

    def _begins(self, alert: Alert, known: _Known | None, robots: Sequence[str], now_ms: int) -> None:
        notice = platform_notice(alert, state="raised", now_ms=now_ms)
        if known is not None and known.alarm == notice.alarm:  # it was called gone, and was not
            notice = msgspec.structs.replace(notice, change=known.change + 1)
        self.outbox.accept([notice], robots, now_ms)
        self._keep(_Known(alert.fingerprint, notice.alarm, notice.change, True, alert.starts_ms, now_ms))

    def _gone(self, alert: Alert, known: _Known, robots: Sequence[str], now_ms: int) -> None:
        notice = platform_notice(alert, state="cleared", now_ms=now_ms)
        notice = msgspec.structs.replace(notice, alarm=known.alarm, change=known.change + 1)
        self.outbox.accept([notice], robots, now_ms, due_ms=now_ms + GONE_MS)
        self._keep(replace(known, change=notice.change, firing=False))

    def _withdrawn(self, known: _Known) -> bool:
        """Take the newest change back; whether nobody had been told."""
        return self._change(known, "state = 'withdrawn'", ())

    def _postponed(self, known: _Known, due_ms: int) -> bool:
        return self._change(known, "due_ms = ?", (due_ms,))

    def _change(self, known: _Known, assignment: str, values: tuple[int, ...]) -> bool:
        done = self.outbox.db.execute(
            f"UPDATE notices SET {assignment} WHERE alarm = ? AND change = ? AND state = 'waiting' AND letter IS NULL",  # noqa: S608 - ours
            (*values, known.alarm, known.change),
        )
        return done.rowcount > 0

    def _told(self, known: _Known) -> list[str]:
        """Return the robots that have been told, or are being told, of the newest change."""
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

    def _keep(self, known: _Known) -> None:
        self.outbox.db.execute(
            "INSERT OR REPLACE INTO platform VALUES (?, ?, ?, ?, ?, ?)",
            (known.fingerprint, known.alarm, known.change, int(known.firing), known.starts_ms, known.seen_ms),
        )


def _silent(alarm: str, now_ms: int) -> Notice:
    return Notice(
        alarm=alarm, change=1, rule=PLATFORM, level="red", state="raised", raised_ms=now_ms, changed_ms=now_ms,
        subject=HEARTBEAT,
        zh="监控链路中断：超过 2 分钟没有收到 Prometheus 或 Alertmanager 的心跳，告警可能送不到",
        en="monitoring is cut off: no heartbeat of Prometheus and Alertmanager for 2 min, alarms may not arrive",
        todo_zh="查看 Prometheus 和 Alertmanager 是否在运行；恢复前以大屏为准。",
        todo_en="See whether Prometheus and Alertmanager run; until then watch the wall.",
    )  # fmt: skip


def _beats_again(known: _Known, now_ms: int) -> Notice:
    return Notice(
        alarm=known.alarm, change=2, rule=PLATFORM, level="red", state="cleared", raised_ms=known.starts_ms,
        changed_ms=now_ms, subject=HEARTBEAT, zh="监控链路中断", en="monitoring is cut off",
    )  # fmt: skip
