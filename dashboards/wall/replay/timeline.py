"""The two orders in which a past can be told, and rows that wait for their turn; pure. Read next: `counts.py`.

`then`: by the moment at which something was stored (real time). `corrected`: by the moment at which it happened (site
time). The axis of a replay is in the milliseconds of the one or the other.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.kernels.counts.site_clock import SiteClock

Known = Literal["then", "corrected"]
Ints = NDArray[np.int64]

WINDOW = 10_000
"""Milliseconds of the windows in which areas are counted."""


class Moment(NamedTuple):
    """One moment on both clocks, in milliseconds."""

    site: int
    real: int

    def on(self, known: Known) -> int:
        """Return it on the axis of a replay."""
        return self.real if known == "then" else self.site


def moment_of(site_ms: int, clock: SiteClock) -> Moment:
    """Return the first moment of both clocks at which the site's shows `site_ms` or, if it is coarse, a little more."""
    real = clock.real(site_ms)
    while clock.now(real) < site_ms:
        real += 1
    return Moment(clock.now(real), real)


@dataclass(frozen=True, slots=True)
class Grid:
    """What a replay counts in: site time from `start` (a full hour) up to `end`, and numbers for names."""

    start: int
    end: int
    entrances: tuple[str, ...]
    categories: tuple[str, ...]

    def cells(self, width: int) -> int:
        """How many stretches of `width` ms there are."""
        return -(-(self.end - self.start) // width)


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages in columns, in the order of `axis`: numbers of the grid's entrances and categories.

    `out`: 1 for the direction `out`; `category` is the number of categories where the profile does not know it.
    """

    axis: Ints
    ts: Ints
    entrance: Ints
    out: Ints
    category: Ints
    anonymous: Ints

    def part(self, first: int, after: int) -> "Passages":
        """Return those from a place up to before another."""
        some = slice(first, after)
        return Passages(
            self.axis[some], self.ts[some], self.entrance[some], self.out[some], self.category[some],
            self.anonymous[some],
        )  # fmt: skip


Row = TypeVar("Row", bound=tuple[Any, ...])


class Waiting(Generic[Row]):
    """Rows that begin with their place on the axis, in its order; each is handed out once, when its moment has come."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Let more rows wait, all of them later than those before."""
        self._rows += rows

    def upto(self, axis: int) -> list[Row]:
        """Hand out what is not later than a moment."""
        due = 0
        while due < len(self._rows) and self._rows[due][0] <= axis:
            due += 1
        rows, self._rows = self._rows[:due], self._rows[due:]
        return rows
