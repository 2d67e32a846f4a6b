"""Sites whose days are not 24 hours from midnight: places, dates and the times that their clocks show."""

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from streams.site.model import Site
from streams.site.reader import BUILTIN, parse_site

MINUTE: Final = 60_000
EXPO: Final = (BUILTIN / "expo.toml").read_text(encoding="utf-8")

BERLIN_LONG, BERLIN_SHORT = dt.date(2026, 10, 25), dt.date(2027, 3, 28)
"""The days of 25 and of 23 hours."""

ODD_DAYS: Final = [
    ("Europe/Berlin", dt.date(2026, 10, 18), "00:00"),
    ("Europe/Berlin", BERLIN_LONG, "00:00"),
    ("Europe/Berlin", BERLIN_SHORT, "00:00"),
    ("Europe/Berlin", BERLIN_LONG - dt.timedelta(1), "04:00"),
    ("Europe/Berlin", BERLIN_SHORT - dt.timedelta(1), "04:00"),
    ("Asia/Kathmandu", BERLIN_LONG, "00:00"),
    ("Asia/Kolkata", BERLIN_LONG, "04:00"),
    ("Australia/Lord_Howe", dt.date(2026, 4, 5), "00:00"),
    ("Australia/Lord_Howe", dt.date(2026, 10, 4), "00:00"),
    ("Africa/Cairo", dt.date(2026, 4, 24), "00:00"),
    ("Africa/Cairo", dt.date(2026, 10, 29), "00:00"),
    ("Asia/Beirut", dt.date(2026, 3, 29), "00:00"),
    ("America/Sao_Paulo", dt.date(2018, 11, 4), "00:00"),
    ("America/Sao_Paulo", dt.date(2018, 2, 17), "04:00"),
]
"""Time zone, day, and when a day begins there."""


def expo(time_zone: str = "Asia/Shanghai", day_starts: str = "00:00") -> Site:
    """Return the expo at another place, or with days that begin at another time."""
    said = f'time_zone = "{time_zone}"\nday_starts = "{day_starts}"'
    return parse_site(EXPO.replace('time_zone = "Asia/Shanghai"', said), source="expo.toml")


def night_market(time_zone: str = "Asia/Shanghai") -> Site:
    """Return the expo open from five in the afternoon until two, with days that begin at four."""
    text = EXPO.replace('time_zone = "Asia/Shanghai"', f'time_zone = "{time_zone}"\nday_starts = "04:00"')
    before, _, after = text.partition("[opening]\n")
    _, _, rest = after.partition("\n[")
    return parse_site(f'{before}[opening]\ndaily = "17:00-02:00"\n\n[{rest}', source="night-market.toml")


def ms(site: Site, date: dt.date, time: str, *, fold: int = 0) -> int:
    """Return a time that the site's clock shows on a date, in milliseconds."""
    local = dt.datetime.combine(date, dt.time.fromisoformat(time), ZoneInfo(site.time_zone)).replace(fold=fold)
    return round(local.timestamp() * 1000)


def shown(site: Site, moment: int) -> str:
    """Return what the site's clock shows at a moment."""
    return dt.datetime.fromtimestamp(moment / 1000, ZoneInfo(site.time_zone)).strftime("%H:%M")
