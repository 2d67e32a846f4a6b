"""A platform alert becomes a notice; anything that is no webhook is refused."""

import json

import pytest

from infra.relay.alerts import WebhookError, alert_notice, read_webhook
from tests.support.alerts import alert, webhook


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
