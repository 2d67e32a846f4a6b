"""Many displays of a wall at once, on plain sockets: some read as fast as they can, some a byte a second."""

import asyncio
import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from infra.process.ports import LOOPBACK

_REQUEST: Final = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
_BEAT: Final = re.compile(rb'"number":(\d+),"sent_ms":(\d+)')
_LONGEST_BEAT: Final = 64
"""Bytes of a beat that the pattern may match: so much of a chunk is looked at again with the next one."""
_RECEIVED: Final = 4096
"""Bytes that the kernel holds for a slow display."""
_PAUSE: Final = 1.0
"""Seconds between two bytes, and before a display comes back after its connection was ended."""


@dataclass
class Display:
    """One of them: what it saw last (`sent_ms` is the server's monotonic clock, which is this machine's)."""

    slow: bool
    number: int = -1
    sent_ms: int = 0
    seen: int = 0
    connections: int = 0

    @property
    def age(self) -> float:
        """Seconds since the newest beat that it saw was sent; very many when it saw none."""
        return time.monotonic() - self.sent_ms / 1000

    def read(self, text: bytes) -> None:
        """Take the beats out of what has come."""
        for found in _BEAT.finditer(text):
            self.number, self.sent_ms, self.seen = int(found[1]), int(found[2]), self.seen + 1


class Displays:
    """Keeps displays connected in a thread of its own for the time of a block."""

    def __init__(self, port: int, *, quick: int, slow: int) -> None:
        self._port = port
        self._hurry = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="displays", daemon=True)
        self.quick = [Display(slow=False) for _ in range(quick)]
        self.slow = [Display(slow=True) for _ in range(slow)]

    def __enter__(self) -> Self:
        """Connect them."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect them all."""
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def hurry(self) -> None:
        """Let the slow ones read as fast as they can from now on, on the connections that they have."""
        self._hurry = True

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        tasks = [asyncio.ensure_future(self._keep(display)) for display in (*self.quick, *self.slow)]
        await self._over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, display: Display) -> None:
        while True:
            with socket.socket() as connection:
                connection.setblocking(False)
                if display.slow:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
                with contextlib.suppress(OSError):  # as at the end of the stream: it comes back
                    await self._look(display, connection)
            await asyncio.sleep(_PAUSE)

    async def _look(self, display: Display, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (LOOPBACK, self._port))
        await loop.sock_sendall(connection, _REQUEST)
        display.connections += 1
        rest = b""
        while True:
            crawling = display.slow and not self._hurry
            chunk = await loop.sock_recv(connection, 1 if crawling else 1 << 16)
            if not chunk:
                return
            text = rest + chunk
            matched = max((found.end() for found in _BEAT.finditer(text)), default=0)
            display.read(text)
            rest = text[max(matched, len(text) - _LONGEST_BEAT) :]
            if crawling:
                await asyncio.sleep(_PAUSE)
