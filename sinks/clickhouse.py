"""Inserts rows into the ClickHouse server (`ClickHouseSink`) and runs queries against it (`ClickHouseReader`).

What its errors mean is in `failures.py`, its tables and views are in `schema/*.sql`.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import stamina
from clickhouse_driver import Client

from sinks.answer import ask
from sinks.failures import failure
from sinks.native import REVISION, insert
from sinks.rows import TABLES, TableRows
from sinks.sink import SinkClosed, StoreUnavailable, each_table

OnRetry = Callable[[str, StoreUnavailable, int], None]
"""Called before a write is tried again: the table, why, and how often it was tried."""

_INSERT_SETTINGS = {
    "async_insert": 0,  # the reply must mean that the rows are stored
    "optimize_on_insert": 0,  # a flush has each key once, as good as always, and the views tell versions apart anyway
    "max_partitions_per_insert_block": 0,  # late events may reach into any month
}
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class StoreAddress:
    """Where the server is and who logs in; our names are qualified, so no database is chosen."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


def connect(address: StoreAddress, *, seconds: float = 60.0, **settings: int) -> Client:
    """Return a driver's client that connects on first use; a reply later than `seconds` is lost. For one thread."""
    return Client(
        address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=seconds,
        settings=settings,
        client_revision=REVISION,
    )


class ClickHouseSink:
    """A `sink.Sink` on a server: one connection on a thread of its own, one write at a time.

    Nothing is buffered: who writes while a write is under way waits, which is how a slow store slows the stream.
    """

    def __init__(
        self,
        address: StoreAddress,
        *,
        on_retry: OnRetry | None = None,
        longest_pause: float = 5.0,
    ) -> None:
        """Connect on the first write. The pauses between tries grow to `longest_pause` seconds."""
        self._client = connect(address, **_INSERT_SETTINGS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clickhouse-sink")
        self._one_at_a_time = asyncio.Lock()
        self._on_retry = on_retry
        self._longest_pause = longest_pause
        self._closed = False

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """Insert `blocks`, one insert per table; see `sink.Sink.write`.

        Cancelled within an insert, that insert still ends by itself on its thread, before the next one starts.
        """
        async with self._one_at_a_time:
            await each_table(blocks, self._store)

    async def close(self, seconds: float = 5.0) -> None:
        """Let the insert under way end within `seconds`, or cut it off; writes not done raise SinkClosed."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(seconds), self._one_at_a_time:
                pass
        except TimeoutError:
            _cut(self._client)
        disconnected = asyncio.get_running_loop().run_in_executor(self._thread, self._client.disconnect)
        self._thread.shutdown(wait=False)
        await asyncio.wait([disconnected], timeout=1.0)

    async def _store(self, block: TableRows) -> None:
        loop = asyncio.get_running_loop()
        pauses = {"wait_initial": 0.1, "wait_max": self._longest_pause, "wait_jitter": 0.1}
        async for attempt in stamina.retry_context(StoreUnavailable, attempts=None, timeout=None, **pauses):
            with attempt:
                if self._closed:
                    raise SinkClosed(block.table, "the sink is closed.", "Write these rows through a new one.")
                try:
                    await loop.run_in_executor(self._thread, self._insert, block)
                except StoreUnavailable as error:
                    if self._on_retry is not None:
                        self._on_retry(block.table, error, attempt.num)
                    raise

    def _insert(self, block: TableRows) -> None:
        """Insert once, on the sink's thread."""
        names = ", ".join(TABLES[block.table].columns)
        try:
            insert(self._client, f"INSERT INTO gatepulse_store.{block.table} ({names}) VALUES", block)
        except Exception as error:
            raise failure(block.table, error) from error


def _cut(client: Client) -> None:
    """End at once what another thread waits for on this connection."""
    connected = client.connection.socket
    if connected is not None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


class ClickHouseReader:
    """Queries the server. Any thread may call; queries run one after the other, over one connection."""

    def __init__(self, address: StoreAddress, *, seconds: float = 30.0) -> None:
        """Connect on first use, and again after a loss; an answer that takes longer than `seconds` is given up."""
        self._where = f"{address.host}:{address.port}"
        self._seconds = seconds
        self._client = connect(address, seconds=seconds)
        self._one_at_a_time = threading.Lock()

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows; `%(name)s` in `sql` stands for a parameter.

        Raises StoreUnavailable when the server cannot answer now, StoreRefused when it never will.
        """
        with self._answering(sql, has_values=bool(params)):
            return list(self._client.execute(sql, None if params is None else dict(params)))

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer by column, in the units of `rows.py`.

        Numbers, days and times are arrays, `LowCardinality(String)` is `answer.Texts`, all else a list. Raises as
        `query` does.
        """
        with self._answering(sql, has_values=bool(params)):
            return ask(self._client, sql, None if params is None else dict(params))

    def close(self) -> None:
        """Close the connection; another query would open a new one."""
        with self._one_at_a_time:
            self._client.disconnect()

    @contextlib.contextmanager
    def _answering(self, sql: str, *, has_values: bool) -> Iterator[None]:
        """Let one query at a time be answered, within the time; raise what its error means."""
        with self._one_at_a_time:
            # The server reports progress all the time, so the socket's own timeout says nothing about the answer.
            limit = threading.Timer(self._seconds, _cut, [self._client])
            limit.start()
            try:
                yield
            except Exception as error:
                self._client.disconnect()
                subject = f"{self._where}: query {' '.join(sql.split())[:120]!r}"
                raise failure(subject, error, has_values=has_values) from error
            finally:
                limit.cancel()
