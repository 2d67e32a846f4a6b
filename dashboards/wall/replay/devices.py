"""The devices as of a moment: their newest event, and how many events are missing; pure. Next: `logs.py`."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboards.wall.model.rows import DeviceRow
from streams.kernels.counts.identity import MOST_MISSING


class ReceivedRanges(NamedTuple):
    """The sequence numbers received from a device through one log, known from `axis` on."""

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
class DevicesAsKnown:
    """Devices as known at the time: what the store's view `completeness` returned for them at each moment."""

    _newest: dict[str, dict[tuple[int, str], ReceivedRanges]] = field(default_factory=dict)
    _rows: dict[str, DeviceRow] = field(default_factory=dict)

    def add(self, received: Iterable[ReceivedRanges]) -> None:
        """Add rows; of one log, device and epoch the highest version counts."""
        changed = set()
        for each in received:
            of_device = self._newest.setdefault(each.device, {})
            before = of_device.get((each.epoch, each.log))
            if before is None or before.version <= each.version:
                of_device[each.epoch, each.log] = each
                changed.add(each.device)
        for device in changed:
            self._rows[device] = _row(device, list(self._newest[device].values()))

    def rows(self, _: int) -> list[DeviceRow]:
        """Return every device that has sent an event."""
        return list(self._rows.values())


def _row(device: str, received: Sequence[ReceivedRanges]) -> DeviceRow:
    epochs = {each.epoch for each in received}
    newest = [each for each in received if each.epoch == max(epochs)]
    return DeviceRow(
        device,
        max(newest, key=lambda each: each.last_seq).entrance,
        sum(min(_missing([each for each in received if each.epoch == epoch]), MOST_MISSING) for epoch in epochs),
        max(each.last_ts for each in received),
    )


def _missing(received: Sequence[ReceivedRanges]) -> int:
    """Count what is missing of one epoch, as the view does."""
    gaps = sum(n for _, n in sequence_gaps([one for each in received for one in each.ranges]))
    return gaps + sum(each.closed for each in received)


def sequence_gaps(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the gaps below the highest number of inclusive ranges: the number after each gap, and its size."""
    highest = 0
    for low, high in sorted(ranges):
        if low > highest + 1:
            yield low, low - highest - 1
        highest = max(highest, high)


class MissingEvents(NamedTuple):
    """Events of a device that never came; they count as missing from the device's next event on (`noticed`)."""

    noticed: int
    device: str
    events: int


@dataclass(slots=True)
class DevicesAsCorrected:
    """Devices by event time, with what is known today.

    `entrances`: by device; `lacking` in the order of time.

    A device whose every event was late, or had a time that was not
    believed, is not among them.
    """

    entrances: Mapping[str, str]
    lacking: Sequence[MissingEvents]
    _last: dict[str, int] = field(default_factory=dict)

    def add(self, events: Iterable[tuple[int, str]]) -> None:
        """Add event times and devices."""
        for ts, device in events:
            self._last[device] = max(self._last.get(device, 0), ts)

    def rows(self, axis: int) -> list[DeviceRow]:
        """Return every device that has sent an event by a moment."""
        missing: dict[str, int] = {}
        for each in self.lacking[: bisect_right(self.lacking, axis, key=lambda each: each.noticed)]:
            missing[each.device] = missing.get(each.device, 0) + each.events
        return [
            DeviceRow(device, self.entrances.get(device, ""), missing.get(device, 0), last)
            for device, last in self._last.items()
        ]
