"""A day of passages as columns, in the order in which they happened; `expo.py` makes one, `lines.py` writes it.

Text is kept as codes into `Names`, so that a day of 1.6 million events takes some 100 MB and a few seconds.
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
    from collections.abc import Mapping

    from streams.site.model import Site

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.object_]

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
class Names:
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

    Times are milliseconds since 1970 UTC: `true_ts` is when it happened, `ts` what the device says. `device`,
    `entrance`, `category`, `reason` and `health` are codes; `credential` is a row of `pseudonyms` or -1;
    `temperature` is in °C, nan where none was taken.
    """

    names: Names
    epoch: int
    pseudonyms: Texts
    device: Ints
    seq: Ints
    true_ts: Ints
    ts: Ints
    entrance: Ints
    direction: Ints
    outcome: Ints
    category: Ints
    reason: Ints
    credential: Ints
    temperature: Floats
    health: Ints

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.ts)

    @property
    def kind(self) -> Ints:
        """Kind of each event."""
        return self.names.kind_of[self.entrance]

    @property
    def credentials(self) -> Texts:
        """Pseudonym of each event, '' for none."""
        words = np.full(len(self), "", dtype=object)
        known = self.credential >= 0
        words[known] = self.pseudonyms[self.credential[known]]
        return words

    @property
    def last_seq(self) -> Ints:
        """Return the highest sequence number of every device (0 where it has seen nobody)."""
        last = np.zeros(len(self.names.devices), np.int64)
        np.maximum.at(last, self.device, self.seq)
        return last

    def take(self, rows: Any) -> Day:  # noqa: ANN401 - whatever indexes an array
        """Return the day of `rows` only."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def with_columns(self, **columns: npt.NDArray[Any]) -> Day:
        """Return the day with some columns exchanged."""
        return replace(self, **columns)  # type: ignore[arg-type]  # names are checked by dataclasses at run time

    def texts(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the columns that a ledger keeps, with every code written out ('' for none)."""
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
            "reason": _texts(REASONS)[self.reason],
            "credential": self.credentials,
            "temperature": self.temperature,
            "health": _texts(HEALTH)[self.health],
        }


COLUMNS = tuple(field.name for field in fields(Day) if field.name not in {"names", "epoch", "pseudonyms"})
"""The columns of a `Day`, one value an event each."""


def _texts(words: Any) -> Texts:  # noqa: ANN401 - any sequence of text
    return np.array(list(words), dtype=object)
