"""`POST /alarms/ack`: checks an acknowledgement from the wall's own page, and sends it to the alarms' topic.

An operator acknowledges the change of an alarm that the display showed. The request is refused if the alarm has become
worse since.
"""

import asyncio
import contextlib
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dashboards.messages.alarm_words import LEVEL_NAMES, rank
from dashboards.wall.http.origin import check_origin
from dashboards.wall.live.feed import Feed
from dashboards.wall.live.queries import Source
from dashboards.wall.model.alarms import CLEARED
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.model.rows import ChangeRow
from sinks.sink import StoreError
from streams.clock import real_now
from streams.kernels.alarms.inputs import Command
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import loggable_text
from streams.text import Text

log = structlog.get_logger(__name__)

SendCommand = Callable[[Command], None]
"""Hand a command to the brokers and return once they have it; blocks, and raises whatever went wrong."""

BODY_SECONDS = 5.0
"""How long a request's body may take to arrive."""
PATIENCE_S = 20.0
"""How long an operator waits for the brokers."""
MOST_BYTES = 4096
"""Of a request's body; the longest valid one has some 800."""
LONGEST_ACTOR = 64
PER_MINUTE = 10
"""Acknowledgements a minute, of all displays together: a key that sticks must not flood the alarms' topic."""


class AcknowledgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request: the episode, its change as the display showed it, and who acknowledges it."""

    episode: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    change: Annotated[int, msgspec.Meta(ge=1)]
    actor: str


def parse_request(body: bytes) -> AcknowledgeRequest:
    """Read a request's body, the actor's name without blanks around it. Raises RequestRefused (400)."""
    try:
        request = msgspec.json.decode(body, type=AcknowledgeRequest)
    except msgspec.DecodeError as error:
        raise RequestRefused(
            400, f"请求不符合格式（{error}）；请刷新页面后重试", f"the request does not fit: {error}; reload the page"
        ) from error
    actor = request.actor.strip()
    if not (1 <= len(actor) <= LONGEST_ACTOR and actor.isprintable()):
        shown = ascii(request.actor[: LONGEST_ACTOR + 1])
        raise RequestRefused(
            400,
            f"actor（操作员姓名）为 {shown}：应为 1–{LONGEST_ACTOR} 个可见字符；请按 N 重新输入",
            f"actor (the operator's name) is {shown}: expected 1 to {LONGEST_ACTOR} printable characters; "
            "press N and type it again",
        )
    return msgspec.structs.replace(request, actor=actor)


def check_fresh(now: WallSnapshot) -> None:
    """Refuse (503) while the wall itself does not know whether its alarms are those of this moment."""
    if now.store != "ok" or now.stale or now.strip.watch != "ok":
        raise RequestRefused(
            503,
            "未确认：报警现状无法核实（数据库中断或报警滞后）；请恢复后重试",
            "the alarms' state cannot be checked (the store is away, or alarms are behind); acknowledge once it can be",
        )


def check_change(request: AcknowledgeRequest, changes: Sequence[ChangeRow]) -> None:
    """Refuse (409) a change unknown or acknowledged, or after which the alarm became worse; `changes`: oldest first."""
    shown = next((row for row in changes if row.change == request.change), None)
    if shown is None:
        raise RequestRefused(
            409,
            f"未找到报警 {request.episode} 的第 {request.change} 次变化；请等待页面刷新后重试",
            f"episode {request.episode}, change {request.change}: not known; wait for the page to refresh, try again",
        )
    newest = changes[-1]
    if newest.state in ("acknowledged", "cleared"):
        raise RequestRefused(
            409,
            f"已由 {newest.actor} 确认，无需再确认",
            f"already acknowledged by {newest.actor}: nothing is to be done",
        )
    worst = next((row for row in changes if _worsened(row, shown)), None)
    if worst is not None:
        level = LEVEL_NAMES.get(worst.level, Text(worst.level, worst.level))
        raise RequestRefused(
            409,
            f"确认前已升级为{level.zh}，未确认；请查看后再按 Enter",
            f"not acknowledged: it has become {level.en} meanwhile; look at it, then press Enter again",
        )


def _worsened(row: ChangeRow, shown: ChangeRow) -> bool:
    """Whether a change came after the one shown and is worse; a cleared one names its worst level, but is over."""
    over = row.state in ("cleared", CLEARED)
    return row.change > shown.change and not over and rank(row.level) > rank(shown.level)


class RateLimit:
    """Admits at most `per_minute` requests in any minute; `at` is in seconds of a clock that never jumps."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._admitted: deque[float] = deque(maxlen=per_minute)

    def admit(self, at: float) -> None:
        """Count one request. Raises RequestRefused (429), with the seconds to wait, when the limit is reached."""
        most = self._admitted.maxlen
        wait = 60.0 - (at - self._admitted[0]) if len(self._admitted) == most else 0.0
        if wait > 0:
            seconds = int(wait) + 1
            raise RequestRefused(
                429,
                f"每分钟最多确认 {most} 条；请 {seconds} 秒后重试",
                f"at most {most} a minute can be acknowledged; try again in {seconds} s",
                retry_after_s=seconds,
            )
        self._admitted.append(at)


