"""Each event once: the ranges of sequence numbers received from every device; read `cells` next.

The same bookkeeping as TCP's selective acknowledgement (RFC 2018): memory grows with the holes, not with the
events, it is exact for any order of arrival, and every hole is an event that is known to be missing.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from streams.kernels.batch import Bools, Ints


@dataclass(slots=True)
class Ranges:
    """Received sequence numbers as sorted, disjoint, inclusive ranges that do not touch."""

    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """How many numbers between 1 and the highest received have not come."""
        return self.last - sum(self.high) + sum(self.low) - len(self.low)

    @property
    def last(self) -> int:
        """The highest number received; 0 before the first."""
        return self.high[-1] if self.high else 0

    def add(self, low: int, high: int) -> None:
        """Receive all of low..high, whether or not parts of it came before."""
        if self.high and low == self.high[-1] + 1:  # what nearly always happens
            self.high[-1] = high
            return
        first = bisect_right(self.high, low - 2)  # the first range that touches low..high
        last = bisect_right(self.low, high + 1)  # behind the last one that does
        if first < last:
            low, high = min(low, self.low[first]), max(high, self.high[last - 1])
        self.low[first:last] = [low]
        self.high[first:last] = [high]

    def received(self, numbers: Ints) -> Bools:
        """Which of these numbers (any shape) have come before."""
        if not self.high or not len(numbers) or numbers.min() > self.high[-1]:
            return np.zeros(numbers.shape, dtype=np.bool_)
        at = np.searchsorted(np.array(self.low), numbers, side="right") - 1
        answer: Bools = (at >= 0) & (numbers <= np.array(self.high)[at])
        return answer


def first_of_each(device: Ints, epoch: Ints, seq: Ints) -> tuple[Ints, list[tuple[int, int]]]:
    """Sort a batch by identity and leave out repetitions within it; the earliest stays.

    Returns the positions, sorted by (device, epoch, seq), and the [start, end) of each (device, epoch) in them.
    """
    order = np.lexsort((seq, epoch, device))  # stable: equal identities stay in the order of the log
    if not len(order):
        return order, []
    d, e, s = device[order], epoch[order], seq[order]
    new_counter = np.empty(len(order), dtype=np.bool_)
    new_counter[0] = True
    new_counter[1:] = (d[1:] != d[:-1]) | (e[1:] != e[:-1])
    first = new_counter.copy()
    first[1:] |= s[1:] != s[:-1]
    order = order[first]
    starts = np.flatnonzero(new_counter[first])
    ends = np.append(starts[1:], len(order))
    return order, list(zip(starts.tolist(), ends.tolist(), strict=True))


def admit(ranges: Ranges, seq: Ints) -> Bools:
    """Receive sorted, distinct sequence numbers of one device and epoch; True where a number is new."""
    fresh = ~ranges.received(seq)
    breaks = np.flatnonzero(np.diff(seq) != 1)
    lows = seq[np.concatenate(([0], breaks + 1))].tolist()
    highs = seq[np.concatenate((breaks, [len(seq) - 1]))].tolist()
    for low, high in zip(lows, highs, strict=True):
        ranges.add(low, high)
    return fresh
