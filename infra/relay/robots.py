"""Builds the signed request for each kind of robot, and interprets its answer (pure).

Messages are plain text everywhere: nothing in a name can become a link, a tag or a mention. Limits and codes, with
where they are from, are in docs/alarms-delivery.md.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from dashboards.messages.notice import to_plain
from infra.relay.options import WEBHOOK_PREFIX, RobotOptions, RobotType
from infra.relay.outbox import RobotMessage

MOST_BYTES: Final[dict[RobotType, int]] = {"wecom": 2048, "dingtalk": 6000, "feishu": 12_000, "webhook": 12_000}
"""Of a text, in UTF-8: WeCom takes 2,048, Feishu 20 kB with all around it; the others are ours, to be readable."""
MOST_NOTICES: Final[dict[RobotType, int]] = {"webhook": 200}
"""In one message; a webhook gets each in full, some 400 bytes, and many servers take no more than 1 MB."""

PAUSE: Final = 60.0  # s; after "too fast"
_FAST: Final = {"wecom": {45009, 45033}, "dingtalk": {130101, 130102, 90030, 88}, "feishu": {11232, 9499}}
_BUSY: Final = {"wecom": {-1, 6000}, "dingtalk": {-1}, "feishu": {-1}}
_HTTP_LATER: Final = {408, 425, 429}


@dataclass(frozen=True)
class Request:
    """What is posted; the address is shown nowhere."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes


@dataclass(frozen=True)
class Accepted:
    """The robot has the message."""


@dataclass(frozen=True)
class Later:
    """Try again, after `seconds` at least; `doubtful` if the robot may have the message nevertheless."""

    reason: str
    seconds: float = 0.0
    doubtful: bool = False


@dataclass(frozen=True)
class Refused:
    """The robot will never take it."""

    reason: str


Verdict = Accepted | Later | Refused


def request(robot: RobotOptions, message: RobotMessage, text: str, now_ms: int) -> Request:
    """Return what to post to a robot at this moment (ms UTC)."""
    match robot.type:
        case "wecom":
            return _json(robot.url, {"msgtype": "text", "text": {"content": text}})
        case "dingtalk":
            content = {"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": False}}
            return _json(robot.url + _dingtalk_signature(robot, now_ms), content)
        case "feishu":
            return _json(robot.url, _feishu_signature(robot, now_ms) | {"msg_type": "text", "content": {"text": text}})
        case "webhook":
            return _webhook(robot, message, text, now_ms)


def judge(robot_type: RobotType, status: int, body: bytes, retry_after: str | None = None) -> Verdict:
    """Return what an answer means."""
    if status in _HTTP_LATER or status >= 500:
        pause = float(retry_after) if retry_after and retry_after.isdigit() else PAUSE if status == 429 else 0.0
        return Later(f"HTTP {status}", min(pause, 600.0), doubtful=status >= 500)
    code = None if robot_type == "webhook" else _code(body)
    if code is None and not 200 <= status < 300:
        return Refused(f"HTTP {status}")
    if robot_type == "webhook" or code == 0:
        return Accepted()
    if code is None:  # an answer of a proxy between us and the robot
        return Later("the answer is not a robot's", doubtful=True)
    if code in _FAST[robot_type]:
        return Later(f"code {code}: too fast", PAUSE)
    return Later(f"code {code}: busy") if code in _BUSY[robot_type] else Refused(f"code {code}")


def _json(url: str, content: Mapping[str, object]) -> Request:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Request(url, {"Content-Type": "application/json; charset=utf-8"}, body)


def _hmac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()


def _dingtalk_signature(robot: RobotOptions, now_ms: int) -> str:
    """Return what is added to the address: HMAC of <ms>, a line feed and the secret, with the secret as its key."""
    if not robot.secret:
        return ""
    sign = _hmac(robot.secret.encode(), f"{now_ms}\n{robot.secret}".encode())
    joint = "&" if "?" in robot.url else "?"
    return f"{joint}timestamp={now_ms}&sign={quote_plus(sign)}"


def _feishu_signature(robot: RobotOptions, now_ms: int) -> dict[str, str]:
    """Return what is added to the body: HMAC of nothing, with <s>, a line feed and the secret as its key."""
    if not robot.secret:
        return {}
    seconds = now_ms // 1000
    return {"timestamp": str(seconds), "sign": _hmac(f"{seconds}\n{robot.secret}".encode(), b"")}


def webhook_signature(secret: str, message: str, seconds: str, body: bytes) -> str:
    """Sign as in the Standard Webhooks specification: HMAC of "<id>.<s>.<body>"."""
    key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX))
    return f"v1,{_hmac(key, f'{message}.{seconds}.'.encode() + body)}"


def _webhook(robot: RobotOptions, message: RobotMessage, text: str, now_ms: int) -> Request:
    content = {
        "type": "alarm.changed",
        "timestamp": dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).isoformat(timespec="milliseconds"),
        "data": {
            "text": text,
            "doubtful": message.doubtful,
            "notices": [to_plain(each.notice) for each in (message.head, *message.folded)],
        },
    }
    plain = _json(robot.url, content)
    name, seconds = f"msg_{message.id}", str(now_ms // 1000)
    signature = webhook_signature(robot.secret, name, seconds, plain.body)
    signed = {"webhook-id": name, "webhook-timestamp": seconds, "webhook-signature": signature}
    return Request(plain.url, {**plain.headers, **signed}, plain.body)


def _code(body: bytes) -> int | None:
    """Return a robot's own code: `errcode` at WeCom and DingTalk, `code` or `StatusCode` at Feishu."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    code = next((answer[name] for name in ("errcode", "code", "StatusCode") if name in answer), None)
    return code if isinstance(code, int) else None
