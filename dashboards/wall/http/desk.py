"""Where operators acknowledge alarms: `POST /alarms/ack`, from the wall's own page. Read next: `server.py`."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dashboards.wall.http.command_sender import SendCommand, Sending
from dashboards.wall.http.origin import check_origin
from dashboards.wall.model.acknowledgement import MOST_BYTES, Asked, Rate, Refused, check_fresh, check_seen, read_asked
from dashboards.wall.model.figures import Snapshot
from dashboards.wall.model.reading import ChangeRow
from sinks.sink import StoreError
from streams.kernels.alarms.inputs import Command
from streams.text import Text

log = structlog.get_logger(__name__)

BODY_SECONDS = 5.0
"""How long a request's body may take to arrive."""

_CLOSED = Text(
    "本大屏不接受确认（wall.acknowledge）；请用 gatepulse alarms ack，或在大屏服务所在机器上打开页面",
    "this wall takes no acknowledgements (wall.acknowledge); use `gatepulse alarms ack`, or open the page on the "
    "wall's own machine",
)
_STORE_SILENT = Text("数据库无应答，无法核实报警；恢复后再确认", "the store does not answer; acknowledge once it does")
_TOO_LONG = Text(f"请求超过 {MOST_BYTES} 字节", f"the request is longer than {MOST_BYTES} bytes")
_TOO_SLOW = Text("请求未在时限内到达；请重试", "the request did not arrive in time; try again")
_BROKEN_OFF = Text("请求中断；请重试", "the request broke off; try again")


class Desk:
    """Takes acknowledgements for a wall that listens on `host`, and hands them to `send`.

    `newest` is what the wall shows, `changes` asks the store for all changes of an episode and may block, `site_now` is
    the site's clock in milliseconds.
    """

    def __init__(
        self,
        send: SendCommand,
        *,
        host: str,
        newest: Callable[[], Snapshot],
        changes: Callable[[str], Sequence[ChangeRow]],
        site_now: Callable[[], int],
    ) -> None:
        self._sending = Sending(send)
        self._host = host
        self._newest = newest
        self._changes = changes
        self._site_now = site_now
        self._rate = Rate()

    async def acknowledge(self, request: Request) -> Response:
        """Answer 202 once the alarms' topic has the command, otherwise with why not and what to do."""
        try:
            asked = await self._asked(request)
            await self._command(asked)
        except Refused as refused:
            return refusal(refused)
        return Response(b'{"sent":true}', 202, media_type="application/json")

    async def _asked(self, request: Request) -> Asked:
        check_origin(request.headers, self._host)
        asked = read_asked(await _body(request))
        self._rate.take(time.monotonic())
        return asked

    async def _command(self, asked: Asked) -> None:
        check_fresh(self._newest())
        try:
            changes = await asyncio.to_thread(self._changes, asked.episode)
        except StoreError as error:
            raise Refused(503, _STORE_SILENT) from error
        check_seen(asked, changes)
        command = Command(uuid.uuid4().hex, "ack", asked.episode, asked.actor, self._site_now())
        await self._sending.command(command)
        log.info("wall_acknowledged", episode=asked.episode, change=asked.change)


async def closed(_: Request) -> Response:
    """Answer for a wall that takes no acknowledgements."""
    return refusal(Refused(403, _CLOSED))


def refusal(refused: Refused) -> Response:
    """Say why not, in both languages."""
    log.info("wall_acknowledgement_refused", status=refused.status)
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    return Response(msgspec.json.encode(refused.said), refused.status, headers, media_type="application/json")


async def _body(request: Request) -> bytes:
    """Read the body as far as it may be long. Raises Refused (400, 408, 413)."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise Refused(413, _TOO_LONG)
    except TimeoutError:
        raise Refused(408, _TOO_SLOW) from None
    except ClientDisconnect:
        raise Refused(400, _BROKEN_OFF) from None
    return body
