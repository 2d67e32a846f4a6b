"""The devices and the logs as of a moment: what is missing of each, and up to which time it is stored; pure.

`SourcesThen` has them as known at the time, `SourcesCorrected` as known today. Next: `state.py`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboards.wall.model.rows import DeviceRow, LogRow
from dashboards.wall.replay.request import Moment
from streams.contract.events import Topic
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.identity import MOST_MISSING

REPLAY = "replay"
"""The cluster of the logs of a corrected replay, which are not stored anywhere."""


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


class ProgressRow(NamedTuple):
    """The progress of a log from the real time `axis` on; times are real."""

    axis: int
    log: str
    cluster: str
    next_offset: int
    complete_to: int
    rejected: int


class ParkedInterval(NamedTuple):
    """From `since` up to before `until` (None: still) a log was complete to `complete_to` at most; real times."""

    log: str
    since: int
    until: int | None
    complete_to: int


class MissingEvents(NamedTuple):
    """Events of a device that never came; they count as missing from the device's next event on (`noticed`)."""

    noticed: int
    device: str
    events: int


@dataclass(slots=True)
class SourcesThen:
    """What the store's views `completeness` and `progress` returned at each moment."""

    parked: Sequence[ParkedInterval]
    _received: dict[str, dict[tuple[int, str], ReceivedRanges]] = field(default_factory=dict)
    _devices: dict[str, DeviceRow] = field(default_factory=dict)
    _progress: dict[str, ProgressRow] = field(default_factory=dict)

    def add_devices(self, received: Iterable[ReceivedRanges]) -> None:
        """Add rows; of one log, device and epoch the highest version counts."""
        changed = set()
        for each in received:
            of_device = self._received.setdefault(each.device, {})
            before = of_device.get((each.epoch, each.log))
            if before is None or before.version <= each.version:
                of_device[each.epoch, each.log] = each
                changed.add(each.device)
        for device in changed:
            self._devices[device] = _device(device, list(self._received[device].values()))

    def add_progress(self, rows: Iterable[ProgressRow]) -> None:
        """Add rows in the order in which they were stored; a row with a lower offset than before is ignored."""
        for row in rows:
            before = self._progress.get(row.log)
            if before is None or before.next_offset <= row.next_offset:
                self._progress[row.log] = row

    def devices(self, _: Moment) -> list[DeviceRow]:
        """Return every device that has sent an event."""
        return list(self._devices.values())

    def logs(self, moment: Moment) -> list[LogRow]:
        """Return every log as of a moment."""
        real, rows = moment.real, []
        for row in self._progress.values():
            parked = [each for each in self.parked if each.log == row.log and each.since <= real]
            limits = [each.complete_to for each in parked if each.until is None or real < each.until]
            rows.append(LogRow(row.log, row.cluster, row.rejected, min([row.complete_to, *limits])))
        return rows


def _device(device: str, received: Sequence[ReceivedRanges]) -> DeviceRow:
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


@dataclass(slots=True)
class SourcesCorrected:
    """Devices by event time, and logs without any delay.

    `entrances`: by device; `missing` in the order of time; `rejected`: when each event was, in that order (real time).
    A device whose every event was late, or had a time that was not believed, is not among them.
    """

    entrances: Mapping[str, str]
    missing: Sequence[MissingEvents]
    rejected: Ints
    _last: dict[str, int] = field(default_factory=dict)

    def add_devices(self, events: Iterable[tuple[int, str]]) -> None:
        """Add event times and devices."""
        for ts, device in events:
            self._last[device] = max(self._last.get(device, 0), ts)

    def devices(self, moment: Moment) -> list[DeviceRow]:
        """Return every device that has sent an event by a moment."""
        missing: dict[str, int] = {}
        for each in self.missing[: bisect_right(self.missing, moment.site, key=lambda each: each.noticed)]:
            missing[each.device] = missing.get(each.device, 0) + each.events
        return [
            DeviceRow(device, self.entrances.get(device, ""), missing.get(device, 0), last)
            for device, last in self._last.items()
        ]

    def logs(self, moment: Moment) -> list[LogRow]:
        """Return logs that are complete to a moment."""
        rejected = bisect_right(self.rejected, moment.real)
        topics = {Topic.TURNSTILES.value: rejected, Topic.ALARM_INPUTS.value: 0}
        return [LogRow(f"{REPLAY}/{topic}/0", REPLAY, number, moment.real) for topic, number in topics.items()]
