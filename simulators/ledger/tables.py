"""The column tables in which ledger, truth and views are compared: text as codes, all else as numpy arrays.

The ledger, the truth and what the store shows all have this form, so that a day of events is compared with a
few sorts. Next: `ledger.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulators.scenario.day import Coded

Array: TypeAlias = npt.NDArray[Any]
Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

NONE = int(np.iinfo(np.int64).min)
"""Stands for "no value" in a column of integers, where a float has nan and a text has ''."""

_WIDEST = 2**62
_PLACES_A_ROW, _FEW = 8, 65_536  # as many places a table may have, for each row and in any case


@dataclass(frozen=True, eq=False)
class Labels(Coded):
    """A column of text in which every row has one of the `words`, be it '', and no word occurs twice in them."""

    words: Array

    @classmethod
    def of(cls, texts: Any) -> Self:  # noqa: ANN401 - a list, an array or an Arrow array of text
        """Encode one text per row; None becomes ''."""
        array = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.string())
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        coded = (array.fill_null("") if array.null_count else array).dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return cls(codes, coded.dictionary.to_numpy(zero_copy_only=False))

    def each(self, function: Callable[[str], Any], dtype: Any) -> Array:  # noqa: ANN401 - numpy's own
        """Apply `function` once to every word and return its result for every row."""
        values = np.array([function(word) for word in self.words], dtype)
        return values[self.codes] if len(self) else np.empty(0, dtype)


@dataclass(frozen=True, eq=False)
class Between:
    """A column of integers of which only bounds are known, both inclusive."""

    low: Integers
    high: Integers

    def __getitem__(self, rows: Any) -> "Between":  # noqa: ANN401 - whatever indexes an array
        return Between(self.low[rows], self.high[rows])


Column: TypeAlias = Labels | Array
Columns: TypeAlias = Mapping[str, Any]
"""Columns by name; which of them are text is known where they are declared."""
Value: TypeAlias = Labels | Array | Between


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with a key and values; in a table of truth no key occurs twice.

    `optional` marks the rows that may be absent from the store: it is not known whether they were delivered.
    """

    keys: Mapping[str, Column]
    values: Mapping[str, Value]
    optional: Flags = field(default_factory=lambda: np.zeros(0, bool))

    def __len__(self) -> int:
        return len(next(iter(self.keys.values())))

    def __getitem__(self, rows: Any) -> "Table":  # noqa: ANN401 - whatever indexes an array
        optional = self.optional[rows] if len(self.optional) else self.optional
        return Table(take(self.keys, rows), take(self.values, rows), optional)

    def may_be_absent(self) -> Flags:
        """Return `optional`, one flag for every row."""
        return self.optional if len(self.optional) else np.zeros(len(self), bool)


def take(columns: Mapping[str, Any], rows: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever indexes an array
    """Return every column at `rows`."""
    return {name: column[rows] for name, column in columns.items()}


def differ(left: Array, right: Array) -> Flags:
    """Return which rows differ; nan is equal to nan."""
    different: Flags = left != right
    return different if left.dtype.kind != "f" else different & ~(np.isnan(left) & np.isnan(right))


def identify(columns: Sequence[Column]) -> tuple[Integers, int]:
    """Return a number for every row and one above the highest; numbers are equal where rows are in all `columns`.

    They have the order of the rows, by the first column, then the second, and so on (text or integers). They are few
    enough for a table that has a place for each, with which rows are grouped and joined without being sorted.
    """
    most = max(_PLACES_A_ROW * len(columns[0]), _FEW)
    ids, span = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        codes, width = _narrow(column.codes if isinstance(column, Labels) else column, most)
        if span * width > most:
            ids, span = _dense(ids, span, most)
        if span * width > most:
            codes, width = _dense(codes, width, most)
        ids, span = ids * width + codes, span * width
        if span > most:
            ids, span = _dense(ids, span, most)
    return ids, span


def _narrow(values: Array, most: int) -> tuple[Integers, int]:
    """Move `values` to start at 0, the beginnings of windows to follow one another; return them and their span."""
    if not len(values):
        return values.astype(np.int64), 1
    low, high = int(values.min()), int(values.max())
    if high - low >= _WIDEST:
        return _dense(values, high - low, most)
    moved, span = values.astype(np.int64) - low, high - low
    if span > most and (step := int(np.gcd.reduce(moved))) > 1:
        moved, span = moved // step, span // step
    return moved, span + 1


def _dense(values: Array, span: int, most: int) -> tuple[Integers, int]:
    """Return the distinct `values` numbered from 0 in their order, and how many there are (1 if none).

    With a table of all places where these are not too many, by sorting otherwise.
    """
    if span > most:
        distinct, numbers = np.unique(values, return_inverse=True)
        return numbers.astype(np.int64), max(1, len(distinct))
    used = np.zeros(span, np.bool_)
    used[values] = True
    found = np.flatnonzero(used)
    number = np.empty(span, np.int64)
    number[found] = np.arange(len(found))
    return number[values], max(1, len(found))


def first_rows(ids: Integers, span: int) -> Integers:
    """Return the first row of each number from 0 to below `span`, -1 where there is none."""
    first = np.full(span, -1)
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # of several the last one written stays
    return first


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows that are equal in some columns: `first` is a row of each group, `of` the group of each row."""

    keys: Columns
    first: Integers
    of: Integers
    sizes: Integers

    def sum(self, weights: Array) -> Integers:
        """Add up integer `weights` (one per row) within each group; exact below 2**53."""
        return np.bincount(self.of, weights, len(self.first)).astype(np.int64)

    def newest(self, values: Array) -> Integers:
        """Return the largest of `values` (one per row) in each group."""
        newest = np.full(len(self.first), NONE, np.int64)
        np.maximum.at(newest, self.of, values.astype(np.int64))
        return newest


def group(keys: Mapping[str, Column]) -> Groups:
    """Gather the rows that are equal in all of `keys`; groups are in the order of their keys."""
    ids, span = identify(list(keys.values()))
    of, size = _dense(ids, span, span)
    first = first_rows(of, size)[: len(of)]  # none where there are no rows
    return Groups(take(keys, first), first, of, np.bincount(of, minlength=len(first)))


def count(keys: Mapping[str, Column], name: str) -> Table:
    """Count the rows of every distinct key; the number is the value `name`."""
    groups = group(keys)
    return Table(groups.keys, {name: groups.sizes.astype(np.int64)})
