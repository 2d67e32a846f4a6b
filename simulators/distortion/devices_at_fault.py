"""Simulates faults of single devices: numbers left out, wrong clocks, hours without a connection.

Each begins behind a device's tenth event of the day, and is over on the next day. Next: `distort.py`, which does
this and the rest to a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from simulators.distortion.settings import Drift, Offline, Skip, WrongClock
    from simulators.scenario.day import Day, Ints

_BEFORE = 10
"""Right events of a device before its fault begins: few, so that short runs see the fault."""


def leave_out(day: Day, skips: Iterable[Skip]) -> tuple[Day, tuple[Skip, ...], tuple[int, ...]]:
    """Let devices leave out numbers; return the gaps that a later event makes visible, and those events."""
    seq = day.seq.copy()
    found: list[tuple[Skip, int]] = []
    for skip in skips:
        behind = _behind(day, skip.device)
        seq[behind] += skip.count
        if len(behind):
            found.append((skip, int(behind[0])))
    return day.with_columns(seq=seq), tuple(skip for skip, _ in found), tuple(row for _, row in found)


def with_wrong_clocks(day: Day, clocks: Iterable[WrongClock], drifts: Iterable[Drift]) -> Day:
    """Let devices send another time than it is; `true_ts` stays."""
    ts = day.ts.copy()
    for drift in drifts:
        rows = _behind(day, drift.device)
        since = day.true_ts[rows] - day.true_ts[rows[:1]]
        ts[rows] += np.rint(since * drift.share).astype(np.int64)
    for clock in clocks:
        rows = _behind(day, clock.device)[: clock.events]
        ts[rows] += -day.true_ts[rows[:1]] if clock.offset_ms is None else clock.offset_ms
    return day.with_columns(ts=ts)


def upload_later(day: Day, at: Ints, offline: Iterable[Offline]) -> tuple[Ints, npt.NDArray[np.bool_]]:
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
