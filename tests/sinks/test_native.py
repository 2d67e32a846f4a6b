"""Columns encoded by us equal, byte for byte, those that the driver encodes."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from clickhouse_driver.columns.service import write_column as drivers_write_column
from clickhouse_driver.context import Context
from hypothesis import given
from hypothesis import strategies as st

from sinks.native import DoesNotFit, write_column
from streams.kernels.counts.columns import Column

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
RANGES = {
    "UInt8": (0, 2**8 - 1),
    "UInt16": (0, 2**16 - 1),
    "UInt32": (0, 2**32 - 1),
    "UInt64": (0, 2**64 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "DateTime64(3, 'UTC')": (-(2**63), 2**63 - 1),
}
INTEGERS = {kind: st.integers(*limits) for kind, limits in RANGES.items()}
COUNTS = INTEGERS["UInt64"]
VALUES = INTEGERS | {
    "Float64": st.floats(allow_nan=False),
    "Date": st.integers(0, 2**16 - 1),
    "DateTime('UTC')": st.integers(0, 2**32 - 1).map(lambda second: second * 1000),
    "String": TEXTS,
    "LowCardinality(String)": st.sampled_from(["in", "out", "", "北入口"]) | TEXTS,
    "Array(Tuple(UInt64, UInt64))": st.lists(st.tuples(COUNTS, COUNTS), max_size=5),
}
COLUMNS = [(kind, st.lists(values, min_size=1, max_size=50)) for kind, values in VALUES.items()]
COLUMNS += [
    (f"Nullable({kind})", st.lists(st.none() | VALUES[kind], min_size=1, max_size=50))
    for kind in (*INTEGERS, "Float64")
]


class Written(bytearray):
    """What was written; texts with their length in front, as LEB128."""

    write = bytearray.extend

    def write_strings(self, items: Sequence[Any], encoding: str = "utf-8") -> None:
        """Append texts."""
        for item in items:
            text = item.encode(encoding)
            length = len(text)
            while length > 0x7F:
                self.append(length & 0x7F | 0x80)
                length >>= 7
            self.append(length)
            self += text


def ours(kind: str, column: Column) -> bytes:
    """Write a column ourselves."""
    written = Written()
    write_column(written, "some", kind, column)
    return bytes(written)


def drivers(kind: str, column: Sequence[Any]) -> bytes:
    """Let the driver write a column, whose values it wants in units of its own."""
    units = {"Date": lambda day: date(1970, 1, 1) + timedelta(days=day), "DateTime('UTC')": lambda each: each // 1000}
    unit = units.get(kind, lambda each: each)
    context, written = Context(), Written()
    context.client_settings = {"strings_as_bytes": False, "use_numpy": False}
    context.settings = {}
    drivers_write_column(context, "some", kind, [unit(value) for value in column], written)  # type: ignore[no-untyped-call]
    return bytes(written)


@pytest.mark.parametrize(("kind", "columns"), COLUMNS)
def test_a_list_becomes_the_drivers_own_bytes(kind: str, columns: st.SearchStrategy[list[Any]]) -> None:
    @given(columns)
    def hold(column: list[Any]) -> None:
        assert ours(kind, column) == drivers(kind, column)

    hold()


@pytest.mark.parametrize("kind", [*RANGES, "Date", "DateTime('UTC')"])
def test_an_array_of_integers_becomes_the_drivers_own_bytes(kind: str) -> None:
    @given(st.lists(VALUES[kind], min_size=1))
    def hold(column: list[int]) -> None:
        array = np.array(column, dtype=np.uint64 if kind == "UInt64" else np.int64)
        assert ours(kind, array) == drivers(kind, column)

    hold()


@given(st.lists(st.none() | st.floats(allow_nan=False), min_size=1))
def test_what_is_not_a_number_in_an_array_of_floats_is_missing(column: list[float | None]) -> None:
    array = np.array([np.nan if value is None else value for value in column])
    assert ours("Nullable(Float64)", array) == drivers("Nullable(Float64)", column)


@pytest.mark.parametrize("different", [1, 255, 257, 65_535, 65_537])
def test_places_in_a_dictionary_are_as_wide_as_it_needs(different: int) -> None:
    column = [str(number) for number in range(different)] * 2
    assert ours("LowCardinality(String)", column) == drivers("LowCardinality(String)", column)


@pytest.mark.parametrize("kind", RANGES)
def test_a_number_beyond_its_type_is_refused_and_never_wrapped(kind: str) -> None:
    lowest, highest = RANGES[kind]
    for value in (lowest - 1, highest + 1):
        with pytest.raises(DoesNotFit, match=rf"takes .* from {lowest} to {highest}, not this int"):
            ours(kind, [lowest, value])
        if -(2**63) <= value < 2**63:
            with pytest.raises(DoesNotFit, match=r"not this int"):
                ours(kind, np.array([lowest, value], dtype=np.int64))


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        ("UInt64", [7, 1.0], "not this float"),
        ("UInt64", np.array([1.5]), "not this float"),
        ("UInt64", [1, None], "not this NoneType"),
        ("UInt64", ["7"], "not this text"),
        ("Float64", [1.0, None], "not this NoneType"),
        ("Nullable(Int64)", [None, "7"], "not this text"),
        ("DateTime('UTC')", [1500.0], "not this float"),
        ("DateTime('UTC')", np.array([-1000]), "not this int"),
        ("Date", [65_536], "from 0 to 65535, not this int"),
        ("String", ["a", 7], "not this int"),
        ("String", [b"a"], "not this bytes"),
        ("LowCardinality(String)", ["a", None], "not this NoneType"),
        ("LowCardinality(String)", [["a"]], "not this list"),
        ("Array(Tuple(UInt64, UInt64))", [[(1, 2)], [(3, -4)]], "not this list"),
        ("Array(Tuple(UInt64, UInt64))", [[(1, 2)], 7], "not this int"),
    ],
)
def test_of_a_value_that_does_not_fit_the_kind_is_named_with_its_column(kind: str, column: Column, words: str) -> None:
    with pytest.raises(DoesNotFit, match=rf"column some takes .*{words}"):
        ours(kind, column)


def test_a_text_that_does_not_fit_is_not_repeated_for_it_may_be_a_pseudonym() -> None:
    with pytest.raises(DoesNotFit, match="column some takes String, not this text") as caught:
        ours("String", ["who\ud800"])
    assert "who" not in str(caught.value)


def test_a_type_that_none_of_our_tables_has_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="column some is UUID on the server, which this version does not write"):
        ours("UUID", ["a"])
