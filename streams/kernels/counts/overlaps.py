"""Finds sequence numbers that came through several partitions, and which of these are new; read `settlement` next.

Ranges are sorted, disjoint and inclusive, as in `identity`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

Range = tuple[int, int]

MOST_PIECES: Final = 16
"""Pieces of one device in one question: what lies between near ones is looked at again, which changes nothing."""
MOST_DEVICES: Final = 1_000
"""Devices in one question: it names each twice, with its epoch up to 90 bytes, and ClickHouse parses 256 KiB."""


class SequenceRange(NamedTuple):
    """Numbers of a device in an epoch, from `low` to `high`."""

    device: str
    epoch: int
    low: int
    high: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.high - self.low + 1


def overlap_of(logs: Iterable[Sequence[Range]]) -> int:
    """Count the numbers that came through more than one log, once for each log beyond the first."""
    ranges = list(logs)
    return sum(map(_size, ranges)) - _size(union(ranges))


def union(logs: Iterable[Sequence[Range]]) -> list[Range]:
    """Put ranges together."""
    together: list[Range] = []
    for low, high in sorted(each for ranges in logs for each in ranges):
        if together and low <= together[-1][1] + 1:
            together[-1] = together[-1][0], max(together[-1][1], high)
        else:
            together.append((low, high))
    return together


def common(some: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """Return what is in both."""
    return without(some, without(some, others))


def without(some: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """Return what is in the first and not in the second."""
    rest: list[Range] = []
    right = 0
    for first, high in some:
        low = first
        while right < len(others) and others[right][1] < low:
            right += 1
        at = right
        while at < len(others) and others[at][0] <= high:
            if others[at][0] > low:
                rest.append((low, others[at][0] - 1))
            low = max(low, others[at][1] + 1)
            at += 1
        if low <= high:
            rest.append((low, high))
    return rest


def unsettled(now: Mapping[str, Sequence[Range]], then: Mapping[str, Sequence[Range]]) -> list[Range]:
    """Return the numbers that are in more than one log `now`, and were not in one of these `then`."""
    found: list[list[Range]] = []
    for log, ranges in now.items():
        new = without(ranges, then.get(log, ()))
        if new:
            others = union(each for name, each in now.items() if name != log)
            found.append(common(new, others))
    return union(found)


def joined(ranges: Sequence[Range], *, most: int = MOST_PIECES) -> list[Range]:
    """Return at most so many ranges that hold all of these; the smallest gaps are closed."""
    if len(ranges) <= most:
        return list(ranges)
    gaps = sorted(range(1, len(ranges)), key=lambda at: ranges[at - 1][1] - ranges[at][0])[: most - 1]
    starts = [0, *sorted(gaps), len(ranges)]
    return [(ranges[a][0], ranges[b - 1][1]) for a, b in pairwise(starts)]


def pieces(device: str, epoch: int, ranges: Sequence[Range], *, size: int) -> Iterator[SequenceRange]:
    """Cut ranges into pieces of at most `size` numbers."""
    for low, high in joined(ranges):
        for start in range(low, high + 1, size):
            yield SequenceRange(device, epoch, start, min(high, start + size - 1))


@dataclass(frozen=True)
class Box:
    """Numbers from `low` to `high` of all these devices and epochs: a question that costs a store little."""

    devices: frozenset[tuple[str, int]]
    low: int
    high: int


def boxes(some: Iterable[SequenceRange], *, size: int, most_devices: int = MOST_DEVICES) -> Iterator[Box]:
    """Put pieces of at most `size` numbers into few boxes of that size; what is in one besides is looked at again."""
    devices: set[tuple[str, int]] = set()
    low = high = 0
    for piece in sorted(some, key=lambda each: (each.low, each.high, each.device, each.epoch)):
        device = (piece.device, piece.epoch)
        n, top = len(devices) + (device not in devices), max(high, piece.high)
        if devices and (n > most_devices or n * (top - low + 1) > size):
            yield Box(frozenset(devices), low, high)
            devices = set()
        if not devices:
            low, top = piece.low, piece.high  # the lowest of those that come: they are sorted
        devices.add(device)
        high = top
    if devices:
        yield Box(frozenset(devices), low, high)


def _size(ranges: Sequence[Range]) -> int:
    return sum(high - low + 1 for low, high in ranges)
