"""HTTP for replays: the events of one, and what there is to replay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards.wall.http.event_stream import Events
from dashboards.wall.live.feed import event
from dashboards.wall.model.acknowledgement import Refused
from dashboards.wall.model.options import WallOptions
from dashboards.wall.replay import questions
from dashboards.wall.replay.history import History
from dashboards.wall.replay.player import Player
from dashboards.wall.replay.request import Asked, check_recorded, read_asked
from dashboards.wall.replay.store import Store
from sinks.sink import StoreError, StoreRefused
from streams.clock import real_now
from streams.site.model import Site
from streams.text import Text

log = structlog.get_logger(__name__)

MOST: Final = 4
"""Replays at once: each asks the store for itself."""

_TOO_MANY: Final = Text(
    f"已有 {MOST} 个回放在进行；请先关闭一个，再试",
    f"{MOST} replays are going on, as many as may be: close one, then try again",
)
_STORE_SILENT: Final = Text("数据库无应答；恢复后再试", "the store does not answer; try again once it does")
_OLD_SCHEMA: Final = Text(
    "数据库没有回放所需的视图；请运行 gatepulse schema apply",
    "the store has no views for a replay: run `gatepulse schema apply` with this version",
)


class Connection(Store, Protocol):
    """A connection to the store that can be let go of."""

    def close(self) -> None:
        """Let go."""


class Span(msgspec.Struct, frozen=True):
    """What there is to replay (site time, ms): None without any passage; `then_from_ms`: what was known is recorded."""

    first_ms: int | None
    last_ms: int | None
    then_from_ms: int


class Replays:
    """Replays of one wall. `connect` opens a connection of its own for each; `card` is the live wall's."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        site: Site,
        options: WallOptions,
        card: Mapping[str, Any],
        *,
        now: Callable[[], int] = real_now,
    ) -> None:
        self._connect, self._site, self._options, self._card = connect, site, options, card
        self._now = now
        self._open = 0
        self._closed = False

    def routes(self) -> list[Route]:
        """Return what is to be served."""
        return [Route("/replay/events", self.events), Route("/replay/span.json", self.span)]

    def close(self) -> None:
        """End every replay, so that a server can shut down."""
        self._closed = True

    async def span(self, _: Request) -> Response:
        """Answer with what there is to replay."""
        connection = self._connect()
        try:
            span = await self._span(connection)
        except Refused as refused:
            return _refusal(refused)
        finally:
            await asyncio.to_thread(connection.close)
        return Response(msgspec.json.encode(span), media_type="application/json")

    async def events(self, request: Request) -> Response:
        """Stream: `site` once, then `beat` every second and `trend` when it is another one."""
        connection = self._connect()
        try:
            asked = await self._asked(request, connection)
        except Refused as refused:
            await asyncio.to_thread(connection.close)
            return _refusal(refused)
        timeout = self._options.send_timeout_s
        return Events(self._stream(asked, connection), ping=0, send_timeout=timeout)

    async def _asked(self, request: Request, connection: Connection) -> Asked:
        clock, zone = self._options.clock, self._site.time_zone
        asked = read_asked(dict(request.query_params), zone, now=clock.now(self._now()))
        if self._open >= MOST:
            raise Refused(503, _TOO_MANY, retry_after_s=5)
        check_recorded(asked, (await self._span(connection)).then_from_ms, zone)
        return asked

    async def _span(self, connection: Connection) -> Span:
        clock = self._options.clock
        try:
            [(first, last, since)] = await asyncio.to_thread(connection.query, questions.SPAN)
        except StoreRefused as error:
            raise Refused(503, _OLD_SCHEMA) from error
        except StoreError as error:
            raise Refused(503, _STORE_SILENT, retry_after_s=5) from error
        latest = None if last is None else min(last, clock.now(self._now()))
        return Span(first, latest, clock.now(since))

    async def _stream(self, asked: Asked, connection: Connection) -> AsyncIterator[bytes]:
        self._open += 1
        player = Player(self._begin(asked, connection), asked, self._site, self._options)
        try:
            yield event("site", player.card(self._card))
            async for each in player.events(lambda: self._closed):
                yield each
        finally:
            self._open -= 1
            player.end(connection.close)

    def _begin(self, asked: Asked, connection: Connection) -> Callable[[int], History]:
        def begin(site_ms: int) -> History:
            return History(
                connection,
                self._site,
                self._options.clock,
                begin=site_ms,
                end=asked.end,
                known=asked.known,
                flow_minutes=self._options.flow_minutes,
            )

        return begin


def _refusal(refused: Refused) -> Response:
    log.info("wall_replay_refused", status=refused.status)
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    return Response(msgspec.json.encode(refused.said), refused.status, headers, media_type="application/json")
