"""A TCP proxy on loopback, in a thread, that can delay, drop or cut traffic while it runs.

with Proxy(port) as proxy:
    proxy.conduct(requests=SWALLOW, replies=SWALLOW)   # half-open: connected, and nothing comes through
    proxy.pass_all()
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from infra.process.ports import LOOPBACK

_CHUNK = 65_536
_IN_ORDER = 1e-6  # seconds: a timer's order among equal times is not defined


@dataclass(frozen=True)
class Way:
    """What happens to bytes in one direction: each chunk waits `delay` seconds; `swallow` drops it.

    While one waits, those behind it wait for their turn. Not so with `latency`: everything comes that much later.
    """

    delay: float = 0.0
    latency: float = 0.0
    swallow: bool = False
    bytes_per_second: float | None = None

    def pause(self, size: int) -> float:
        """Return for how many seconds a chunk is held up."""
        return self.delay + (size / self.bytes_per_second if self.bytes_per_second else 0.0)


PASS = Way()
SWALLOW = Way(swallow=True)


@dataclass(eq=False)
class _Link:
    """One connection. Once bytes of it were swallowed it cannot go on: it is cut when bytes pass again."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    torn: bool = False

    def cut(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError, RuntimeError):
                end.transport.abort()


class Proxy:
    """Passes connections on to a port of loopback. Its methods may be called from any thread."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._requests = self._replies = PASS
        self._links: set[_Link] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), name="proxy", daemon=True)
        self.port = 0
        self.swallowed = 0
        """Bytes that went nowhere."""

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and listen no more."""
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def conduct(self, *, requests: Way = PASS, replies: Way = PASS) -> None:
        """Treat bytes so from now on."""
        self._requests, self._replies = requests, replies

    def black_hole(self) -> None:
        """Take connections and bytes, and pass nothing on."""
        self.conduct(requests=SWALLOW, replies=SWALLOW)

    def pass_all(self) -> None:
        """Pass everything on again; connections that lost bytes are cut."""
        self.conduct()
        self._cut_soon(lambda link: link.torn)

    def cut(self) -> None:
        """Cut all connections there are; new ones are taken."""
        self._cut_soon(lambda _: True)

    def _cut_soon(self, which: Callable[[_Link], bool]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut, which)

    def _cut(self, which: Callable[[_Link], bool]) -> None:
        for link in [*self._links]:
            if which(link):
                link.cut()

    async def _listen(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        self._cut(lambda _: True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection(LOOPBACK, self._to)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self._links.add(link)
        ways = (
            self._pump(reader, server, link, lambda: self._requests),
            self._pump(answers, writer, link, lambda: self._replies),
        )
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            link.cut()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link, way: Callable[[], Way]
    ) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if pause := way().pause(len(chunk)):
                    await asyncio.sleep(pause)
                if way().swallow:
                    link.torn = True
                    self.swallowed += len(chunk)
                elif link.torn:
                    return
                elif way().latency or due > loop.time():
                    due = max(due + _IN_ORDER, loop.time() + way().latency)
                    loop.call_at(due, _write, writer, chunk)
                else:
                    writer.write(chunk)
                    await writer.drain()
            await asyncio.sleep(max(0.0, due - loop.time()))  # what is still under way


def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    if not writer.is_closing():  # the connection may have ended while this was under way
        writer.write(chunk)
