"""Opening hours and the quiet hour are found on any clock."""

import datetime as dt

import pytest

from dashboards.wall.model.snapshot import next_quiet, opened_at
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.site.kernel_views import alarm_place_of
from streams.site.model import Site
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT, expo, ms, night_market

HOUR = 3_600_000
DAY = dt.date(2026, 11, 7)


@pytest.mark.parametrize(
    ("site", "date", "time", "since"),
    [
        (expo(), DAY, "06:59", None),
        (expo(), DAY, "07:00", (DAY, "07:00")),
        (expo(), DAY, "19:59", (DAY, "07:00")),
        (expo(), DAY, "20:00", None),
        (night_market(), DAY, "16:59", None),
        (night_market(), DAY, "23:59", (DAY, "17:00")),
        (night_market(), DAY + dt.timedelta(1), "01:59", (DAY, "17:00")),
        (night_market(), DAY + dt.timedelta(1), "02:00", None),
        (night_market("Europe/Berlin"), BERLIN_LONG, "01:30", (BERLIN_LONG - dt.timedelta(1), "17:00")),
        (expo("Europe/Berlin"), BERLIN_LONG, "19:59", (BERLIN_LONG, "07:00")),
        (expo("Europe/Berlin"), BERLIN_LONG, "20:00", None),
        (expo("Europe/Berlin"), BERLIN_SHORT, "06:59", None),
        (expo("Africa/Cairo"), dt.date(2026, 4, 24), "07:00", (dt.date(2026, 4, 24), "07:00")),
    ],
)
def test_the_wall_and_the_alarms_know_since_when_it_is_open(
    site: Site, date: dt.date, time: str, since: tuple[dt.date, str] | None
) -> None:
    moment = ms(site, date, time)
    place = alarm_place_of(site, TimeRules(SiteClock(), 300_000, 48 * HOUR), partitions=1)
    assert opened_at(site, moment) == (None if since is None else ms(site, *since))
    assert place.is_open(moment - 15 * 60_000) is (
        opened_at(site, moment - 15 * 60_000) is not None and since is not None
    )


def test_gates_grow_quiet_a_quarter_of_an_hour_before_they_close() -> None:
    site = night_market()
    place = alarm_place_of(site, TimeRules(SiteClock(), 300_000, 48 * HOUR), partitions=1)
    after = DAY + dt.timedelta(1)
    assert [place.is_open(ms(site, after, time)) for time in ("00:00", "01:44", "01:45", "02:00", "04:00")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "now", "hour", "quiet"),
    [
        ("Asia/Shanghai", (DAY, "03:59"), 4, (DAY, "04:00")),
        ("Asia/Shanghai", (DAY, "04:00"), 4, (DAY + dt.timedelta(1), "04:00")),
        ("Europe/Berlin", (BERLIN_LONG, "01:00"), 4, (BERLIN_LONG, "04:00")),
        ("Europe/Berlin", (BERLIN_SHORT, "01:00"), 2, (BERLIN_SHORT, "03:00")),  # there is no two o'clock
        ("Africa/Cairo", (dt.date(2026, 4, 23), "23:00"), 0, (dt.date(2026, 4, 24), "01:00")),
        ("Pacific/Apia", (dt.date(2011, 12, 29), "12:00"), 4, (dt.date(2011, 12, 31), "00:00")),
        ("Pacific/Apia", (dt.date(2011, 12, 31), "00:00"), 4, (dt.date(2011, 12, 31), "04:00")),
    ],
)
def test_the_quiet_hour_comes_when_the_clock_shows_it(
    zone: str, now: tuple[dt.date, str], hour: int, quiet: tuple[dt.date, str]
) -> None:
    site = expo(zone)
    assert next_quiet(ms(site, *now), zone, hour) == ms(site, *quiet)
