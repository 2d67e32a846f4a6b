"""What was received from each device as of a moment, and what was known to be missing; pure. Read next: `logs.py`."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboards.wall.model.reading import DeviceRow
from streams.kernels.counts.identity import MOST_MISSING


class Received(NamedTuple):
    """The sequence numbers received from a device through one log, from when it was known (`axis`)."""

    axis: int
    device: str
    epoch: int
    log: str
    version: int
    entrance: str
    ranges: Sequence[tuple[int, int]]
    last_seq: int
    last_ts: int
    closed: int = 0


@dataclass(slots=True)
class ReceivedThen:
    """Devices as they were known then: what the store's view `completeness` said of them at each moment."""

    _held: dict[str, dict[tuple[int, str], Received]] = field(default_factory=dict)
    _rows: dict[str, DeviceRow] = field(default_factory=dict)

    def add(self, received: Iterable[Received]) -> None:
        """Take in what was stored; of one log, device and epoch the highest version counts."""
        changed = set()
        for each in received:
            held = self._held.setdefault(each.device, {})
            before = held.get((each.epoch, each.log))
            if before is None or before.version <= each.version:
                held[each.epoch, each.log] = each
                changed.add(each.device)
        for device in changed:
            self._rows[device] = _drawn(device, list(self._held[device].values()))

    def rows(self, _: int) -> list[DeviceRow]:
        """Return every device that was heard of."""
        return list(self._rows.values())


def _drawn(device: str, received: Sequence[Received]) -> DeviceRow:
    epochs = {each.epoch for each in received}
    newest = [each for each in received if each.epoch == max(epochs)]
    return DeviceRow(
        device,
        max(newest, key=lambda each: each.last_seq).entrance,
        sum(min(_missing([each for each in received if each.epoch == epoch]), MOST_MISSING) for epoch in epochs),
        max(each.last_ts for each in received),
    )


def _missing(received: Sequence[Received]) -> int:
    """Count what is missing of one epoch, as the view does."""
    open_holes = sum(n for _, n in holes([one for each in received for one in each.ranges]))
    return open_holes + sum(each.closed for each in received)


def holes(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the holes below the highest number of inclusive ranges: the number after each, and how many it lacks."""
    highest = 0
    for low, high in sorted(ranges):
        if low > highest + 1:
            yield low, low - highest - 1
        highest = max(highest, high)


class Hole(NamedTuple):
    """So many events of a device that never came; when the next one of it happened, they could be missed."""

    noticed: int
    device: str
    events: int


@dataclass(slots=True)
class HeardSince:
    """Devices by event time, with all that is known today: what is still missing counts from when it could be missed.

    `entrances`: by device; `lacking` in the order of time. A device that said nothing but what was late or not believed
    is not known here.
    """

    entrances: Mapping[str, str]
    lacking: Sequence[Hole]
    _last: dict[str, int] = field(default_factory=dict)

    def add(self, heard: Iterable[tuple[int, str]]) -> None:
        """Take in event times and devices."""
        for ts, device in heard:
            self._last[device] = max(self._last.get(device, 0), ts)

    def rows(self, axis: int) -> list[DeviceRow]:
        """Return every device that was heard by a moment."""
        missing: dict[str, int] = {}
        for hole in self.lacking[: bisect_right(self.lacking, axis, key=lambda hole: hole.noticed)]:
            missing[hole.device] = missing.get(hole.device, 0) + hole.events
        return [
            DeviceRow(device, self.entrances.get(device, ""), missing.get(device, 0), last)
            for device, last in self._last.items()
        ]
