"""Compares a table of truth with what a view shows: every key and every value, in both directions.

Next: `verify.py`, which does it for all views.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from simulators.ledger.tables import (
    NONE,
    Between,
    Column,
    Flags,
    Integers,
    Labels,
    Table,
    Value,
    differ,
    first_rows,
    identify,
)

EXAMPLES = 5
"""Differences that are listed per view; all of them are counted."""

ABSENT = "(no row)"

_MOMENTS = {"ts", "last_ts", "as_of", "window_start"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Difference:
    """One value that is not what the ledger has, all of it as text for a reader."""

    view: str
    key: str
    column: str
    expected: str
    stored: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came of comparing one view. `present` is, for each expected row, whether the store has its key.

    `missing`: expected rows that the store lacks; `extra`: stored keys that nothing explains; `repeated`:
    stored rows whose key the store shows already; `altered`: rows with another value than expected.
    """

    present: Flags
    compared: int
    missing: int
    extra: int
    repeated: int
    altered: int
    examples: tuple[Difference, ...]

    @property
    def different(self) -> int:
        """The number of rows that are wrong."""
        return self.missing + self.extra + self.repeated + self.altered


def compare(view: str, expected: Table, stored: Table) -> Comparison:
    """Compare all rows of `stored` with all rows of `expected`; keys of `expected` are distinct."""
    pair = _Pair(expected, stored)
    wrong = {name: pair.differs(name) for name in expected.values}
    altered = np.logical_or.reduce([np.zeros(len(pair.matched), bool), *wrong.values()])
    missing = np.flatnonzero(~pair.present & ~expected.may_be_absent())
    return Comparison(
        present=pair.present,
        compared=len(pair.matched) + len(missing) + len(pair.extra),
        missing=len(missing),
        extra=len(pair.extra),
        repeated=len(pair.repeated),
        altered=int(altered.sum()),
        examples=tuple(_examples(view, pair, missing, wrong)),
    )


class _Pair:
    """Two tables joined on their keys.

    `matched` and `partner` are rows of `expected` and `stored` with the same key, `extra` and `repeated` the
    other rows of `stored`; `present` flags the rows of `expected` that have a partner.
    """

    def __init__(self, expected: Table, stored: Table) -> None:
        self.expected, self.stored = expected, stored
        size = len(expected)
        ids, span = identify([_joined(column, stored.keys[name]) for name, column in expected.keys.items()])
        expected_at, first_at = first_rows(ids[:size], span), first_rows(ids[size:], span)
        first = first_at[first_at >= 0]
        row = expected_at[first_at >= 0]
        self.matched: Integers = row[row >= 0]
        self.partner: Integers = first[row >= 0]
        self.extra: Integers = first[row < 0]
        self.present: Flags = np.zeros(size, bool)
        self.present[self.matched] = True
        again = np.ones(len(stored), bool)
        again[first] = False
        self.repeated: Integers = np.flatnonzero(again)

    def differs(self, name: str) -> Flags:
        """Return which matched rows have another value in column `name`."""
        expected, stored = self.expected.values[name], self.stored.values[name]
        if isinstance(expected, Between):
            bounds, values = expected[self.matched], np.asarray(stored)[self.partner]
            return (values < bounds.low) | (values > bounds.high)
        both = _joined(expected, stored)  # type: ignore[arg-type]
        codes = both.codes if isinstance(both, Labels) else both
        return differ(codes[self.matched], codes[len(self.expected) + self.partner])


def _joined(expected: Column, stored: Column) -> Column:
    """Append `stored` to `expected`, text in one vocabulary."""
    if isinstance(expected, Labels) and isinstance(stored, Labels):
        codes = {word: code for code, word in enumerate(expected.words)}
        moved = stored.each(lambda word: codes.setdefault(word, len(codes)), np.int32)
        return Labels(np.concatenate([expected.codes, moved]), np.array([*codes], object))
    return np.concatenate([expected, stored])


def _examples(view: str, pair: _Pair, missing: Integers, wrong: Mapping[str, Flags]) -> Iterator[Difference]:
    """Yield the first differences of each sort."""
    for row in missing[:EXAMPLES]:
        shown = summary(pair.expected.values, row)
        yield Difference(view, summary(pair.expected.keys, row), "", shown, ABSENT)
    for row in pair.extra[:EXAMPLES]:
        yield Difference(view, summary(pair.stored.keys, row), "", ABSENT, summary(pair.stored.values, row))
    for row in pair.repeated[:EXAMPLES]:
        yield Difference(view, summary(pair.stored.keys, row), "", "one row", "one more row of this key")
    for name, flags in wrong.items():
        for at in np.flatnonzero(flags)[:EXAMPLES]:
            row, partner = pair.matched[at], pair.partner[at]
            expected = text(name, pair.expected.values[name], row)
            stored = text(name, pair.stored.values[name], partner)
            yield Difference(view, summary(pair.expected.keys, row), name, expected, stored)


def summary(columns: Mapping[str, Value], row: int) -> str:
    """Write one row as `name=value name=value`."""
    return " ".join(f"{name}={text(name, column, row)}" for name, column in columns.items())


def text(name: str, column: Value, row: int) -> str:
    """Write one value: moments in ISO 8601 UTC, days as dates, bounds as low..high."""
    if isinstance(column, Labels):
        return str(column.words[column.codes[row]]) or "''"
    if isinstance(column, Between):
        low, high = int(column.low[row]), int(column.high[row])
        return str(low) if low == high else f"{low}..{high if high < np.iinfo(np.int64).max else ''}"
    value = column[row]
    if value == NONE or value != value:  # noqa: PLR0124 - only nan differs from itself
        return "none"
    if name in _MOMENTS:
        return (_EPOCH + timedelta(milliseconds=int(value))).isoformat(timespec="milliseconds")[:-6] + "Z"
    if name == "day":
        return (_EPOCH + timedelta(days=int(value))).date().isoformat()
    return str(value)
