"""Counts by second for alarms, in a time that late events cannot move; read `alarms.inputs` next.

The **live time** of an event is decided by its own record alone: its event time, but at most `grace` before its
arrival (what comes later happens, for alarms, when it becomes known) and not after it. Once a log is complete up to a
moment, every live time before that moment less `grace` is complete too. What arrives more than `most_late` after it
happened is too old for alarms: it is counted, and shows only that its lane is active again.

A device whose clock is behind looks like one that uploads what it could not send, all the time. But an upload brings
hours within seconds, and a clock stays behind by as much. So the lag of a device is learnt slowly, while events keep
coming (see Lag), and what is late beyond it is too old for alarms. DESIGN.md, section 11, says more.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import numpy as np

from streams.kernels.counts.batch import DENIED, PASSED, Batch, Bools, Ints
from streams.kernels.counts.cells import MOST_ENTRANCES, Cells, groups_of
from streams.kernels.counts.columns import Interner
from streams.kernels.counts.place import TimeRules

GRACE_SECONDS: Final = 0.25
"""Real seconds that an event may take from the lane to the broker without moving in live time. Alarms wait this long
for events on their way. One that takes longer is counted that much later, and is judged no later than with a longer
grace."""
_MOST_LATE_SECONDS: Final = 15
_LONGEST_GAP_SECONDS: Final = 4
_LEARNT_IN: Final = 4
"""While events keep coming, a lag is believed by a second more in so many seconds; a gap teaches no more than this."""
MOST_UNPUBLISHED: Final = 1 << 17
"""Cells that wait to be published to the alarms, at most; beyond them the oldest are dropped. A worker that reads a
backlog has a third of these between two publications."""
_FEVER: Final = 37.3  # °C, the usual limit at entrances in China

_MEASURE: Final = 3  # bits
_ENTRANCE: Final = 14
_SECOND: Final = _ENTRANCE + _MEASURE

PublishedCell = tuple[int, str, int, int]
"""Second, entrance, measure, count: a cell as it was published before there were columns."""
PublishedLane = tuple[str, str, int, int, int]
"""Device, entrance, last, events, entered; see Lane."""


class Measure(IntEnum):
    """What is counted of each second at an entrance."""

    PASSED_IN = 0  # the first two are the directions
    PASSED_OUT = 1
    DENIED = 2
    UNWELL = 3  # health abnormal, or a fever: the zone's team leads this person away


@dataclass(frozen=True, slots=True)
class LiveCells:
    """Absolute counts of n cells, a column each: the measure `measure[i]` of one second at one entrance.

    They are published like this, as a backlog has nearly as many cells as events. Raises ValueError if the columns are
    not equally long.
    """

    first: int
    entrances: list[str]
    second: list[int]  # counted from `first`
    entrance: list[int]  # numbers of names in `entrances`
    measure: list[int]
    count: list[int]

    def __post_init__(self) -> None:
        if not len(self.second) == len(self.entrance) == len(self.measure) == len(self.count):
            lengths = {name: len(getattr(self, name)) for name in ("second", "entrance", "measure", "count")}
            raise ValueError(f"cells: the columns are {lengths} long; expected the same length of each")

    def __len__(self) -> int:
        return len(self.count)

    @classmethod
    def of(cls, cells: Iterable[PublishedCell]) -> "LiveCells":
        """Put cells into columns."""
        names = Interner()
        rows = [(second, names[entrance], measure, count) for second, entrance, measure, count in cells]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        return cls(0, names.listed, *columns)

    def part(self, start: int, end: int) -> "LiveCells":
        """Keep the cells from a place up to before another."""
        columns = (self.second, self.entrance, self.measure, self.count)
        return LiveCells(self.first, self.entrances, *(column[start:end] for column in columns))


class LiveRules:
    """The limits of live time, in ms of site time."""

    def __init__(self, times: TimeRules) -> None:
        self.times, speed = times, times.clock.speed
        self.grace = round(GRACE_SECONDS * 1000 * speed)  # how far live time may be behind the arrival
        self.most_late = round(_MOST_LATE_SECONDS * 1000 * speed)  # what comes later than this is too old for alarms
        self.longest_gap = round(_LONGEST_GAP_SECONDS * 1000 * speed)  # more without an event teaches no more of a lag

    def live_time(self, ts: Ints, arrived: Ints) -> tuple[Ints, Ints]:
        """Return the live time (ms) of each event, and its arrival in site time (ms)."""
        site: Ints = np.where(arrived > 0, self.times.clock.at(arrived), ts)
        live: Ints = np.clip(ts, site - self.grace, site)
        return live, site


@dataclass(slots=True)
class Lag:
    """How far behind a device's clock is: only devices with late events have one; a lag within the grace is none."""

    lag: int  # ms, as far as it is believed
    last_seen: int  # site time, ms


