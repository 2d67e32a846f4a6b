"""Makes the passages of a made-up site slice by slice, so that ten million lines are never in memory at once.

Every lane is as busy as any other, and every moment as any other; next: `cases.py`. Pure.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.contract.codec import Records
from streams.contract.events import DIRECTIONS
from streams.site.model import Site

Ints = NDArray[np.int64]

ON_THE_WAY_MS: Final = 300
"""From the lane to the broker."""
A_DAY: Final = 10_000_000
PACE: Final = A_DAY / 86_400
"""Passages a second of the day that a backlog is of; fewer are a part of it, so that each moment is as busy."""
PASSAGES_A_PERSON: Final = 4
_OUTCOMES: Final = (*['"passed"'] * 48, '"granted"', '"denied","reason":"expired"')
"""So many of 50."""
_TEMPERATURES: Final = (36.2, 36.4, 36.5, 36.7)
_MIX: Final = 0x9E3779B97F4A7C15
_MORE: Final = 0xBF58476D1CE4E5B9


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive passages: their lines, event times (ms UTC), and the number of each one's entrance."""

    lines: list[bytes]
    ts: Ints
    entrance: Ints

    def records(self, first: int) -> Records:
        """Return them as a worker's consumer joins them: one record a passage, the first one at this offset."""
        n = len(self.lines)
        offset = np.arange(first, first + n)
        return Records(b"\n".join(self.lines), offset, self.ts + ON_THE_WAY_MS, np.ones(n, dtype=np.int64))

    @property
    def passed(self) -> int:
        """How many have the outcome that moves a count."""
        return sum(b'"outcome":"passed"' in line for line in self.lines)


class Traffic:
    """So many passages, spread evenly over a time that begins at `start_ms` (UTC); the same for the same seed."""

    def __init__(self, site: Site, *, events: int, start_ms: int, seconds: float, seed: int = 1) -> None:
        self.events, self.start_ms, self.pace_ms = events, start_ms, seconds * 1000 / events
        self.sent = 0
        lanes = [(each.id, at, lane) for at, each in enumerate(site.entrances) for lane in each.lanes]
        self._entrance_of = np.array([at for _, at, _ in lanes])
        self._heads = [f'{{"device":"{lane}","entrance":"{name}","seq":' for name, _, lane in lanes]
        self._tails = _tails([each.id for each in site.categories])
        self._seq = np.zeros(len(lanes), dtype=np.int64)
        self._random = np.random.default_rng(seed)

    def go_on_at(self, now_ms: int) -> None:
        """Let the next passage be at this moment, and the others follow it."""
        self.start_ms = now_ms - round(self.sent * self.pace_ms)

    def next(self, most: int) -> Slice:
        """Return the next passages; fewer than asked for at the end."""
        n, random = min(most, self.events - self.sent), self._random
        ts = self.start_ms + ((self.sent + np.arange(n) + random.random(n)) * self.pace_ms).astype(np.int64)
        lane = random.integers(len(self._heads), size=n)
        tail = random.integers(len(self._tails), size=n)
        person = random.integers(max(1, self.events // PASSAGES_A_PERSON), size=n)
        self.sent += n
        columns = (lane, self._numbers(lane), ts, tail, *_pseudonyms(person))
        rows = zip(*(each.tolist() for each in columns), strict=True)
        heads, tails = self._heads, self._tails
        lines = [
            f'{heads[lane]}{seq},"ts":{ts}{tails[tail]}{one:016x}{two:016x}"}}'.encode()
            for lane, seq, ts, tail, one, two in rows
        ]
        return Slice(lines, ts, self._entrance_of[lane])

    def _numbers(self, lane: Ints) -> Ints:
        """Number the passages of each lane on."""
        order = np.argsort(lane, kind="stable")
        times = np.bincount(lane, minlength=len(self._seq))
        starts = np.cumsum(times) - times
        seq = np.empty(len(lane), dtype=np.int64)
        seq[order] = np.arange(len(lane)) - starts[lane[order]] + self._seq[lane[order]] + 1
        self._seq += times
        return seq


def _tails(categories: list[str]) -> list[str]:
    """Return all that can follow the time of a passage, up to the value of the credential."""
    return [
        f',"direction":"{direction}","outcome":{outcome},"category":"{category}","health":"normal",'
        f'"temperature":{temperature},"credential":"'
        for direction, outcome, category, temperature in product(DIRECTIONS, _OUTCOMES, categories, _TEMPERATURES)
    ]


def _pseudonyms(person: Ints) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return two halves that compress as little as a keyed hash does, the same ones for the same person."""
    mixed = (person.astype(np.uint64) + np.uint64(1)) * np.uint64(_MIX)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MORE)
    return mixed, (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX)
