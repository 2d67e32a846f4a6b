"""For every scenario: its site exists, and its day is physically possible on any date."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.scenario.day import DENIED, IN, PASSED, Day
from simulators.scenario.hall import HALL, NotAHallError
from simulators.scenario.registry import SCENARIOS, UnknownScenarioError, find_scenario
from simulators.scenario.scenario import Scenario
from streams.site.model import Opening, Site
from streams.site.reader import load_site
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT
from tests.support.small_day import SMALL_EXPO

SITES = {scenario.name: load_site(scenario.profile) for scenario in SCENARIOS}
QUICK = (SMALL_EXPO, HALL)


def test_a_name_that_is_not_known_is_refused_with_the_list() -> None:
    with pytest.raises(UnknownScenarioError, match="'circus' is not known; expected one of expo, hall"):
        find_scenario("circus")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_scenario_is_found_by_its_name_and_its_profile_is_that_of_its_site(scenario: Scenario) -> None:
    assert find_scenario(scenario.name) is scenario
    assert SITES[scenario.name].id == scenario.profile


@given(
    scenario=st.sampled_from(QUICK),
    seed=st.integers(0, 2**31),
    date=st.dates(dt.date(2019, 1, 1), dt.date(2030, 12, 31)),
    share=st.floats(0.001, 1.0),
)
@example(SMALL_EXPO, 3830584, dt.date(2027, 4, 30), 0.004)  # a dozen visitors, nobody in the morning
@example(HALL, 1, BERLIN_LONG, 1.0)
@example(HALL, 1, BERLIN_SHORT, 1.0)
@example(HALL, 1, dt.date(2028, 2, 29), 1.0)
@example(HALL, 1, dt.date(2026, 12, 31), 1.0)
@settings(max_examples=25)
def test_a_day_could_have_happened(scenario: Scenario, seed: int, date: dt.date, share: float) -> None:
    site = SITES[scenario.name]
    day = scenario.make_day(site, date=date, seed=seed, share=share)
    everything_lies_within_the_day(day, date)
    everybody_who_comes_goes_and_nobody_else(day)
    every_device_counts_from_one_and_takes_one_at_a_time(day)
    entrance_of = day.names.entrance_of
    assert (entrance_of[day.device] == day.entrance).all()
    assert ((day.texts()["reason"] != "") == (day.outcome == DENIED)).all()
    persons = day.category < len(site.categories)
    assert (persons == (day.kind == 0)).all()


def everything_lies_within_the_day(day: Day, date: dt.date) -> None:
    begins, ends = day.names.site.days.bounds(date)
    assert len(day) > 0
    assert begins <= day.true_ts[0]
    assert day.true_ts[-1] < ends
    assert (np.diff(day.true_ts) >= 0).all()
    assert (day.ts == day.true_ts).all()


def everybody_who_comes_goes_and_nobody_else(day: Day) -> None:
    site = day.names.site
    for area in site.areas:
        for name in ("person", "vehicle"):
            inner = np.array([each.inner == area.id and each.kind == name for each in site.entrances])[day.entrance]
            outer = np.array([each.outer == area.id and each.kind == name for each in site.entrances])[day.entrance]
            moves = np.where(day.direction == IN, 1, -1) * (day.outcome == PASSED)
            inside = np.cumsum(moves * (inner.astype(int) - outer.astype(int)))
            assert inside.min() >= 0
            assert inside[-1] == 0


def every_device_counts_from_one_and_takes_one_at_a_time(day: Day) -> None:
    order = np.lexsort((day.true_ts, day.device))
    device, seq, ts = day.device[order], day.seq[order], day.true_ts[order]
    same = np.diff(device) == 0
    assert (np.diff(seq)[same] == 1).all()
    assert (seq[np.flatnonzero(np.diff(device, prepend=-1))] == 1).all()
    assert (np.diff(ts)[same] > 0).all()


# -- the hall ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hall_day() -> Day:
    """Make the hall's day."""
    return HALL.make_day(SITES["hall"], date=HALL.date, seed=1)


def people_inside(day: Day) -> int:
    """Return the most people that were inside at once."""
    moves = np.where(day.direction == IN, 1, -1) * (day.outcome == PASSED) * (day.kind == 0)
    return int(np.cumsum(moves).max())


def test_the_hall_is_as_busy_as_it_says(hall_day: Day) -> None:
    assert len(hall_day) == pytest.approx(HALL.events, rel=0.02)
    _, minutes = np.unique(hall_day.true_ts // 60_000, return_counts=True)
    assert 0.4 < minutes.max() / 60 <= HALL.peak


def test_the_hall_gets_fuller_than_its_first_level_and_never_too_full(hall_day: Day) -> None:
    capacity = SITES["hall"].area("hall").capacity["person"]
    assert 0.8 * capacity < people_inside(hall_day) < capacity


def test_the_halls_cleaners_pass_in_both_hours_that_are_shown_twice() -> None:
    site = SITES["hall"]
    first = site.days.moment(BERLIN_LONG, 2 * 60)
    hours = [(first, first + 3_600_000), (first + 3_600_000, first + 7_200_000)]
    ts = HALL.make_day(site, date=BERLIN_LONG, seed=1).true_ts
    assert all(((begin <= ts) & (ts < end)).sum() > 5 for begin, end in hours)


def test_on_a_day_on_which_the_hall_stays_closed_only_cleaners_come() -> None:
    site = replace(SITES["hall"], opening=Opening((None,) * 7))
    day = HALL.make_day(site, date=HALL.date, seed=1)
    assert set(day.names.categories[day.category].tolist()) == {"staff"}


def fewer_entrances(site: Site) -> Site:
    return replace(site, entrances=tuple(each for each in site.entrances if each.kind == "person"))


@pytest.mark.parametrize("site", [SITES["expo"], fewer_entrances(SITES["hall"])], ids=["expo", "no car park"])
def test_a_site_that_is_no_hall_is_refused_with_what_is_expected(site: Site) -> None:
    with pytest.raises(NotAHallError, match="expected .* entrances that all lead from outside into one area"):
        HALL.make_day(site, date=HALL.date)