@dataclass(slots=True)
class Lane:
    """What is known of a device; live times in ms."""

    entrance: str
    last: int  # its newest event
    events: int  # how many were timely
    entered: int = 0  # the newest passage inward, 0 if there was none


@dataclass(slots=True)
class Seconds(Cells):
    """Counts by packed key (second, entrance, measure)."""

    counts: Counter[int] = field(default_factory=Counter)

    def count(self, keys: Ints) -> None:
        """Count one event for each key given."""
        listed = keys.tolist()
        self.counts.update(listed)
        self.changed.update(listed)

    def keep_newest(self, most: int) -> None:
        """Drop all but so many of the highest keys, even unpublished ones."""
        keys = np.fromiter(self.counts, np.int64, len(self.counts))
        lowest = int(np.partition(keys, -most)[-most])
        self.counts = Counter({key: n for key, n in self.counts.items() if key >= lowest})
        self.changed &= self.counts.keys()

    def drain_changed(self) -> tuple[Ints, list[int]]:
        """Return the changed keys and their counts; every snapshot has all cells, so none is noted for one."""
        found = Cells.drain_changed(self)
        self.drained.clear()
        return found

    def forget(self, first: int) -> None:
        """Forget the keys below one, except those that were not drained yet."""
        self.counts = Counter({key: n for key, n in self.counts.items() if key >= first or key in self.changed})


