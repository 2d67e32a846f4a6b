"""Runs the wall as a process: opens the socket, connects the store, serves the application with uvicorn."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from functools import partial

import structlog
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from dashboards.wall.http.acknowledge import SendCommand
from dashboards.wall.http.origin import is_loopback, may_acknowledge
from dashboards.wall.http.server import create_app
from dashboards.wall.live.queries import Rounds
from dashboards.wall.model.options import WallOptions
from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.site.model import Site

log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
SEND_BUFFER = 64 * 1024
"""Bytes the kernel may hold back for one display; more would only be older figures."""
REQUEST_SECONDS = 10.0
"""A connection without a request for so long is closed within twice that time."""
QUERY_SECONDS = 5.0
"""How long a round may hang before the wall calls the store lost."""
REPLAY_SECONDS = 30.0
"""The same for a replay, which reads a whole day when it begins."""


class WallPortTaken(OSError):
    """The wall cannot listen on its configured address; the message says what to do."""


class PromptProtocol(H11Protocol):
    """HTTP with a time limit for requests: uvicorn itself waits for ever for the second half of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Begin to check the new connection."""
        super().connection_made(transport)
        self._answered = self.cycle
        self.loop.call_later(REQUEST_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Close the connection if no answer is under way and no request has come since the last check."""
        if self.transport.is_closing():
            return
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self.cycle is self._answered:
            self.transport.close()
        else:
            self._answered = self.cycle
            self.loop.call_later(REQUEST_SECONDS, self._close_if_idle)


class WallServer(uvicorn.Server):
    """uvicorn, except that open event streams end when the server does; set `should_exit` to end it."""

    def __init__(self, app: Starlette, options: WallOptions) -> None:
        self._feed, self._replays = app.state.feed, app.state.replays
        config = uvicorn.Config(
            app,
            http=PromptProtocol,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=2 * options.max_displays + 50,  # also counts those that hang on and never read
            timeout_keep_alive=10,
            timeout_graceful_shutdown=3,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every stream end first, or the server would wait for displays that never leave."""
        self._feed.close()
        self._replays.close()
        await super().shutdown(sockets)


def listen(host: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Open the wall's socket; port 0 takes any free one. Raises `WallPortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise WallPortTaken(
            f"wall.port = {port}: cannot listen on {host}:{port} ({error.strerror}). End the program that has the "
            f"port (`ss -ltnp 'sport = :{port}'` names it), or choose another port."
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"http://{host}:{port}/"


def store_source(address: StoreAddress, site: Site, options: WallOptions) -> Rounds:
    """Read the figures from a store, as the reader user who sees the public views only."""
    figures, trends = (ClickHouseReader(address, seconds=QUERY_SECONDS) for _ in range(2))
    return Rounds(figures, site, options.clock, trends=trends)


def run_wall(
    address: StoreAddress,
    site: Site,
    options: WallOptions,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    send: SendCommand,
) -> None:
    """Serve the wall until SIGINT or SIGTERM, then return; `ready` gets its URL once the socket is open.

    `send` hands an operator's acknowledgement to the alarms.
    A store that cannot be reached is no error here: the page says so, and shows figures as soon as it answers.
    """
    listener = listen(host, port)
    if not is_loopback(host):
        advice = "anyone who reaches this port sees the wall"
        if may_acknowledge(options.acknowledge, host):
            advice += " and can acknowledge alarms (wall.acknowledge)"
        log.warning("wall_open_to_network", host=host, advice=advice)
    ready(address_of(listener))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in order first, then raises the signal again
        source = store_source(address, site, options)
        connect = partial(ClickHouseReader, address, seconds=REPLAY_SECONDS)
        app = create_app(source, site, options, host=host, send=send, connect=connect)
        asyncio.run(WallServer(app, options).serve(sockets=[listener]))
