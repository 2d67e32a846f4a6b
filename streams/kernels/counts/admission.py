"""Classifies each event of a batch: counted, late, duplicate, or with a time that is not believed; read `cells` next.

Decided event by event in the order of the log: that is what `Device.receive` does. Nearly all events have numbers
above every number that has come from their device, and times that agree: these are received together, with the same
result.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from streams.kernels.counts.batch import NUMBER_TOO_OLD, SUSPECT_TIME, TOO_MANY_DEVICES, Batch, Ints, Rejection
from streams.kernels.counts.columns import Interner
from streams.kernels.counts.identity import Ranges, first_of_each, water_level
from streams.kernels.counts.place import MOST_DEVICES, MOST_RANGES, TimeRules

_TIME_BITS: Final = 43  # bits that any time in milliseconds fits into until 2248; with them 2^20 devices in one batch
EPOCHS: Final = 8
"""Epochs of all devices together that a log remembers, for each device that it may remember: counters that begin anew
every day take years for them."""
RANGES: Final = 16  # ranges of all devices together that a log remembers, for each device that it may remember


def most_of_all(each: int, devices: int) -> int:
    """Return how many EPOCHS or RANGES a log remembers with so many devices: a quarter where there are very many."""
    return min(each * devices, max(each * MOST_DEVICES, each // 4 * devices))


class Fate(IntEnum):
    """What becomes of an event."""

    DUPLICATE = 0
    COUNTED = 1
    LATE = 2
    SUSPECT = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class Admitted:
    """The fate of each event of a batch (numbers of `Fate`), and a rejection of each not believed and each refused."""

    fate: Ints
    suspects: list[Rejection]

    def number(self, fate: Fate) -> int:
        """How many events have this fate."""
        return int(np.count_nonzero(self.fate == fate.value))


class _Stretch(NamedTuple):
    """Events of one device and epoch in a batch sorted by number, each once: the sorted places from `start` to `end`.

    plain: no number is left out, no event is ahead of its arrival, and none suspiciously before any one with a lower
    number. So all of them are believed in whatever order they have come, if the event before the first one allows it.
    """

    device: int
    epoch: int
    start: int
    end: int
    last: int  # the position of the highest number
    low: int  # the lowest number
    high: int
    low_ts: int  # the times (ms) of these two
    high_ts: int
    oldest: int
    newest: int
    seen: int  # the newest arrival
    plain: bool


@dataclass(slots=True)
class Device:
    """What is known of one device in one epoch: `last_ts` of its believed events, `last_seen` of all new ones."""

    ranges: Ranges = field(default_factory=Ranges)
    entrance: str = ""
    last_ts: int = 0
    last_seen: int = 0

    def receive(self, seq: int, ts: int, arrived: int, *, rules: TimeRules) -> str | None:
        """Receive an event that is new; return why its time is not believed, or None."""
        before, after = self.ranges.neighbours(seq)
        timestamp_error = rules.timestamp_error(ts, arrived, before=before, after=after)
        self.last_seen = max(self.last_seen, arrived)
        if timestamp_error is None:
            self.ranges.add(seq, seq, low_ts=ts, high_ts=ts)
            self.last_ts = max(self.last_ts, ts)
        else:
            self.ranges.add(seq, seq, low_ts=after, high_ts=before)
        return timestamp_error

    def receive_together(self, some: _Stretch, *, rules: TimeRules) -> bool:
        """Receive events with numbers above all that have come; False, with nothing done, if one may be suspect."""
        ranges = self.ranges
        if not some.plain or some.low <= ranges.last:
            return False
        before = ranges.high_ts[-1] if ranges.high else None
        if before is not None and some.oldest < before - rules.suspect_ms:
            return False
        ranges.add(some.low, some.high, low_ts=some.low_ts, high_ts=some.high_ts)
        self.last_ts = max(self.last_ts, some.newest)
        self.last_seen = max(self.last_seen, some.seen)
        return True

    def receive_each(self, batch: Batch, rows: list[int], *, rules: TimeRules) -> dict[int, str | None]:
        """Receive events in the order of the log; return by position, of those that are new, what `receive` says."""
        received = {}
        for row in rows:
            seq = int(batch.seq[row])
            if not self.ranges.received(seq):
                received[row] = self.receive(seq, int(batch.ts[row]), int(batch.arrived[row]), rules=rules)
        return received


@dataclass(slots=True)
class Devices:
    """Every device that a log has mentioned, by number of its name and epoch, and which of them have changed."""

    names: Interner = field(default_factory=Interner)
    known: dict[tuple[int, int], Device] = field(default_factory=dict)
    changed: set[tuple[int, int]] = field(default_factory=set)
    missing: Counter[str] = field(init=False, default_factory=Counter)  # events known to be missing, by entrance
    changed_entrances: set[str] = field(default_factory=set)  # those of which anything has changed
    ranges: int = field(init=False, default=0)  # of all devices
    grown: set[tuple[int, int]] = field(init=False, default_factory=set)  # more ranges since holes were closed last
    closed: set[tuple[int, int]] = field(init=False, default_factory=set)  # have closed ones
    drained: set[tuple[int, int]] = field(init=False, default_factory=set)  # have changed since the last snapshot

    def __post_init__(self) -> None:
        for key, device in self.known.items():
            self.missing[device.entrance] += device.ranges.missing
            self._note_ranges(key, device.ranges, before=0)

    def admit(self, batch: Batch, *, rules: TimeRules, most: int = MOST_DEVICES) -> Admitted:
        """Receive a batch; refuse new devices beyond `most`, new counters beyond EPOCHS of these, too old numbers."""
        refused = self._beyond(batch, most) + self._too_old(batch)
        if not refused:
            return self._admit(batch, rules)
        admissible = np.setdiff1d(np.arange(len(batch)), [row for row, _, _ in refused])
        admitted = self._admit(batch.select(admissible), rules)
        fate = np.full(len(batch), Fate.REFUSED.value)
        fate[admissible] = admitted.fate
        rejections = [*admitted.suspects, *(batch.rejection(*each) for each in refused)]
        return Admitted(fate, sorted(rejections, key=lambda each: (each.position.offset, each.position.line)))

    def forget_changed(self) -> None:
        """Forget which have changed: their rows are made. The next snapshot still has them."""
        self.drained |= self.changed
        self.changed.clear()

    @property
    def unsaved(self) -> set[tuple[int, int]]:
        """Those that may have changed since the last snapshot."""
        return self.drained | self.changed

    def close_holes(self, *, most_ranges: int = MOST_RANGES, most: int = MOST_DEVICES) -> None:
        """Close the lowest holes of those with the most, until there are no more ranges than a log remembers.

        These are `most_ranges` of each, and RANGES of all together. It decides what becomes of events that come later:
        so it is for the caller to do this at places that the log alone determines.
        """
        for key in [key for key in self.grown if len(self.known[key].ranges) > most_ranges]:
            self._close(key, most_ranges)
        self.grown.clear()
        limit = most_of_all(RANGES, most)
        if self.ranges <= limit:
            return
        sizes = np.array([len(device.ranges) for device in self.known.values()], dtype=np.int64)
        level = water_level(sizes, limit)
        for key in [key for key, size in zip(self.known, sizes.tolist(), strict=True) if size > level]:
            self._close(key, level)

    def _close(self, key: tuple[int, int], most: int) -> None:
        ranges = self.known[key].ranges
        before = len(ranges)
        ranges.close(most)
        self._note_ranges(key, ranges, before=before)
        self.changed.add(key)

    def _note_ranges(self, key: tuple[int, int], ranges: Ranges, *, before: int) -> None:
        self.ranges += len(ranges) - before
        if len(ranges) > max(before, 1):
            self.grown.add(key)
        if ranges.floor:
            self.closed.add(key)

    def _too_old(self, batch: Batch) -> list[tuple[int, str, str]]:
        """List the events with numbers in the part of a counter in which holes are closed: row, reason, detail."""
        if not self.closed:
            return []
        floors = {
            (self.names.listed[number], epoch): self.known[number, epoch].ranges.floor for number, epoch in self.closed
        }
        detail = (
            "seq: {} is too old to tell whether it has come, so many others of this device and epoch are missing; "
            "expected above {}"
        )
        identities = zip(batch.device, batch.epoch.tolist(), batch.seq.tolist(), strict=True)
        return [
            (row, NUMBER_TOO_OLD, detail.format(seq, floor))
            for row, (device, epoch, seq) in enumerate(identities)
            if seq <= (floor := floors.get((device, epoch), 0))
        ]

    def _beyond(self, batch: Batch, most: int) -> list[tuple[int, str, str]]:
        """List the events of devices and counters beyond the limits, in the order of the log: row, reason, detail."""
        most_epochs = most_of_all(EPOCHS, most)
        new = len(batch) if len(self.names) + len(batch) <= most else len(set(batch.device))
        if len(self.names) + new <= most and len(self.known) + len(batch) <= most_epochs:
            return []
        names = set(self.names.listed)
        counters = {(self.names.listed[number], epoch) for number, epoch in self.known}
        detail = f"device: a log remembers {most} devices and {most_epochs} epochs of them; this would be one more"
        beyond = []
        for row, counter in enumerate(zip(batch.device, batch.epoch.tolist(), strict=True)):
            if counter in counters:
                continue
            if len(counters) >= most_epochs or (counter[0] not in names and len(names) >= most):
                beyond.append((row, TOO_MANY_DEVICES, detail))
            else:
                counters.add(counter)
                names.add(counter[0])
        return beyond

    def _admit(self, batch: Batch, rules: TimeRules) -> Admitted:
        rows, stretches = _stretches(batch, self.names.numbers(batch.device), rules)
        together: list[bool] = []
        each: dict[int, str | None] = {}
        for some in stretches:
            key = some.device, some.epoch
            device = self.known.get(key)
            if device is None:
                device = self.known[key] = Device(entrance=batch.entrance[some.last])
            entrance, missing, ranges = device.entrance, device.ranges.missing, len(device.ranges.low)
            if some.high > device.ranges.last:
                device.entrance = batch.entrance[some.last]
            received = device.receive_together(some, rules=rules)
            together.append(received)
            before = len(each)
            if not received:
                each |= device.receive_each(batch, sorted(rows[some.start : some.end].tolist()), rules=rules)
            if received or len(each) > before:
                self.changed.add(key)
                if len(device.ranges.low) != ranges:
                    self._note_ranges(key, device.ranges, before=ranges)
                self.missing[entrance] -= missing
                self.missing[device.entrance] += device.ranges.missing
                self.changed_entrances |= {entrance, device.entrance}
        errors = {row: error for row, error in sorted(each.items()) if error is not None}
        believed = rows[np.repeat(np.array(together, np.bool_), [some.end - some.start for some in stretches])]
        fate = np.full(len(batch), Fate.DUPLICATE.value)
        fate[believed] = Fate.COUNTED.value
        fate[list(each)] = Fate.COUNTED.value
        fate[list(errors)] = Fate.SUSPECT.value
        fate[(fate == Fate.COUNTED.value) & rules.late(batch.ts, batch.arrived)] = Fate.LATE.value
        return Admitted(fate, [batch.rejection(row, SUSPECT_TIME, error) for row, error in errors.items()])


def _stretches(batch: Batch, device: Ints, rules: TimeRules) -> tuple[Ints, list[_Stretch]]:
    """Sort a batch by identity; repetitions are left out. Return the positions, and what each device has there."""
    rows, starts = first_of_each(device, batch.epoch, batch.seq)
    if not len(rows):
        return rows, []
    seq, ts, arrived = batch.seq[rows], batch.ts[rows], batch.arrived[rows]
    ends = np.append(starts[1:], len(rows))
    # Each counter's times lie above all of the counter before, so that one pass finds the newest so far within each.
    lifted = ts + np.repeat(np.arange(len(starts)) << _TIME_BITS, ends - starts)
    suspect = (lifted < np.maximum.accumulate(lifted) - rules.suspect_ms) | rules.ahead(ts, arrived)
    columns = {
        "device": device[rows[starts]],
        "epoch": batch.epoch[rows[starts]],
        "start": starts,
        "end": ends,
        "last": rows[ends - 1],
        "low": seq[starts],
        "high": seq[ends - 1],
        "low_ts": ts[starts],
        "high_ts": ts[ends - 1],
        "oldest": np.minimum.reduceat(ts, starts),
        "newest": np.maximum.reduceat(ts, starts),
        "seen": np.maximum.reduceat(arrived, starts),
        "plain": ~np.logical_or.reduceat(suspect, starts) & (seq[ends - 1] - seq[starts] == ends - starts - 1),
    }
    return rows, list(map(_Stretch, *(columns[name].tolist() for name in _Stretch._fields)))
