"""A TCP proxy on loopback that drops the server's reply, once, to a request that contains a marker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class ReplyLoser:
    """Forwards bytes both ways until `marker` is seen; the next reply is dropped and the connection cut."""

    def __init__(self, port: int, marker: bytes) -> None:
        self._to = port
        self._marker = marker
        self.lost = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen while the block runs; the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
                self.lost += 1
                return
            to.write(reply)
