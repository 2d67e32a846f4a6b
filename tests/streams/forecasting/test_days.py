"""Plans and profiles follow the site's clock, even on days of 23 or 25 hours or days that begin at four."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from streams.forecasting.areas import PastDay, learnt, profile_of
from streams.forecasting.queues import DaySoFar, shortfalls
from streams.forecasting.watch import advice_of
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.forecast.forecast import Forecaster
from streams.kernels.forecast.paths import HORIZON, MINUTES, by_clock
from streams.site.model import Opening, Site
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT, MINUTE, ODD_DAYS, expo, night_market, shown
from tests.support.planned_site import site as planned_site

DAYS = [(expo(zone, starts), day) for zone, day, starts in ODD_DAYS] + [
    (night_market("Europe/Berlin"), BERLIN_LONG - dt.timedelta(1)),
    (night_market("Africa/Cairo"), dt.date(2026, 10, 29)),
]
NAMES = [f"{site.time_zone} {day} from {site.day_starts // 60:02}:00" for site, day in DAYS]

LEVELS = (80, 90, 100)


def per_minute(site: Site, gate: str, time: str) -> float:
    """Return how many a profile expects in a minute of the day: of the latest time that has come."""
    minute = int(time[:2]) * 60 + int(time[3:])
    minute += 1440 * (minute < site.day_starts)
    steps = [number for begins, number in site.entrance(gate).plan.expected if begins <= minute]
    return steps[-1] / 60 if steps else 0.0


@pytest.mark.parametrize(("site", "day"), DAYS, ids=NAMES)
def test_the_plan_of_each_minute_is_that_of_the_clock(site: Site, day: dt.date) -> None:
    begin, end = site.days.bounds(day)
    gate = next(each for each in site.entrances if each.plan.expected)
    today = DaySoFar.begun(replace(site, entrances=(gate,)), day, begin, ())
    minutes = (end - begin) // MINUTE
    for minute in [*range(37, minutes - 50, 37), *range(minutes - 50, minutes)]:
        today.extend({}, minute - today.minutes)
        (queue,) = today.queues({})
        assert queue.ahead[0] == pytest.approx(per_minute(site, gate.id, shown(site, begin + minute * MINUTE)))
        assert len(queue.ahead) == 45
    today.extend({}, minutes - today.minutes)
    assert len(today.queues({})) == 1


@pytest.mark.parametrize("day", [BERLIN_LONG - dt.timedelta(7), BERLIN_LONG, BERLIN_SHORT])
def test_at_ten_as_many_are_expected_on_a_day_of_23_or_25_hours_as_on_any(day: dt.date) -> None:
    site = expo("Europe/Berlin")
    begin = site.days.begin(day)
    today = DaySoFar.begun(site, day, begin, ())
    today.extend({}, (site.days.moment(day, 600) - begin) // MINUTE)
    (north,) = [each for each in today.queues({}) if each.entrance.id == "N1"]
    assert north.ahead[0] * 60 == pytest.approx(3230)


def test_people_wait_until_the_clock_shows_that_it_opens() -> None:
    """The clock goes back at three; who comes at six waits an hour and not two."""
    site = expo("Europe/Berlin")
    waited = {}
    for day in (BERLIN_LONG - dt.timedelta(7), BERLIN_LONG, BERLIN_SHORT):
        today = DaySoFar.begun(site, day, site.days.begin(day), ())
        opens = site.opening.on(day)
        assert opens is not None
        today.extend({}, (site.days.moment(day, opens[0] + 30) - today.begin) // MINUTE)
        waited[day] = [each.usual.waiting for each in today.queues({})]
    assert len({str(each) for each in waited.values()}) == 1


def test_what_is_short_before_opening_is_the_same_on_any_day() -> None:
    site = expo("Europe/Berlin")
    usual, long, short = (shortfalls(site, day) for day in (BERLIN_LONG - dt.timedelta(7), BERLIN_LONG, BERLIN_SHORT))
    assert usual == long == short


def test_a_real_day_is_laid_out_by_the_clock() -> None:
    berlin = SiteDays(expo("Europe/Berlin").days.zone)
    long, short = berlin.clock(BERLIN_LONG), berlin.clock(BERLIN_SHORT)
    assert (len(long), len(short)) == (1500, 1380)

    by_long = by_clock(np.arange(1500.0), long)
    assert by_long[119] == 119
    assert by_long[120] == (120 + 180) / 2  # two o'clock came twice
    assert by_long[180] == 240

    by_short = by_clock(np.arange(1380.0), short)
    assert by_short[[119, 120, 150, 180]] == pytest.approx([119, 119 + 1 / 61, 119 + 31 / 61, 120])
    assert by_short[-1] == 1379


def usual(site: Site, day: dt.date) -> PastDay:
    """Return a day on which ten a minute come from nine to eleven by the clock, and go from four on."""
    clock = site.days.clock(day)
    entered = np.where((clock >= 540) & (clock < 660), 10.0, 0.0)
    departed = np.where((clock >= 960) & (clock < 1080), 10.0, 0.0)
    return PastDay(site.days.begin(day), (entered, departed, np.cumsum(entered - departed)), clock)


@pytest.mark.parametrize("past", [BERLIN_LONG - dt.timedelta(1), BERLIN_LONG, BERLIN_SHORT])
@pytest.mark.parametrize("day", [BERLIN_LONG - dt.timedelta(1), BERLIN_LONG, BERLIN_SHORT])
def test_a_forecast_follows_the_clock_whatever_day_it_has_learnt_from(past: dt.date, day: dt.date) -> None:
    """Before the doors open at nine, it knows that people come at nine, as on the past day."""
    site = expo("Europe/Berlin")
    forecaster = learnt(2000, LEVELS, [usual(site, past)])
    today = usual(site, day)
    fresh = Forecaster(
        2000, LEVELS, midnight=today.begin // MINUTE, profile=profile_of([usual(site, past)]), clock=today.clock
    )
    at = (site.days.moment(day, 520) - today.begin) // MINUTE
    forecast = fresh.observe(today.begin // MINUTE + at, entered=0, departed=0, inside=0)

    assert forecast.inside[10] < 1
    assert 40 < forecast.inside[29] < 110
    assert forecaster.minute == usual(site, past).begin // MINUTE + len(usual(site, past).clock) - 1


def test_the_last_hour_of_a_long_day_has_forecasts() -> None:
    site = expo("Europe/Berlin")
    today = usual(site, BERLIN_LONG)
    state = Forecaster(
        2000, LEVELS, midnight=today.begin // MINUTE, profile=profile_of([usual(site, BERLIN_SHORT)]), clock=today.clock
    )
    for minute in range(len(today.clock)):
        forecast = state.observe(today.begin // MINUTE + minute, entered=0, departed=0, inside=5)
    assert len(today.clock) == MINUTES + 60
    assert forecast.inside == pytest.approx([5.0] * HORIZON)


def test_an_advice_of_the_second_two_o_clock_is_not_that_of_the_first() -> None:
    here = planned_site('open_lanes = 1\nexpected = { "02:00" = 7200, "04:00" = 0 }\n')
    open_all_day = replace(here, time_zone="Europe/Berlin", opening=Opening(((0, 1440),) * 7))
    today = DaySoFar.begun(open_all_day, BERLIN_LONG, open_all_day.days.begin(BERLIN_LONG), ())
    names = []
    for minute in (150, 210):  # half past two, and again
        today.extend({("N3", "in"): np.full(minute - today.minutes, 11.0)}, minute - today.minutes)
        block = advice_of(today.queues({"N3": 1}), (), today.begin + minute * MINUTE, open_all_day.days.zone)
        names += list(block.columns["advice"])
    assert names == ["N3-202610250230", "N3-202610250230-2"]
