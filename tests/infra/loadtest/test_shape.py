"""Every event of a load is due at the time that its shape gives it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.loadtest import shape
from infra.loadtest.shape import Phase

PHASES = st.lists(st.builds(Phase, st.floats(0.5, 5_000), st.floats(0.1, 5)), min_size=1, max_size=4)


@given(PHASES)
def test_every_event_is_due_in_order_and_within_the_time(phases: list[Phase]) -> None:
    due = shape.due(phases)
    assert len(due) == shape.events(phases)
    assert (np.diff(due) >= 0).all()
    assert ((due >= 0) & (due < shape.seconds(phases) * 1000)).all()


@given(PHASES)
def test_each_phase_has_its_own_events_evenly_spread(phases: list[Phase]) -> None:
    due, begin = shape.due(phases), 0.0
    for phase in phases:
        within = due[: phase.events]
        due = due[phase.events :]
        expected = begin * 1000 + np.arange(phase.events) * phase.seconds * 1000 / max(phase.events, 1)
        np.testing.assert_allclose(within, expected, atol=1e-6)
        begin += phase.seconds


def test_a_steady_load_of_four_a_second_is_due_every_quarter_of_a_second() -> None:
    assert shape.due(shape.steady(4, 2)).tolist() == [0, 250, 500, 750, 1000, 1250, 1500, 1750]


def test_a_burst_is_five_times_as_much_for_a_fifth_of_the_time() -> None:
    # |--- usual 40 % ---|=== five times, 20 % ===|--- usual 40 % ---|
    due = shape.due(shape.burst(100, 10))
    counts = np.bincount((due // 1000).astype(int))
    assert counts.tolist() == [100, 100, 100, 100, 500, 500, 100, 100, 100, 100]
    assert shape.highest(shape.burst(100, 10)) == 500
