"""Columns read by us are those that were written, and those that the driver reads, whatever becomes of the answer."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clickhouse_driver.context import Context
from hypothesis import given
from hypothesis import strategies as st

from sinks.answer import CannotRead, Texts, join, read_part
from sinks.clickhouse import ClickHouseReader, StoreAddress
from sinks.sink import StoreRefused, StoreUnavailable
from tests.sinks.proxy import ReplyLoser
from tests.sinks.test_native import COLUMNS, ours
from tests.support.stores import in_our_units

EMPTY = (
    "SELECT toUInt64(1) AS whole, 1.5 AS real, toDate(1) AS day, toDateTime(1, 'UTC') AS second,"
    " toDateTime64(1, 3, 'UTC') AS moment, 'a' AS text, toLowCardinality('a') AS few, toNullable(1) AS maybe"
    " FROM numbers(3) WHERE number > 5"
)


class Source(io.BytesIO):
    """Bytes that are read as from the driver's buffer."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, all of them."""
        found = super().read(size)
        if size is not None and len(found) < size:
            raise EOFError
        return found

    def read_strings(self, rows: int, encoding: str = "utf-8") -> Sequence[str]:
        """Return texts, each behind its length in LEB128."""
        return tuple(self.read(self._length()).decode(encoding) for _ in range(rows))

    def _length(self) -> int:
        length, shift = 0, 0
        while (byte := self.read(1)[0]) & 0x80:
            length, shift = length | (byte & 0x7F) << shift, shift + 7
        return length | byte << shift


def context() -> Context:
    """Return the driver's settings, for types that it reads."""
    found = Context()
    found.client_settings = {"strings_as_bytes": False, "strings_encoding": "utf-8", "use_numpy": False}
    found.settings = {}
    return found


def plain(column: Any) -> list[Any]:
    """Return the values of a column of whatever form."""
    return column if isinstance(column, list) else list(column.tolist())


@pytest.mark.parametrize(("kind", "columns"), COLUMNS)
def test_what_was_written_is_read_again_in_one_block_or_several(
    kind: str, columns: st.SearchStrategy[list[Any]]
) -> None:
    @given(st.lists(columns, max_size=4))
    def hold(blocks: list[list[Any]]) -> None:
        source = Source(b"".join(ours(kind, block) for block in blocks))
        column = join(kind, [read_part(source, kind, len(block), context()) for block in blocks])
        assert plain(column) == [value for block in blocks for value in block]
        assert len(column) == sum(map(len, blocks))
        assert source.read() == b""

    hold()


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1), min_size=1))
def test_texts_of_several_blocks_have_one_dictionary(blocks: list[list[str]]) -> None:
    kind = "LowCardinality(String)"
    texts = join(kind, [read_part(Source(ours(kind, block)), kind, len(block), None) for block in blocks])
    assert isinstance(texts, Texts)
    assert texts.codes.dtype == np.int32
    assert sorted(texts.names) == sorted({text for block in blocks for text in block})
    assert list(texts) == texts.tolist() == [text for block in blocks for text in block]


@pytest.mark.parametrize("different", [1, 256, 257, 65_536, 65_537])
def test_places_in_a_dictionary_are_read_at_every_width(different: int) -> None:
    kind, column = "LowCardinality(String)", [str(number) for number in range(different)] * 2
    assert read_part(Source(ours(kind, column)), kind, len(column), None)[0].tolist() == [*range(different)] * 2


def test_a_dictionary_for_several_blocks_is_refused_and_never_misread() -> None:
    written = bytearray(ours("LowCardinality(String)", ["a"]))
    written[9] |= 1
    with pytest.raises(CannotRead, match="a dictionary for several blocks"):
        read_part(Source(written), "LowCardinality(String)", 1, None)


@given(st.data())
def test_a_part_that_ends_too_early_is_no_column(data: st.DataObject) -> None:
    kind, columns = data.draw(st.sampled_from(COLUMNS))
    column = data.draw(columns)
    written = ours(kind, column)
    cut = written[: data.draw(st.integers(0, len(written) - 1))]
    with pytest.raises(EOFError):
        read_part(Source(cut), kind, len(column), context())


@pytest.fixture
def owner(address: StoreAddress) -> Iterator[ClickHouseReader]:
    """The reader of a user who may see more than the views."""
    found = ClickHouseReader(address)
    yield found
    found.close()


def test_every_type_of_our_views_is_read_as_the_driver_reads_it(owner: ClickHouseReader) -> None:
    types = [kind for (kind,) in owner.query("SELECT DISTINCT type FROM system.columns WHERE database = 'gatepulse'")]
    assert len(types) > 10
    for kind in types:
        source = f"FROM generateRandom($$c {kind}$$, 7, 12) LIMIT 500 SETTINGS max_block_size = 64"
        column = owner.columns(f"SELECT c {source}")["c"]
        expected = [value for (value,) in owner.query(f"SELECT {in_our_units('c', kind)} {source}")]
        assert plain(column) == expected, kind
        assert len(column) == 500


