"""The time axis of a replay, the grid that it counts in, and rows that wait for their moment; pure. Next: `counts.py`.

A replay has one of two axes, both in milliseconds. `then`: the time at which something was stored (real time).
`corrected`: the time at which it happened (site time).
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock

Known = Literal["then", "corrected"]

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
class ReplayGrid:
    """The cells of a replay's counts: site time from `start` (a full hour) to `end`, by entrance and category."""

    start: int
    end: int
    entrances: tuple[str, ...]
    categories: tuple[str, ...]

    def cells(self, width: int) -> int:
        """Return the number of cells of `width` ms."""
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
        """Return the passages from one index up to another."""
        some = slice(first, after)
        return Passages(
            self.axis[some], self.ts[some], self.entrance[some], self.out[some], self.category[some],
            self.anonymous[some],
        )  # fmt: skip


PendingRow = TypeVar("PendingRow", bound=tuple[Any, ...])


class PendingRows(Generic[PendingRow]):
    """Rows that begin with their time on the axis, in its order; each is returned once, when its time has come."""

    def __init__(self) -> None:
        self._rows: list[PendingRow] = []

    def add(self, rows: list[PendingRow]) -> None:
        """Add rows, all of them later than those before."""
        self._rows += rows

    def upto(self, axis: int) -> list[PendingRow]:
        """Return and remove the rows up to a time on the axis."""
        due = 0
        while due < len(self._rows) and self._rows[due][0] <= axis:
            due += 1
        rows, self._rows = self._rows[:due], self._rows[due:]
        return rows
