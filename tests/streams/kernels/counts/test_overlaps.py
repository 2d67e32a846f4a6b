"""Operations on ranges of numbers give the same as on sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.overlaps import (
    MOST_PIECES,
    Range,
    boxes,
    common,
    joined,
    overlap_of,
    pieces,
    union,
    unsettled,
    without,
)

numbers = st.sets(st.integers(1, 40))


def ranges(of: set[int]) -> list[Range]:
    """Write numbers as ranges."""
    return union([[(n, n)] for n in of])


def members(of: list[Range]) -> set[int]:
    return {n for low, high in of for n in range(low, high + 1)}


@given(numbers, numbers)
def test_they_are_what_sets_would_be(some: set[int], others: set[int]) -> None:
    a, b = ranges(some), ranges(others)
    assert members(union([a, b])) == some | others
    assert members(common(a, b)) == some & others
    assert members(without(a, b)) == some - others
    assert overlap_of([a, b]) == len(some & others)


@given(st.dictionaries(st.sampled_from("abc"), numbers), st.dictionaries(st.sampled_from("abc"), numbers))
def test_unsettled_is_what_came_through_one_more_log_since(now: dict[str, set[int]], then: dict[str, set[int]]) -> None:
    now = {log: some | then.get(log, set()) for log, some in now.items()}
    then = {log: some for log, some in then.items() if log in now}

    def logs(of: dict[str, set[int]], n: int) -> int:
        return sum(n in some for some in of.values())

    expected = {n for n in range(1, 41) if logs(now, n) > 1 and logs(now, n) > logs(then, n)}
    found = unsettled({k: ranges(v) for k, v in now.items()}, {k: ranges(v) for k, v in then.items()})
    assert members(found) == expected


@given(numbers)
def test_few_ranges_hold_all_and_close_the_smallest_gaps(some: set[int]) -> None:
    found = joined(ranges(some), most=3)
    assert len(found) <= 3
    assert some <= members(found)
    assert len(found) == 3 or members(found) == some or len(ranges(some)) > 3


@given(st.dictionaries(st.sampled_from(["N1-L01", "N1-L02", "N2-L01"]), numbers), st.integers(1, 20))
def test_boxes_hold_every_piece_and_are_not_too_large(some: dict[str, set[int]], size: int) -> None:
    cut = [piece for device, each in some.items() for piece in pieces(device, 0, ranges(each), size=size)]
    found = list(boxes(cut, size=size, most_devices=2))
    assert all(len(box.devices) * (box.high - box.low + 1) <= size and len(box.devices) <= 2 for box in found)
    held = {(device, n) for box in found for device, _ in box.devices for n in range(box.low, box.high + 1)}
    assert held >= {(device, n) for device, each in some.items() for n in each}
    assert MOST_PIECES > 1
