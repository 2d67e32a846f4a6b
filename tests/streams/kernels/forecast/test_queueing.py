"""Waits and queues equal those computed by hand, and are unknown where passages alone cannot show them."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.forecast.queueing import (
    PERSONS_A_MINUTE,
    VEHICLES_A_MINUTE,
    Estimate,
    Planned,
    Shortfall,
    check_plan,
    estimate,
    lane_rate,
    run,
    run_plan,
)

HILLSBOROUGH = Planned("A-G", arrivals=(10_100.0,), lanes=7, opens=1.0)
"""Leppings Lane terraces, 15 April 1989: seven turnstiles for 10,100 people (Taylor, interim report, paragraph 187)."""


def test_hillsborough_is_flagged_before_opening_with_its_131_minutes() -> None:
    (found,) = check_plan([Planned("Z", (700.0,), lanes=7, opens=1.0), HILLSBOROUGH])
    assert found.entrance == "A-G"
    assert (round(found.worst_wait), round(found.to_clear)) == (131, 131)
    assert found.lanes_needed == 92  # 10,100 / (11 a minute * 10 min) = 91.8
    assert found.text() == (
        "A-G: 7 lanes for 10,100 people: the longest wait is 131 min, "
        "the queue is gone 131 min after the last has come; 92 lanes are needed"
    )
    assert "最长等候 131 分钟" in found.text_zh()


def test_the_lanes_said_to_be_needed_are_the_fewest_that_do() -> None:
    plan = Planned("N", (300.0,) * 20, lanes=10)
    needed = check_plan([plan])[0].lanes_needed
    assert not check_plan([Planned("N", plan.arrivals, lanes=needed)])
    assert check_plan([Planned("N", plan.arrivals, lanes=needed - 1)])


def test_a_plan_that_keeps_the_limit_is_not_flagged() -> None:
    assert check_plan([Planned("N", (110.0,) * 60, lanes=10)]) == ()
    assert check_plan([Planned("N", (120.0,) * 60, lanes=10)], limit=6) == ()  # 10 more a minute: 5.5 min at the end


def test_who_comes_long_before_opening_waits_from_opening_on() -> None:
    queue = run_plan(Planned("N", (11.0, 0.0, 0.0, 0.0), lanes=1, opens=3.0))
    assert queue.waiting.tolist() == [11.0, 11.0, 11.0, 0.0]
    assert queue.worst_wait == queue.to_clear == 1.0


def test_lanes_that_never_open_are_told_as_infinite() -> None:
    found = check_plan([Planned("N", (100.0,), lanes=0)])
    assert found == (Shortfall("N", 0, 100.0, worst_wait=inf, to_clear=inf, lanes_needed=1),)


def test_the_worst_entrance_comes_first() -> None:
    plans = [Planned("B", (500.0,), lanes=1), Planned("A", (900.0,), lanes=1), Planned("C", (500.0,), lanes=1)]
    assert [each.entrance for each in check_plan(plans)] == ["A", "B", "C"]


def test_a_queue_grows_by_arrivals_and_shrinks_by_service() -> None:
    #  minute      1    2    3    4
    #  arrive    100    0   10    0
    #  served     40   40   40   40
    #  waiting    60   20    0    0
    queue = run([100, 0, 10, 0], [40] * 4)
    assert queue.waiting.tolist() == [60, 20, 0, 0]
    assert queue.wait.tolist() == [1.5, 0.5, 0, 0]


def test_a_lane_that_closes_makes_those_before_it_wait() -> None:
    assert run([100, 0, 0, 0], [50, 0, 0, 50]).wait.tolist() == [3.0, 2.0, 1.0, 0.0]


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=60),
    st.integers(0, 1000),
)
def test_nobody_is_lost_in_a_queue(minutes: list[tuple[int, int]], before: int) -> None:
    arrivals, served = ([float(pair[column]) for pair in minutes] for column in (0, 1))
    waiting = run(arrivals, served, waiting=before).waiting.tolist()
    left = float(before)
    for came, could, after in zip(arrivals, served, waiting, strict=True):
        left = max(0.0, left + came - could)
        assert after == pytest.approx(left)


def test_measured_rates_are_capped_by_the_planning_rate() -> None:
    assert lane_rate(27.0) == PERSONS_A_MINUTE == 660 / 60
    assert lane_rate(9.5) == 9.5
    assert lane_rate(None, rated=VEHICLES_A_MINUTE) * 60 == pytest.approx(275)


def test_a_saturated_entrance_without_a_plan_has_a_queue_of_unknown_length() -> None:
    assert estimate([30, 50, 49, 50], lanes=5, rate=10) == Estimate(3, None, None, None)


def test_an_entrance_with_time_to_spare_has_no_queue() -> None:
    assert estimate([50, 30], lanes=5, rate=10) == Estimate(0, 0.0, 0.0, 0.0)


def test_upstream_counts_tell_how_long_the_queue_is() -> None:
    #  came 60 a minute, 50 went through: 50 wait, a minute's work; 40 a minute will come for three minutes
    #  waiting after: 40, 30, 20, then 20 / 50 of a minute
    assert estimate([50] * 5, lanes=5, rate=10, arrivals=[60] * 5, ahead=[40] * 3) == Estimate(5, 50.0, 1.0, 3.4)


def test_people_who_were_planned_and_did_not_come_are_no_queue() -> None:
    #  came by plan    90  90  60  60     went through 50 a minute, and only 20 in the second: nobody waited then
    assert estimate([50, 20, 50, 50], lanes=5, rate=10, arrivals=[90, 90, 60, 60]).waiting == 20
    assert estimate([50, 20], lanes=5, rate=10, arrivals=[90, 90]) == Estimate(0, 0.0, 0.0, 0.0)


def test_vehicles_have_a_rate_of_their_own() -> None:
    assert estimate([9], lanes=2, rated=VEHICLES_A_MINUTE).saturated_for == 1
    assert estimate([9], lanes=2).saturated_for == 0


def test_a_queue_is_gone_within_the_minute_in_which_the_lanes_catch_up() -> None:
    now = estimate([50], lanes=5, rate=10, arrivals=[80], ahead=[10, 10])
    assert now.to_clear == pytest.approx(30 / 40)
