"""Simulates many displays of one wall on plain sockets, well-behaved and not; used by `test_crowd.py`."""

import asyncio
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from infra.process.ports import LOOPBACK

_REQUEST: Final = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
_BEAT: Final = re.compile(rb'"number":(\d+),"sent_ms":(\d+)')
_LONGEST_BEAT: Final = 64
"""Bytes that the pattern may match: so much of a chunk is looked at again with the next one."""
_CHUNK: Final = 1 << 16
_SMALL_BUFFER: Final = 4096
"""Bytes that the kernel holds for a display that does not read along."""
_A_BYTE_EACH: Final = 1.0  # s
_AWAY: Final = 0.2  # s before a display comes back
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that ends with a reset, as if somebody had pulled the plug."""


@dataclass(frozen=True)
class Beat:
    """One beat that came: its number, when it was sent and when it came (seconds of this machine's monotonic clock).

    `place` is the number of bytes that had come by then.
    """

    number: int
    sent: float
    came: float
    place: int


@dataclass
class Display:
    """One display, and what it has got so far."""

    beats: list[Beat] = field(default_factory=list)
    received: int = 0
    connections: int = 0
    ends: int = 0
    _rest: bytes = b""

    def take(self, chunk: bytes) -> None:
        """Find the beats in what has come."""
        text, end = self._rest + chunk, 0
        self.received += len(chunk)
        for found in _BEAT.finditer(text):
            self.beats.append(Beat(int(found[1]), int(found[2]) / 1000, time.monotonic(), self.received))
            end = found.end()
        self._rest = text[max(end, len(text) - _LONGEST_BEAT) :]

    def between(self, first: float, last: float) -> list[Beat]:
        """Return what came between two moments."""
        return [beat for beat in list(self.beats) if first <= beat.came <= last]

    def longest_gap(self, first: float, last: float) -> float:
        """Return the longest time (s) without a beat between two moments."""
        moments = [first, *(beat.came for beat in self.between(first, last)), last]
        return max(later - earlier for earlier, later in pairwise(moments))


Behaviour = Callable[[Display, socket.socket], Awaitable[None]]


class Crowd:
    """So many displays of each sort.

    Readers read along. Crawlers read a byte a second, until `hurry`. The deaf ask and never read.
    Visitors leave after their first beat, every other time with a reset, and come again. The halting never finish
    their request.
    """

    def __init__(self, port: int, *, readers: int, crawlers: int, deaf: int, visitors: int, halting: int) -> None:
        self._port = port
        self._hurrying = False
        self.readers = [Display() for _ in range(readers)]
        self.crawlers = [Display() for _ in range(crawlers)]
        self.deaf = [Display() for _ in range(deaf)]
        self.visitors = [Display() for _ in range(visitors)]
        self.halting = [Display() for _ in range(halting)]

    @property
    def all(self) -> list[Display]:
        """Everybody."""
        return [*self.readers, *self.crawlers, *self.deaf, *self.visitors, *self.halting]

    def hurry(self) -> None:
        """Let crawlers read as fast as they can from now on, on the connections that they have."""
        self._hurrying = True

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Let all look for the time of a block, on a thread of their own."""
        loop, over = asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(self._look(over)), name="crowd", daemon=True)
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()
            loop.close()

    async def _look(self, over: asyncio.Event) -> None:
        sorts: list[tuple[list[Display], Behaviour]] = [
            (self.readers, _read), (self.crawlers, self._crawl), (self.deaf, _ignore), (self.visitors, _visit),
            (self.halting, _halt),
        ]  # fmt: skip
        tasks = [asyncio.ensure_future(self._keep(display, does)) for displays, does in sorts for display in displays]
        await over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, display: Display, does: Behaviour) -> None:
        """Connect again whenever a connection has ended."""
        while True:
            with socket.socket() as line:
                line.setblocking(False)
                if does is not _read:
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
                with contextlib.suppress(OSError):
                    await asyncio.get_running_loop().sock_connect(line, (LOOPBACK, self._port))
                    display.connections += 1
                    await does(display, line)
            display.ends += 1
            await asyncio.sleep(_AWAY)

    async def _crawl(self, display: Display, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(line, _REQUEST)
        while chunk := await loop.sock_recv(line, _CHUNK if self._hurrying else 1):
            display.take(chunk)
            if not self._hurrying:
                await asyncio.sleep(_A_BYTE_EACH)


async def _read(display: Display, line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, _REQUEST)
    while chunk := await loop.sock_recv(line, _CHUNK):
        display.take(chunk)


async def _ignore(_: Display, line: socket.socket) -> None:
    await asyncio.get_running_loop().sock_sendall(line, _REQUEST)
    await asyncio.Event().wait()


async def _visit(display: Display, line: socket.socket) -> None:
    loop, before = asyncio.get_running_loop(), len(display.beats)
    await loop.sock_sendall(line, _REQUEST)
    while len(display.beats) == before and (chunk := await loop.sock_recv(line, _CHUNK)):
        display.take(chunk)
    if display.connections % 2:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


async def _halt(_: Display, line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, _REQUEST[: len(_REQUEST) // 2])
    await loop.sock_recv(line, 1)  # returns when the server has had enough of it
