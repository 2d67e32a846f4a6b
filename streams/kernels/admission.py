"""What becomes of each event of a batch: counted, late, a duplicate, or not believed; read `cells` next.

Decided event by event in the order of the log: that is what `Device.receive` does. Nearly all events have numbers
above every number that has come from their device, and times that agree: these are received together, with the same
result.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from streams.kernels.batch import SUSPECT_TIME, Batch, Ints, Position, Rejection
from streams.kernels.identity import Ranges, first_of_each
from streams.kernels.names import Names
from streams.kernels.times import TimeRules

_TIME_BITS: Final = 43
"""Bits that any time in milliseconds fits into until 2248; with them 2^20 devices in one batch."""


class Fate(IntEnum):
    """What becomes of an event."""

    DUPLICATE = 0
    COUNTED = 1
    LATE = 2
    SUSPECT = 3


@dataclass(frozen=True, slots=True)
class Admitted:
    """The fate of each event of a batch (numbers of `Fate`), and a rejection for each that is not believed."""

    fate: Ints
    suspects: list[Rejection]

    def number(self, fate: Fate) -> int:
        """How many events have this fate."""
        return int(np.count_nonzero(self.fate == fate.value))


class _Stretch(NamedTuple):
    """Events of one device and epoch in a batch sorted by number, each once: the sorted places from `start` to `end`.

    They have the numbers from `low` to `high`; `low_ts` and `high_ts` are the times (ms) of these two, `seen` is the
    newest arrival, `last` the position of the highest number. plain: no number is left out, no event is ahead of its
    arrival, and none suspiciously before any one with a lower number. So all of them are believed in whatever order
    they have come, if the event before the first one allows it.
    """

    device: int
    epoch: int
    start: int
    end: int
    last: int
    low: int
    high: int
    low_ts: int
    high_ts: int
    oldest: int
    newest: int
    seen: int
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
        doubt = rules.doubt(ts, arrived, before=before, after=after)
        self.last_seen = max(self.last_seen, arrived)
        if doubt is None:
            self.ranges.add(seq, seq, low_ts=ts, high_ts=ts)
            self.last_ts = max(self.last_ts, ts)
        else:
            self.ranges.add(seq, seq, low_ts=after, high_ts=before)
        return doubt

    def receive_together(self, some: _Stretch, *, rules: TimeRules) -> bool:
        """Receive events with numbers above all that have come; False, with nothing done, if one may be doubted."""
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


@dataclass(slots=True)
class Devices:
    """Every device that a log has mentioned, by number of its name and epoch, and which of them have changed.

    `missing` counts the events known to be missing, by entrance; of `changed_entrances` a device has changed.
    """

    names: Names = field(default_factory=Names)
    known: dict[tuple[int, int], Device] = field(default_factory=dict)
    changed: set[tuple[int, int]] = field(default_factory=set)
    missing: Counter[str] = field(init=False)
    changed_entrances: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Count what is missing."""
        self.missing = Counter()
        for device in self.known.values():
            self.missing[device.entrance] += device.ranges.missing

    def admit(self, batch: Batch, *, rules: TimeRules) -> Admitted:
        """Receive a batch."""
        rows, stretches = _stretches(batch, self.names.numbers(batch.device), rules)
        together: list[bool] = []
        believed: list[int] = []
        doubts: dict[int, str] = {}
        for some in stretches:
            key = some.device, some.epoch
            device = self.known.get(key)
            if device is None:
                device = self.known[key] = Device(entrance=batch.entrance[some.last])
            entrance, missing = device.entrance, device.ranges.missing
            if some.high > device.ranges.last:
                device.entrance = batch.entrance[some.last]
            received = device.receive_together(some, rules=rules)
            together.append(received)
            if received or _one_by_one(
                device, batch, sorted(rows[some.start : some.end].tolist()), rules, believed, doubts
            ):
                self.changed.add(key)
                self.missing[entrance] -= missing
                self.missing[device.entrance] += device.ranges.missing
                self.changed_entrances |= {entrance, device.entrance}
        believed += rows[
            np.repeat(np.array(together, np.bool_), [some.end - some.start for some in stretches])
        ].tolist()
        return _admitted(batch, believed, doubts, rules)


def _stretches(batch: Batch, device: Ints, rules: TimeRules) -> tuple[Ints, list[_Stretch]]:
    """Sort a batch by identity; repetitions are left out. Return the positions, and what each device has there."""
    rows, starts = first_of_each(device, batch.epoch, batch.seq)
    if not len(rows):
        return rows, []
    seq, ts, arrived = batch.seq[rows], batch.ts[rows], batch.arrived[rows]
    ends = np.append(starts[1:], len(rows))
    # Each counter's times lie above all of the counter before, so that one pass finds the newest so far within each.
    lifted = ts + np.repeat(np.arange(len(starts)) << _TIME_BITS, ends - starts)
    doubtful = (lifted < np.maximum.accumulate(lifted) - rules.suspect_ms) | rules.ahead(ts, arrived)
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
        "plain": ~np.logical_or.reduceat(doubtful, starts) & (seq[ends - 1] - seq[starts] == ends - starts - 1),
    }
    return rows, list(map(_Stretch, *(columns[name].tolist() for name in _Stretch._fields)))


def _one_by_one(
    device: Device, batch: Batch, rows: Sequence[int], rules: TimeRules, believed: list[int], doubts: dict[int, str]
) -> bool:
    """Receive events in the order of the log, which adds to those believed or doubted; tell whether any was new."""
    before = len(believed) + len(doubts)
    for row in rows:
        seq = int(batch.seq[row])
        if not device.ranges.received(seq):
            doubt = device.receive(seq, int(batch.ts[row]), int(batch.arrived[row]), rules=rules)
            if doubt is None:
                believed.append(row)
            else:
                doubts[row] = doubt
    return len(believed) + len(doubts) > before


def _admitted(batch: Batch, believed: list[int], doubts: dict[int, str], rules: TimeRules) -> Admitted:
    fate = np.full(len(batch), Fate.DUPLICATE.value)
    fate[believed] = Fate.COUNTED.value
    fate[list(doubts)] = Fate.SUSPECT.value
    fate[(fate == Fate.COUNTED.value) & rules.late(batch.ts, batch.arrived)] = Fate.LATE.value
    suspects = [
        Rejection.of(
            batch.raw[row],
            Position(int(batch.offset[row]), int(batch.line[row]), int(batch.arrived[row])),
            reason=SUSPECT_TIME,
            detail=doubt,
        )
        for row, doubt in sorted(doubts.items())
    ]
    return Admitted(fate, suspects)
