"""The search finds the highest rate that holds."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infra.loadtest.measure import TrialFigures
from infra.loadtest.search import LOWEST, MOST_STEPS, highest_rate, next_rate
from tests.infra.loadtest.results import STORED, measured

GOOD, BAD = 300, 9_000


def tried(rate: float, p99: int, unseen: int = 0) -> TrialFigures:
    return measured(rate, stored=replace(STORED, p99=p99, unseen=unseen))


def search(limit: float, first: float) -> list[TrialFigures]:
    """Search where every rate up to `limit` holds, and no other."""
    trials: list[TrialFigures] = []
    rate: float | None = first
    while rate is not None:
        trials.append(tried(rate, GOOD if rate <= limit else BAD))
        rate = next_rate(trials)
    return trials


@given(limit=st.floats(20, 150_000), first=st.floats(200, 20_000))
def test_the_limit_found_holds_and_the_next_rate_tried_does_not(limit: float, first: float) -> None:
    trials = search(limit, first)
    assert len(trials) <= MOST_STEPS
    found = highest_rate(trials)
    assert found.rate is None or found.rate <= limit
    assert found.failed_rate is None or found.failed_rate > limit


@given(limit=st.floats(300, 30_000))
def test_from_near_by_the_limit_is_found_to_a_tenth(limit: float) -> None:
    found = highest_rate(search(limit, 2_000)).rate
    assert found is not None
    assert limit / 1.1 * 0.999 <= found <= limit


def test_the_next_rate_is_higher_if_the_first_held() -> None:
    assert next_rate([tried(700, GOOD)]) == 700 * 1.6


def test_a_rate_that_nearly_held_is_tried_once_more_and_no_more() -> None:
    assert next_rate([tried(700, 1_200)]) == 700
    assert next_rate([tried(700, 1_200), tried(700, 1_200)]) == 350
    again = highest_rate([tried(700, 1_200), tried(700, GOOD)])
    assert (again.rate, again.failed_rate, again.cause) == (700, None, None)


def test_a_rate_that_failed_by_far_is_not_tried_again() -> None:
    assert next_rate([tried(700, BAD)]) == 350
    assert next_rate([measured(700, stored=None)]) == 350


def test_without_any_rate_that_holds_the_search_gives_up() -> None:
    trials = search(0, 40)
    assert highest_rate(trials).rate is None
    assert min(each.target for each in trials) >= LOWEST


def test_a_rate_above_one_that_failed_does_not_count_as_held() -> None:
    assert highest_rate([tried(100, GOOD), tried(200, BAD), tried(300, GOOD)]).rate == 100


def test_a_rate_holds_only_if_everything_was_stored_99_of_100_within_a_second() -> None:
    assert tried(5, 999).held
    assert not tried(5, 1_000).held
    assert not tried(5, 10, unseen=1).held
    assert not measured(5, stored=None).held
