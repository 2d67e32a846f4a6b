"""A day of passages as columns, in the order in which they happened; a scenario makes one, `lines.py` writes it.

Text is stored as codes, so that a day of 1.6 million events takes some 100 MB and a few seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from streams.contract.events import DIRECTIONS, OUTCOMES
from streams.site.model import Site
from streams.text import KINDS

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

    codes: npt.NDArray[np.integer[Any]]
    words: Sequence[str] | Texts

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Self:  # noqa: ANN401 - whatever indexes an array
        return replace(self, codes=self.codes[rows])

    def equal(self, word: str) -> npt.NDArray[np.bool_]:
        """Return which rows read `word`."""
        found: npt.NDArray[np.bool_] = np.array([*(each == word for each in self.words), False])[self.codes]
        return found

    def texts(self) -> Texts:
        """Return the text of every row, '' for none."""
        texts: Texts = np.append(np.asarray(self.words, dtype=object), "")[self.codes]
        return texts


class SiteCodes:
    """What the codes of one site mean.

    `devices` come entrance by entrance, and `categories` of persons before the classes of vehicles. `lanes` (their
    number), `first_device` and `kind_of` have a value for each entrance, `entrance_of` one for each device.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.entrances = _texts([each.id for each in site.entrances])
        self.devices = _texts([lane for each in site.entrances for lane in each.lanes])
        self.categories = _texts([each.id for kind in KINDS for each in site.categories_of(kind)])
        self.lanes: Ints = np.array([len(each.lanes) for each in site.entrances], np.int64)
        self.first_device: Ints = np.cumsum(self.lanes) - self.lanes
        self.kind_of: Ints = np.array([KINDS.index(each.kind) for each in site.entrances], np.int64)
        self.entrance_of: Ints = np.repeat(np.arange(len(self.lanes)), self.lanes)


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

    def take(self, rows: Any) -> Self:  # noqa: ANN401 - whatever indexes an array
        """Return the day of `rows` only."""
        optional = {name: column[rows] for name, column in self.optional.items()}
        return replace(self, optional=optional, **{name: getattr(self, name)[rows] for name in COLUMNS})

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


def ranks(group: Ints) -> Ints:
    """Return for each row its number (from 0) among the rows of the same group."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return ranks
