"""The ClickHouse sink survives passing failures of the server, and raises at once on lasting ones."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress, connect
from sinks.rows import TableRows
from sinks.sink import SinkClosed, StoreRefused, StoreUnavailable
from streams.kernels.counts.columns import Block
from tests.sinks.proxy import ReplyLoser
from tests.support.rows import block
from tests.support.stores import Server, address_of


class Retries:
    """Notes what a sink tells about its retries."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, StoreUnavailable, int]] = []

    def __call__(self, table: str, error: StoreUnavailable, attempt: int) -> None:
        """Take one note."""
        self.seen.append((table, error, attempt))

    async def wait(self, count: int) -> None:
        """Return when so many retries were noted."""
        async with asyncio.timeout(20):
            while len(self.seen) < count:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def sink_at(address: StoreAddress, retries: Retries | None = None) -> AsyncIterator[ClickHouseSink]:
    """Open a sink that retries quickly, and close it."""
    sink = ClickHouseSink(address, on_retry=retries, longest_pause=0.2)
    try:
        yield sink
    finally:
        await sink.close()


def nowhere() -> StoreAddress:
    """Return an address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return StoreAddress("127.0.0.1", free.getsockname()[1], "gatepulse", "secret")


def passages(first: int, count: int) -> Block:
    """Return that many passages with consecutive numbers."""
    one = block("deliveries", {})
    columns = {name: list(values) * count for name, values in one.columns.items()}
    return Block("deliveries", columns | {"seq": np.arange(first, first + count)})


@pytest.fixture
def server_to_kill(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> Iterator[EmbeddedClickHouse]:
    """Lend the server, with our schema, to a test that kills it; whatever it does, the server runs afterwards."""
    assert address == address_of(clickhouse)
    yield clickhouse
    clickhouse.start()
    clickhouse.wait_ready()


def test_the_password_is_not_shown(address: StoreAddress) -> None:
    assert address.password
    assert address.password not in repr(address)


def test_writes_under_way_when_the_server_is_killed_end_after_its_restart(server_to_kill: EmbeddedClickHouse) -> None:
    address, retries, size, writes = address_of(server_to_kill), Retries(), 5_000, 12

    async def write_all() -> None:
        async with sink_at(address, retries) as sink:
            tasks = [asyncio.create_task(sink.write([passages(1 + n * size, size)])) for n in range(writes)]
            await tasks[2]
            server_to_kill.stop(seconds=0.0)
            await retries.wait(2)
            assert not tasks[-1].done()
            server_to_kill.start()
            await asyncio.gather(*tasks)

    asyncio.run(write_all())
    with connect(address) as client:
        found = client.execute("SELECT count(), uniqExact(seq), min(seq), max(seq) FROM gatepulse.passages")
    assert found == [(writes * size, writes * size, 1, writes * size)]
    assert {table for table, _, _ in retries.seen} == {"deliveries"}
    assert [attempt for _, _, attempt in retries.seen][:2] == [1, 2]


def test_a_write_whose_reply_was_lost_is_repeated_and_counts_once(address: StoreAddress, client: Client) -> None:
    retries, proxy = Retries(), ReplyLoser(address.port, b"a marked visitor")

    async def write() -> None:
        async with proxy.listening() as port, sink_at(replace(address, port=port), retries) as sink:
            await sink.write([block("counts_1m", {"passages": 3})])
            await sink.write([block("counts_1m", {"category": "a marked visitor", "passages": 5})])

    asyncio.run(write())
    assert proxy.lost == 1
    assert [table for table, _, _ in retries.seen] == ["counts_1m"]
    assert client.execute("SELECT passages FROM gatepulse.entrance_counts_1m ORDER BY 1") == [(3,), (5,)]


def test_a_cancelled_write_harms_nothing(address: StoreAddress, client: Client) -> None:
    async def write() -> None:
        async with sink_at(address) as sink:
            for n in range(20):
                task = asyncio.create_task(sink.write([passages(1 + n * 1000, 1000)]))
                await asyncio.sleep(0.002 * n)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await sink.write([passages(1, 20_000)])

    asyncio.run(write())
    assert client.execute("SELECT count(), max(seq) FROM gatepulse.passages") == [(20_000, 20_000)]


def test_a_write_to_a_server_that_is_away_can_be_cancelled() -> None:
    retries = Retries()

    async def write() -> None:
        async with sink_at(nowhere(), retries) as sink:
            task = asyncio.create_task(sink.write([block("entered", {})]))
            await retries.wait(3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(write())
    table, error, attempt = retries.seen[2]
    assert (table, attempt) == ("entered", 3)
    assert "refused" in str(error)


def test_blocks_of_one_table_become_one_insert(address: StoreAddress, client: Client) -> None:
    client.execute("SYSTEM STOP MERGES gatepulse_store.entered")
    try:
        Server(address).write(*(block("entered", {"credential": str(n)}) for n in range(5)))
        parts = "SELECT count(), sum(rows) FROM system.parts WHERE active AND table = 'entered'"
        assert client.execute(parts) == [(1, 5)]
    finally:
        client.execute("SYSTEM START MERGES gatepulse_store.entered")


def test_progress_is_written_after_the_rows_that_it_speaks_of(address: StoreAddress) -> None:
    written: list[str] = []

    class Noting(ClickHouseSink):
        def _insert(self, block: TableRows) -> None:
            written.append(block.table)

    async def write() -> None:
        sink = Noting(address)
        await sink.write([block(table, {}) for table in ("log_progress", "devices", "deliveries")])
        await sink.close()

    asyncio.run(write())
    assert written == ["deliveries", "devices", "log_progress"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seq": "seven"}, "column seq takes UInt64, which is whole numbers from 0 to 1844.*, not this text"),
        ({"seq": -1}, "column seq takes UInt64, .*, not this int"),
        ({"seq": None}, "column seq takes UInt64, .*, not this NoneType"),
        ({"device": 7}, "column device takes String, not this int"),
        ({"kind": None}, r"column kind takes LowCardinality\(String\), not this NoneType"),
        ({"ts": 1.5}, "column ts takes DateTime64.*, not this float"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_at_once(
    address: StoreAddress, wrong: dict[str, object], words: str
) -> None:
    with pytest.raises(StoreRefused, match=f"deliveries: {words}"):
        Server(address).write(block("deliveries", wrong))


def test_a_day_that_no_date_can_hold_is_refused(address: StoreAddress) -> None:
    with pytest.raises(StoreRefused, match="column day takes Date, which is .* from 0 to 65535, not this int"):
        Server(address).write(block("entered", {"day": 65_536}))


def test_after_a_refusal_the_sink_goes_on(address: StoreAddress, client: Client) -> None:
    async def write() -> None:
        async with sink_at(address) as sink:
            with pytest.raises(StoreRefused):
                await sink.write([block("counts_1m", {"passages": "many"})])
            await sink.write([block("counts_1m", {"passages": 2})])

    asyncio.run(write())
    assert client.execute("SELECT passages FROM gatepulse.entrance_counts_1m") == [(2,)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE gatepulse_store.rejections DROP COLUMN detail", "rejections: .*lacks a column"),
        ("ALTER TABLE gatepulse_store.rejections MODIFY COLUMN detail UInt64", "rejections: "),
        ("DROP TABLE gatepulse_store.rejections SYNC", "rejections: .*gatepulse schema apply"),
        ("DROP DATABASE gatepulse_store SYNC", "rejections: .*gatepulse schema apply"),
    ],
)
def test_a_schema_that_drifted_is_refused_at_once(
    address: StoreAddress, altered: Callable[[str], None], change: str, words: str
) -> None:
    altered(change)
    with pytest.raises(StoreRefused, match=words):
        Server(address).write(block("rejections", {"detail": "北"}))


def test_a_wrong_password_and_a_user_who_may_only_read_are_refused(
    address: StoreAddress, clickhouse: EmbeddedClickHouse
) -> None:
    with pytest.raises(StoreRefused, match="entered: .*check store.user and store.password"):
        Server(replace(address, password="wrong")).write(block("entered", {}))  # noqa: S106 - it is meant to be wrong
    with pytest.raises(StoreRefused, match="entered: "):
        Server(address_of(clickhouse, reader=True)).write(block("entered", {}))


def test_a_closed_sink_takes_no_rows_and_can_be_closed_again(address: StoreAddress) -> None:
    async def write() -> None:
        sink = ClickHouseSink(address)
        await sink.close()
        await sink.close()
        with pytest.raises(SinkClosed, match="entered: the sink is closed"):
            await sink.write([block("entered", {})])

    asyncio.run(write())


@pytest.fixture
def silent() -> Iterator[StoreAddress]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield StoreAddress("127.0.0.1", listener.getsockname()[1], "gatepulse", "secret")


def test_closing_ends_in_time_when_the_server_says_nothing(silent: StoreAddress) -> None:
    async def write() -> float:
        sink = ClickHouseSink(silent, longest_pause=0.05)
        task = asyncio.create_task(sink.write([block("entered", {})]))
        await asyncio.sleep(0.2)
        started = time.monotonic()
        await sink.close(seconds=0.2)
        took = time.monotonic() - started
        with pytest.raises(SinkClosed):
            await asyncio.wait_for(task, 10)
        return took

    assert asyncio.run(write()) < 2


def test_a_reader_returns_rows_and_columns(reader: ClickHouseReader, server: Server) -> None:
    server.write(block("counts_1m", {"passages": 2}, {"passages": 3, "entrance": "south"}))
    sql = "SELECT entrance, passages FROM gatepulse.entrance_counts_1m WHERE passages >= %(least)s ORDER BY 1"
    assert reader.query(sql, {"least": 3}) == [("south", 3)]
    columns = reader.columns(sql, {"least": 1})
    assert columns["entrance"].tolist() == ["north", "south"]
    assert columns["passages"].dtype == np.uint64
    assert columns["passages"].tolist() == [2, 3]


def test_a_question_that_makes_no_sense_is_refused_and_the_next_is_answered(reader: ClickHouseReader) -> None:
    with pytest.raises(StoreRefused, match="query 'SELECT absurd'"):
        reader.query("SELECT absurd")
    assert reader.query("SELECT 1") == [(1,)]


def test_a_reader_connects_again_after_a_restart(server_to_kill: EmbeddedClickHouse) -> None:
    reader = ClickHouseReader(address_of(server_to_kill, reader=True))
    assert reader.query("SELECT count() FROM gatepulse.passages") == [(0,)]
    server_to_kill.stop(seconds=0.0)
    with pytest.raises(StoreUnavailable):
        reader.query("SELECT 1")
    server_to_kill.start()
    server_to_kill.wait_ready()
    assert reader.query("SELECT 1") == [(1,)]
    reader.close()


def test_an_answer_that_takes_too_long_is_given_up(address: StoreAddress) -> None:
    reader = ClickHouseReader(address, seconds=0.3)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        reader.query("SELECT sleep(3)")
    assert time.monotonic() - started < 3
    assert reader.query("SELECT 1") == [(1,)]
    reader.close()


def test_threads_may_share_a_reader(reader: ClickHouseReader) -> None:
    answers: list[int] = []

    def ask(n: int) -> None:
        answers.extend(row[0] for _ in range(10) for row in reader.query(f"SELECT {n}"))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [n for n in range(4) for _ in range(10)]
