"""Rows are numbered, grouped and joined as plain Python would, whether their values are few, far apart or in steps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ledger.tables import NONE, Column, Labels, first_rows, group, identify

VALUES = {
    "few": st.integers(0, 3),
    "far apart": st.sampled_from([NONE, -(2**62), -1, 0, 7, 2**40, 2**63 - 1]),
    "in steps": st.integers(-9, 9).map(lambda window: 1_636_070_400_000 + window * 10_000),
    "in a wide range": st.integers(-(10**9), 10**9),
    "text": st.sampled_from(["", "a", "b", "北"]),
}
SORTS = st.lists(st.sampled_from([*VALUES]), min_size=1, max_size=5)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Draw of what sort each column is, and rows of it."""
    sorts = draw(SORTS)
    return sorts, draw(st.lists(st.tuples(*(VALUES[sort] for sort in sorts)), max_size=40))


def columns(sorts: list[str], table: list[tuple[Any, ...]]) -> list[Column]:
    """Turn rows into columns."""
    values = list(zip(*table, strict=True)) or [()] * len(sorts)
    return [
        Labels.of(list(column)) if sort == "text" else np.array(column, np.int64)
        for sort, column in zip(sorts, values, strict=True)
    ]


def order(found: list[Column]) -> list[tuple[int, ...]]:
    """Return the rows as what they are sorted by: texts are in the order of their codes."""
    plain = [(column.codes if isinstance(column, Labels) else column).tolist() for column in found]
    return list(zip(*plain, strict=True))


@given(rows())
def test_rows_have_one_number_where_they_are_equal_and_numbers_have_their_order(drawn: Any) -> None:
    found = columns(*drawn)
    ids, span = identify(found)
    keys = order(found)
    assert np.argsort(ids, kind="stable").tolist() == sorted(range(len(keys)), key=keys.__getitem__)
    assert len({*ids.tolist()}) == len({*keys}) == len({*zip(ids.tolist(), keys, strict=True)})
    assert 0 <= min(ids, default=0) <= max(ids, default=0) < span <= max(8 * len(keys), 65_536)


@given(rows())
def test_groups_are_those_of_a_dictionary(drawn: Any) -> None:
    sorts, table = drawn
    names = [str(number) for number in range(len(sorts))]
    found = columns(sorts, table)
    groups = group(dict(zip(names, found, strict=True)))
    members: dict[tuple[int, ...], list[int]] = {}
    for row, key in enumerate(order(found)):
        members.setdefault(key, []).append(row)
    in_order = [members[key] for key in sorted(members)]
    assert groups.first.tolist() == [each[0] for each in in_order]
    assert groups.sizes.tolist() == [len(each) for each in in_order]
    assert [np.flatnonzero(groups.of == number).tolist() for number in range(len(in_order))] == in_order
    assert groups.sum(np.arange(len(table))).tolist() == [sum(each) for each in in_order]
    assert groups.newest(np.arange(len(table))).tolist() == [max(each) for each in in_order]
    assert [len(groups.keys[name]) for name in names] == [len(in_order)] * len(names)


def test_many_rows_in_a_range_too_wide_for_a_table_are_grouped_too() -> None:
    values = np.random.default_rng(5).integers(0, 10**12, 20_000)
    other = values % 9_973
    ids, span = identify([values, other, values[::-1]])
    assert len(np.unique(ids)) == len(np.unique(np.stack([values, values[::-1]]), axis=1).T)
    assert span <= 8 * len(values)


@pytest.mark.parametrize(("ids", "first"), [([], [-1, -1, -1]), ([2, 0, 2, 0], [1, -1, 0])])
def test_the_first_row_of_each_number(ids: list[int], first: list[int]) -> None:
    assert first_rows(np.array(ids, np.int64), 3).tolist() == first
