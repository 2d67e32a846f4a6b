"""`POST /alarms/ack`: checks an acknowledgement from the wall's own page, and sends it to the alarms' topic."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dashboards.wall.http.answers import refusal
from dashboards.wall.http.origin import check_origin
from dashboards.wall.model.acknowledgement import MOST_BYTES, RateLimit, check_change, check_fresh, parse_request
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.model.rows import ChangeRow
from sinks.sink import StoreError
from streams.kernels.alarms.inputs import Command
from streams.logging import loggable_text
from streams.text import Text

log = structlog.get_logger(__name__)

SendCommand = Callable[[Command], None]
"""Hand a command to the brokers and return once they have it; blocks, and raises whatever went wrong."""

BODY_SECONDS = 5.0
"""How long a request's body may take to arrive."""
PATIENCE_S = 20.0
"""How long an operator waits for the brokers."""

_NOT_OFFERED = Text(
    "本大屏不接受确认（wall.acknowledge）；请用 gatepulse alarms ack，或在大屏服务所在机器上打开页面",
    "this wall takes no acknowledgements (wall.acknowledge); use `gatepulse alarms ack`, or open the page on the "
    "wall's own machine",
)
_STORE_SILENT = Text("数据库无应答，无法核实报警；恢复后再确认", "the store does not answer; acknowledge once it does")
_TOO_LONG = Text(f"请求超过 {MOST_BYTES} 字节", f"the request is longer than {MOST_BYTES} bytes")
_TOO_SLOW = Text("请求未在时限内到达；请重试", "the request did not arrive in time; try again")
_BROKEN_OFF = Text("请求中断；请重试", "the request broke off; try again")
_NOT_SENT = Text(
    "未确认：消息系统（Kafka）没有接收；请检查 Kafka 是否运行，然后重试",
    "not acknowledged: Kafka did not take it; see whether Kafka runs, then try again",
)
_NO_ANSWER = Text(
    f"消息系统（Kafka）{PATIENCE_S:g} 秒内无应答，确认可能稍后生效；请检查 Kafka，并看报警状态是否改变",
    f"no answer from Kafka within {PATIENCE_S:g} s: it may still take effect; see whether Kafka runs, and whether the "
    "alarm changes",
)
_BUSY = Text(
    "未确认：上一条确认仍在发送；请检查 Kafka 是否运行，然后重试",
    "not acknowledged: the one before is still being sent; see whether Kafka runs, then try again",
)


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
            raise RequestRefused(503, _BUSY, retry_after_s=round(self._patience_s)) from None
        answer = self._start(command)
        answer.add_done_callback(self._done)
        try:
            await asyncio.wait_for(asyncio.shield(answer), self._patience_s)
        except TimeoutError:
            raise RequestRefused(504, _NO_ANSWER) from None
        except Exception as error:
            raise RequestRefused(503, _NOT_SENT) from error

    def _start(self, command: Command) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            answer.set_result(None) if error is None else answer.set_exception(error)

        def run() -> None:
            failure = None
            try:
                self._send(command)
            except Exception as error:  # noqa: BLE001 - whatever it is, the waiting request answers with it
                failure = error
            with contextlib.suppress(RuntimeError):  # the wall has ended meanwhile
                loop.call_soon_threadsafe(settle, failure)

        threading.Thread(target=run, name="wall-acknowledge", daemon=True).start()
        return answer

    def _done(self, answer: asyncio.Future[None]) -> None:
        self._one_at_a_time.release()
        error = None if answer.cancelled() else answer.exception()
        if error is not None:
            log.error("wall_acknowledgement_not_sent", error=loggable_text(error), kind=type(error).__name__)


class AcknowledgeHandler:
    """Handles acknowledgements for a wall that listens on `host`, and hands them to `send`.

    `newest` is what the wall shows, `changes` asks the store for all changes of an episode and may block, `site_now` is
    the site's clock in milliseconds.
    """

    def __init__(
        self,
        send: SendCommand,
        *,
        host: str,
        newest: Callable[[], WallSnapshot],
        changes: Callable[[str], Sequence[ChangeRow]],
        site_now: Callable[[], int],
    ) -> None:
        self._sender = CommandSender(send)
        self._host = host
        self._newest = newest
        self._changes = changes
        self._site_now = site_now
        self._rate = RateLimit()

    async def acknowledge(self, http_request: Request) -> Response:
        """Answer 202 once the alarms' topic has the command, otherwise with why not and what to do."""
        try:
            await self._acknowledge(http_request)
        except RequestRefused as refused:
            return refusal(refused, event="wall_acknowledgement_refused")
        return Response(b'{"sent":true}', 202, media_type="application/json")

    async def _acknowledge(self, http_request: Request) -> None:
        check_origin(http_request.headers, self._host)
        request = parse_request(await _body(http_request))
        self._rate.admit(time.monotonic())
        check_fresh(self._newest())
        try:
            changes = await asyncio.to_thread(self._changes, request.episode)
        except StoreError as error:
            raise RequestRefused(503, _STORE_SILENT) from error
        check_change(request, changes)
        command = Command(uuid.uuid4().hex, "ack", request.episode, request.actor, self._site_now())
        await self._sender.send(command)
        log.info("wall_acknowledged", episode=request.episode, change=request.change)


async def not_offered(_: Request) -> Response:
    """Answer for a wall that takes no acknowledgements."""
    return refusal(RequestRefused(403, _NOT_OFFERED), event="wall_acknowledgement_refused")


async def _body(request: Request) -> bytes:
    """Read the body up to its longest valid length. Raises RequestRefused (400, 408, 413)."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise RequestRefused(413, _TOO_LONG)
    except TimeoutError:
        raise RequestRefused(408, _TOO_SLOW) from None
    except ClientDisconnect:
        raise RequestRefused(400, _BROKEN_OFF) from None
    return body
