"""Saves what a log has changed since its last snapshot, in columns, and joins such changes to a whole snapshot.

A log notes the keys of what has changed, as its rows need them too. Changes hold absolute figures, so what did not
change after all does no harm. What is small or short-lived, such as the cells that wait for the alarms, is in every
snapshot whole. Columns of numbers are bytes: making lists of lists of a large state costs more than all the rest.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np

from streams.kernels.counts.admission import Devices
from streams.kernels.counts.cells import Cells
from streams.kernels.counts.columns import Interner
from streams.kernels.counts.live import Live
from streams.kernels.counts.offset_bucket import Flows, OffsetBucket
from streams.kernels.counts.passages import PassageLog, Saved
from streams.kernels.counts.snapshot import CELLS, FORMAT, FORMAT_OF_PARTS, Plain, SnapshotError, head_of

_NUMBERS: Final = np.dtype("<i8")
_NO_TIME: Final = np.iinfo(_NUMBERS).min
"""Stands for a reference time that is not known."""
_NAMES: Final = ("entrances", "categories", "reasons", "device_names")
_HEAD: Final = ("format", "log", "next", "tally", "late", "first", "records")
_first = itemgetter(0)


def note_saved(log: PassageLog) -> None:
    """Note that the state as it is now is in a snapshot: later changes are those since then."""
    log.saved = Saved(log.next_offset, tuple(len(each.listed) for each in _interners(log)), log.days.rule)
    bucket, live = log.bucket, log.live
    bucket.saved = True
    cells = [log.totals, *(getattr(bucket, name) for name in CELLS), *bucket.refusals.values()]
    noted: list[set[Any]] = [each.drained for each in (*cells, bucket.flows, log.devices)]
    for some in (*noted, log.seen_entrances, live.drained_lanes, live.changed_lags):
        some.clear()


def freeze_changes(log: PassageLog) -> Plain | None:
    """Write what has changed since `note_saved`; None if only the whole state can be written.

    That is so where nothing was saved, and where the log is counted by other days since: which they are does not follow
    from the records alone, so no earlier snapshot may be taken up in place of a later one.
    """
    saved = log.saved
    if saved is None or saved.day_rule != log.days.rule:
        return None
    seen = sorted(log.seen_entrances)
    names = log.entrances.listed
    return {
        **head_of(log, FORMAT_OF_PARTS if log.bucket.part else FORMAT),
        "after": saved.next_offset,
        "names": [[n, each.listed[n:]] for n, each in zip(saved.names, _interners(log), strict=True)],
        "devices": _devices_out(log.devices),
        "totals": _cells_out(log.totals, log.totals.unsaved),
        "seen": [_out(seen), _out(log.last_ts[names[n]] for n in seen), _out(log.boundary[names[n]] for n in seen)],
        "segment": _bucket_out(log.bucket),
        "live": _live_out(log.live, log.devices.names),
    }


def join(whole: Plain, changes: Sequence[Plain]) -> Plain:
    """Return what `freeze` would have written after these changes. Raises SnapshotError if one does not follow on."""
    if not changes:
        return whole
    joined = _WholeLog(whole)
    for each in changes:
        joined.add(each)
    return joined.plain()


# -- writing -----------------------------------------------------------------------------------------------------------


def _interners(log: PassageLog) -> tuple[Interner, ...]:
    return log.entrances, log.categories, log.reasons, log.devices.names


def _out(values: Iterable[int | bool]) -> bytes:
    return np.array(list(values), dtype=_NUMBERS).tobytes()


def _times_out(columns: Iterable[Sequence[int | None]]) -> bytes:
    return _out(_NO_TIME if each is None else each for each in chain.from_iterable(columns))


def _devices_out(devices: Devices) -> Plain:
    keys = sorted(devices.drained | devices.changed)
    some = [devices.known[key] for key in keys]
    ranges, entrances = [each.ranges for each in some], Interner()
    return {
        "number": _out(number for number, _ in keys),
        "epoch": _out(epoch for _, epoch in keys),
        "entrance": entrances.numbers([each.entrance for each in some]).astype(_NUMBERS).tobytes(),
        "entrances": entrances.listed,
        "last_ts": _out(each.last_ts for each in some),
        "last_seen": _out(each.last_seen for each in some),
        "floor": _out(each.floor for each in ranges),
        "closed": _out(each.closed for each in ranges),
        "ranges": _out(map(len, ranges)),
        "low": _out(chain.from_iterable(each.low for each in ranges)),
        "high": _out(chain.from_iterable(each.high for each in ranges)),
        "low_ts": _times_out(each.low_ts for each in ranges),
        "high_ts": _times_out(each.high_ts for each in ranges),
    }


def _cells_out(cells: Cells, keys: Iterable[int]) -> list[bytes]:
    listed = sorted(keys)
    return [_out(listed), _out(cells.of(listed))]


def _bucket_out(bucket: OffsetBucket) -> Plain:
    """Write what has changed in the bucket, or all of one that is new; `whole` says which."""

    def cells_of(cells: Cells) -> list[bytes]:
        return _cells_out(cells, cells.unsaved if bucket.saved else cells.counts)

    return {
        "number": bucket.number,
        "part": bucket.part,
        "events": bucket.events,
        "whole": not bucket.saved,
        **{name: cells_of(getattr(bucket, name)) for name in CELLS},
        "refusals": [[number, *cells_of(cells)] for number, cells in sorted(bucket.refusals.items(), key=_first)],
        "flows": _flows_out(bucket.flows, bucket.flows.unsaved if bucket.saved else bucket.flows.cells),
    }


def _flows_out(flows: Flows, keys: Iterable[tuple[int, str]]) -> Plain:
    listed = sorted(keys)
    some, areas = [flows.cells[key] for key in listed], Interner()
    return {
        "window": _out(window for window, _ in listed),
        "area": _out(areas[area] for _, area in listed),
        "areas": areas.listed,
        "entered": _out(each.entered for each in some),
        "departed": _out(each.departed for each in some),
        "last_ts": _out(each.last_ts for each in some),
    }


def _live_out(live: Live, devices: Interner) -> Plain:
    names = sorted(live.drained_lanes | live.changed_lanes)
    lanes, entrances = [live.lanes[name] for name in names], Interner()
    behind = sorted(live.changed_lags & live.lags.keys())
    return {
        "cells": _cells_out(live.cells, live.cells.counts),
        "newest": live.newest,
        "lanes": {
            "device": _numbers_out(devices, names),
            "entrance": entrances.numbers([each.entrance for each in lanes]).astype(_NUMBERS).tobytes(),
            "entrances": entrances.listed,
            "last": _out(each.last for each in lanes),
            "events": _out(each.events for each in lanes),
            "entered": _out(each.entered for each in lanes),
        },
        "lags": [
            _numbers_out(devices, behind),
            _out(live.lags[name].lag for name in behind),
            _out(live.lags[name].last_seen for name in behind),
        ],
        "no_lag": _numbers_out(devices, sorted(live.changed_lags - live.lags.keys())),
    }


def _numbers_out(names: Interner, some: Sequence[str]) -> bytes:
    return names.numbers(some).astype(_NUMBERS).tobytes()


# -- joining -----------------------------------------------------------------------------------------------------------


def _in(column: bytes) -> list[int]:
    numbers: list[int] = np.frombuffer(column, dtype=_NUMBERS).tolist()
    return numbers


def _rows(columns: Plain, *names: str) -> Iterable[tuple[int, ...]]:
    return zip(*(_in(columns[name]) for name in names), strict=True)


class _WholeLog:
    """A whole snapshot with its rows by key, to which changes are added."""

    def __init__(self, whole: Plain) -> None:
        self.whole, self.head = whole, {name: whole[name] for name in _HEAD}
        self.names: list[list[str]] = [list(whole[name]) for name in _NAMES]
        self.devices = {(number, epoch): row for number, epoch, *row in whole["devices"]}
        self.times = dict(zip(self.devices, whole["times"], strict=True))
        self.closed = {(number, epoch): row for number, epoch, *row in whole["closed"]}
        self.totals = _counts_in(whole["totals"])
        self.last_ts, self.boundary = dict(whole["last_ts"]), dict(whole["boundary"])
        self.bucket = _WholeBucket(whole["segment"])
        self.live_cells, self.newest = whole["live"]["cells"], whole["live"]["newest"]
        self.lanes = {name: row for name, *row in whole["live"]["lanes"]}
        self.lags = {name: row for name, *row in whole["live"]["lags"]}

    def add(self, changes: Plain) -> None:
        """Add what has changed."""
        if (changes["log"], changes["after"]) != (self.head["log"], self.head["next"]):
            raise SnapshotError(
                f"changes of {changes['log']} since {changes['after']} do not follow on a snapshot of "
                f"{self.head['log']} at {self.head['next']}"
            )
        self.head = {name: changes[name] for name in _HEAD}
        for known, (n, new) in zip(self.names, changes["names"], strict=True):
            if n != len(known):
                raise SnapshotError(f"changes of {changes['log']} begin with name {n}, and {len(known)} are known")
            known.extend(new)
        self._add_devices(changes["devices"])
        _add_counts(self.totals, changes["totals"])
        for number, last_ts, boundary in zip(*map(_in, changes["seen"]), strict=True):
            name = self.names[0][number]
            self.last_ts[name], self.boundary[name] = last_ts, bool(boundary)
        self.bucket.add(changes["segment"])
        self._add_live(changes["live"])

    def _add_devices(self, columns: Plain) -> None:
        low, high, low_ts, high_ts = (_in(columns[name]) for name in ("low", "high", "low_ts", "high_ts"))
        names, end = columns["entrances"], 0
        rows = _rows(columns, "number", "epoch", "ranges", "entrance", "last_ts", "last_seen", "floor", "closed")
        for number, epoch, n, entrance, last_ts, last_seen, floor, closed in rows:
            start, end = end, end + n
            key = number, epoch
            self.devices[key] = [low[start:end], high[start:end], names[entrance], last_ts, last_seen]
            self.times[key] = [_times_in(low_ts[start:end]), _times_in(high_ts[start:end])]
            if floor:
                self.closed[key] = [floor, closed]
        if end != len(low) or len({len(low), len(high), len(low_ts), len(high_ts)}) > 1:
            raise SnapshotError(f"changes of {self.head['log']} have {len(low)} ranges, of devices that have {end}")

    def _add_live(self, live: Plain) -> None:
        self.live_cells, self.newest = [_in(each) for each in live["cells"]], live["newest"]
        devices, columns = self.names[-1], live["lanes"]
        for number, entrance, *figures in _rows(columns, "device", "entrance", "last", "events", "entered"):
            self.lanes[devices[number]] = [columns["entrances"][entrance], *figures]
        for number, *lag in zip(*map(_in, live["lags"]), strict=True):
            self.lags[devices[number]] = lag
        for number in _in(live["no_lag"]):
            self.lags.pop(devices[number], None)

    def plain(self) -> Plain:
        """Return the whole snapshot as it is now, its parts in the order in which `freeze` writes them."""
        keys = sorted(self.devices)
        return {
            **self.whole,
            **self.head,
            **dict(zip(_NAMES, self.names, strict=True)),
            "devices": [[*key, *self.devices[key]] for key in keys],
            "times": [self.times[key] for key in keys],
            "totals": _counts_out(self.totals),
            "last_ts": dict(sorted(self.last_ts.items())),
            "boundary": dict(sorted(self.boundary.items())),
            "segment": self.bucket.plain(),
            "closed": [[*key, *self.closed[key]] for key in sorted(self.closed)],
            "live": {
                "cells": self.live_cells,
                "lanes": [[name, *self.lanes[name]] for name in sorted(self.lanes)],
                "newest": self.newest,
                "lags": [[name, *self.lags[name]] for name in sorted(self.lags)],
            },
        }


class _WholeBucket:
    """The cells of an offset bucket by key."""

    def __init__(self, bucket: Plain) -> None:
        self.head = {name: bucket[name] for name in ("number", "part", "events")}
        self.cells = {name: _counts_in(bucket[name]) for name in CELLS}
        self.refusals = {number: _counts_in(cells) for number, cells in bucket["refusals"]}
        self.flows = {(window, area): flow for window, area, *flow in bucket["flows"]}

    def add(self, changes: Plain) -> None:
        """Add what has changed; what there was is forgotten if it is all of another bucket."""
        if changes["whole"]:
            self.cells = {name: {} for name in CELLS}
            self.refusals, self.flows = {}, {}
        elif (changes["number"], changes["part"]) != (self.head["number"], self.head["part"]):
            raise SnapshotError(f"changes of bucket {changes['number']} do not follow on bucket {self.head['number']}")
        self.head = {name: changes[name] for name in self.head}
        for name, cells in self.cells.items():
            _add_counts(cells, changes[name])
        for number, *cells in changes["refusals"]:
            _add_counts(self.refusals.setdefault(number, {}), cells)
        flows = changes["flows"]
        for window, area, *flow in _rows(flows, "window", "area", "entered", "departed", "last_ts"):
            self.flows[window, flows["areas"][area]] = flow

    def plain(self) -> Plain:
        """Return all of it."""
        return {
            **self.head,
            **{name: _counts_out(cells) for name, cells in self.cells.items()},
            "refusals": [[number, _counts_out(self.refusals[number])] for number in sorted(self.refusals)],
            "flows": [[*key, *self.flows[key]] for key in sorted(self.flows)],
        }


def _counts_in(plain: list[list[int]]) -> dict[int, int]:
    return dict(zip(*plain, strict=True))


def _add_counts(counts: dict[int, int], columns: Sequence[bytes]) -> None:
    counts.update(zip(*map(_in, columns), strict=True))


def _counts_out(counts: dict[int, int]) -> list[list[int]]:
    keys = sorted(counts)
    return [keys, [counts[key] for key in keys]]


def _times_in(times: list[int]) -> list[int | None]:
    return [None if each == _NO_TIME else each for each in times]
