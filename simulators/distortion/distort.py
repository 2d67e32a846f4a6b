"""Distorts a day as a bad network does: lines are repeated, late, out of order, broken, or lost.

Pure: a day and a seed in, a schedule of deliveries out. Faults of single devices are in `devices_at_fault.py`. Next:
`pace.py`, which follows the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.distortion.devices_at_fault import leave_out, upload_later, with_wrong_clocks
from simulators.distortion.malformed import Malformed, kinds, make_malformed
from simulators.scenario.draws import some

if TYPE_CHECKING:
    import numpy.typing as npt

    from simulators.distortion.settings import Distortion, Skip
    from simulators.scenario.day import Day, Ints
    from streams.site.model import Site


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
        """Return the number of deliveries."""
        return len(self.at)

    def happened(self, deliveries: Ints, site_ms: int) -> Ints:
        """Return those of `deliveries` (indexes) whose event has happened by `site_ms`, or that are due by then."""
        row = self.row[deliveries]
        when = np.where(row >= 0, self.day.true_ts[row], self.at[deliveries])
        return deliveries[when <= site_ms]


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
    day, skips, gap_rows = leave_out(day, distortion.skips)
    day = with_wrong_clocks(day, distortion.clocks, distortion.drifts)
    size = len(day)
    rows = np.arange(size)
    at = day.true_ts + _delays(rng, size, distortion.disorder_ms)
    late = some(rng, distortion.late, size)
    at[late] += distortion.late_by_ms // 10 + _delays(rng, len(late), distortion.late_by_ms * 9 // 10)
    at, uploaded = upload_later(day, at, distortion.offline)
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
