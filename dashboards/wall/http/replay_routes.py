"""The addresses for replays: the event stream of one replay, and the interval that can be replayed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dashboards.wall.http.answers import EventStream, refusal
from dashboards.wall.live.feed import event
from dashboards.wall.live.queries import StoreConnection
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.replay import queries
from dashboards.wall.replay.history import History
from dashboards.wall.replay.player import ReplayPlayer
from dashboards.wall.replay.request import ReplayRequest, check_recorded, parse_replay_request
from sinks.sink import StoreError, StoreRefused
from streams.clock import real_now
from streams.site.model import Site

MOST: Final = 4
"""Replays at once: each asks the store for itself."""


class ReplayInterval(msgspec.Struct, frozen=True):
    """The interval that can be replayed (site time, ms): None without any passage.

    From `then_from_ms` on the store has recorded when each passage became known.
    """

    first_ms: int | None
    last_ms: int | None
    then_from_ms: int


class Replays:
    """Replays of one wall: `connect` opens a connection to the store for each; `card` is the live wall's."""

    def __init__(
        self, connect: Callable[[], StoreConnection], site: Site, options: WallOptions, card: Mapping[str, Any]
    ) -> None:
        self._connect, self._site, self._options, self._card = connect, site, options, card
        self._open = 0
        self._closed = False

    def close(self) -> None:
        """End every replay, so that a server can shut down."""
        self._closed = True

    async def span(self, _: Request) -> Response:
        """Answer with the interval that can be replayed."""
        connection = self._connect()
        try:
            span = await self._span(connection)
        except RequestRefused as refused:
            return refusal(refused, event="wall_replay_refused")
        finally:
            await asyncio.to_thread(connection.close)
        return Response(msgspec.json.encode(span), media_type="application/json")

    async def events(self, request: Request) -> Response:
        """Stream: `site` once, then `beat` every second and `trend` when it is another one."""
        connection = self._connect()
        try:
            replay = await self._parse(request, connection)
        except RequestRefused as refused:
            await asyncio.to_thread(connection.close)
            return refusal(refused, event="wall_replay_refused")
        timeout = self._options.send_timeout_s
        return EventStream(self._stream(replay, connection), ping=0, send_timeout=timeout)

    async def _parse(self, request: Request, connection: StoreConnection) -> ReplayRequest:
        zone = self._site.time_zone
        replay = parse_replay_request(dict(request.query_params), zone, now=self._site_now())
        if self._open >= MOST:
            raise RequestRefused(
                503,
                f"已有 {MOST} 个回放在进行；请先关闭一个，再试",
                f"{MOST} replays are going on, as many as may be: close one, then try again",
                retry_after_s=5,
            )
        check_recorded(replay, (await self._span(connection)).then_from_ms, zone)
        return replay

    async def _span(self, connection: StoreConnection) -> ReplayInterval:
        try:
            [(first, last, since)] = await asyncio.to_thread(connection.query, queries.SPAN)
        except StoreRefused as error:
            raise RequestRefused(
                503,
                "数据库没有回放所需的视图；请运行 gatepulse schema apply",
                "the store has no views for a replay: run `gatepulse schema apply` with this version",
            ) from error
        except StoreError as error:
            raise RequestRefused(
                503, "数据库无应答；恢复后再试", "the store does not answer; try again once it does", retry_after_s=5
            ) from error
        latest = None if last is None else min(last, self._site_now())
        return ReplayInterval(first, latest, self._options.clock.now(since))

    def _site_now(self) -> int:
        return self._options.clock.now(real_now())

    async def _stream(self, replay: ReplayRequest, connection: StoreConnection) -> AsyncIterator[bytes]:
        begin = partial(History, connection, self._site, self._options.clock, end=replay.end, known=replay.known)
        self._open += 1
        player = ReplayPlayer(begin, replay, self._site, self._options)
        try:
            yield event("site", player.card(self._card))
            async for each in player.events(lambda: self._closed):
                yield each
        finally:
            self._open -= 1
            player.end(connection.close)