class CommandSender:
    """Sends one command after the other, and waits `patience_s` for each.

    Kafka's client blocks, for minutes if the brokers are away. So it works on a thread that nobody waits for at the end
    of the process.
    """

    def __init__(self, send: SendCommand, *, patience_s: float = PATIENCE_S) -> None:
        self._send = send
        self._patience_s = patience_s
        self._one_at_a_time = asyncio.Lock()

    async def send(self, command: Command) -> None:
        """Return once the brokers have it. Raises RequestRefused (503 not sent, 504 no answer in time)."""
        try:
            await asyncio.wait_for(self._one_at_a_time.acquire(), self._patience_s)
        except TimeoutError:
            raise RequestRefused(
                503,
                "未确认：上一条确认仍在发送；请检查 Kafka 是否运行，然后重试",
                "not acknowledged: the one before is still being sent; see whether Kafka runs, then try again",
                retry_after_s=round(self._patience_s),
            ) from None
        answer = self._start(command)
        answer.add_done_callback(self._done)
        try:
            await asyncio.wait_for(asyncio.shield(answer), self._patience_s)
        except TimeoutError:
            raise RequestRefused(
                504,
                f"消息系统（Kafka）{self._patience_s:g} 秒内无应答，确认可能稍后生效；"
                "请检查 Kafka，并看报警状态是否改变",
                f"no answer from Kafka within {self._patience_s:g} s: it may still take effect; see whether Kafka "
                "runs, and whether the alarm changes",
            ) from None
        except Exception as error:
            raise RequestRefused(
                503,
                "未确认：消息系统（Kafka）没有接收；请检查 Kafka 是否运行，然后重试",
                "not acknowledged: Kafka did not take it; see whether Kafka runs, then try again",
            ) from error

    def _start(self, command: Command) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            settle: Callable[[], None] = partial(answer.set_result, None)
            try:
                self._send(command)
            except Exception as error:  # noqa: BLE001 - whatever it is, the waiting request answers with it
                settle = partial(answer.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the wall has ended meanwhile
                loop.call_soon_threadsafe(settle)

        threading.Thread(target=run, name="wall-acknowledge", daemon=True).start()
        return answer

    def _done(self, answer: asyncio.Future[None]) -> None:
        self._one_at_a_time.release()
        error = None if answer.cancelled() else answer.exception()
        if error is not None:
            log.error("wall_acknowledgement_not_sent", error=loggable_text(error), kind=type(error).__name__)


@dataclass(frozen=True, slots=True)
class AcknowledgeHandler:
    """Handles acknowledgements for a wall that listens on `host`; without a `sender` it refuses them all."""

    sender: CommandSender | None
    host: str
    feed: Feed
    source: Source
    clock: SiteClock
    rate: RateLimit = field(default_factory=RateLimit)

    async def acknowledge(self, http_request: Request) -> Response:
        """Answer 202 once the alarms' topic has the command. Raises RequestRefused."""
        if self.sender is None:
            raise RequestRefused(
                403,
                "本大屏不接受确认（wall.acknowledge）；请用 gatepulse alarms ack，或在大屏服务所在机器上打开页面",
                "this wall takes no acknowledgements (wall.acknowledge); use `gatepulse alarms ack`, or open the page "
                "on the wall's own machine",
            )
        check_origin(http_request.headers, self.host)
        request = parse_request(await _body(http_request))
        self.rate.admit(time.monotonic())
        check_fresh(self.feed.now())
        try:
            changes = await asyncio.to_thread(self.source.read_changes, request.episode)
        except StoreError as error:
            raise RequestRefused(
                503,
                "数据库无应答，无法核实报警；恢复后再确认",
                "the store does not answer; acknowledge once it does",
            ) from error
        check_change(request, changes)
        command = Command(uuid.uuid4().hex, "ack", request.episode, request.actor, self.clock.now(real_now()))
        await self.sender.send(command)
        log.info("wall_acknowledged", episode=request.episode, change=request.change)
        return Response(b'{"sent":true}', 202, media_type="application/json")


async def _body(request: Request) -> bytes:
    """Read the body up to its longest valid length. Raises RequestRefused (400, 408, 413)."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise RequestRefused(
                        413, f"请求超过 {MOST_BYTES} 字节", f"the request is longer than {MOST_BYTES} bytes"
                    )
    except TimeoutError:
        raise RequestRefused(
            408, "请求未在时限内到达；请重试", "the request did not arrive in time; try again"
        ) from None
    except ClientDisconnect:
        raise RequestRefused(400, "请求中断；请重试", "the request broke off; try again") from None
    return body
