"""The site's calendar: when each day begins and ends, and which day and local time a moment belongs to.

A day begins the first moment at which the site's clock shows its date and `starts` minutes after midnight, or anything
later. So a start that the clock skips is where it skips it, one that it shows twice is the first, and a date that it
skips altogether is a day without length. Days follow each other without gaps, and have 23, 24 or 25 hours (or 23½).
All that computes by day, ahead or back, computes it here.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from streams.kernels.counts.batch import Ints

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
DAY_MINUTES: Final = 1440  # minutes of a day by the clock: what plans and profiles have, however long the day really is

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER_0: Final = date(1970, 1, 1).toordinal()
_MS: Final = timedelta(milliseconds=1)
_KNOWN: Final = 100_000


def days_named(first: date | str, last: date | str) -> str:
    """Name one day, or the first and the last of several."""
    return f"{first}" if first == last else f"{first} to {last}"


@dataclass(slots=True)
class SiteDays:
    """The days of a time zone that begin `starts` minutes after midnight; a day's number is that of its date (1970: 0).

    A minute of a day counts from midnight of its date: one after the next midnight is 1440 or more.
    """

    zone: ZoneInfo
    starts: int = 0
    _begins: dict[int, int] = field(default_factory=dict, compare=False)

    @property
    def rule(self) -> list[str | int]:
        """Return what makes two calendars the same, as plain values."""
        return [str(self.zone), self.starts]

    def of(self, ts: Ints) -> Ints:
        """Tell the number of the day to which each time (ms UTC) belongs."""
        if not len(ts):
            return ts
        first = self.number(int(ts.min()))
        if int(ts.max()) < self._begin(first + 1):  # nearly always
            return np.full(len(ts), first, np.int64)
        near = np.unique(ts // DAY_MS)
        days = np.unique(np.concatenate([near + shift for shift in (-2, -1, 0, 1)]))
        begins = np.array([self._begin(day) for day in days.tolist()], np.int64)
        found: Ints = days[np.searchsorted(begins, ts, "right") - 1]
        return found

    def number(self, ms: int) -> int:
        """Tell the number of the day to which a moment (ms UTC) belongs."""
        day = ms // DAY_MS + 1  # no clock is a day ahead of UTC
        while self._begin(day) > ms:
            day -= 1
        return day

    def day(self, ms: int) -> date:
        """Tell the day to which a moment (ms UTC) belongs."""
        return date.fromordinal(_NUMBER_0 + self.number(ms))

    def begin(self, day: date) -> int:
        """Return the first moment of a day (ms UTC)."""
        return self._begin(day.toordinal() - _NUMBER_0)

    def bounds(self, day: date) -> tuple[int, int]:
        """Return the first moment of a day, and that of the next (ms UTC): as far apart as the day is long."""
        number = day.toordinal() - _NUMBER_0
        return self._begin(number), self._begin(number + 1)

    def moment(self, day: date, minute: int) -> int:
        """Return the first moment (ms UTC) at which the clock shows a minute of a day, or anything later."""
        shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - what the clock shows
        early, late = sorted(_ms(shown.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1))
        if early == late or self.shows(early) == shown:  # a time that is shown twice is the first one
            return early
        while late - early > 1:  # a time that is skipped: find where
            middle = (early + late) // 2
            early, late = (early, middle) if self.shows(middle) >= shown else (middle, late)
        return late

    def shows(self, ms: int) -> datetime:
        """Return what the site's clock shows at a moment (ms UTC), without a time zone."""
        return (_EPOCH + timedelta(milliseconds=ms)).astimezone(self.zone).replace(tzinfo=None, fold=0)

    def clock(self, day: date) -> Ints:
        """Return what the clock shows in each real minute of a day: 0 to 1439, counted from `starts`.

        Plans and profiles are laid out by it: an hour that the clock repeats is the same hour twice.
        """
        begin, end = self.bounds(day)
        shown = (self.shows(ms) for ms in range(begin, end, MINUTE_MS))
        return np.array([(each.hour * 60 + each.minute - self.starts) % DAY_MINUTES for each in shown], np.int64)

    def _begin(self, number: int) -> int:
        known = self._begins.get(number)
        if known is None:
            if len(self._begins) > _KNOWN:  # more than 200 years: somebody sends times at random
                self._begins.clear()
            known = self._begins[number] = self.moment(date.fromordinal(_NUMBER_0 + number), self.starts)
        return known


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS
