"""When workers let their group rebalance: rarely, and only those that read something."""

from streams.unassigned import BACKOFF, FIRST_REBALANCE, Unassigned

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


def test_a_worker_is_rid_of_a_partition_that_is_gone_though_it_reads_nothing_else() -> None:
    assert rebalances(Unassigned(gone=frozenset({OTHER})), FIRST_REBALANCE, frozenset()) == [FIRST_REBALANCE]


def test_other_partitions_begin_the_count_anew() -> None:
    unassigned = Unassigned()
    unassigned.begin(frozenset({OTHER}))
    rebalances(unassigned, 10)
    unassigned.begin(frozenset({OTHER}))
    assert rebalances(unassigned, FIRST_REBALANCE) == [FIRST_REBALANCE]
