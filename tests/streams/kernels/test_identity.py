"""Each event once, and every hole known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.identity import Ranges, admit, first_of_each

numbers = st.lists(st.integers(1, 60), max_size=80)


def received(ranges: Ranges) -> set[int]:
    return {n for low, high in zip(ranges.low, ranges.high, strict=True) for n in range(low, high + 1)}


@given(numbers)
def test_ranges_are_the_set_of_what_was_received(sequence: list[int]) -> None:
    ranges = Ranges()
    for number in sequence:
        ranges.add(number, number)
    assert received(ranges) == set(sequence)
    assert ranges.last == max(sequence, default=0)
    assert ranges.missing == ranges.last - len(set(sequence))
    # sorted, disjoint, and not touching: [1..3] [5..5], never [1..3] [4..5]
    assert all(low > high + 1 for low, high in zip(ranges.low[1:], ranges.high, strict=False))


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)), max_size=30))
def test_stretches_may_overlap_in_any_way(stretches: list[tuple[int, int]]) -> None:
    ranges = Ranges()
    for low, more in stretches:
        ranges.add(low, low + more)
    assert received(ranges) == {n for low, more in stretches for n in range(low, low + more + 1)}


@given(numbers, numbers)
def test_a_number_is_admitted_once(before: list[int], now: list[int]) -> None:
    ranges = Ranges()
    for number in before:
        ranges.add(number, number)
    sequence = np.array(sorted(set(now)), dtype=np.int64)
    if not len(sequence):
        return
    fresh = admit(ranges, sequence)
    assert set(sequence[fresh].tolist()) == set(now) - set(before)
    assert not admit(ranges, sequence).any()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 9)), max_size=60))
def test_the_first_of_equal_identities_stays(identities: list[tuple[int, int, int]]) -> None:
    columns = np.array(identities, dtype=np.int64).reshape(-1, 3)
    order, counters = first_of_each(columns[:, 0], columns[:, 1], columns[:, 2])
    first = {identity: i for i, identity in reversed(list(enumerate(identities)))}
    assert sorted(order.tolist()) == sorted(first.values())
    for start, end in counters:
        group = [identities[i] for i in order[start:end]]
        assert len({identity[:2] for identity in group}) == 1
        assert group == sorted(group)


def test_37_numbers_left_out_are_37_missing() -> None:
    ranges = Ranges()
    ranges.add(1, 100)
    ranges.add(138, 150)
    assert ranges.missing == 37
