"""The demo's receiver prints each signed message of the relay once, in one line, and refuses all others."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

import pytest

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from infra.alerting.receiver import MessageError, Receiver
from infra.relay.outbox import RobotMessage, Waiting
from infra.relay.robots import Request, request, webhook_signature
from tests.support.alerts import EXPO, WEBHOOK_SECRET, notice, robot

NOW = 1_762_909_300.0


@pytest.fixture
def lines() -> list[str]:
    """Keep what was said."""
    return []


@pytest.fixture
def receiver(lines: list[str]) -> Iterator[Receiver]:
    """Listen."""
    with Receiver(EXPO, WEBHOOK_SECRET, lines.append) as receiver:
        yield receiver


def signed(*notices: Notice, message: str = "a", at: float = NOW, secret: str = WEBHOOK_SECRET) -> Request:
    """Return what the relay would post."""
    head, *folded = (Waiting(number, each) for number, each in enumerate(notices))
    return request(
        robot("webhook", secret=secret), RobotMessage(message, head, tuple(folded)), "text", round(at * 1000)
    )


def small(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def take(receiver: Receiver, asked: Request, *, now: float = NOW) -> None:
    receiver.receive(small(asked.headers), asked.body, now=now)


def test_a_message_is_one_line_that_names_the_zones_team(receiver: Receiver, lines: list[str]) -> None:
    take(receiver, signed(notice()))
    (line,) = lines
    assert line.startswith("ALARM → 北门处置组 / North gates response team: 🟠 入口超载 N3 新告警")
    assert line.endswith("/ entrance overload raised 11-12 09:00:00")


def test_alarms_of_no_zone_are_for_the_command_centre_and_the_platforms_for_its_engineer(
    receiver: Receiver, lines: list[str]
) -> None:
    take(receiver, signed(notice(zone=""), message="a"))
    take(receiver, signed(notice(rule=PLATFORM, own=OwnWords("存储不可写", "the store takes no rows")), message="b"))
    assert lines[0].startswith("ALARM → 指挥中心 / command centre: ")
    assert lines[1].startswith("ALARM → 平台工程师 / platform engineer: 🟠 存储不可写")


def test_the_folded_are_counted(receiver: Receiver, lines: list[str]) -> None:
    take(receiver, signed(notice(), notice(episode="x"), notice(episode="y")))
    assert len(lines) == 1
    assert lines[0].endswith("（另有 2 条 / 2 more）")


def test_a_repetition_is_said_once(receiver: Receiver, lines: list[str]) -> None:
    take(receiver, signed(notice(), message="a"))
    take(receiver, signed(notice(), message="a", at=NOW + 2))
    assert len(lines) == 1
    take(receiver, signed(notice(2), message="b"))
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"webhook-signature": "v1,AAAA"}, "webhook-signature: does not fit"),
        ({"webhook-id": "msg_other"}, "webhook-signature: does not fit"),
        ({"webhook-timestamp": ""}, "webhook-timestamp = '': expected a second of the last five minutes"),
        ({"webhook-timestamp": "１２"}, "webhook-timestamp"),
    ],
)
def test_what_is_not_signed_is_refused(receiver: Receiver, lines: list[str], change: dict[str, str], said: str) -> None:
    asked = signed(notice())
    with pytest.raises(MessageError, match=said):
        receiver.receive(small(asked.headers) | change, asked.body, now=NOW)
    assert lines == []


def test_another_secret_and_an_old_message_are_refused(receiver: Receiver, lines: list[str]) -> None:
    with pytest.raises(MessageError, match="webhook-signature"):
        take(receiver, signed(notice(), secret="whsec_" + "A" * 43 + "="))
    with pytest.raises(MessageError, match="webhook-timestamp"):
        take(receiver, signed(notice()), now=NOW + 301)
    assert lines == []


def test_what_is_signed_and_no_message_is_refused_with_the_field(receiver: Receiver, lines: list[str]) -> None:
    headers, body = small(signed(notice()).headers), b'{"data": {"notices": 7}}'
    signature = webhook_signature(WEBHOOK_SECRET, headers["webhook-id"], headers["webhook-timestamp"], body)
    with pytest.raises(MessageError, match=r"Expected `array`, got `int` - at `\$.data.notices`"):
        receiver.receive(headers | {"webhook-signature": signature}, body, now=NOW)
    assert lines == []


def post(url: str, asked: Request) -> int:
    given = urllib.request.Request(url, asked.body, dict(asked.headers))  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(given, timeout=10) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_over_http_it_answers_200_for_what_it_took_and_400_for_the_rest(receiver: Receiver, lines: list[str]) -> None:
    assert post(receiver.url, signed(notice(), at=time.time())) == 200
    assert post(receiver.url, signed(notice(), at=time.time() - 400)) == 400
    wrong = signed(notice(), at=time.time())
    assert post(receiver.url, Request(wrong.url, wrong.headers, json.dumps({"data": 1}).encode())) == 400
    assert len(lines) == 1
