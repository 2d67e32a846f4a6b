"""An alert becomes a notice by its labels; what does not fit is named."""

import json

import pytest

from infra.relay.notice import (
    EPISODE,
    AlertError,
    WebhookError,
    episode_notice,
    is_episode,
    platform_notice,
    read_webhook,
)
from tests.support.alerts import RAISED, alert, episode_alert, labels, notice, webhook


def test_an_episodes_alert_is_read() -> None:
    (read,) = read_webhook(webhook(episode_alert(1))).alerts
    assert is_episode(read)
    assert episode_notice(read) == notice(1)


def test_the_status_of_an_episodes_alert_means_nothing() -> None:
    (gone,) = read_webhook(webhook(episode_alert(1, status="resolved"))).alerts
    assert episode_notice(gone) == notice(1)
    assert not episode_notice(gone).over


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("change", "first", "a whole number"),
        ("level", "purple", "yellow, orange or red"),
        ("raised_ms", "", "a whole number"),
        ("episode", "", "the episode's id"),
    ],
)
def test_a_label_that_does_not_fit_is_named(label: str, value: str, expected: str) -> None:
    (read,) = read_webhook(webhook(alert({"alertname": EPISODE, **labels(), label: value}))).alerts
    with pytest.raises(AlertError, match=rf"label {label} = '{value}': expected {expected}"):
        episode_notice(read)


def test_a_platform_alert_says_what_its_annotations_say() -> None:
    given = alert(
        {"alertname": "GatepulseLag", "level": "red"}, summary_zh="计数落后", summary_en="lag", todo_en="look"
    )
    (read,) = read_webhook(webhook(given)).alerts
    told = platform_notice(read, state="raised", now_ms=RAISED)
    assert (told.level, told.zh, told.en, told.todo_en) == ("red", "计数落后", "lag", "look")
    assert told.raised_ms == read.starts_ms == 1_762_909_200_123


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", json.dumps({"version": "3", "alerts": []}).encode(), b"\xff"])
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError, match="expected Alertmanager's webhook, version 4"):
        read_webhook(body)
