"""The made-up expo day has the documented figures, and nobody does what is impossible."""

import datetime as dt
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from simulators.scenario.day import (
    COLUMNS,
    DENIED,
    GRANTED,
    HEALTH,
    IN,
    OUT,
    PASSED,
    PERSON,
    REASONS,
    VEHICLE,
    Day,
    Ints,
)
from simulators.scenario.expo.expo import EXPO, PEAK_DAY, expo_day
from simulators.scenario.expo.people import NotAnExpoError, TooFewToReturnError
from simulators.scenario.expo.spec import ExpoSpec, PeopleSpec
from streams.site.model import OUTSIDE, Site
from tests.support.small_day import SMALL, coded, expo, small_day

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def day() -> Day:
    return expo_day(expo(), seed=3)


def boundary(day: Day, kind: int, direction: int) -> npt.NDArray[np.bool_]:
    """Mark the passages over the boundary of the site."""
    outer = np.array([each.boundary for each in day.names.site.entrances])
    passed = (day.kind == kind) & (day.direction == direction) & (day.outcome == PASSED)
    marked: npt.NDArray[np.bool_] = passed & outer[day.entrance]
    return marked


def local_hour(day: Day) -> Ints:
    """Shanghai is eight hours ahead of UTC all year."""
    return (day.true_ts // HOUR_MS + 8) % 24


def flows(day: Day, area: str) -> Ints:
    """Return +1 for every event that brings somebody into `area`, -1 for out of it."""
    inner = np.array([each.inner == area for each in day.names.site.entrances])[day.entrance]
    outer = np.array([each.outer == area for each in day.names.site.entrances])[day.entrance]
    inward = np.where(day.direction == IN, 1, -1)
    change: Ints = (inner.astype(int) - outer.astype(int)) * inward * (day.outcome == PASSED)
    return change


def test_exactly_227_000_persons_pass_in_and_all_of_them_leave(day: Day) -> None:
    assert boundary(day, PERSON, IN).sum() == 227_000
    assert boundary(day, PERSON, OUT).sum() == 227_000


def test_the_expo_is_as_busy_as_it_says(day: Day) -> None:
    assert len(day) == pytest.approx(EXPO.events, rel=0.02)
    _, minutes = np.unique(day.true_ts // 60_000, return_counts=True)
    assert minutes.max() / 60 == pytest.approx(EXPO.peak, rel=0.1)


def test_entries_peak_between_10_and_11_and_between_14_and_15(day: Day) -> None:
    entries = np.bincount(local_hour(day)[boundary(day, PERSON, IN)], minlength=24)
    assert sorted(np.argsort(entries)[-2:]) == [10, 14]
    assert entries[[10, 14]].sum() / 227_000 == pytest.approx(0.57, abs=0.03)  # about 19 a second in these hours
    assert entries[7:9].sum() > 5_000  # those who work there come before the public
    assert entries[:5].sum() == entries[20:].sum() == 0


def test_a_visitor_is_scanned_about_seven_times(day: Day) -> None:
    passed = ((day.kind == PERSON) & (day.outcome == PASSED)).sum()
    assert passed / 227_000 == pytest.approx(7.0, abs=0.05)
    assert 1_500_000 < len(day) < 1_700_000


def test_some_come_back_so_there_are_fewer_persons_than_entries(day: Day) -> None:
    entries = boundary(day, PERSON, IN)
    known = coded(day, "credential").codes[entries & (coded(day, "credential").codes >= 0)]
    assert np.unique(known).size == pytest.approx(200_000, abs=300)
    assert 100 < (coded(day, "credential").codes[entries] < 0).sum() < 400


@pytest.mark.parametrize("kind", [PERSON, VEHICLE])
def test_nobody_leaves_an_area_without_having_entered_it(day: Day, kind: int) -> None:
    moves = (day.outcome == PASSED) & (day.kind == kind) & (coded(day, "credential").codes >= 0)
    # Who was let in by hand once cannot be followed: leave these out.
    unread = np.isin(day.entrance, np.flatnonzero([each.boundary for each in day.names.site.entrances])) & (
        coded(day, "credential").codes < 0
    )
    assert unread.sum() < 500
    places = {OUTSIDE: -1} | {area.id: number for number, area in enumerate(day.names.site.areas)}
    outer = np.array([places[each.outer] for each in day.names.site.entrances])[day.entrance]
    inner = np.array([places[each.inner] for each in day.names.site.entrances])[day.entrance]
    origin, goal = np.where(day.direction == IN, outer, inner), np.where(day.direction == IN, inner, outer)
    rows = np.flatnonzero(moves)
    rows = rows[np.lexsort((day.true_ts[rows], coded(day, "credential").codes[rows]))]
    same = coded(day, "credential").codes[rows][1:] == coded(day, "credential").codes[rows][:-1]
    walked_on = origin[rows][1:] == goal[rows][:-1]
    # A step that does not begin where the last one ended can only follow an entry whose card was not read.
    assert (same & ~walked_on).sum() <= unread.sum()
    assert (day.true_ts[rows][1:] - day.true_ts[rows][:-1])[same].min() >= 20_000


def test_no_area_ever_holds_less_than_nobody_or_more_than_it_may(day: Day) -> None:
    for area in day.names.site.areas:
        inside = np.cumsum(flows(day, area.id))
        assert inside.min() >= 0
        assert inside.max() <= next(iter(area.capacity.values()))
        assert inside[-1] == 0
    halls = [np.cumsum(flows(day, f"hall{number}")).max() for number in range(1, 9)]
    assert max(halls) > 8_000  # the wall has something to show: a hall beyond its comfort


def test_sequence_numbers_of_a_device_grow_by_one_in_the_order_of_time(day: Day) -> None:
    order = np.lexsort((day.true_ts, day.device))
    device, seq, ts = day.device[order], day.seq[order], day.true_ts[order]
    same = device[1:] == device[:-1]
    assert (seq[1:][same] == seq[:-1][same] + 1).all()
    assert (seq[np.flatnonzero(np.diff(device, prepend=-1))] == 1).all()
    assert (ts[1:] - ts[:-1])[same].min() >= 2_200  # a lane takes one person at a time
    assert np.unique(device).size == len(day.names.devices)


def test_rows_are_in_the_order_of_time(day: Day) -> None:
    assert (np.diff(day.true_ts) >= 0).all()
    assert (day.ts == day.true_ts).all()


def test_categories_have_plausible_shares_and_staff_comes_first(day: Day) -> None:
    entries = boundary(day, PERSON, IN)
    share = {
        name: (day.category[entries] == code).mean()
        for code, name in enumerate(day.names.categories)
        if code < len(day.names.site.categories)
    }
    assert sum(share.values()) == pytest.approx(1)
    assert 0.5 < share["visitor"] < 0.75
    assert all(value > 0.01 for value in share.values())
    early = day.category[entries & (local_hour(day) < 8)]
    names = Counter(day.names.categories[early].tolist())
    assert "visitor" not in names
    assert names["staff"] + names["security"] > 0.3 * early.size


def test_refusals_have_reasons_and_only_refusals_have(day: Day) -> None:
    denied = day.outcome == DENIED
    assert ((coded(day, "reason").codes > 0) == denied).all()
    assert set(coded(day, "reason").texts()) == set(REASONS)
    assert 0.001 < denied.mean() < 0.01
    assert 0.001 < (day.outcome == GRANTED).mean() < 0.01


def test_temperature_and_health_are_checked_on_the_way_in_from_outside_only(day: Day) -> None:
    gate = np.array([each.boundary and each.kind == "person" for each in day.names.site.entrances])[day.entrance]
    checked = gate & (day.direction == IN)
    temperature = day.texts()["temperature"]
    assert (np.isfinite(temperature) == checked).all()
    assert ((coded(day, "health").codes > 0) == checked).all()
    passed = checked & (day.outcome == PASSED)
    assert temperature[passed].max() <= 37.3
    assert np.median(temperature[passed]) == pytest.approx(36.4, abs=0.05)
    ill = coded(day, "reason").codes == REASONS.index("health-abnormal")
    assert (coded(day, "health").codes[ill] == HEALTH.index("abnormal")).all()
    assert (temperature[ill] > 37.3).mean() > 0.3
    assert not (passed & (coded(day, "health").codes == HEALTH.index("abnormal"))).any()


def test_vehicles_of_every_class_come_and_go(day: Day) -> None:
    assert boundary(day, VEHICLE, IN).sum() == boundary(day, VEHICLE, OUT).sum() == 8_900
    classes = {each.id for each in day.names.site.vehicle_classes}
    assert set(day.names.categories[day.category[day.kind == VEHICLE]].tolist()) == classes


def test_pseudonyms_hide_the_number_and_change_with_the_day() -> None:
    today, tomorrow = (
        np.asarray(coded(small_day(), "credential").words),
        coded(expo_day(expo(), seed=1, spec=SMALL, date=PEAK_DAY + dt.timedelta(days=1)), "credential").words,
    )
    assert all(len(word) == 32 and set(word) <= set("0123456789abcdef") for word in today[:100])
    assert np.unique(today.astype(str)).size == len(today)
    assert not set(today.tolist()) & set(tomorrow)


def test_the_same_seed_gives_the_same_day_in_every_process() -> None:
    """Generators that make the same day up, and keep a share each, run with sets in different orders."""
    say = """
from hashlib import sha256
from simulators.scenario.lines import make_lines
from tests.support.small_day import small_day
print(sha256(b",".join(make_lines(small_day()))).hexdigest())
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", say], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != b""


def test_the_same_seed_gives_the_same_day_and_another_seed_another_one() -> None:
    again = expo_day(expo(), seed=1, spec=SMALL, epoch=9)
    other = expo_day(expo(), seed=2, spec=SMALL, epoch=9)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(again, column), getattr(small_day(), column))
    for name, values in again.texts().items():
        np.testing.assert_array_equal(values, small_day().texts()[name])
    assert not np.array_equal(other.true_ts, small_day().true_ts)


def test_a_site_that_is_no_expo_is_refused() -> None:
    gates = [each for each in expo().entrances if each.kind == "person"]
    two_ways_in = replace(gates[0], inner="hall1")
    site: Site = replace(expo(), entrances=(two_ways_in, *expo().entrances[1:]))
    with pytest.raises(NotAnExpoError, match="expected one concourse"):
        expo_day(site, spec=SMALL)


def test_more_cannot_return_than_have_come() -> None:
    spec = ExpoSpec(PeopleSpec(entries=1_000, returning=900))
    with pytest.raises(TooFewToReturnError, match="returning: 900"):
        expo_day(expo(), spec=spec)
