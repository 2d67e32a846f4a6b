"""The site's days: which calendar day an event belongs to, in the site's own time zone, on clock-change nights too."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from streams.kernels.batch import Ints

_QUARTER_MS = 900_000
_DAY_MS = 86_400_000
_A_DAY_OF_QUARTERS = 96


@dataclass(slots=True)
class SiteDays:
    """Days since 1970-01-01 in a time zone.

    Offsets from UTC are looked up once a quarter of an hour: every zone's clock changes fall on one since 1972.
    """

    zone: ZoneInfo
    _offsets: dict[int, int] = field(default_factory=dict)

    def of(self, ts: Ints) -> Ints:
        """Tell the day number of each time (ms UTC)."""
        if not len(ts):
            return ts
        first, last = int(ts.min()) // _QUARTER_MS, int(ts.max()) // _QUARTER_MS
        near = range(first, last + 1) if last - first < _A_DAY_OF_QUARTERS else ()
        shifts = {self._offset(quarter) for quarter in near}
        if len(shifts) == 1:  # nearly always: no clock changes between them, so none is looked up for each
            alike: Ints = (ts + shifts.pop()) // _DAY_MS
            return alike
        quarters, back = np.unique(ts // _QUARTER_MS, return_inverse=True)
        offsets = np.array([self._offset(quarter) for quarter in quarters.tolist()], dtype=np.int64)
        days: Ints = (ts + offsets[back]) // _DAY_MS
        return days

    def _offset(self, quarter: int) -> int:
        known = self._offsets.get(quarter)
        if known is None:
            if len(self._offsets) > 100_000:  # three years of quarters
                self._offsets.clear()
            moment = datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, tz=UTC).astimezone(self.zone)
            shift = moment.utcoffset()
            known = self._offsets[quarter] = int(shift.total_seconds() * 1000) if shift else 0
        return known
