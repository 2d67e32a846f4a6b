"""Each event counts once, and every missing number is known."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.identity import Ranges, first_of_each

numbers = st.lists(st.integers(1, 60), max_size=80)


def received(ranges: Ranges) -> set[int]:
    return {n for low, high in zip(ranges.low, ranges.high, strict=True) for n in range(low, high + 1)}


def ranges_of(sequence: list[int]) -> Ranges:
    """Receive numbers one by one; each has ten times itself as its time."""
    ranges = Ranges()
    for number in sequence:
        if not ranges.received(number):
            ranges.add(number, number, low_ts=10 * number, high_ts=10 * number)
    return ranges


@given(numbers)
def test_ranges_are_the_set_of_what_was_received(sequence: list[int]) -> None:
    ranges = ranges_of(sequence)
    assert received(ranges) == set(sequence)
    assert [ranges.received(number) for number in range(62)] == [number in sequence for number in range(62)]
    assert ranges.last == max(sequence, default=0)
    assert ranges.missing == ranges.last - len(set(sequence))
    # sorted, disjoint, and not touching: [1..3] [5..5], never [1..3] [4..5]
    assert all(low > high + 1 for low, high in zip(ranges.low[1:], ranges.high, strict=False))


@given(st.permutations(range(1, 40)), st.sets(st.integers(1, 40)))
def test_stretches_in_any_order_are_the_same_as_their_numbers(order: list[int], cuts: set[int]) -> None:
    edges = sorted({1, 40, *cuts})
    stretches = [(low, high - 1) for low, high in pairwise(edges)][::2]
    stretches.sort(key=lambda stretch: order.index(stretch[0]))
    ranges = Ranges()
    for low, high in stretches:
        ranges.add(low, high, low_ts=10 * low, high_ts=10 * high)
    assert ranges == ranges_of([n for low, high in stretches for n in range(low, high + 1)])


@given(numbers, st.integers(1, 60))
def test_the_nearest_numbers_of_one_that_is_missing_are_known_with_their_times(sequence: list[int], n: int) -> None:
    if n in sequence:
        return
    lower = max((each for each in sequence if each < n), default=None)
    higher = min((each for each in sequence if each > n), default=None)
    expected = tuple(None if each is None else 10 * each for each in (lower, higher))
    assert ranges_of(sequence).neighbours(n) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 9)), max_size=60))
def test_the_first_of_equal_identities_stays(identities: list[tuple[int, int, int]]) -> None:
    columns = np.array(identities, dtype=np.int64).reshape(-1, 3)
    order, starts = first_of_each(columns[:, 0], columns[:, 1], columns[:, 2])
    first = {identity: i for i, identity in reversed(list(enumerate(identities)))}
    assert sorted(order.tolist()) == sorted(first.values())
    for start, end in pairwise([*starts.tolist(), len(order)]):
        group = [identities[i] for i in order[start:end]]
        assert len({identity[:2] for identity in group}) == 1
        assert group == sorted(group)
    assert len(starts) == len({identity[:2] for identity in identities})


def test_37_numbers_left_out_are_37_missing() -> None:
    ranges = Ranges()
    ranges.add(1, 100)
    ranges.add(138, 150)
    assert ranges.missing == 37
