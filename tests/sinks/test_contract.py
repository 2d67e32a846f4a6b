"""Every store keeps the same rows, whatever is repeated, reordered or late."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from sinks.rows import TABLES
from sinks.sink import StoreRefused
from streams.kernels.counts.columns import Block, DictColumn
from tests.support.rows import NOON, TODAY, block
from tests.support.stores import Memory, Server, Store


@pytest.fixture(params=["memory", "clickhouse"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    if request.param == "memory":
        return Memory()
    return Server(request.getfixturevalue("address"))


def _row(of: Block) -> tuple[Any, ...]:
    return tuple(of.columns[name][0] for name in TABLES[of.table].columns)


def _key(name: str) -> str:
    return next(column for column in TABLES[name].key if column not in ("day", "kind", "window_start", "at"))


@pytest.mark.parametrize("table", TABLES)
def test_every_column_comes_back_as_it_was_written(store: Store, table: str) -> None:
    written = block(table, {"delta": -3})
    store.write(written)
    assert store.rows(table) == [_row(written)]


@pytest.mark.parametrize("table", TABLES)
def test_a_row_written_again_is_one_row(store: Store, table: str) -> None:
    written = block(table, {})
    store.write(written, written)
    store.write(written)
    assert store.rows(table) == [_row(written)]


@pytest.mark.parametrize(
    "table",
    [name for name, table in TABLES.items() if {*table.columns} - {*table.key, table.version} and table.version],
)
def test_the_highest_version_stays_whatever_comes_last(store: Store, table: str) -> None:
    version = str(TABLES[table].version)
    value = next(c for c in reversed(TABLES[table].columns) if c not in (*TABLES[table].key, version))
    versions = [
        block(table, {version: NOON + n * 1000, value: _another(value, n, TABLES[table].types[value])})
        for n in range(3)
    ]
    for order in permutations(versions):
        for one in order:
            store.write(one)
        assert store.rows(table) == [_row(versions[-1])]


def _another(column: str, n: int, kind: str) -> str | int | list[tuple[int, int]]:
    if column == "ranges":
        return [(1, n + 5)]
    return NOON + n if "DateTime64" in kind else f"w{n}" if column in ("worker", "method", "reason") else n + 5


@pytest.mark.parametrize("table", TABLES)
def test_rows_with_another_key_stand_beside_each_other(store: Store, table: str) -> None:
    name = _key(table)
    keys = ([1, 2] if name in ("epoch", "offset", "line", "who") else ["a", "b"])[:2]
    written = block(table, *({name: key} for key in reversed(keys)))
    store.write(written)
    assert [row[TABLES[table].columns.index(name)] for row in store.rows(table)] == keys


def test_the_newest_version_is_found_within_one_write_too(store: Store) -> None:
    versions = [block("counts_1m", {"version": n, "passages": n}) for n in (2, 3, 1)]
    store.write(*versions)
    assert store.rows("counts_1m") == [_row(versions[1])]


def test_missing_values_stay_missing(store: Store) -> None:
    store.write(
        block("deliveries", {"seq": 1, "temperature": None}, {"seq": 2, "temperature": 36.5}),
        block("corrections", {"id": "d", "delta": -2}, {"id": "z", "absolute": 0}),
        block("site_areas", {"capacity": None}),
    )
    temperatures = [row[TABLES["deliveries"].columns.index("temperature")] for row in store.rows("deliveries")]
    changes = [row[4:6] for row in store.rows("corrections")]
    assert temperatures == [None, 36.5]
    assert changes == [(-2, None), (None, 0)]
    assert store.rows("site_areas")[0][2] is None


def test_what_is_not_a_number_in_an_array_is_missing(store: Store) -> None:
    written = block("deliveries", {"seq": 1}, {"seq": 2}, {"seq": 3})
    store.write(Block("deliveries", {**written.columns, "temperature": np.array([36.5, np.nan, 37.0])}))
    temperatures = [row[TABLES["deliveries"].columns.index("temperature")] for row in store.rows("deliveries")]
    assert temperatures == [36.5, None, 37.0]


def test_text_is_kept_to_the_letter(store: Store) -> None:
    odd = ["北入口 – ворота", "", "a\nb\tc\\d'e\"f", "\x00", "🛂" * 64]
    store.write(block("corrections", *({"id": str(n), "reason": text} for n, text in enumerate(odd))))
    assert [row[TABLES["corrections"].columns.index("reason")] for row in store.rows("corrections")] == odd


def test_numbers_are_kept_to_the_last_unit(store: Store) -> None:
    largest = 2**64 - 1
    store.write(
        block(
            "devices",
            {"epoch": largest, "last_seq": largest, "closed": largest, "ranges": [(1, 5), (largest, largest)]},
        ),
        block("corrections", {"absolute": -(2**63)}),
        block("counts_day", {"day": 0}, {"day": 65_535}),
    )
    assert store.rows("devices")[0][2:7] == (largest, "north", [(1, 5), (largest, largest)], largest, largest)
    assert store.rows("corrections")[0][5] == -(2**63)
    assert [row[2] for row in store.rows("counts_day")] == [0, 65_535]


def test_arrays_and_lists_are_the_same_rows(store: Store) -> None:
    rows = [{"window_start": NOON + n * 10_000, "passages": n, "version": n} for n in range(20)]
    lists = block("counts_10s", *rows)
    arrays = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.int64)
        for name, values in lists.columns.items()
    }
    store.write(Block("counts_10s", arrays))
    before = store.rows("counts_10s")
    store.write(lists, Block("counts_10s", arrays), replace(lists))
    assert store.rows("counts_10s") == before
    assert [row[8] for row in before] == list(range(20))


def test_texts_given_as_codes_are_the_same_rows(store: Store) -> None:
    lists = block("counts_10s", *({"category": f"c{n % 3}", "segment": n} for n in range(10)))
    codes, names = np.arange(10) % 3, ["c0", "c1", "c2", "nobody's"]
    coded = {"category": DictColumn(codes, names), "log": DictColumn.same(lists.columns["log"][0], 10)}
    store.write(lists)
    before = store.rows("counts_10s")
    halves = [
        Block("counts_10s", {**lists.columns, "category": DictColumn(2 - codes, ["c2", "c1", "c0"])}),
        Block("counts_10s", {**lists.columns, **coded}),
        lists,
    ]
    store.write(*halves[:2])
    store.write(*halves)
    assert store.rows("counts_10s") == before
    assert len(before) == 10


@pytest.mark.parametrize("different", [256, 257, 65_536, 65_537])
def test_text_comes_back_whole_however_many_different_texts_there_are(store: Store, different: int) -> None:
    one = block("counts_1m", {})
    columns: dict[str, Any] = {name: list(values) * different for name, values in one.columns.items()}
    columns |= {"category": [str(number) for number in range(different)], "passages": np.arange(different)}
    store.write(Block("counts_1m", columns))
    rows = store.rows("counts_1m")
    assert len(rows) == different
    assert all(row[7] == str(row[8]) for row in rows)


def test_nothing_to_write_is_no_error(store: Store) -> None:
    store.write()
    store.write(block("deliveries"), block("log_progress"))
    assert store.rows("deliveries") == []


def test_a_large_block_arrives_whole(store: Store) -> None:
    size = 50_000
    one = block("deliveries", {})
    columns: dict[str, Any] = {name: list(values) * size for name, values in one.columns.items()}
    columns |= {"seq": np.arange(1, size + 1), "ts": NOON + np.arange(size) * 3_600_000}  # over five years
    store.write(Block("deliveries", columns))
    rows = store.rows("deliveries")
    assert len(rows) == size
    assert sum(row[3] for row in rows) == size * (size + 1) // 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Block("counts", {}), "counts: there is no such table. Write to one of site_areas, deliveries"),
        (Block("entered", {"day": [TODAY], "kind": ["person"]}), r"entered: columns missing: \['credential'\]"),
        (Block("entered", {**block("entered", {}).columns, "name": ["x"]}), r"columns unknown: \['name'\]"),
        (Block("entered", {**block("entered", {}).columns, "day": []}), "entered: columns of unequal length"),
    ],
)
def test_a_block_that_fits_no_table_is_refused_before_anything_is_sent(store: Store, wrong: Block, words: str) -> None:
    with pytest.raises(StoreRefused, match=words):
        store.write(block("deliveries", {}), wrong)
    assert store.rows("deliveries") == []
