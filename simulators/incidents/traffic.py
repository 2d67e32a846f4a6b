"""An hour's events in columns, with functions to thin, extend and cut them; `labelled.py` makes incidents of them."""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from simulators.scenario.day import IN, PASSED, Ints, SiteCodes
from streams.site.model import Site

SECOND: Final = 1000
ON_ITS_WAY: Final = 200
"""Milliseconds that an event takes to the broker, usually."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """Events in the order in which they arrive at the broker; ts and arrives in ms UTC, unwell and lost 0 or 1.

    What is lost has a number of its device and never arrives. device, direction and outcome are as in day.Day.
    """

    arrives: Ints
    ts: Ints
    device: Ints
    direction: Ints
    outcome: Ints
    unwell: Ints
    lost: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def plus(self, *others: Self) -> Self:
        """Put events together, in the order of their arrival."""
        parts = (self, *others)
        joined = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(self)}
        order = np.lexsort((joined["device"], joined["ts"], joined["arrives"]))
        return replace(self, **{name: column[order] for name, column in joined.items()})

    def held_up(self, rows: npt.NDArray[np.bool_], *, until: int) -> Self:
        """Let some of the events arrive together at a moment (ms UTC), as those of a gateway that was offline do."""
        return replace(self, arrives=np.where(rows, np.maximum(self.arrives, until), self.arrives)).plus()

    def where(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Keep some of the events."""
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(frozen=True)
class Ground:
    """The site on which incidents are played, and the moment (ms UTC) at which they begin."""

    site: Site
    begin: int

    def lanes(self, *entrances: str) -> Ints:
        """Return the devices of entrances."""
        names = SiteCodes(self.site)
        return np.flatnonzero(np.isin(names.entrances[names.entrance_of], entrances))

    def at(self, second: float) -> int:
        """Return a moment (ms UTC) of the incident."""
        return self.begin + round(second * SECOND)

    def steady(
        self,
        entrance: str,
        *,
        rate: float,
        start: float,
        end: float,
        rng: np.random.Generator | None = None,
        direction: int = IN,
        outcome: int = PASSED,
    ) -> Traffic:
        """Let `rate` a minute through an entrance, evenly and lane by lane, or at random if `rng` is given."""
        number = round(rate * (end - start) / 60)
        even = start + (np.arange(number) + 0.5) * (end - start) / max(number, 1)
        seconds = even if rng is None else np.sort(rng.uniform(start, end, number))
        lanes = self.lanes(entrance)
        chosen = np.arange(number) % len(lanes) if rng is None else rng.integers(0, len(lanes), number)
        return self._events(seconds, lanes[chosen], direction, outcome)

    def burst(self, entrance: str, *, at: float, persons: int, outcome: int = PASSED, unwell: bool = False) -> Traffic:
        """Let persons through an entrance within one second."""
        lanes = self.lanes(entrance)
        seconds = at + np.linspace(0.1, 0.9, persons)
        return self._events(seconds, lanes[np.arange(persons) % len(lanes)], IN, outcome, unwell=unwell)

    def _events(
        self, seconds: npt.NDArray[np.float64], device: Ints, direction: int, outcome: int, *, unwell: bool = False
    ) -> Traffic:
        n, ts = len(seconds), self.begin + np.rint(seconds * SECOND).astype(np.int64)
        return Traffic(
            arrives=ts + ON_ITS_WAY,
            ts=ts,
            device=device,
            direction=np.full(n, direction),
            outcome=np.full(n, outcome),
            unwell=np.full(n, int(unwell)),
            lost=np.zeros(n, dtype=np.int64),
        )
