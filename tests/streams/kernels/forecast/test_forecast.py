"""Forecasts depend on the observed minutes alone; levels, intervals and errors are right."""

from collections.abc import Iterable

import numpy as np
import pytest

from streams.kernels.forecast.calibration import LEADS, MISSES, USUAL, Calibration, Due
from streams.kernels.forecast.forecast import Crossing, Forecast, Forecaster, TimeRunsBackwardsError
from streams.kernels.forecast.paths import HORIZON, MINUTES, FlowSums, Profile, ProfileError, by_flows, by_profile

LEVELS = (80, 90, 100)
MIDNIGHT = 26_000_000 // MINUTES * MINUTES


def usual_day(scale: float = 1.0) -> tuple[list[float], list[float], list[float]]:
    """40 enter each minute from 8:00 to 12:00, 40 depart from 16:00 to 20:00."""
    entered = [40 * scale if 480 <= minute < 720 else 0.0 for minute in range(MINUTES)]
    departed = [40 * scale if 960 <= minute < 1200 else 0.0 for minute in range(MINUTES)]
    return entered, departed, np.cumsum(np.array(entered) - departed).tolist()


def flows(minutes: Iterable[int], *, entered: int, departed: int = 0, inside: int = 0) -> Iterable[tuple[int, ...]]:
    for minute in minutes:
        inside += entered - departed
        yield minute, entered, departed, inside


def observe(state: Forecaster, passages: Iterable[tuple[int, ...]]) -> Forecast:
    for minute, entered, departed, inside in passages:
        forecast = state.observe(minute, entered=entered, departed=departed, inside=inside)
    return forecast


def test_even_arrivals_reach_a_level_when_arithmetic_says() -> None:
    forecast = observe(Forecaster(1_000, LEVELS, midnight=0), flows(range(60), entered=10))
    eighty, ninety, full = forecast.crossings
    assert (forecast.method, eighty.persons, ninety.persons, full.persons) == ("flows", 800, 900, 1000)
    assert eighty.minutes == pytest.approx(20, abs=2)  # 600 inside, 10 a minute
    assert full.minutes == pytest.approx(40, abs=5)


def test_what_is_not_reached_within_the_horizon_is_said_not_to_be() -> None:
    forecast = observe(Forecaster(100_000, LEVELS, midnight=0), flows(range(60), entered=10))
    assert all(each == Crossing(each.level, each.persons, None, None, None) for each in forecast.crossings)


def test_a_level_that_is_reached_is_zero_minutes_away() -> None:
    forecast = observe(Forecaster(1_000, LEVELS, midnight=0), flows(range(60), entered=15))  # 900 inside
    assert [each.minutes for each in forecast.crossings[:2]] == [0, 0]
    assert forecast.crossings[2].minutes is not None


def test_the_interval_lies_around_the_forecast_and_gets_wider() -> None:
    forecast = observe(Forecaster(5_000, LEVELS, midnight=0), flows(range(60), entered=10))
    lower, inside, upper = map(np.array, (forecast.lower, forecast.inside, forecast.upper))
    assert len(inside) == HORIZON
    assert (lower < inside).all()
    assert (inside < upper).all()
    assert (np.diff(upper - lower) > 0).all()


def test_the_interval_says_when_a_level_is_reached_at_the_earliest_and_at_the_latest() -> None:
    forecast = observe(Forecaster(1_000, LEVELS, midnight=0), flows(range(60), entered=10))
    eighty = forecast.crossings[0]
    assert eighty.earliest is not None
    assert eighty.minutes is not None
    assert eighty.latest is not None
    assert eighty.earliest < eighty.minutes < eighty.latest
    assert forecast.upper[eighty.earliest - 2] < 800 <= forecast.upper[eighty.earliest - 1]
    assert forecast.lower[eighty.latest - 2] < 800 <= forecast.lower[eighty.latest - 1]


def test_a_profile_knows_that_arrivals_end_at_noon() -> None:
    profile = Profile.of_days([usual_day()])
    morning = list(flows(range(480, 700), entered=40))  # until 11:40: 8,800 inside, 10,400 by the flows at 12:20
    with_profile = observe(Forecaster(10_000, LEVELS, midnight=0, profile=profile), morning)
    without = observe(Forecaster(10_000, LEVELS, midnight=0), morning)
    assert with_profile.method == "profile"
    assert without.crossings[2].minutes is not None
    assert with_profile.crossings[2].minutes is None
    assert with_profile.inside[59] == pytest.approx(9_600, rel=0.02)


