"""Latency is measured from when an event was due until it was first seen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.loadtest.latency import FIRST_PLACE, NEVER, Samples, by_second, latency_of, shown_at, stored_at

A, B = FIRST_PLACE["turnstile.passages"], FIRST_PLACE["vehicle.passages"] + 3


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_an_event_is_stored_at_the_first_look_whose_next_offset_is_behind_it() -> None:
    # time   100   150   200     next offset of A: 2, 2, 5: offsets 0 and 1 at 100, 2 to 4 at 200, 5 never
    samples = {A: Samples.of([(100, 2), (150, 2), (200, 5)]), B: Samples.of([(120, 1)])}
    found = stored_at(ints(A, A, A, A, B, B), ints(1, 2, 4, 5, 0, 1), samples)
    assert found.tolist() == [100, 200, 200, NEVER, 120, NEVER]


def test_what_is_in_a_log_that_was_never_seen_was_not_seen_to_be_stored() -> None:
    assert stored_at(ints(B, A), ints(0, 0), {A: Samples.of([(100, 9)])}).tolist() == [NEVER, 100]


def test_a_look_at_an_older_state_takes_nothing_back() -> None:
    assert Samples.of([(100, 5), (150, 3), (200, 6)]).value.tolist() == [5, 5, 6]


def test_the_kth_entry_is_shown_by_the_first_look_at_the_wall_with_so_many() -> None:
    shown = Samples.of([(1000, 10), (2000, 12), (3000, 15)])
    assert shown_at(6, 10, shown).tolist() == [2000, 2000, 3000, 3000, 3000, NEVER]


def test_an_event_that_a_held_up_generator_sent_late_has_waited_since_it_was_due() -> None:
    # Due every 10 ms. The generator hangs for a second and then sends a hundred at once, each stored 5 ms later:
    # measured from the sending all would have waited 5 ms.
    due = np.arange(100, dtype=np.int64) * 10
    found = latency_of(due, np.full(100, 1_000 + 5, np.int64))
    assert found is not None
    assert (found.p50, found.max) == (505, 1_005)


def test_percentiles_of_a_thousand_waits_are_those_of_the_sorted_list() -> None:
    found = latency_of(np.zeros(1_000, np.int64), np.arange(1, 1_001))
    assert found is not None
    assert (found.p50, found.p90, found.p99, found.p999, found.max) == (500, 900, 990, 999, 1_000)
    assert found.curve[-1] == (100, 1_000)


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=300))
def test_percentiles_are_right_to_a_thousandth(took: list[int]) -> None:
    found = latency_of(np.zeros(len(took), np.int64), ints(*took))
    assert found is not None
    assert found.count == len(took)
    assert found.max == max(took)
    for name, share in (("p50", 50), ("p90", 90), ("p99", 99)):
        exact = sorted(took)[max(1, int(len(took) * share / 100 + 0.5)) - 1]  # the histogram's rank
        assert abs(getattr(found, name) - exact) <= max(1, exact / 500)


def test_events_that_were_not_seen_are_said_and_spoil_no_percentile() -> None:
    found = latency_of(ints(0, 0, 0), ints(100, NEVER, 200))
    assert found is not None
    assert (found.count, found.unseen, found.max) == (2, 1, 200)
    assert latency_of(ints(0), ints(NEVER)) is None


def test_each_second_says_what_was_due_and_stored_in_it_and_what_waited_at_its_end() -> None:
    # second      0            1            2
    # due         0  500       1000
    # arrived     10 510       1010
    # stored               1100 1100        2900
    seconds = by_second(ints(0, 500, 1000), ints(10, 510, 1010), ints(1100, 1100, 2900), begins_ms=0)
    assert [(each.due, each.arrived, each.stored, each.waiting) for each in seconds] == [
        (2, 2, 0, 2), (1, 1, 2, 1), (0, 0, 1, 0),
    ]  # fmt: skip
    assert [each.p99 for each in seconds] == [1100, 1900, None]


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 900), st.integers(0, 5_000)), min_size=1, max_size=80))
def test_the_seconds_add_up_to_the_whole_and_nothing_waits_at_the_end(events: list[tuple[int, int, int]]) -> None:
    due = ints(*(each[0] for each in events))
    arrived = due + ints(*(each[1] for each in events))
    stored = arrived + ints(*(each[2] for each in events))
    seconds = by_second(due, arrived, stored, begins_ms=0)
    assert sum(each.due for each in seconds) == sum(each.stored for each in seconds) == len(events)
    assert all(each.waiting >= 0 for each in seconds)
    assert seconds[-1].waiting == 0


def test_a_second_with_an_event_that_was_never_stored_has_no_p99_and_it_keeps_waiting() -> None:
    seconds = by_second(ints(0, 1000), ints(0, 1000), ints(NEVER, 1500), begins_ms=0)
    assert [each.p99 for each in seconds] == [None, 500]
    assert seconds[-1].waiting == 1
