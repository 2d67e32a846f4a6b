"""The platform's own alerts are told when they begin and when they stay away; that the way is cut off is told too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.relay.notice import Alert, read_webhook
from infra.relay.outbox import Outbox
from infra.relay.platform import GONE_MS, SAME_MS, SILENT_MS, PlatformBox
from tests.support.alerts import alert, webhook

NOW = 1_762_909_300_000
ROBOTS = ["duty"]


def lag(*, status: str = "firing", starts: str = "2025-11-12T01:00:00Z") -> Alert:
    (read,) = read_webhook(webhook(alert({"alertname": "GatepulseLag"}, status=status, starts=starts))).alerts
    return read


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Provide an empty outbox."""
    with Outbox(tmp_path / "o") as empty:
        yield empty


def told(outbox: Outbox, now_ms: int) -> list[tuple[str, str]]:
    """Return what would be told by then, and take it for told."""
    waiting = outbox.waiting("duty", now_ms)
    outbox.db.execute(
        "UPDATE notices SET state = 'told', letter = 'x' WHERE state = 'waiting' AND due_ms <= ?", (now_ms,)
    )
    return [(each.notice.subject, each.notice.state) for each in waiting]


def test_it_is_told_once_however_often_it_is_sent(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(), ROBOTS, NOW + 300_000)
    assert told(outbox, NOW + 300_000) == [("GatepulseLag", "raised")]


def test_a_new_beginning_after_both_servers_were_killed_is_the_same_alert(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(starts="2025-11-12T01:05:00Z"), ROBOTS, NOW + SAME_MS)
    assert told(outbox, NOW + SAME_MS) == [("GatepulseLag", "raised")]


def test_after_long_silence_a_new_beginning_is_a_new_alert(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(starts="2025-11-12T09:00:00Z"), ROBOTS, NOW + SAME_MS + 1)
    assert told(outbox, NOW + SAME_MS + 1) == [("GatepulseLag", "raised")] * 2


def test_its_end_is_told_when_it_has_stayed_away(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    told(outbox, NOW)
    box.note(lag(status="resolved"), ROBOTS, NOW + 1000)
    box.note(lag(status="resolved"), ROBOTS, NOW + 2000)
    assert told(outbox, NOW + GONE_MS) == []
    assert told(outbox, NOW + 1000 + GONE_MS) == [("GatepulseLag", "cleared")]


def test_one_that_is_back_soon_was_never_away(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    told(outbox, NOW)
    for minute in (1, 2, 3):  # Prometheus is restarted again and again
        box.note(lag(status="resolved"), ROBOTS, NOW + 60_000 * minute)
        box.note(lag(starts=f"2025-11-12T01:0{minute}:00Z"), ROBOTS, NOW + 60_000 * minute + 30_000)
    assert told(outbox, NOW + SAME_MS) == []


def test_one_that_is_called_gone_and_comes_back_is_told_again(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(status="resolved"), ROBOTS, NOW)
    assert told(outbox, NOW + GONE_MS) == [("GatepulseLag", "raised"), ("GatepulseLag", "cleared")]
    box.note(lag(), ROBOTS, NOW + GONE_MS + 1)
    box.note(lag(status="resolved"), ROBOTS, NOW + GONE_MS + 2)
    assert told(outbox, NOW + 3 * GONE_MS) == [("GatepulseLag", "raised"), ("GatepulseLag", "cleared")]


def test_an_end_of_what_nobody_heard_of_is_not_told(outbox: Outbox) -> None:
    PlatformBox(outbox).note(lag(status="resolved"), ROBOTS, NOW)
    assert told(outbox, NOW + GONE_MS) == []


def test_heartbeats_keep_the_silence_from_being_told(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    for beat in range(20):
        box.beat(ROBOTS, NOW + 30_000 * beat)
    assert told(outbox, NOW + 30_000 * 19 + SILENT_MS - 1) == []


def test_silence_is_told_and_so_is_its_end(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.beat(ROBOTS, NOW)
    assert told(outbox, NOW + SILENT_MS) == [("heartbeat", "raised")]
    box.beat(ROBOTS, NOW + 600_000)
    box.beat(ROBOTS, NOW + 601_000)
    assert told(outbox, NOW + 602_000) == [("heartbeat", "cleared")]
    assert told(outbox, NOW + 601_000 + SILENT_MS) == [("heartbeat", "raised")]


def test_a_relay_that_was_itself_away_does_not_call_that_silence(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.beat(ROBOTS, NOW)
    box.begin(NOW + 3_600_000)
    assert told(outbox, NOW + 3_600_000) == []
    assert told(outbox, NOW + 3_600_000 + SILENT_MS) == [("heartbeat", "raised")]


def test_without_any_heartbeat_ever_nothing_is_silent(outbox: Outbox) -> None:
    PlatformBox(outbox).begin(NOW)
    assert told(outbox, NOW + SILENT_MS) == []