def test_a_day_with_half_as_many_again_is_scaled() -> None:
    profile = Profile.of_days([usual_day()])
    forecast = observe(Forecaster(20_000, LEVELS, midnight=0, profile=profile), flows(range(480, 600), entered=60))
    assert forecast.inside[119] == pytest.approx(240 * 60, rel=0.02)


def test_a_profile_counts_from_midnight_of_its_day() -> None:
    profile = Profile.of_days([usual_day()])
    late = observe(
        Forecaster(20_000, LEVELS, midnight=MIDNIGHT, profile=profile),
        flows(range(MIDNIGHT + 480, MIDNIGHT + 700), entered=40),
    )
    early = observe(Forecaster(20_000, LEVELS, midnight=0, profile=profile), flows(range(480, 700), entered=40))
    assert late.inside == early.inside


def test_behind_the_last_minute_of_a_profile_its_last_minute_goes_on() -> None:
    path = by_profile(100.0, FlowSums(), Profile.of_days([usual_day()]), MINUTES - 1)
    assert path.inside.tolist() == [100.0] * HORIZON


def test_drift_below_zero_is_shown_and_nobody_departs_from_it() -> None:
    path = by_flows(-50.0, FlowSums().after(1, entered=0, departed=9, inside=-50, usual=(0, 0)))
    assert (path.inside <= 0).all()
    assert path.inside[0] >= -50


def test_nobody_expects_fewer_than_nobody_inside() -> None:
    emptying = [(minute, 0, 10, 1_000 - 10 * minute) for minute in range(95)]
    assert min(observe(Forecaster(1_000, LEVELS, midnight=0), emptying).lower) == 0.0


def test_errors_of_the_day_are_those_of_forecasts_that_fell_due() -> None:
    state = Forecaster(5_000, LEVELS, midnight=0)
    measured = observe(state, flows(range(40), entered=20)).measured
    assert measured.checked[LEADS.index(45)] == 0
    assert measured.error[LEADS.index(45)] is None
    at = LEADS.index(10)
    assert measured.checked[at] == 30  # the first due in minute 10, the last in 39
    assert measured.error[at] is not None
    assert measured.covered[at] == 1.0


def test_minutes_that_nobody_saw_are_not_judged() -> None:
    state = Forecaster(5_000, LEVELS, midnight=0)
    observe(state, flows(range(30), entered=20))
    before = state.measured().checked[LEADS.index(20)]
    state.observe(90, entered=20, departed=0, inside=1_800)
    assert state.measured().checked[LEADS.index(20)] == before


def test_minutes_in_the_wrong_order_are_refused() -> None:
    state = Forecaster(5_000, LEVELS, midnight=0)
    state.observe(7, entered=1, departed=0, inside=1)
    with pytest.raises(TimeRunsBackwardsError, match="minute: 7 comes after 7"):
        state.observe(7, entered=1, departed=0, inside=2)


def test_the_next_day_keeps_what_intervals_learnt_and_begins_its_errors_anew() -> None:
    state = Forecaster(5_000, LEVELS, midnight=0)
    observe(state, flows(range(60), entered=20))
    learnt = state.calibration.above.copy()
    state.begin_day(MINUTES, None)
    assert state.measured().checked == (0,) * len(LEADS)
    np.testing.assert_array_equal(state.calibration.above, learnt)
    state.begin_day(2 * MINUTES, Profile.of_days([usual_day()]))
    assert state.calibration.above.tolist() == list(USUAL["profile"][1])


def test_a_miss_widens_its_side_and_twenty_hits_narrow_it_as_much() -> None:
    calibration = Calibration("profile")
    begun = calibration.above[0]
    said = Due([100.0] * 9, [50.0] * 9, [150.0] * 9, [200.0] * 9)
    calibration.check(0, said, 151)
    assert calibration.above[0] > begun
    assert calibration.below[0] < USUAL["profile"][0][0]
    for _ in range(round((1 - MISSES) / MISSES)):
        calibration.check(0, said, 149)
    assert calibration.above[0] == pytest.approx(begun)
    assert (calibration.checked[0], calibration.covered[0]) == (20, 19)


def test_where_nobody_was_to_move_nothing_is_learnt() -> None:
    calibration = Calibration("profile")
    calibration.check(0, Due([0.0] * 9, [-1.0] * 9, [1.0] * 9, [5.0] * 9), 900)
    assert calibration.checked[0] == 0


@pytest.mark.parametrize("day", [([0.0], [0.0], [0.0]), ([-1.0] * MINUTES,) * 3, ([float("nan")] * MINUTES,) * 3])
def test_a_day_that_is_not_whole_makes_no_profile(day: tuple[list[float], ...]) -> None:
    with pytest.raises(ProfileError, match="entered: shape .* expected 1440 values"):
        Profile.of_days([(day[0], day[1], day[2])])
