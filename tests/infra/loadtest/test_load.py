"""Every event of a load is due at the time that its shape gives it, and is one of the scenario's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.loadtest.load import Curve, Load, NothingToSendError, Phase, Rates, burst, steady
from simulators.scenario.day import Day
from simulators.scenario.registry import find_scenario
from streams.site.reader import load_site

EXPO = load_site("expo")
LOADS = st.builds(
    Rates,
    st.lists(st.builds(Phase, st.floats(0.5, 5_000), st.floats(0.1, 5)), min_size=1, max_size=4).map(tuple),
)


def day_of(load: Load, name: str = "expo") -> Day:
    return load.make_day(find_scenario(name), load_site(name), seed=1, epoch=7)


@given(LOADS)
def test_every_event_is_due_in_order_and_within_the_time(load: Rates) -> None:
    due = load.due()
    assert len(due) == load.events
    assert (np.diff(due) >= 0).all()
    assert ((due >= 0) & (due < load.seconds * 1000)).all()


@given(LOADS)
def test_each_phase_has_its_own_events_evenly_spread(load: Rates) -> None:
    due, begin = load.due(), 0.0
    for phase in load.phases:
        within = due[: phase.events]
        due = due[phase.events :]
        expected = begin * 1000 + np.arange(phase.events) * phase.seconds * 1000 / max(phase.events, 1)
        np.testing.assert_allclose(within, expected, atol=1e-6)
        begin += phase.seconds


def test_a_steady_load_of_four_a_second_is_due_every_quarter_of_a_second() -> None:
    assert steady(4, 2).due().tolist() == [0, 250, 500, 750, 1000, 1250, 1500, 1750]


def test_a_burst_is_five_times_as_much_for_a_fifth_of_the_time() -> None:
    # |--- usual 40 % ---|=== five times, 20 % ===|--- usual 40 % ---|
    load = burst(100, 10)
    counts = np.bincount((load.due() // 1000).astype(int))
    assert counts.tolist() == [100, 100, 100, 100, 500, 500, 100, 100, 100, 100]
    assert load.peak == 500


def test_a_load_has_as_many_events_as_its_shape_at_the_times_of_the_shape() -> None:
    load = burst(100, 10)
    day = day_of(load)
    assert len(day) == 1_800
    assert day.true_ts.tolist() == load.due().astype(int).tolist()
    assert load.seconds == 10


@pytest.mark.parametrize(
    ("load", "name"), [(steady(2_000, 12), "expo"), (steady(50, 4), "expo"), (Curve(20, 60, "14:00", 1_000), "hall")]
)
def test_every_device_counts_from_one_without_a_hole(load: Load, name: str) -> None:
    day = day_of(load, name)
    assert len(day) > 100
    assert_counted_from_one(day)


def test_a_load_that_is_larger_than_its_day_goes_on_with_the_same_people() -> None:
    day = day_of(steady(4_000, 10), "hall")
    assert len(day) == 40_000
    assert len(np.unique(day.device * 10**9 + day.seq)) == 40_000
    assert_counted_from_one(day)


def assert_counted_from_one(day: Day) -> None:
    for device in np.unique(day.device):
        seq = day.seq[day.device == device]
        assert seq.tolist() == list(range(1, len(seq) + 1))


def test_the_scenarios_own_curve_ten_times_has_ten_times_the_events_of_the_same_seconds() -> None:
    once = day_of(Curve(1, 600, "14:00", 100), "hall")
    tenfold = day_of(Curve(10, 60, "14:00", 1_000), "hall")
    assert len(tenfold) == len(once) > 50
    assert tenfold.true_ts.max() < 60_000 <= once.true_ts.max() < 600_000
    np.testing.assert_array_equal(tenfold.true_ts, once.true_ts // 10)


def test_a_time_without_events_is_refused_with_what_to_do() -> None:
    with pytest.raises(NothingToSendError, match="from 00:00 on, 1 s of the scenario have no event; give a larger"):
        day_of(Curve(1, 1, "00:00", 100), "hall")
