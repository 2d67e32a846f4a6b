"""The wall's HTTP application: the page, its event stream, the same snapshot for scripts, replays. Next: `run.py`.

The page is static, loads from its own origin only and runs no code from elsewhere: the headers below make the browser
hold it to that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.wall.http.acknowledge import AcknowledgeHandler, CommandSender, SendCommand
from dashboards.wall.http.origin import may_acknowledge
from dashboards.wall.live.feed import Feed, event
from dashboards.wall.live.queries import Source
from dashboards.wall.model.card import site_card
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.replay import queries
from dashboards.wall.replay.history import History
from dashboards.wall.replay.player import ReplayPlayer
from dashboards.wall.replay.request import ReplayRequest, check_recorded, parse_replay_request
from sinks.clickhouse import ClickHouseReader
from sinks.sink import StoreError, StoreRefused
from streams.clock import real_now
from streams.site.model import Site

log = structlog.get_logger(__name__)

ACKNOWLEDGE = "/alarms/ack"
MOST_REPLAYS = 4
"""Replays at once: each asks the store for itself."""

STATIC = Path(__file__).parents[1] / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(
    source: Source,
    site: Site,
    options: WallOptions,
    *,
    host: str = "127.0.0.1",
    send: SendCommand | None = None,
    connect: Callable[[], ClickHouseReader],
) -> Starlette:
    """Build the application; its lifespan runs the feed and closes the source.

    `host` is where it will listen; without `send` no alarm can be acknowledged. `connect` opens a connection to the
    store for each replay. `app.state` holds the feed and the replays.
    """
    feed = Feed(source, site, options)
    sender = CommandSender(send) if send is not None and may_acknowledge(options.acknowledge, host) else None
    acknowledgements = AcknowledgeHandler(sender, host, feed, source, options.clock)
    card = site_card(site, options, page=page_version(), acknowledge=sender is not None)
    displays = Displays(feed, card, options)
    replays = Replays(connect, site, options, card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(feed.run())
        try:
            yield
        finally:
            feed.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(source.close)

    app = Starlette(
        routes=[
            Route(ACKNOWLEDGE, acknowledgements.acknowledge, methods=["POST"]),
            Route("/", _page),
            Route("/events", displays.events),
            Route("/snapshot.json", displays.snapshot),
            Route("/healthz", displays.health),
            Route("/replay/events", replays.events),
            Route("/replay/span.json", replays.span),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={RequestRefused: refuse},  # type: ignore[dict-item]  # called for errors of this type only
        lifespan=lifespan,
    )
    app.state.feed, app.state.replays = feed, replays
    return app


def page_version() -> str:
    """Return a digest of the page's files: a display with another one has an old page, and loads it anew."""
    digest = sha256()
    for path in sorted(each for each in STATIC.iterdir() if each.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def refuse(request: Request, refused: RequestRefused) -> Response:
    """Answer with the reason in both languages, and log without it that a request was refused."""
    replay = request.url.path.startswith("/replay")
    log_event = "wall_replay_refused" if replay else "wall_acknowledgement_refused"
    log.info(log_event, status=refused.status)
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    return _json_answer(refused.reason, refused.status, headers)


def _json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


class Displays:
    """Answers from the feed, and counts the displays that are connected."""

    def __init__(self, feed: Feed, card: dict[str, Any], options: WallOptions) -> None:
        self._feed = feed
        self._card = card
        self._site_event = event("site", card)
        self._options = options
        self._open = 0

    async def events(self, _: Request) -> Response:
        """Stream: `site` once, `trend` whenever it is new, `beat` with every round."""
        if self._open >= self._options.max_displays:
            text = f"max_displays: {self._open} displays are connected already; close some or raise the limit\n"
            return PlainTextResponse(text, status_code=503, headers={"Retry-After": "5"})
        return EventStream(self._stream(), ping=0, send_timeout=self._options.send_timeout_s)

    async def snapshot(self, _: Request) -> Response:
        """Answer with the newest publication as one JSON object."""
        newest = self._feed.newest
        body = {"site": self._card, "beat": newest.beat, "trend": newest.trend}
        return _json_answer(body)

    async def health(self, _: Request) -> Response:
        """Answer 200 while the figures are fresh, 503 while they are stale, lost or not there yet."""
        now = self._feed.now()
        good = now.store == "ok" and now.age_ms is not None and not now.stale
        ages = {"age_ms": now.age_ms, "round_ms": self._feed.round_ms}
        body = {"ok": good, "store": now.store, **ages, "displays": self._open}
        return _json_answer(body, 200 if good else 503)

    async def _stream(self) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield self._site_event
            trend_event = None
            async for newest in self._feed.follow():
                if newest.trend_event is not None and newest.trend_event is not trend_event:
                    trend_event = newest.trend_event
                    yield trend_event
                yield newest.beat_event
        finally:
            self._open -= 1


class ReplayInterval(msgspec.Struct, frozen=True):
    """What can be replayed (site ms), None without passages; what was known is recorded from `then_from_ms` on."""

    first_ms: int | None
    last_ms: int | None
    then_from_ms: int


class Replays:
    """Replays of one wall: `connect` opens a connection to the store for each; `card` is the live wall's."""

    def __init__(
        self, connect: Callable[[], ClickHouseReader], site: Site, options: WallOptions, card: Mapping[str, Any]
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
        finally:
            await asyncio.to_thread(connection.close)
        return _json_answer(span)

    async def events(self, request: Request) -> Response:
        """Stream: `site` once, then `beat` every second and `trend` when it is another one."""
        connection = self._connect()
        try:
            replay = await self._parse(request, connection)
        except RequestRefused:
            await asyncio.to_thread(connection.close)
            raise
        timeout = self._options.send_timeout_s
        return EventStream(self._stream(replay, connection), ping=0, send_timeout=timeout)

    async def _parse(self, request: Request, connection: ClickHouseReader) -> ReplayRequest:
        zone = self._site.time_zone
        replay = parse_replay_request(dict(request.query_params), zone, now=self._site_now())
        if self._open >= MOST_REPLAYS:
            raise RequestRefused(
                503,
                f"已有 {MOST_REPLAYS} 个回放在进行；请先关闭一个，再试",
                f"{MOST_REPLAYS} replays are going on, as many as may be: close one, then try again",
                retry_after_s=5,
            )
        check_recorded(replay, (await self._span(connection)).then_from_ms, zone)
        return replay

    async def _span(self, connection: ClickHouseReader) -> ReplayInterval:
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

    async def _stream(self, replay: ReplayRequest, connection: ClickHouseReader) -> AsyncIterator[bytes]:
        begin = partial(History, connection, self._site, self._options.clock, end=replay.end, known=replay.known)
        self._open += 1
        player = ReplayPlayer(begin, replay, self._site, self._options)
        about = {"from_ms": replay.start, "to_ms": replay.end, "speed": replay.speed, "known": replay.known}
        try:
            yield event("site", {**self._card, "acknowledge": False, "replay": about})
            async for each in player.events(lambda: self._closed):
                yield each
        finally:
            self._open -= 1
            player.end(connection.close)


class EventStream(EventSourceResponse):
    """A stream of server-sent events that gives up on a display which stops reading."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side ends; the display reconnects by itself."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.warning("wall_display_too_slow", display=scope.get("client"), seconds=self.send_timeout)


class SecurityHeaders:
    """Middleware: puts `HEADERS` on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every message through and add the headers to the start of an answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-cache")
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)
