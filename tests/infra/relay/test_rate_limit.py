"""A robot gets at most twenty messages a minute, and an alarm after a burst waits only seconds."""

from hypothesis import given
from hypothesis import strategies as st

from infra.relay.rate_limit import MINUTE, Budget, Rate


def sent(rate: Rate, wanted: list[float]) -> list[float]:
    """Return when messages wanted at these times are sent, one after the other."""
    budget, now, times = Budget.full(rate, 0.0), 0.0, []
    for at in sorted(wanted):
        now = max(now, at)
        now += budget.wait(now)
        budget = budget.spend(now)
        times.append(now)
    return times


@given(st.lists(st.floats(0, 300), max_size=150), st.integers(2, 20))
def test_never_more_than_the_limit_in_any_minute(wanted: list[float], limit: int) -> None:
    times = sent(Rate(limit), wanted)
    for first, last in zip(times, times[limit:], strict=False):
        assert last - first >= MINUTE - 1e-6


def test_five_at_once_then_one_every_four_seconds() -> None:
    assert sent(Rate(20), [0.0] * 8) == [0, 0, 0, 0, 0, 4, 8, 12]


def test_never_more_than_five_within_a_second() -> None:
    times = sent(Rate(20), [0.1 * n for n in range(200)])
    assert all(last - first >= 1 for first, last in zip(times, times[5:], strict=False))


def test_a_clock_that_is_set_back_earns_nothing_and_blocks_nothing() -> None:
    budget = Budget.full(Rate(20), 1000.0)
    for _ in range(5):
        budget = budget.spend(1000.0)
    assert budget.wait(0.0) == 4.0
    assert budget.spend(4.0).at == 4.0
