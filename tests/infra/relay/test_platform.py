"""The platform's alerts are sent when they begin and end; a missing heartbeat is reported."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.relay.outbox import Outbox
from infra.relay.platform import (
    GONE_MS,
    MONITORING,
    SAME_MS,
    SILENT_MS,
    TOPIC,
    Alert,
    PlatformBox,
    WebhookError,
    alert_notice,
    read_webhook,
)
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


def sent(outbox: Outbox, now_ms: int) -> list[tuple[str, str]]:
    """Return what is due by then, and take it for sent."""
    waiting = outbox.waiting("duty", now_ms)
    outbox.db.execute(
        "UPDATE notices SET state = 'told', letter = 'x' WHERE state = 'waiting' AND due_ms <= ?", (now_ms,)
    )
    return [(each.notice.episode.subject, each.notice.episode.what) for each in waiting]


def test_it_is_sent_once_however_often_it_is_sent(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(), ROBOTS, NOW + 300_000)
    assert sent(outbox, NOW + 300_000) == [("GatepulseLag", "raised")]


def test_a_new_beginning_after_both_servers_were_killed_is_the_same_alert(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(starts="2025-11-12T01:05:00Z"), ROBOTS, NOW + SAME_MS)
    assert sent(outbox, NOW + SAME_MS) == [("GatepulseLag", "raised")]


def test_after_long_silence_a_new_beginning_is_a_new_alert(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(starts="2025-11-12T09:00:00Z"), ROBOTS, NOW + SAME_MS + 1)
    assert sent(outbox, NOW + SAME_MS + 1) == [("GatepulseLag", "raised")] * 2


def test_its_end_is_sent_when_it_has_stayed_away(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    sent(outbox, NOW)
    box.note(lag(status="resolved"), ROBOTS, NOW + 1000)
    box.note(lag(status="resolved"), ROBOTS, NOW + 2000)
    assert sent(outbox, NOW + GONE_MS) == []
    assert sent(outbox, NOW + 1000 + GONE_MS) == [("GatepulseLag", "cleared")]


def test_one_that_is_back_soon_was_never_away(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    sent(outbox, NOW)
    for minute in (1, 2, 3):  # Prometheus is restarted again and again
        box.note(lag(status="resolved"), ROBOTS, NOW + 60_000 * minute)
        box.note(lag(starts=f"2025-11-12T01:0{minute}:00Z"), ROBOTS, NOW + 60_000 * minute + 30_000)
    assert sent(outbox, NOW + SAME_MS) == []


def test_one_that_is_called_gone_and_comes_back_is_sent_again(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.note(lag(), ROBOTS, NOW)
    box.note(lag(status="resolved"), ROBOTS, NOW)
    assert sent(outbox, NOW + GONE_MS) == [("GatepulseLag", "raised"), ("GatepulseLag", "cleared")]
    box.note(lag(), ROBOTS, NOW + GONE_MS + 1)
    box.note(lag(status="resolved"), ROBOTS, NOW + GONE_MS + 2)
    assert sent(outbox, NOW + 3 * GONE_MS) == [("GatepulseLag", "raised"), ("GatepulseLag", "cleared")]


def test_an_end_of_what_nobody_heard_of_is_not_told(outbox: Outbox) -> None:
    PlatformBox(outbox).note(lag(status="resolved"), ROBOTS, NOW)
    assert sent(outbox, NOW + GONE_MS) == []


def test_heartbeats_keep_the_silence_from_being_told(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    for beat in range(20):
        box.beat(MONITORING, ROBOTS, NOW + 30_000 * beat)
    assert sent(outbox, NOW + 30_000 * 19 + SILENT_MS - 1) == []


def test_silence_is_sent_and_so_is_its_end(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.beat(MONITORING, ROBOTS, NOW)
    assert sent(outbox, NOW + SILENT_MS) == [("heartbeat", "raised")]
    box.beat(MONITORING, ROBOTS, NOW + 600_000)
    box.beat(MONITORING, ROBOTS, NOW + 601_000)
    assert sent(outbox, NOW + 602_000) == [("heartbeat", "cleared")]
    assert sent(outbox, NOW + 601_000 + SILENT_MS) == [("heartbeat", "raised")]


def test_a_relay_that_was_itself_away_does_not_call_that_silence(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    box.beat(MONITORING, ROBOTS, NOW)
    box.begin(ROBOTS, NOW + 3_600_000)
    assert sent(outbox, NOW + 3_600_000) == []
    assert ("heartbeat", "raised") in sent(outbox, NOW + 3_600_000 + SILENT_MS)


def test_without_any_heartbeat_ever_only_the_topic_of_alarms_is_missed(outbox: Outbox) -> None:
    PlatformBox(outbox).begin(ROBOTS, NOW)
    assert sent(outbox, NOW + SILENT_MS - 1) == []
    assert sent(outbox, NOW + SILENT_MS) == [("alarms-topic", "raised")]


def test_that_the_topic_cannot_be_read_is_sent_once_and_again_when_it_can_be(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    for second in range(0, 20, 5):
        box.beat(TOPIC, ROBOTS, NOW + 1000 * second)
    assert sent(outbox, NOW + 15_000 + SILENT_MS) == [("alarms-topic", "raised")]
    box.begin(ROBOTS, NOW + 200_000)  # the relay starts again, and the brokers are still away
    assert sent(outbox, NOW + 200_000 + SILENT_MS) == []
    box.beat(TOPIC, ROBOTS, NOW + 400_000)
    assert sent(outbox, NOW + 400_000) == [("alarms-topic", "cleared")]


def test_silence_is_sent_to_the_robots_of_today(outbox: Outbox) -> None:
    box = PlatformBox(outbox)
    for pulse in (MONITORING, TOPIC):
        box.beat(pulse, ["of yesterday"], NOW)
    box.begin(ROBOTS, NOW + 60_000)  # with other settings
    for pulse in (MONITORING, TOPIC):
        box.beat(pulse, ROBOTS, NOW + 70_000)
    assert sent(outbox, NOW + 70_000 + SILENT_MS - 1) == []
    assert sent(outbox, NOW + 70_000 + SILENT_MS) == [("heartbeat", "raised"), ("alarms-topic", "raised")]


def test_a_platform_alert_says_what_its_annotations_say() -> None:
    given = alert(
        {"alertname": "GatepulseLag", "level": "red"}, summary_zh="计数落后", summary_en="lag", todo_en="look"
    )
    (read,) = read_webhook(webhook(given)).alerts
    raised = alert_notice(read)
    assert raised.own is not None
    assert (raised.episode.level, raised.own.zh, raised.own.en, raised.own.todo_en) == (
        "red",
        "计数落后",
        "lag",
        "look",
    )
    assert raised.episode.raised_at == read.starts_ms == 1_762_909_200_123


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", json.dumps({"version": "3", "alerts": []}).encode(), b"\xff"])
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError, match="expected Alertmanager's webhook, version 4"):
        read_webhook(body)
