"""Deduplication: the ranges of sequence numbers received from every device; read `place` next.

The same bookkeeping as TCP's selective acknowledgement (RFC 2018): memory grows with the holes, not with the
events, it is exact for any order of arrival, and every hole is an event that is known to be missing. So that memory
does not grow with what is sent, a counter with very many holes has its lowest ones closed: what may still come of
these can no longer be distinguished from what has come, and is refused (`admission`).
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streams.kernels.counts.batch import Ints

MOST_MISSING: Final = 10**12
"""Events of one device and epoch that can be missing, at most: who lacks more does not number events from 1, but by a
clock for one; and what any number of such devices lack must add up in 64 bits. The store's view does the same."""
Reference = int | None
"""The time (ms UTC) with which a neighbour in the numbering is compared; None where none is known."""


@dataclass(slots=True)
class Ranges:
    """Received sequence numbers as sorted, disjoint, inclusive ranges that do not touch.

    `low_ts` and `high_ts` are the reference times at the ends of each range: those of the events that stand there.
    An event whose time is not believed has those of its neighbours when it came.
    """

    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    low_ts: list[Reference] = field(default_factory=list)
    high_ts: list[Reference] = field(default_factory=list)
    floor: int = 0  # of numbers up to it nobody knows any more whether they have come
    closed: int = 0  # numbers of holes below it: in the lowest range although they have not come, they stay missing
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = sum(self.high) - sum(self.low) + len(self.low) - self.closed

    def __len__(self) -> int:
        return len(self.low)

    @property
    def missing(self) -> int:
        """How many numbers between 1 and the highest received have not come, up to MOST_MISSING."""
        return min(self.last - self.count, MOST_MISSING)

    @property
    def last(self) -> int:
        """The highest number received; 0 before the first."""
        return self.high[-1] if self.high else 0

    def received(self, number: int) -> bool:
        """Whether a number has come before."""
        at = bisect_right(self.low, number) - 1
        return at >= 0 and number <= self.high[at]

    def neighbours(self, number: int) -> tuple[Reference, Reference]:
        """Return the reference times of the nearest lower and nearest higher number received, of one that is not."""
        at = bisect_right(self.low, number)  # the nearest numbers are always ends of ranges
        return self.high_ts[at - 1] if at else None, self.low_ts[at] if at < len(self.low) else None

    def add(self, low: int, high: int, *, low_ts: Reference = None, high_ts: Reference = None) -> None:
        """Receive all of low..high, none of which has come before, with the reference times of both."""
        self.count += high - low + 1
        at = bisect_right(self.low, low)  # so many ranges are below
        first, behind = at, at
        if at and self.high[at - 1] == low - 1:
            first, low, low_ts = at - 1, self.low[at - 1], self.low_ts[at - 1]
        if at < len(self.low) and self.low[at] == high + 1:
            behind, high, high_ts = at + 1, self.high[at], self.high_ts[at]
        self.low[first:behind], self.high[first:behind] = [low], [high]
        self.low_ts[first:behind], self.high_ts[first:behind] = [low_ts], [high_ts]

    def close(self, most: int) -> None:
        """Keep at most so many ranges: the lowest holes between them are closed."""
        behind = len(self.low) - most + 1  # so many ranges become one
        if behind <= 1:
            return
        self.floor = self.high[behind - 1]
        self.closed += sum(self.low[1:behind]) - sum(self.high[: behind - 1]) - (behind - 1)
        self.low[:behind], self.high[:behind] = [self.low[0]], [self.floor]
        self.low_ts[:behind], self.high_ts[:behind] = [self.low_ts[0]], [self.high_ts[behind - 1]]


def water_level(sizes: Ints, limit: int) -> int:
    """Return the largest size, at least 1, that all may have to be within a limit; smaller ones keep what they have."""
    low, high = 1, int(sizes.max(initial=1))
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(sizes, middle).sum()) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def first_of_each(device: Ints, epoch: Ints, seq: Ints) -> tuple[Ints, Ints]:
    """Sort a batch by identity and leave out repetitions within it; the earliest stays.

    Returns the positions, sorted by (device, epoch, seq), and where in them each (device, epoch) starts.
    """
    order = np.lexsort((seq, epoch, device))  # stable: equal identities stay in the order of the log
    if not len(order):
        return order, order
    d, e, s = device[order], epoch[order], seq[order]
    new_counter = np.empty(len(order), dtype=np.bool_)
    new_counter[0] = True
    new_counter[1:] = (d[1:] != d[:-1]) | (e[1:] != e[:-1])
    first = new_counter.copy()
    first[1:] |= s[1:] != s[:-1]
    return order[first], np.flatnonzero(new_counter[first])
