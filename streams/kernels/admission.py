"""What becomes of each event of a batch: counted, late, a duplicate, or not believed; read `cells` next.

Decided event by event in the order of the log: that is what `Device.receive` does. Nearly all events have numbers
above every number that has come from their device, and times that agree: these are received together, with the same
result.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

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


@dataclass(frozen=True, slots=True)
class _Heard:
    """Events of one device and epoch in a batch, sorted by number, each number once; `rows` are their positions.

    agree: no event is ahead of its arrival, and none suspiciously before any one with a lower number. So all of them
    are believed in whatever order they have come, if the event before the first one allows it.
    """

    rows: list[int]
    seq: list[int]
    ts: list[int]
    arrived: list[int]
    agree: bool

    def part(self, start: int, end: int, *, agree: bool) -> "_Heard":
        """Keep the events from a place up to before another."""
        some = slice(start, end)
        return _Heard(self.rows[some], self.seq[some], self.ts[some], self.arrived[some], agree)

    def runs(self) -> list[tuple[int, int]]:
        """Cut into runs of consecutive numbers: the first and the last place of each."""
        seq = self.seq
        if seq[-1] - seq[0] == len(seq) - 1:  # what nearly always happens
            return [(0, len(seq) - 1)]
        cuts = [i for i in range(1, len(seq)) if seq[i] != seq[i - 1] + 1]
        return list(zip([0, *cuts], [*(cut - 1 for cut in cuts), len(seq) - 1], strict=True))


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

    def receive_together(self, heard: _Heard, *, rules: TimeRules) -> bool:
        """Receive events with numbers above all that have come; False, with nothing done, if one may be doubted."""
        before = self.ranges.high_ts[-1] if self.ranges.high else None
        if not heard.agree or (before is not None and min(heard.ts) < before - rules.suspect_ms):
            return False
        for first, last in heard.runs():
            self.ranges.add(heard.seq[first], heard.seq[last], low_ts=heard.ts[first], high_ts=heard.ts[last])
        self.last_ts = max(self.last_ts, *heard.ts)
        self.last_seen = max(self.last_seen, *heard.arrived)
        return True


@dataclass(slots=True)
class Devices:
    """Every device that a log has mentioned, by number of its name and epoch, and which of them have changed."""

    names: Names = field(default_factory=Names)
    known: dict[tuple[int, int], Device] = field(default_factory=dict)
    changed: set[tuple[int, int]] = field(default_factory=set)

    def admit(self, batch: Batch, *, rules: TimeRules) -> Admitted:
        """Receive a batch."""
        believed: list[int] = []
        doubts: dict[int, str] = {}
        for key, heard in _by_device(batch, self.names.numbers(batch.device), rules):
            device = self.known.get(key)
            if device is None:
                device = self.known[key] = Device()
            if heard.seq[-1] > device.ranges.last:
                device.entrance = batch.entrance[heard.rows[-1]]
            if _receive(device, heard, rules=rules, believed=believed, doubts=doubts):
                self.changed.add(key)
        return _admitted(batch, believed, doubts, rules)


def _by_device(batch: Batch, device: Ints, rules: TimeRules) -> Iterator[tuple[tuple[int, int], _Heard]]:
    order, starts = first_of_each(device, batch.epoch, batch.seq)
    if not len(order):
        return
    seq, ts, arrived = batch.seq[order], batch.ts[order], batch.arrived[order]
    # Each counter's times lie above all of the counter before, so that one pass finds the newest so far within each.
    sizes = np.diff(np.append(starts, len(order)))
    lifted = ts + np.repeat(np.arange(len(starts)) << _TIME_BITS, sizes)
    doubtful = (lifted < np.maximum.accumulate(lifted) - rules.suspect_ms) | rules.ahead(ts, arrived)
    agree = (~np.logical_or.reduceat(doubtful, starts)).tolist()
    keys = zip(device[order[starts]].tolist(), batch.epoch[order[starts]].tolist(), strict=True)
    ends = [*starts[1:].tolist(), len(order)]
    everything = _Heard(order.tolist(), seq.tolist(), ts.tolist(), arrived.tolist(), agree=False)
    for key, start, end, agreed in zip(keys, starts.tolist(), ends, agree, strict=True):
        yield key, everything.part(start, end, agree=agreed)


def _receive(device: Device, heard: _Heard, *, rules: TimeRules, believed: list[int], doubts: dict[int, str]) -> bool:
    """Add the positions of new events to those believed or doubted; tell whether there were any."""
    before, last = len(believed) + len(doubts), device.ranges.last
    if heard.seq[0] <= last:
        # What becomes of numbers up to the last and of those above does not depend on each other: it stands in between.
        at = bisect_right(heard.seq, last)
        _one_by_one(device, heard.part(0, at, agree=heard.agree), rules=rules, believed=believed, doubts=doubts)
        heard = heard.part(at, len(heard.seq), agree=heard.agree)
    if heard.rows:
        if device.receive_together(heard, rules=rules):
            believed += heard.rows
        else:
            _one_by_one(device, heard, rules=rules, believed=believed, doubts=doubts)
    return len(believed) + len(doubts) > before


def _one_by_one(
    device: Device, heard: _Heard, *, rules: TimeRules, believed: list[int], doubts: dict[int, str]
) -> None:
    """Receive events in the order of the log."""
    for row, seq, ts, arrived in sorted(zip(heard.rows, heard.seq, heard.ts, heard.arrived, strict=True)):
        if not device.ranges.received(seq):
            doubt = device.receive(seq, ts, arrived, rules=rules)
            if doubt is None:
                believed.append(row)
            else:
                doubts[row] = doubt


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