@pytest.mark.parametrize(
    "value",
    ["toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "['a', 'b']", "map('a', 1)", "toDecimal32(1.5, 2)",
     "CAST('in', 'Enum8(\\'in\\' = 1)')", "toLowCardinality(toNullable('a'))", "(1, 'a')", "NULL",
     "toDateTime(7, 'Asia/Shanghai')"],
)  # fmt: skip
def test_a_type_that_none_of_our_views_has_is_read_by_the_driver(owner: ClickHouseReader, value: str) -> None:
    source = f"SELECT {value} AS c, number FROM numbers(300) SETTINGS max_block_size = 100"
    found = owner.columns(source)
    assert list(zip(found["c"], found["number"].tolist(), strict=True)) == owner.query(source)


def test_each_block_of_an_answer_has_its_own_dictionary(reader: ClickHouseReader) -> None:
    sql = (
        "SELECT toLowCardinality(toString(number % 7 + intDiv(number, 1000))) AS text, number FROM"
        " (SELECT arrayJoin(range(100000)) AS number) ORDER BY number SETTINGS max_block_size = 1000"
    )
    found = reader.columns(sql)
    assert found["number"].tolist() == [*range(100_000)]
    assert found["text"].tolist() == [str(number % 7 + number // 1000) for number in range(100_000)]
    assert len(found["text"].names) == len({*found["text"].names}) < 110


def test_an_answer_without_rows_has_every_column_in_its_form(reader: ClickHouseReader) -> None:
    found = reader.columns(EMPTY.replace("FROM numbers(3)", "FROM (SELECT arrayJoin(range(3)) AS number)"))
    assert {name: column.dtype.str for name, column in found.items() if isinstance(column, np.ndarray)} == {
        "whole": "<u8", "real": "<f8", "day": "<u2", "second": "<i8", "moment": "<i8",
    }  # fmt: skip
    assert isinstance(found["few"], Texts)
    assert [len(column) for column in found.values()] == [0] * 8
    assert (found["text"], found["maybe"]) == ([], [])


def test_columns_of_one_name_are_not_mixed_up(reader: ClickHouseReader) -> None:
    assert reader.columns("SELECT a, b AS c, a FROM (SELECT 1 AS a, 2 AS b)")["a"].tolist() == [1]


def test_parameters_are_filled_in_on_a_new_connection_too(reader: ClickHouseReader) -> None:
    for _ in range(2):
        assert reader.columns("SELECT %(text)s AS text", {"text": "it's 50 %"}) == {"text": ["it's 50 %"]}
        reader.close()


def test_an_error_in_the_middle_of_an_answer_is_the_servers_and_the_next_is_answered(
    owner: ClickHouseReader,
) -> None:
    sql = (
        "SELECT number, throwIf(number = 500000, 'nobody') AS thrown FROM numbers(1000000)"
        " SETTINGS max_block_size = 1000, max_threads = 1"
    )
    with pytest.raises(StoreRefused, match="error 395 of the server"):
        owner.columns(sql)
    assert owner.columns("SELECT 1 AS one")["one"].tolist() == [1]


def test_totals_are_refused_and_never_taken_for_rows(reader: ClickHouseReader) -> None:
    with pytest.raises(StoreRefused, match="totals or extremes, which this version does not read"):
        reader.columns("SELECT x, count() FROM (SELECT arrayJoin([1, 2]) AS x) GROUP BY x WITH TOTALS")
    assert reader.columns("SELECT 1 AS one")["one"].tolist() == [1]


@pytest.mark.parametrize("after", [0, 1, 40, 1_000, 100_000, 1_000_000])
def test_an_answer_that_is_cut_off_is_none_and_the_next_is_whole(address: StoreAddress, after: int) -> None:
    sql = "SELECT number, toLowCardinality(toString(number % 5000)) AS text FROM numbers(200000) WHERE 'cut' != ''"

    async def ask() -> dict[str, Any]:
        proxy = ReplyLoser(address.port, b"'cut'", after=after)
        async with proxy.listening() as port:
            reader = ClickHouseReader(replace(address, port=port))
            with pytest.raises(StoreUnavailable):
                await asyncio.to_thread(reader.columns, sql)
            assert proxy.lost == 1
            found = await asyncio.to_thread(reader.columns, sql)
            await asyncio.to_thread(reader.close)
        return found

    assert asyncio.run(ask())["number"].tolist() == [*range(200_000)]


def test_an_answer_that_takes_too_long_is_given_up(address: StoreAddress) -> None:
    reader = ClickHouseReader(address, seconds=0.3)
    with pytest.raises(StoreUnavailable):
        reader.columns("SELECT sleep(3)")
    assert reader.columns("SELECT 1 AS one")["one"].tolist() == [1]
    reader.close()
