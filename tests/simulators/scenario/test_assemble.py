"""A lane takes one at a time, in the order of arrival; nobody is in two places at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.scenario.assemble import LanesOverloadedError, in_turn, wait_in_line

ARRIVALS = st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 2)), min_size=1, max_size=60)


def test_who_comes_while_a_lane_is_busy_waits() -> None:
    #  lane 0: arrive at 0, 1, 10 s, three seconds each
    arrival = np.array([0, 1_000, 10_000])
    happens = wait_in_line(arrival, np.zeros(3, np.int64), np.full(3, 3_000))
    assert happens.tolist() == [0, 3_000, 10_000]


@settings(deadline=None)
@given(ARRIVALS)
def test_lanes_keep_the_order_and_their_pace(events: list[tuple[int, int]]) -> None:
    arrival, device = (np.array(column, np.int64) for column in zip(*events, strict=True))
    happens = wait_in_line(arrival, device, np.full(len(arrival), 2_000))
    assert (happens >= arrival).all()
    for lane in range(3):
        rows = np.flatnonzero(device == lane)
        rows = rows[np.argsort(arrival[rows], kind="stable")]
        assert (np.diff(happens[rows]) >= 2_000).all()


def test_who_is_held_up_at_one_lane_comes_later_to_the_next() -> None:
    # Persons 0 to 4 arrive at lane 0 together; each wants to be at lane 1 ten seconds later.
    arrival = np.array([0] * 5 + [10_000] * 5)
    who = np.tile(np.arange(5), 2)
    device = np.repeat([0, 1], 5)
    happens = in_turn(arrival, who=who, device=device, service=np.full(10, 4_000), least_gap=5_000)
    assert (happens[5:] - happens[:5] >= 5_000).all()
    assert (np.diff(np.sort(happens[5:])) >= 4_000).all()


def test_lanes_that_never_keep_up_are_told() -> None:
    arrival = np.zeros(40, np.int64) + np.arange(40) % 2
    with pytest.raises(LanesOverloadedError, match="expected lanes that keep up"):
        in_turn(
            arrival,
            who=np.repeat(np.arange(20), 2),
            device=np.zeros(40, np.int64),
            service=np.full(40, 1_000),
            least_gap=10_000,
            rounds=1,
        )
