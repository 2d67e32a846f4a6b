"""Workers trigger a rebalance rarely, and only those that have partitions."""

import pytest

from streams.worker.source_watch import BACKOFF, FIRST_REBALANCE, Unassigned

OWN, OTHER = ("passages", 0), ("passages", 1)


def rebalances(unassigned: Unassigned, polls: int, read: frozenset[tuple[str, int]] = frozenset({OWN})) -> list[int]:
    return [poll for poll in range(1, polls + 1) if unassigned.poll(read)]


def test_a_partition_that_nobody_reads_is_asked_for_ever_more_rarely() -> None:
    unassigned = Unassigned()
    unassigned.begin(frozenset({OTHER}))
    assert rebalances(unassigned, 60) == [FIRST_REBALANCE, FIRST_REBALANCE * BACKOFF, FIRST_REBALANCE * BACKOFF**2]


def test_a_partition_that_this_worker_reads_needs_no_rebalance() -> None:
    unassigned = Unassigned()
    unassigned.begin(frozenset({OTHER}))
    assert rebalances(unassigned, 20, frozenset({OWN, OTHER})) == []


def test_a_worker_without_partitions_leaves_it_to_others() -> None:
    unassigned = Unassigned()
    unassigned.begin(frozenset({OTHER}))
    assert rebalances(unassigned, 20, frozenset()) == []


@pytest.mark.parametrize("what", ["gone", "elsewhere"])
def test_a_partition_that_cannot_be_read_is_assigned_anew_though_its_worker_reads_nothing_else(what: str) -> None:
    wrong = Unassigned()
    setattr(wrong, what, frozenset({OTHER}))
    assert rebalances(wrong, FIRST_REBALANCE, frozenset()) == [FIRST_REBALANCE]


def test_what_was_right_for_a_poll_begins_the_count_anew() -> None:
    wrong = Unassigned(elsewhere=frozenset({OTHER}))
    assert rebalances(wrong, 10) == [FIRST_REBALANCE]
    wrong.elsewhere = frozenset()
    assert rebalances(wrong, 1) == []
    wrong.elsewhere = frozenset({OTHER})
    assert rebalances(wrong, 10) == [FIRST_REBALANCE]


def test_other_partitions_begin_the_count_anew() -> None:
    unassigned = Unassigned()
    unassigned.begin(frozenset({OTHER}))
    rebalances(unassigned, 10)
    unassigned.begin(frozenset({OTHER}))
    assert rebalances(unassigned, FIRST_REBALANCE) == [FIRST_REBALANCE]
