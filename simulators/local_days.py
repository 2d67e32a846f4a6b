"""Which day of the site's time zone a moment belongs to. Next: `truth.py`, which counts by it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from simulators.tables import Integers

_MINUTE = 60_000
_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_days(ts: Integers, time_zone: str) -> Integers:
    """Return the calendar day of each `ts` (milliseconds since 1970 UTC), in days since 1970-01-01.

    The offset from UTC is looked up once for every minute that occurs: since 1973 it changes on full minutes.
    """
    if not len(ts):
        return ts
    zone = ZoneInfo(time_zone)
    minutes, minute_of = np.unique(ts // _MINUTE, return_inverse=True)
    offsets = np.array([_offset(int(minute), zone) for minute in minutes], np.int64)
    return (ts + offsets[minute_of]) // _DAY


def _offset(minute: int, zone: ZoneInfo) -> int:
    """Return how far `zone` is ahead of UTC at a minute since 1970, in milliseconds."""
    ahead = (_EPOCH + timedelta(minutes=minute)).astimezone(zone).utcoffset()
    return round(ahead.total_seconds() * 1000) if ahead else 0
