"""Distorts a day as a bad network does: lines are repeated, late, out of order, broken, or lost.

Pure: a day and a seed in, a schedule of deliveries out. Faults of single devices begin behind a device's tenth event of
the day, and are over on the next day. Next: `pace.py`, which follows the schedule.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simulators.distortion.malformed import Malformed, kinds, make_malformed
from simulators.distortion.settings import Distortion, Drift, Offline, Skip, WrongClock
from simulators.scenario.day import Day, Ints
from simulators.scenario.draws import some
from streams.site.model import Site

_BEFORE = 10
"""Right events of a device before its fault begins: few, so that short runs see the fault."""


class UnknownDeviceError(ValueError):
    """A distortion names a device that the site does not have."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Deliveries sorted by `at` (site time, ms): `row` is an event of `day`, or -1 - number of a malformed line.

    `lost` marks the events of `day` that are never sent, although they stand in the schedule once. `skips` are the
    gaps in the numbering: `gap_rows[i]` is the first event behind `skips[i]`. `uploaded` marks the events that a
    device stored while it was offline: they are sent many in a message.
    """

    day: Day
    at: Ints
    row: Ints
    lost: npt.NDArray[np.bool_]
    malformed: tuple[Malformed, ...]
    skips: tuple[Skip, ...]
    gap_rows: tuple[int, ...]
    uploaded: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)


def check_devices(distortion: Distortion, site: Site) -> None:
    """Raise `UnknownDeviceError` if a device is named that `site` does not have."""
    devices = [lane for entrance in site.entrances for lane in entrance.lanes]
    for name, device in distortion.devices:
        if device not in devices:
            raise UnknownDeviceError(
                f"{name}: the site has no device '{device}'; expected one like '{devices[0]}' "
                "(see the lanes in the site profile)"
            )


def distort(day: Day, distortion: Distortion, rng: np.random.Generator) -> Schedule:
    """Return when each line of `day` is delivered; raises `UnknownDeviceError`."""
    check_devices(distortion, day.names.site)
    day, skips, gap_rows = _leave_out(day, distortion.skips)
    day = _with_wrong_clocks(day, distortion.clocks, distortion.drifts)
    size = len(day)
    rows = np.arange(size)
    at = day.true_ts + _delays(rng, size, distortion.disorder_ms)
    late = some(rng, distortion.late, size)
    at[late] += distortion.late_by_ms // 10 + _delays(rng, len(late), distortion.late_by_ms * 9 // 10)
    at, uploaded = _upload_later(day, at, distortion.offline)
    lost = np.zeros(size, bool)
    lost[some(rng, distortion.lost, size)] = True
    again = rows[some(rng, distortion.duplicates, size)]
    again = again[~lost[again]]
    broken = some(rng, distortion.malformed, size)
    rows = np.concatenate([rows, again, -1 - np.arange(len(broken))])
    at = np.concatenate([at, at[again] + _delays(rng, len(again), distortion.again_within_ms), at[broken]])
    order = np.argsort(at, kind="stable")
    malformed = _malformed(day, broken)
    return Schedule(day, at[order], rows[order], lost, malformed, skips, gap_rows, uploaded)


def _delays(rng: np.random.Generator, size: int, most: int) -> Ints:
    """Return delays from 0 to below `most` ms."""
    return rng.integers(0, max(most, 1), size)


def _malformed(day: Day, rows: Ints) -> tuple[Malformed, ...]:
    """Return one malformed line for each of `rows`, of all kinds in turn."""
    names = kinds()
    entrances = day.names.entrances[day.entrance[rows]]
    return tuple(
        make_malformed(names[serial % len(names)], serial, day.names.site, entrance)
        for serial, entrance in enumerate(entrances)
    )


def _leave_out(day: Day, skips: Iterable[Skip]) -> tuple[Day, tuple[Skip, ...], tuple[int, ...]]:
    """Let devices leave out numbers; return the gaps that a later event makes visible, and those events."""
    seq = day.seq.copy()
    found: list[tuple[Skip, int]] = []
    for skip in skips:
        behind = _behind(day, skip.device)
        seq[behind] += skip.count
        if len(behind):
            found.append((skip, int(behind[0])))
    return replace(day, seq=seq), tuple(skip for skip, _ in found), tuple(row for _, row in found)


def _with_wrong_clocks(day: Day, clocks: Iterable[WrongClock], drifts: Iterable[Drift]) -> Day:
    """Let devices send another time than it is; `true_ts` stays."""
    ts = day.ts.copy()
    for drift in drifts:
        rows = _behind(day, drift.device)
        since = day.true_ts[rows] - day.true_ts[rows[:1]]
        ts[rows] += np.rint(since * drift.share).astype(np.int64)
    for clock in clocks:
        rows = _behind(day, clock.device)[: clock.events]
        ts[rows] += -day.true_ts[rows[:1]] if clock.offset_ms is None else clock.offset_ms
    return replace(day, ts=ts)


def _upload_later(day: Day, at: Ints, offline: Iterable[Offline]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Let devices store what happens while they are offline, and deliver it all when they are back.

    Returns the times of delivery of all events, and which of them were stored meanwhile.
    """
    at, stored = at.copy(), np.zeros(len(day), bool)
    for each in offline:
        rows = _behind(day, each.device)
        back = day.true_ts[rows[:1]] + each.for_ms
        rows = rows[day.true_ts[rows] < back]
        at[rows] = np.broadcast_to(back, len(rows)) if len(rows) else at[rows]
        stored[rows] = True
    return at, stored


def _behind(day: Day, device: str) -> Ints:
    """Return the events of a device, without its first ones."""
    number = day.names.devices.tolist().index(device)
    return np.flatnonzero(day.device == number)[_BEFORE:]
