"""Converts moments to the site's clock, and finds opening hours and the quiet hour; pure. Next: `snapshot.py`."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.kernels.counts.calendar import SiteDays
from streams.site.model import Site


def local(ms: int, zone: str) -> datetime:
    """Return milliseconds since 1970-01-01 UTC as a time of day in `zone`."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone))


def milliseconds(moment: datetime) -> int:
    """Return a moment with a time zone as milliseconds since 1970-01-01 UTC."""
    return round(moment.timestamp() * 1000)


def opened_at(site: Site, ms: int) -> int | None:
    """Return since when the site has been open at `ms`, None while it is closed."""
    hours = site.hours(site.days.day(ms))
    return hours[0] if hours is not None and hours[0] <= ms < hours[1] else None


def next_quiet(ms: int, zone: str, hour: int) -> int:
    """Return when the clock next shows `hour`:00, or skips it; always later than `ms`."""
    days = SiteDays(ZoneInfo(zone))
    today = days.day(ms)
    shown = (days.moment(today + timedelta(ahead), 60 * hour) for ahead in range(4))  # a date may be skipped, too
    return next(each for each in shown if each > ms)
