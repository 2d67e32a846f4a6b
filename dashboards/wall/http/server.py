"""The wall's HTTP application: the page, its event stream, the same snapshot for scripts. Read next: `run.py`.

The page is static, loads from its own origin only and runs no code from elsewhere: the headers below make the browser
hold it to that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.wall.http.acknowledge import AcknowledgeHandler, CommandSender, SendCommand
from dashboards.wall.http.answers import EventStream
from dashboards.wall.http.origin import may_acknowledge
from dashboards.wall.http.replay_routes import Replays
from dashboards.wall.live.feed import Feed, event
from dashboards.wall.live.queries import Source, StoreConnection
from dashboards.wall.model.card import site_card
from dashboards.wall.model.options import WallOptions
from streams.site.model import Site

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
    connect: Callable[[], StoreConnection] | None = None,
) -> Starlette:
    """Build the application; its lifespan runs the feed and closes the source.

    `host` is where it will listen; without `send` no alarm can be acknowledged. `connect` opens a connection to the
    store for each replay; without it there are no replays. `app.state` holds the feed and the replays.
    """
    feed = Feed(source, site, options)
    sender = CommandSender(send) if send is not None and may_acknowledge(options.acknowledge, host) else None
    acknowledgements = AcknowledgeHandler(sender, host, feed, source, options.clock)
    card = site_card(site, options, page=page_version(), acknowledge=sender is not None, replays=connect is not None)
    displays = Displays(feed, card, options)
    replays, replay_routes = None, []
    if connect is not None:
        replays = Replays(connect, site, options, card)
        replay_routes = [Route("/replay/events", replays.events), Route("/replay/span.json", replays.span)]

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
            Route("/alarms/ack", acknowledgements.acknowledge, methods=["POST"]),
            Route("/", page),
            Route("/events", displays.events),
            Route("/snapshot.json", displays.snapshot),
            Route("/healthz", displays.health),
            *replay_routes,
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(SecurityHeaders)],
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


async def page(_: Request) -> Response:
    """Serve the page."""
    return FileResponse(STATIC / "index.html")


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
        return Response(msgspec.json.encode(body), media_type="application/json")

    async def health(self, _: Request) -> Response:
        """Answer 200 while the figures are fresh, 503 while they are stale, lost or not there yet."""
        now = self._feed.now()
        good = now.store == "ok" and now.age_ms is not None and not now.stale
        body = {
            "ok": good,
            "store": now.store,
            "age_ms": now.age_ms,
            "round_ms": self._feed.round_ms,
            "displays": self._open,
        }
        return Response(msgspec.json.encode(body), 200 if good else 503, media_type="application/json")

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
