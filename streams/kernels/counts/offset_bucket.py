"""Rows of the counts of a partition's current offset bucket: 10 s, minute, day; `cells` assigns the windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from streams.kernels.counts.batch import DIRECTIONS, OUTCOMES
from streams.kernels.counts.calendar import HOUR_MS, MINUTE_MS, SiteDays
from streams.kernels.counts.cells import WINDOW_MS, Cells, Counted, unpack
from streams.kernels.counts.columns import Block, DictColumn, Interner
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.place import OUTSIDE, EntranceSides

WINDOWS_AN_HOUR = HOUR_MS // WINDOW_MS
_AREA: Final = 16  # bits of an area's number
_PART: Final = 40
"""From this bit on, the store's number of a bucket has that of its part: the first part has the bucket's number."""


class BucketOwner(Protocol):
    """What the rows of a bucket say of their log."""

    name: PartitionId
    kind: str
    boundary: dict[str, bool]
    entrances: Interner
    categories: Interner
    reasons: Interner


@dataclass(slots=True)
class Flow:
    """Persons or vehicles into and out of an area in one window; `last_ts` is the newest event's time."""

    entered: int = 0
    departed: int = 0
    last_ts: int = 0


@dataclass(slots=True)
class Flows:
    """Flows by (window, area), and which of them have changed since they were last drained, and last saved."""

    cells: dict[tuple[int, str], Flow] = field(default_factory=dict)
    changed: set[tuple[int, str]] = field(default_factory=set)
    drained: set[tuple[int, str]] = field(init=False, default_factory=set, compare=False)

    @property
    def unsaved(self) -> set[tuple[int, str]]:
        """The keys that may have changed since the last snapshot."""
        return self.drained | self.changed

    def add(self, window: int, area: str, more: Flow) -> None:
        """Add to a cell; what is outside holds nobody."""
        if area == OUTSIDE:
            return
        flow = self.cells.setdefault((window, area), Flow())
        flow.entered += more.entered
        flow.departed += more.departed
        flow.last_ts = max(flow.last_ts, more.last_ts)
        self.changed.add((window, area))

    def by_hour(self) -> "Flows":
        """Add 10 s windows up by UTC hour; nothing counts as changed."""
        hours = Flows()
        for (window, area), flow in self.cells.items():
            hours.add(window // WINDOWS_AN_HOUR, area, flow)
        hours.changed.clear()
        return hours

    def drain(self, kind: str, *, width: int) -> dict[str, Any]:
        """Return the cells that have changed, of windows of `width` ms, in columns, and forget that they have."""
        keys = sorted(self.changed)
        self.drained |= self.changed
        self.changed.clear()
        flows = [self.cells[key] for key in keys]
        return {
            "window_start": [window * width for window, _ in keys],
            "area": [area for _, area in keys],
            "kind": [kind] * len(keys),
            "entered": [flow.entered for flow in flows],
            "departed": [flow.departed for flow in flows],
            "last_ts": [flow.last_ts for flow in flows],
        }


@dataclass(slots=True)
class OffsetBucket:
    """Everything that one part of a bucket of a log has counted; `events` have come since its stretch began."""

    number: int = 0
    part: int = 0
    events: int = 0
    tens: Cells = field(default_factory=Cells)
    minutes: Cells = field(default_factory=Cells)
    days: Cells = field(default_factory=Cells)
    anonymous: Cells = field(default_factory=Cells)
    late: Cells = field(default_factory=Cells)  # by day, and counted nowhere else
    refusals: dict[int, Cells] = field(default_factory=dict)  # by number of the reason
    flows: Flows = field(default_factory=Flows)
    hours: Flows = field(default_factory=Flows)  # the same by hour: what is inside now is summed from these
    saved: bool = field(init=False, default=False, compare=False)  # whether the last snapshot was of it

    def __len__(self) -> int:
        """Count the cells of which all others are added up."""
        refusals = sum(len(cells.counts) for cells in self.refusals.values())
        return len(self.tens.counts) + len(self.late.counts) + refusals

    def count(self, tens: Counted, sides: Mapping[str, EntranceSides], days: SiteDays, entrances: Interner) -> None:
        """Count cells of 10 s."""
        self.tens.add(tens.keys, tens.times)
        minutes = tens.by_minute()
        self.minutes.add(minutes.keys, minutes.times)
        by_day = minutes.by_day(days)
        self.days.add(by_day.keys, by_day.times)
        some = np.flatnonzero(by_day.anonymous)
        self.anonymous.add(by_day.keys[some], by_day.anonymous[some])
        self._let_through(tens.passed(), sides, entrances)

    def _let_through(self, passed: Counted, sides: Mapping[str, EntranceSides], entrances: Interner) -> None:
        parts, areas = passed.parts, Interner()
        present, at = np.unique(parts.entrance, return_inverse=True)
        through = [sides[name] for name in entrances.names(present)]
        outer = areas.numbers([gate.outer for gate in through])[at]
        inner = areas.numbers([gate.inner for gate in through])[at]
        for into in (True, False):
            area = np.where((parts.direction == 0) == into, inner, outer)
            moved = passed.by((parts.window << _AREA) | area)
            for key, n, last in zip(moved.keys.tolist(), moved.times.tolist(), moved.newest.tolist(), strict=True):
                flow = Flow(entered=n, last_ts=last) if into else Flow(departed=n, last_ts=last)
                window, name = key >> _AREA, areas.listed[key & ((1 << _AREA) - 1)]
                self.flows.add(window, name, flow)
                self.hours.add(window // WINDOWS_AN_HOUR, name, flow)

    def drain(self, log: BucketOwner, version: int) -> list[Block]:
        """Return the rows of what changed since the last time, absolute as of offset `version`."""
        by_day = sorted(self.days.changed)  # before they are drained
        days = _changed_cells(log, self.days)
        days["boundary"] = [int(log.boundary[name]) for name in days["entrance"]]
        days["anonymous"] = self.anonymous.of(by_day)
        tables = [
            ("counts_10s", _changed_cells(log, self.tens, width=WINDOW_MS)),
            ("counts_1m", _changed_cells(log, self.minutes, width=MINUTE_MS)),
            ("counts_day", days),
            ("late_day", _changed_cells(log, self.late)),
            ("area_flows_10s", self.flows.drain(log.kind, width=WINDOW_MS)),
            ("area_flows_1h", self.hours.drain(log.kind, width=HOUR_MS)),
        ]
        for number, cells in self.refusals.items():
            if not cells.changed:
                continue
            columns = _changed_cells(log, cells, width=MINUTE_MS)
            columns["refusals"] = columns.pop("passages")
            columns["reason"] = DictColumn.same(log.reasons.listed[number], len(columns["refusals"]))
            del columns["direction"], columns["outcome"]
            tables.append(("refusals_1m", columns))
        blocks = []
        for table, columns in tables:
            if n := len(columns["kind"]):
                columns["log"] = DictColumn.same(str(log.name), n)
                columns["segment"] = [self.part << _PART | self.number] * n
                columns["version"] = [version] * n
                blocks.append(Block(table, columns))
        return blocks


def _changed_cells(log: BucketOwner, cells: Cells, *, width: int = 0) -> dict[str, Any]:
    """Return the cells that have changed, in columns, by window of `width` ms or, if that is 0, by day."""
    keys, counts = cells.drain_changed()
    parts = unpack(keys)
    return {
        "window_start" if width else "day": parts.window * (width or 1),
        "kind": DictColumn.same(log.kind, len(keys)),
        "entrance": log.entrances.names(parts.entrance),
        "direction": DictColumn(parts.direction, DIRECTIONS),
        "outcome": DictColumn(parts.outcome, OUTCOMES),
        "category": log.categories.names(parts.category),
        "passages": counts,
    }
