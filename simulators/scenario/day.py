"""A day of passages as columns, in the order in which they happened; a scenario makes one, `lines.py` writes it.

Text is stored as codes, so that a day of 1.6 million events takes some 100 MB and a few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streams.contract.events import DIRECTIONS, OUTCOMES
from streams.text import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.site.model import Site

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.object_]
Optional: TypeAlias = "Coded | Floats"
"""Values of an optional field of the contract; a number that is missing is nan."""

REASONS = (
    "",
    "health-abnormal",
    "expired",
    "not-valid-today",
    "unknown-credential",
    "wrong-zone",
    "face-mismatch",
    "already-inside",
    "no-permit",
)
HEALTH = ("", "normal", "abnormal", "unknown")
IN, OUT = DIRECTIONS.index("in"), DIRECTIONS.index("out")
PASSED, GRANTED, DENIED = (OUTCOMES.index(name) for name in ("passed", "granted", "denied"))
PERSON, VEHICLE = KINDS.index("person"), KINDS.index("vehicle")


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of texts: row i reads `words[codes[i]]`; -1 and the word '' are none."""

    codes: Ints
    words: Sequence[str] | Texts

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Coded:  # noqa: ANN401 - whatever indexes an array
        """Return the column of `rows` only."""
        return Coded(self.codes[rows], self.words)

    def equal(self, word: str) -> npt.NDArray[np.bool_]:
        """Return which rows read `word`."""
        return np.append([each == word for each in self.words], [False])[self.codes]

    def texts(self) -> Texts:
        """Return the text of every row, '' for none."""
        texts, known = np.full(len(self), "", dtype=object), self.codes >= 0
        texts[known] = np.asarray(self.words, dtype=object)[self.codes[known]]
        return texts


def _none_like(column: Optional, size: int) -> Optional:
    """Return a column of the same sort in which no row has a value."""
    return Coded(np.full(size, -1), column.words) if isinstance(column, Coded) else np.full(size, np.nan)


def joined_optional(parts: Sequence[Mapping[str, Optional]], sizes: Sequence[int]) -> dict[str, Optional]:
    """Append the optional columns of several parts of so many rows; a part that lacks one has no values there.

    Raises ValueError where a column of texts has other words in one part than in another.
    """
    sorts = {name: column for part in parts for name, column in part.items()}
    joined: dict[str, Optional] = {}
    for name, sort in sorts.items():
        columns = [part[name] if name in part else _none_like(sort, n) for part, n in zip(parts, sizes, strict=True)]
        if isinstance(sort, Coded) and any(
            isinstance(each, Coded) and each.words is not sort.words for each in columns
        ):
            raise ValueError(f"{name}: give all parts the same list of words")
        values = np.concatenate([each.codes if isinstance(each, Coded) else each for each in columns])
        joined[name] = Coded(values, sort.words) if isinstance(sort, Coded) else values
    return joined


@dataclass(frozen=True, eq=False)
class SiteCodes:
    """What the codes of one site mean; categories of persons come before the classes of vehicles."""

    site: Site

    @cached_property
    def entrances(self) -> Texts:
        """Entrance ids."""
        return _texts([each.id for each in self.site.entrances])

    @cached_property
    def devices(self) -> Texts:
        """Device ids, entrance by entrance."""
        return _texts([lane for each in self.site.entrances for lane in each.lanes])

    @cached_property
    def lanes(self) -> Ints:
        """Lanes of each entrance."""
        return np.array([len(each.lanes) for each in self.site.entrances], np.int64)

    @cached_property
    def first_device(self) -> Ints:
        """Code of each entrance's first device."""
        return np.cumsum(self.lanes) - self.lanes

    @cached_property
    def entrance_of(self) -> Ints:
        """Entrance of each device."""
        return np.repeat(np.arange(len(self.lanes)), self.lanes)

    @cached_property
    def kind_of(self) -> Ints:
        """Kind of each entrance."""
        return np.array([KINDS.index(each.kind) for each in self.site.entrances], np.int64)

    @cached_property
    def categories(self) -> Texts:
        """Category ids of both kinds."""
        return _texts([each.id for kind in KINDS for each in self.site.categories_of(kind)])


@dataclass(frozen=True, eq=False)
class Day:
    """One day (or another run of events), one row an event, sorted by `true_ts`.

    Times are milliseconds since 1970 UTC: `true_ts` is when it happened, `ts` the device's time. `device`,
    `entrance`, `direction`, `outcome` and `category` are codes. `optional` has the contract's other fields by name;
    a field that is not in it no event has.
    """

    names: SiteCodes
    epoch: int
    device: Ints
    seq: Ints
    true_ts: Ints
    ts: Ints
    entrance: Ints
    direction: Ints
    outcome: Ints
    category: Ints
    optional: Mapping[str, Optional]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.ts)

    @property
    def kind(self) -> Ints:
        """Kind of each event."""
        return self.names.kind_of[self.entrance]

    @property
    def last_seq(self) -> Ints:
        """Return the highest sequence number of every device (0 where it has seen nobody)."""
        last = np.zeros(len(self.names.devices), np.int64)
        np.maximum.at(last, self.device, self.seq)
        return last

    def take(self, rows: Any) -> Day:  # noqa: ANN401 - whatever indexes an array
        """Return the day of `rows` only."""
        optional = {name: column[rows] for name, column in self.optional.items()}
        return replace(self, optional=optional, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def with_columns(self, **columns: npt.NDArray[Any]) -> Day:
        """Return the day with some columns exchanged."""
        return replace(self, **columns)  # type: ignore[arg-type]  # names are checked by dataclasses at run time

    def texts(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the columns that a ledger stores, with every code written out ('' or nan for none)."""
        names = self.names
        return {
            "kind": _texts(KINDS)[self.kind],
            "device": names.devices[self.device],
            "epoch": np.full(len(self), self.epoch, np.int64),
            "seq": self.seq,
            "true_ts": self.true_ts,
            "ts": self.ts,
            "entrance": names.entrances[self.entrance],
            "direction": _texts(DIRECTIONS)[self.direction],
            "outcome": _texts(OUTCOMES)[self.outcome],
            "category": names.categories[self.category],
            **{name: column.texts() if isinstance(column, Coded) else column for name, column in self.optional.items()},
        }


COLUMNS = tuple(field.name for field in fields(Day) if field.name not in {"names", "epoch", "optional"})
"""The columns that every event has a value in."""


def _texts(words: Any) -> Texts:  # noqa: ANN401 - any sequence of text
    return np.array(list(words), dtype=object)
