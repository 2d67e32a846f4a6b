"""The site's days equal those read from its clock minute by minute, in every time zone."""

import datetime as dt
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.calendar import SiteDays

MINUTE = 60_000
ZONES = sorted(available_timezones())
DATES = st.dates(dt.date(2000, 1, 2), dt.date(2099, 12, 30))
STARTS = st.integers(0, 48).map(lambda quarters: 15 * quarters)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@cache
def changes(name: str) -> list[dt.date]:
    """Return the days of 2000 to 2060 on which a zone's clock changes."""
    noons = [dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(number) for number in range(22_000)]
    offsets = [noon.astimezone(ZoneInfo(name)).utcoffset() for noon in noons]
    pairs = zip(noons, offsets, offsets[1:], strict=False)
    return [noon.date() + dt.timedelta(1) for noon, before, after in pairs if before != after]


def read_off(name: str, around: dt.date) -> tuple[range, list[dt.datetime]]:
    """Read the clock once a minute for some days; return the latest time that it has shown until then."""
    zone, noon = ZoneInfo(name), dt.datetime.combine(around, dt.time(12), dt.UTC)
    begin = round((noon - dt.timedelta(days=2, hours=12) - EPOCH).total_seconds() * 1000)
    moments = range(begin, begin + 5 * 1440 * MINUTE, MINUTE)
    shown = (dt.datetime.fromtimestamp(ms / 1000, zone).replace(tzinfo=None, fold=0) for ms in moments)
    return moments, list(accumulate(shown, max))


def ms(zone: str, *local: int, fold: int = 0) -> int:
    """Return a local time in milliseconds."""
    return round(dt.datetime(*local, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)  # type: ignore[misc,arg-type]


@given(st.sampled_from(ZONES), st.data(), STARTS)
def test_a_day_begins_when_the_clock_has_shown_its_start(name: str, data: st.DataObject, starts: int) -> None:
    near_a_change = st.sampled_from(changes(name) or [dt.date(2026, 3, 29)])
    day = data.draw(st.one_of(near_a_change, DATES))
    days = SiteDays(ZoneInfo(name), starts)
    moments, latest = read_off(name, day)
    expected = [(each - dt.timedelta(minutes=starts)).date() for each in latest]
    ts = np.array(moments, np.int64)

    found = [dt.date(1970, 1, 1) + dt.timedelta(number) for number in days.of(ts).tolist()]

    assert found == expected
    assert [days.day(moment) for moment in moments[::97]] == expected[::97]
    for date in {day - dt.timedelta(1), day, day + dt.timedelta(1)}:
        begin, end = days.bounds(date)
        assert begin == next(
            moment for moment, each in zip(moments, expected, strict=True) if each >= date
        )  # to the minute: every zone's clock has changed on full ones since 1973
        assert end == days.begin(date + dt.timedelta(1)) >= begin


@given(st.sampled_from(ZONES), DATES, STARTS, st.integers(0, 2879))
def test_a_time_of_day_is_the_first_moment_that_shows_it_or_a_later_one(
    name: str, day: dt.date, starts: int, minute: int
) -> None:
    moments, latest = read_off(name, day)
    wanted = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minute)

    found = SiteDays(ZoneInfo(name), starts).moment(day, minute)

    assert found == next(moment for moment, each in zip(moments, latest, strict=True) if each >= wanted)


@given(st.sampled_from(ZONES), DATES, STARTS)
def test_each_minute_of_a_day_has_the_time_that_the_clock_shows(name: str, day: dt.date, starts: int) -> None:
    days = SiteDays(ZoneInfo(name), starts)
    begin, end = days.bounds(day)

    clock = days.clock(day)

    assert len(clock) == (end - begin) // MINUTE
    for place in range(0, len(clock), 41):
        local = dt.datetime.fromtimestamp((begin + place * MINUTE) / 1000, days.zone)
        assert (starts + clock[place]) % 1440 == local.hour * 60 + local.minute


