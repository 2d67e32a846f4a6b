"""A TCP proxy on loopback that drops the server's reply, or the end of it, to a request that contains a marker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class ReplyLoser:
    """Forwards bytes both ways until `marker` is seen; then the connection is cut, once, `after` bytes of the reply."""

    def __init__(self, port: int, marker: bytes, *, after: int = 0) -> None:
        self._to = port
        self._marker = marker
        self._left = after
        self._served: set[asyncio.Task[None]] = set()
        self.lost = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen while the block runs; the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*self._served)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        marked = asyncio.Event()
        ways = (self._ask(reader, to_server, marked), self._answer(from_server, writer, marked))
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, to_server):
            end.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, marked: asyncio.Event) -> None:
        while sent := await reader.read(65_536):
            if self._marker in sent and not self.lost:
                marked.set()
            to.write(sent)

    async def _answer(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, marked: asyncio.Event) -> None:
        while reply := await reader.read(65_536):
            if marked.is_set():
                if len(reply) > self._left:
                    to.write(reply[: self._left])
                    self.lost += 1
                    return
                self._left -= len(reply)
            to.write(reply)
