"""Requests have the form and signature of each kind of robot, and its answers are interpreted rightly."""

import base64
import json

import pytest

from infra.relay.outbox import RobotMessage, Waiting
from infra.relay.robots import Accepted, Later, Refused, judge, request, webhook_signature
from tests.support.alerts import RAISED, notice, robot

LETTER = RobotMessage("p5jXN8AQM9LWM0D4loKWxJek", Waiting(1, notice()))


def test_dingtalk_is_signed_in_the_address_in_milliseconds() -> None:
    asked = request(robot("dingtalk"), LETTER, "文字", RAISED)
    assert f"&timestamp={RAISED}&sign=" in asked.url
    assert json.loads(asked.body)["text"] == {"content": "文字"}


def test_feishu_is_signed_in_the_body_in_seconds() -> None:
    content = json.loads(request(robot("feishu"), LETTER, "文字", RAISED).body)
    assert content["timestamp"] == str(RAISED // 1000)
    assert len(base64.b64decode(content["sign"])) == 32
    assert content["content"] == {"text": "文字"}


def test_a_webhook_carries_the_facts_under_an_id_that_stays() -> None:
    first, second = (request(robot("webhook"), LETTER, "文字", RAISED + n) for n in (0, 60_000))
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{LETTER.id}"
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    notices = json.loads(first.body)["data"]["notices"]
    assert notices[0]["alarm"] == notice().episode.episode


def test_a_webhook_is_signed_as_the_specification_of_standard_webhooks_says() -> None:
    # As the specification's own library for Python signs it.
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = webhook_signature(secret, message, "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_nobody_sees_the_address_or_the_signature() -> None:
    for kind in ("wecom", "dingtalk", "feishu", "webhook"):
        asked = request(robot(kind), LETTER, "文字", RAISED)
        assert "access_token" not in repr(asked)
        assert "webhook-signature" not in repr(asked)


@pytest.mark.parametrize(
    ("kind", "status", "body", "verdict"),
    [
        ("wecom", 200, b'{"errcode":0,"errmsg":"ok"}', Accepted),
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}', Accepted),
        ("feishu", 200, b'{"StatusCode":0,"StatusMessage":"success","code":0,"msg":"success"}', Accepted),
        ("webhook", 204, b"", Accepted),
        ("wecom", 200, b'{"errcode":45009,"errmsg":"api freq out of limit"}', Later),
        ("dingtalk", 200, b'{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}', Later),
        ("feishu", 400, b'{"code":11232,"msg":"frequency limited"}', Later),
        ("feishu", 404, b"", Refused),
        ("feishu", 200, b'{"code":11232,"msg":"frequency limited"}', Later),
        ("wecom", 200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', Refused),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', Refused),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', Refused),
        ("webhook", 401, b"", Refused),
        ("webhook", 302, b"", Refused),
        ("webhook", 503, b"", Later),
        ("dingtalk", 200, b"<html>", Later),
        ("dingtalk", 200, b"[]", Later),
    ],
)
def test_answers_are_understood(kind: str, status: int, body: bytes, verdict: type) -> None:
    assert isinstance(judge(kind, status, body), verdict)  # type: ignore[arg-type]


def test_a_robot_that_was_asked_too_fast_is_left_alone_for_a_minute() -> None:
    assert judge("wecom", 200, b'{"errcode":45009}') == Later("code 45009: too fast", 60.0)
    assert judge("webhook", 429, b"", "7") == Later("HTTP 429", 7.0)
    assert judge("webhook", 429, b"") == Later("HTTP 429", 60.0)


def test_an_answer_of_somebody_else_leaves_it_open_whether_the_robot_has_it() -> None:
    verdict = judge("feishu", 200, b"<html>please log in</html>")
    assert isinstance(verdict, Later)
    assert verdict.doubtful
