"""Queues are estimated from plans and passages, and plans are read from a profile."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from streams.forecasting.queues import DaySoFar, QueueNow, queue_now, shortfalls
from streams.kernels.forecast.advice import advise
from streams.site.model import Opening
from streams.site.reader import SiteError
from tests.support.planned_site import AN_HOUR_AND_A_HALF, site

OPENS = 480


def queue(
    passed: list[float], *, more: str = AN_HOUR_AND_A_HALF, active_devices: int = 6, lanes: float = 6
) -> QueueNow:
    """Return the queue at N3 when `passed` went in since the doors opened, with so many lanes open all the time."""
    since_midnight = np.array([0.0] * OPENS + passed)
    opened = np.full(len(since_midnight), lanes)
    return queue_now(
        site(more).entrance("N3"), since_midnight, active_devices=active_devices, opened=opened, opens=OPENS
    )


def test_a_queue_is_what_was_planned_less_what_went_through_saturated_lanes() -> None:
    now = queue([60.0] * 30)
    assert now.usual.saturated_for == 30
    assert now.usual.waiting == pytest.approx(30 * (90 - 60))
    assert now.usual.wait == pytest.approx(900 / 60)


def test_it_is_longer_if_more_come_and_gone_sooner_if_fewer_do() -> None:
    now = queue([60.0] * 30)
    assert now.fewer.to_clear is not None
    assert now.fewer.to_clear < now.usual.to_clear < now.more.to_clear  # type: ignore[operator]  # a plan is there


def test_lanes_with_time_to_spare_have_no_queue_and_show_how_wrong_the_plan_is() -> None:
    now = queue([45.0] * 75)
    assert now.usual.waiting == 0
    assert now.plan_error.mean == pytest.approx(0.5)
    assert (now.plan_error.low, now.plan_error.high) == pytest.approx((0.5, 0.5))


def test_people_who_came_before_the_doors_opened_wait() -> None:
    early = AN_HOUR_AND_A_HALF.replace("08:00", "07:30")
    assert queue([60.0], more=early).usual.waiting == pytest.approx(31 * 90 - 60)


def test_a_queue_is_not_forgotten_when_lanes_are_opened() -> None:
    passed = np.array([0.0] * OPENS + [60.0] * 30 + [100.0])
    opened = np.array([6.0] * (OPENS + 31))
    now = queue_now(site(AN_HOUR_AND_A_HALF).entrance("N3"), passed, active_devices=10, opened=opened, opens=OPENS)
    assert now.lanes == 10
    assert now.usual.waiting == pytest.approx(31 * 90 - 30 * 60 - 100)


def test_without_a_plan_a_saturated_entrance_tells_that_and_no_more() -> None:
    now = queue([110.0] * 4, more="", active_devices=10, lanes=10)
    assert (now.usual.saturated_for, now.usual.waiting, now.usual.to_clear) == (4, None, None)
    assert now.for_advice().waiting is None


def test_before_opening_an_entrance_without_a_plan_tells_nothing() -> None:
    gate = site().entrance("N3")
    now = queue_now(gate, np.zeros(100), active_devices=0, opened=np.full(100, 10.0), opens=OPENS)
    assert (now.usual.saturated_for, now.usual.waiting) == (0, None)


def test_lanes_that_nobody_needs_are_open_as_planned() -> None:
    assert queue([20.0], active_devices=3).lanes == 6
    assert queue([30.0], active_devices=3).lanes == 3  # three that have no time to spare: more are not open


def test_advice_opens_the_spare_lanes_of_the_profile() -> None:
    (advice,) = advise([queue([60.0] * 30).for_advice()])
    assert advice.entrance == "N3"
    assert advice.lanes_after > advice.lanes_before == 6
    assert advice.wait_after < advice.wait_before


def test_lanes_said_before_are_known_again_after_a_restart() -> None:
    here = site(AN_HOUR_AND_A_HALF)
    said = [(60_000 * minute, "N3", 6 if minute <= OPENS + 30 else 10) for minute in range(OPENS, OPENS + 32)]
    today = DaySoFar.begun(here, dt.date(2021, 11, 5), 0, said)
    today.extend({("N3", "in"): np.array([0.0] * OPENS + [60.0] * 30 + [100.0])}, OPENS + 31)
    (now,) = [each for each in today.queues({"N3": 10}) if each.entrance.id == "N3"]
    assert now.usual.waiting == pytest.approx(31 * 90 - 30 * 60 - 100)


def test_seven_lanes_for_10100_people_are_flagged_before_opening() -> None:
    here = site('open_lanes = 7\nexpected = { "07:59" = 606000, "08:00" = 0 }\n')  # all of them in one minute
    (short,) = shortfalls(here, dt.date(2021, 11, 5))
    assert short.people == pytest.approx(10_100)
    assert short.worst_wait == pytest.approx(131, abs=0.5)
    assert "131" in short.text()
    assert "131" in short.text_zh()


def test_a_plan_that_works_out_and_a_closed_day_have_no_shortfall() -> None:
    assert shortfalls(site('open_lanes = 9\nexpected = { "08:00" = 5400, "09:30" = 0 }\n'), dt.date(2021, 11, 5)) == ()
    closed = site('open_lanes = 1\nexpected = { "08:00" = 5400, "09:30" = 0 }\n')
    assert shortfalls(replace(closed, opening=Opening((None,) * 7)), dt.date(2021, 11, 5)) == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("open_lanes = 11", "expected 0 to 10 lanes, as many as there are, found 11"),
        ("lane_rate = 0", "expected persons or vehicles a minute and lane, above 0, found 0"),
        ('expected = { "24:00" = 1 }', 'expected a time of day like "08:30"'),
        ('expected = { "08:00" = -1 }', "expected persons or vehicles an hour, from 0 to 1,000,000, found -1"),
        ("expected = {}", "is empty"),
        ("ways = { N9 = 5 }", "'N9' is not an entrance"),
        ("ways = { H1 = 5 }", "leads elsewhere; expected an entrance for persons into 'venue'"),
        ("ways = { N1 = 500 }", "expected minutes on foot, from 0 to 120, found 500"),
    ],
)
def test_mistakes_of_a_plan_are_named(line: str, complaint: str) -> None:
    with pytest.raises(SiteError) as error:
        site(line)
    assert complaint in str(error.value)
    assert len(error.value.mistakes) == 1
