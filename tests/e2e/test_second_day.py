"""A demo that resumes a kept state keeps its history, plays the next day, and verifies all days together."""

from datetime import date, timedelta

from simulators.ledger.ledger import read_ledger
from tests.e2e.conftest import Again, Day, Interrupted


def test_two_demos_side_by_side_both_end_equal(again: dict[str, Again]) -> None:
    assert {name: each.code for name, each in again.items()} == {"day": 0, "interrupted": 0}, again
    for each in again.values():
        assert each.demo.verdict["difference"] == 0
        assert {name for name, view in each.demo.verdict["views"].items() if view["different"]} == set()


def test_the_second_day_is_the_day_after_and_the_first_stays_as_it_was(day: Day, again: dict[str, Again]) -> None:
    first = day.wall["day"]
    second = (date.fromisoformat(first) + timedelta(days=1)).isoformat()
    assert {row[0] for row in again["day"].today} == {first, second}
    assert [row for row in again["day"].today if row[0] == first] == day.today


def test_the_second_verdict_is_over_both_days(day: Day, again: dict[str, Again]) -> None:
    sent = again["day"].demo.verdict["sent"]
    assert sent > day.demo.verdict["sent"] + 90_000
    assert sent == len(read_ledger(day.demo.state / "ledgers"))


def test_whoever_was_left_inside_is_sent_home_before_the_new_day(day: Day, again: dict[str, Again]) -> None:
    left = sorted((area, kind) for area, kind, inside in day.inside if inside)
    assert left
    assert again["day"].corrections == [(area, kind, 0, "closing round") for area, kind in left]
    assert again["day"].inside_at_midnight == [(area, kind, 0) for area, kind in left]


def test_a_day_that_was_ended_by_ctrl_c_is_kept_as_far_as_it_came(
    interrupted: Interrupted, again: dict[str, Again]
) -> None:
    ((first, *_), *_) = interrupted.today
    kept = [row for row in again["interrupted"].today if row[0] == first]
    assert [row[:2] for row in kept] == [(first, "person"), (first, "vehicle")]
    assert kept[0][2] >= interrupted.today[0][2] > 0
    assert len({row[0] for row in again["interrupted"].today}) == 2