@dataclass(slots=True)
class Live:
    """Counts by second, entrance and measure, absolute per log; those that can no longer change are forgotten."""

    cells: Seconds = field(default_factory=Seconds)
    lanes: dict[str, Lane] = field(default_factory=dict)
    changed_lanes: set[str] = field(default_factory=set)
    lags: dict[str, Lag] = field(default_factory=dict)
    newest: int = 0  # site time (ms) of the newest arrival
    published_before: int = 0  # the second before which everything was published by the last `drain`
    drained_lanes: set[str] = field(init=False, default_factory=set, compare=False)  # since the last snapshot
    changed_lags: set[str] = field(init=False, default_factory=set, compare=False)  # since the last snapshot

    def count(self, batch: Batch, entrance: Ints, rules: LiveRules) -> None:
        """Count fresh events; `entrance` has the number of each one's entrance."""
        live, site = rules.live_time(batch.ts, batch.arrived)
        timely = self._timely(batch, site, rules)
        self.newest = max(self.newest, int(live.max()))
        base = ((live // 1000) << _SECOND) | (entrance << _MEASURE)
        measure, unwell = _measures(batch)
        self.cells.count((base | measure)[timely & (measure >= 0)])
        if unwell is not None:
            self.cells.count((base | Measure.UNWELL.value)[timely & unwell])
        if len(self.cells.counts) > MOST_UNPUBLISHED:
            self.cells.keep_newest(MOST_UNPUBLISHED // 2)
        self._count_lanes(batch, live, timely)

    def _timely(self, batch: Batch, site: Ints, rules: LiveRules) -> Bools:
        """Return which events are recent enough for alarms, and learn from the late ones; `site`: their arrivals."""
        late: Ints = site - batch.ts
        timely: Bools = late <= rules.most_late
        behind = self.lags.keys() | {batch.device[row] for row in np.flatnonzero(~timely).tolist()}
        if not behind:
            return timely
        for row in [row for row, device in enumerate(batch.device) if device in behind]:
            device = batch.device[row]
            known = self.lags.get(device)
            if known is None and timely[row]:
                continue
            arrival, lateness = int(site[row]), int(late[row])
            since = 0 if known is None else max(arrival - known.last_seen, 0)
            believed = (known.lag if known else 0) + min(since, rules.longest_gap) // _LEARNT_IN
            lag = min(believed, max(lateness, 0))
            timely[row] = lateness - lag <= rules.most_late
            self.changed_lags.add(device)
            if lag > rules.grace or lateness > rules.most_late:
                self.lags[device] = Lag(lag, arrival)
            else:
                del self.lags[device]
        return timely

    def _count_lanes(self, batch: Batch, live: Ints, timely: Bools) -> None:
        groups = groups_of(batch.device.codes)
        inward = (batch.outcome == PASSED) & (batch.direction == 0)
        columns = (
            groups.keys,
            groups.order[groups.starts + groups.sizes - 1],
            groups.sums(timely.astype(np.int64)),
            groups.newest(live),
            groups.newest(np.where(inward, live, 0)),
        )
        for number, row, events, last, inside in zip(*(each.tolist() for each in columns), strict=True):
            device, entrance = batch.device.names[number], batch.entrance[row]
            lane = self.lanes.setdefault(device, Lane(entrance, last, 0))
            lane.entrance, lane.last, lane.events = entrance, max(lane.last, last), lane.events + events
            lane.entered = max(lane.entered, inside)
            self.changed_lanes.add(device)

    def drain(self, entrances: Interner, grace: int) -> tuple[LiveCells, list[PublishedLane]]:
        """Return what changed, absolute.

        What can no longer change is forgotten when this is called the next time: only then has the broker what was
        returned before, and a snapshot that is written in between must still have it.
        """
        self.cells.forget(self.published_before << _SECOND)
        cells = _live_cells(*self.cells.drain_changed(), entrances) if self.cells.changed else LiveCells.of([])
        lanes = [
            (device, lane.entrance, lane.last, lane.events, lane.entered)
            for device, lane in sorted((name, self.lanes[name]) for name in self.changed_lanes)
        ]
        self.drained_lanes |= self.changed_lanes
        self.changed_lanes.clear()
        self.published_before = (self.newest - grace) // 1000 - 1
        return cells, lanes


def _live_cells(keys: Ints, counts: list[int], entrances: Interner) -> LiveCells:
    """Put cells by packed key (at least one), sorted, into columns that name the entrances in use."""
    second, entrance = keys >> _SECOND, (keys >> _MEASURE) & (MOST_ENTRANCES - 1)
    first = int(second[0])
    used = np.zeros(len(entrances), np.bool_)
    used[entrance] = True
    numbers = (np.cumsum(used) - 1)[entrance]
    measure = keys & ((1 << _MEASURE) - 1)
    names = entrances.names(np.flatnonzero(used))
    return LiveCells(first, names, (second - first).tolist(), numbers.tolist(), measure.tolist(), counts)


def _measures(batch: Batch) -> tuple[Ints, Bools | None]:
    """Return what each event is counted as (-1: nothing), and who is unwell (None: nobody)."""
    passed, denied = batch.outcome == PASSED, batch.outcome == DENIED
    measure: Ints = np.where(passed, batch.direction, np.where(denied, Measure.DENIED.value, -1))
    fever = np.nan_to_num(batch.temperature) >= _FEVER
    unwell = fever | batch.health.has("abnormal")
    return measure, unwell if unwell.any() else None


def freeze(live: Live) -> dict[str, Any]:
    """Write it as plain lists and numbers."""
    return {
        "cells": live.cells.plain(),
        "lanes": [
            [name, each.entrance, each.last, each.events, each.entered] for name, each in sorted(live.lanes.items())
        ],
        "newest": live.newest,
        "lags": [[name, each.lag, each.last_seen] for name, each in sorted(live.lags.items())],
    }


def thaw(plain: dict[str, Any] | None) -> Live:
    """Undo `freeze`; all of it counts as changed, since nobody knows what was published. None: of an older version."""
    if plain is None:
        return Live()
    counts = Counter(dict(zip(*plain["cells"], strict=True)))
    lanes = {name: Lane(*rest) for name, *rest in plain["lanes"]}
    lags = {name: Lag(lag, last_seen) for name, lag, last_seen in plain.get("lags", ())}
    return Live(Seconds(counts, set(counts)), lanes, set(lanes), lags, plain["newest"])
