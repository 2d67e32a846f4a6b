"""Opens the wall's socket and serves an application on it. Read next: `run.py`, which adds the store."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from dashboards.wall.http.command_sender import SendCommand
from dashboards.wall.http.replay_routes import Connection
from dashboards.wall.http.server import create_app
from dashboards.wall.live.queries import Source
from dashboards.wall.model.options import WallOptions
from streams.site.model import Site

LOOPBACK = "127.0.0.1"
SEND_BUFFER = 64 * 1024
"""Bytes the kernel may hold back for one display; more would only be older figures."""


REQUEST_SECONDS = 10.0
"""A connection that has not asked for anything for so long is closed within twice that time."""


class WallPortTaken(OSError):
    """The wall cannot listen where it was told to."""


class PromptProtocol(H11Protocol):
    """HTTP, except that a connection has to ask for something in time: uvicorn waits for ever for half a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Begin to look after it."""
        super().connection_made(transport)
        self._answered = self.cycle
        self.loop.call_later(REQUEST_SECONDS, self._look)

    def _look(self) -> None:
        """Close it if nothing is being answered, and nothing has been asked for since the last look."""
        if self.transport.is_closing():
            return
        waiting = self.cycle is None or self.cycle.response_complete
        if waiting and self.cycle is self._answered:
            self.transport.close()
            return
        self._answered = self.cycle
        self.loop.call_later(REQUEST_SECONDS, self._look)


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
        if self._replays is not None:
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
            f"port (`ss -ltnp 'sport = :{port}'` names it), choose another port, or 0 for any free one."
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"http://{host}:{port}/"


async def serve(
    source: Source,
    site: Site,
    options: WallOptions,
    listener: socket.socket,
    *,
    host: str = LOOPBACK,
    send: SendCommand | None = None,
    connect: Callable[[], Connection] | None = None,
) -> None:
    """Serve on an open socket until cancelled, or until SIGINT or SIGTERM in the main thread."""
    app = create_app(source, site, options, host=host, send=send, connect=connect)
    await WallServer(app, options).serve(sockets=[listener])
