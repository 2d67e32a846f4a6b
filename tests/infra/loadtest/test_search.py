"""The search finds the highest rate that holds."""

from hypothesis import given
from hypothesis import strategies as st

from infra.loadtest.latency import Latency
from infra.loadtest.search import LOWEST, MOST_STEPS, Tried, highest_held, lowest_failed, next_rate, tried

GOOD, BAD = 300, 9_000


def latency_of(p99: int, unseen: int = 0) -> Latency:
    return Latency(100, unseen, 1, 1, p99, p99, p99, ())


def search(limit: float, first: float) -> list[Tried]:
    """Search where every rate up to `limit` holds, and no other."""
    trials: list[Tried] = []
    while (rate := next_rate(trials, first)) is not None:
        trials.append(Tried(rate, GOOD if rate <= limit else BAD))
    return trials


@given(limit=st.floats(20, 150_000), first=st.floats(200, 20_000))
def test_the_limit_found_holds_and_the_next_rate_tried_does_not(limit: float, first: float) -> None:
    trials = search(limit, first)
    assert len(trials) <= MOST_STEPS
    found, failed = highest_held(trials), lowest_failed(trials)
    assert found is None or found <= limit
    assert failed is None or failed > limit


@given(limit=st.floats(300, 30_000))
def test_from_near_by_the_limit_is_found_to_a_tenth(limit: float) -> None:
    found = highest_held(search(limit, 2_000))
    assert found is not None
    assert limit / 1.1 * 0.999 <= found <= limit


def test_the_first_rate_is_the_one_that_was_asked_for_and_the_next_is_higher_if_it_held() -> None:
    assert next_rate([], 700) == 700
    assert next_rate([Tried(700, GOOD)], 700) == 700 * 1.6


def test_a_rate_that_nearly_held_is_tried_once_more_and_no_more() -> None:
    assert next_rate([Tried(700, 1_200)], 700) == 700
    assert next_rate([Tried(700, 1_200), Tried(700, 1_200)], 700) == 350
    again = [Tried(700, 1_200), Tried(700, GOOD)]
    assert lowest_failed(again) is None
    assert highest_held(again) == 700


def test_a_rate_that_failed_by_far_is_not_tried_again() -> None:
    assert next_rate([Tried(700, BAD)], 700) == 350
    assert next_rate([Tried(700, None)], 700) == 350


def test_without_any_rate_that_holds_the_search_gives_up() -> None:
    trials = search(0, 40)
    assert highest_held(trials) is None
    assert min(each.rate for each in trials) >= LOWEST


def test_a_rate_above_one_that_failed_does_not_count_as_held() -> None:
    assert highest_held([Tried(100, GOOD), Tried(200, BAD), Tried(300, GOOD)]) == 100


def test_a_rate_holds_only_if_everything_was_stored_99_of_100_within_a_second() -> None:
    assert tried(5, latency_of(999)).held
    assert not tried(5, latency_of(1_000)).held
    assert not tried(5, latency_of(10, unseen=1)).held
    assert not tried(5, None).held