@pytest.mark.parametrize(
    ("zone", "starts", "day", "hours", "begins"),
    [
        ("Europe/Berlin", 0, dt.date(2026, 10, 25), 25, (2026, 10, 25, 0)),
        ("Europe/Berlin", 0, dt.date(2027, 3, 28), 23, (2027, 3, 28, 0)),
        ("Europe/Berlin", 240, dt.date(2026, 10, 24), 25, (2026, 10, 24, 4)),
        ("Europe/Berlin", 240, dt.date(2026, 10, 25), 24, (2026, 10, 25, 4)),
        ("Europe/Berlin", 240, dt.date(2027, 3, 27), 23, (2027, 3, 27, 4)),
        ("Australia/Lord_Howe", 0, dt.date(2026, 4, 5), 24.5, (2026, 4, 5, 0)),
        ("Australia/Lord_Howe", 0, dt.date(2026, 10, 4), 23.5, (2026, 10, 4, 0)),
        ("Asia/Kathmandu", 0, dt.date(2026, 10, 25), 24, (2026, 10, 25, 0)),
        ("Asia/Kolkata", 240, dt.date(2026, 10, 25), 24, (2026, 10, 25, 4)),
        ("Africa/Cairo", 0, dt.date(2026, 4, 24), 23, (2026, 4, 24, 1)),  # there is no midnight
        ("Africa/Cairo", 0, dt.date(2026, 10, 29), 25, (2026, 10, 29, 0)),
        ("Asia/Beirut", 0, dt.date(2026, 3, 29), 23, (2026, 3, 29, 1)),
        ("America/Sao_Paulo", 0, dt.date(2018, 11, 4), 23, (2018, 11, 4, 1)),
        ("America/Havana", 0, dt.date(2026, 11, 1), 25, (2026, 11, 1, 0)),  # midnight comes twice: the first
        ("Pacific/Apia", 0, dt.date(2011, 12, 29), 24, (2011, 12, 29, 0)),
        ("Pacific/Apia", 0, dt.date(2011, 12, 30), 0, (2011, 12, 31, 0)),  # a date that the clock skipped
        ("Pacific/Apia", 240, dt.date(2011, 12, 29), 20, (2011, 12, 29, 4)),
    ],
)
def test_days_of_some_places(zone: str, starts: int, day: dt.date, hours: float, begins: tuple[int, ...]) -> None:
    begin, end = SiteDays(ZoneInfo(zone), starts).bounds(day)

    assert (begin, (end - begin) / 3_600_000) == (ms(zone, *begins), hours)


def test_an_hour_that_comes_twice_has_the_same_times_twice() -> None:
    clock = SiteDays(ZoneInfo("Europe/Berlin"), 60).clock(dt.date(2026, 10, 25))

    assert clock[:180].tolist() == [*range(120), *range(60, 120)]  # 01:00 to 03:00, and from 02:00 again


def test_a_start_that_comes_twice_begins_one_day() -> None:
    days = SiteDays(ZoneInfo("Europe/Berlin"), 150)  # 02:30
    twice = [ms("Europe/Berlin", 2026, 10, 25, 2, minute, fold=fold) for fold in (0, 1) for minute in (29, 30)]

    found = days.of(np.array(twice, np.int64)) - days.number(twice[1])

    assert found.tolist() == [-1, 0, 0, 0]
    assert days.moment(dt.date(2027, 3, 28), 150) == ms("Europe/Berlin", 2027, 3, 28, 3)  # skipped: when it is skipped


def test_times_of_many_years_at_once_have_the_days_they_have_alone() -> None:
    days = SiteDays(ZoneInfo("America/New_York"), 240)
    ts = np.array([0, 1_700_000_000_123, 951_782_399_999, 4_102_444_800_000, 951_782_400_000], np.int64)

    assert days.of(ts).tolist() == [days.number(each) for each in ts.tolist()]
