"""Computes which day of the site a moment belongs to, minute by minute with the site's clock. Next: `truth.py`.

Slow and simple on purpose, and nothing of `streams.kernels.counts.calendar`, whose days are held against these.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from simulators.ledger.tables import Integers
from streams.site.model import Site

_MINUTE = 60_000
_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOON = 16 * 60
"""Minutes by which a clock may be ahead of UTC, or behind it, and more."""


def local_days(ts: Integers, site: Site) -> Integers:
    """Return the site's day of each `ts` (milliseconds since 1970 UTC), in days since 1970-01-01."""
    if not len(ts):
        return ts
    near = np.unique(ts // _DAY)
    days = np.unique(np.concatenate([near + shift for shift in range(-2, 3)]))
    begins = np.array([_begin(int(day), site.time_zone, site.day_starts) for day in days], np.int64)
    return days[np.searchsorted(begins, ts, side="right") - 1]


@lru_cache(maxsize=10_000)
def _begin(day: int, time_zone: str, day_starts: int) -> int:
    """Return the first minute in which the clock shows the day's date and start, or something later (ms)."""
    zone = ZoneInfo(time_zone)
    start = datetime.combine(date(1970, 1, 1) + timedelta(day), datetime.min.time()) + timedelta(minutes=day_starts)
    minutes = range(day * 1440 + day_starts - _SOON, day * 1440 + day_starts + 3 * _SOON)
    return _MINUTE * next(
        minute
        for minute in minutes
        if (_EPOCH + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None) >= start
    )
