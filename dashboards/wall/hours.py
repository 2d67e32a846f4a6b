"""Hours as people at the site read them off its clock: opening, and the quiet hour; pure. Next: `snapshot.py`."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from streams.site import Opening

_MINUTE = timedelta(minutes=1)


def local(ms: int, zone: str) -> datetime:
    """Return milliseconds since 1970-01-01 UTC as a time of day in `zone`."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone))


def milliseconds(moment: datetime) -> int:
    """Return a moment with a time zone as milliseconds since 1970-01-01 UTC."""
    return round(moment.timestamp() * 1000)


def midnight(day: date, zone: str) -> datetime:
    """Return when a calendar day begins in `zone`."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone))


def opened_at(opening: Opening, ms: int, zone: str) -> int | None:
    """Return since when the site has been open at `ms`, None while it is closed."""
    day = local(ms, zone).date()
    hours = opening.on(day)
    if hours is None:
        return None
    opens, closes = (milliseconds(midnight(day, zone) + minute * _MINUTE) for minute in hours)
    return opens if opens <= ms < closes else None


def next_quiet(ms: int, zone: str, hour: int) -> int:
    """Return when the site's clock next shows `hour`:00; always later than `ms`."""
    quiet = local(ms, zone).replace(hour=hour, minute=0, second=0, microsecond=0)
    if milliseconds(quiet) <= ms:
        quiet += timedelta(days=1)
    return milliseconds(quiet)
