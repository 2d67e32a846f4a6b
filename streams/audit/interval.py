"""The interval of event time that an audit covers: whole windows and whole site days only. Next: `views.py`."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streams.kernels.counts.calendar import HOUR_MS, SiteDays

TEN_SECONDS_MS: Final = 10_000
SIX_HOURS_MS: Final = 6 * HOUR_MS


class IntervalError(ValueError):
    """The interval cannot be audited; the message says which would do."""


@dataclass(frozen=True)
class AuditSpan:
    """What one question covers: [start, end) in milliseconds since 1970 UTC; `day` if that is a day of the site."""

    start: int
    end: int
    day: dt.date | None = None


@dataclass(frozen=True)
class Interval:
    """Event time [start, end) in milliseconds since 1970 UTC, of a site with these days."""

    start: int
    end: int
    site_days: SiteDays

    def __post_init__(self) -> None:
        """Refuse an interval that holds no whole window."""
        if not any(self.windows(TEN_SECONDS_MS)):
            raise IntervalError(
                f"{self.label()}: there is no whole window of 10 s in it; let --to be later than --from, and both "
                "at or before what is stored"
            )

    def windows(self, width: int, *, part: int = SIX_HOURS_MS) -> Iterator[AuditSpan]:
        """Yield the whole windows of `width` ms, `part` ms at a time: what bounds a question's memory and time."""
        first, last = -(-self.start // width) * width, self.end // width * width
        for start in range(first, last, part):
            yield AuditSpan(start, min(start + part, last))

    def whole(self) -> Iterator[AuditSpan]:
        """Yield all of it at once."""
        yield AuditSpan(self.start, self.end)

    def days(self) -> Iterator[AuditSpan]:
        """Yield the whole days of the site, however long the clock changes make them."""
        days = self.site_days
        start, end = days.bounds(day := days.day(self.start))
        while end <= self.end:
            if self.start <= start < end:
                yield AuditSpan(start, end, day)
            start, end = days.bounds(day := day + dt.timedelta(1))

    def label(self) -> str:
        """Say it as people of the site would."""
        return f"{self.text(self.start)} – {self.text(self.end)}"

    def text(self, ms: int) -> str:
        """Write a moment in ISO form, in the site's time zone."""
        return dt.datetime.fromtimestamp(ms / 1000, self.site_days.zone).isoformat()


def moment(text: str, days: SiteDays) -> int:
    """Read an ISO time, the site's unless it says otherwise, as ms since 1970 UTC; a date is when that day begins."""
    with contextlib.suppress(ValueError):
        return days.begin(dt.date.fromisoformat(text))
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise IntervalError(f"{text!r} is not a time; expected one like 2026-11-05, or 2026-11-05T09:30") from None
    return round((time if time.tzinfo else time.replace(tzinfo=days.zone)).timestamp() * 1000)
