"""A partition resumes without skipping records that nobody has counted, unless their loss was accepted."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import (
    AcceptedLoss,
    Begin,
    Blocked,
    Decision,
    PartitionFacts,
    Problem,
    Resume,
    SnapshotHeader,
    skip,
    take_up,
    take_up_auxiliary,
)

NOW = PartitionId("here", "turnstile.passages", 3, "id-2")
BEFORE = replace(NOW, incarnation="id-1")
OLD = replace(NOW, incarnation="")  # begun before ids were looked at
KEPT = SnapshotHeader(NOW, 100, era=2, arrived=7000)


def facts(
    snapshot: SnapshotHeader | None = KEPT,
    *,
    begin: int = 0,
    end: int = 150,
    arrived: int = 7000,
    stored: dict[str, int] | None = None,
    committed: int = 0,
    accepted: Sequence[AcceptedLoss] = (),
    base: PartitionId = NOW,
    differ: Sequence[str] = (),
) -> PartitionFacts:
    known = {str(NOW): 100} if stored is None else stored
    return PartitionFacts(base, begin, end, snapshot, arrived, known, committed, accepted, differ)


def lost(log: PartitionId, first: int, after: int) -> list[AcceptedLoss]:
    return [AcceptedLoss(str(log), first, after)]


def test_a_log_is_gone_on_with_at_its_snapshot() -> None:
    assert take_up(facts()) == Resume(KEPT, 100)
    assert take_up(facts(begin=100, end=100, arrived=0)) == Resume(KEPT, 100)


def test_a_log_of_a_version_without_ids_keeps_its_name() -> None:
    old = SnapshotHeader(OLD, 100)
    assert take_up(facts(old, stored={str(OLD): 100})) == Resume(old, 100)


def test_a_topic_that_was_made_anew_is_a_new_log_from_its_first_record() -> None:
    assert take_up(facts(SnapshotHeader(BEFORE, 100, era=2), end=30)) == Begin(NOW, 3)
    assert take_up(facts(SnapshotHeader(BEFORE, 100, era=2), end=3000)) == Begin(NOW, 3)


def test_a_cluster_that_was_renamed_keeps_its_logs_and_another_one_begins_its_own() -> None:
    renamed = replace(NOW, cluster="there")
    assert take_up(facts(base=renamed)) == Resume(KEPT, 100)
    without_ids = facts(SnapshotHeader(OLD, 100), base=replace(OLD, cluster="there"), stored={})
    assert take_up(without_ids) == Begin(replace(OLD, cluster="there"), 1)


def test_records_that_were_deleted_unread_block_until_all_of_them_were_accepted() -> None:
    blocked = Blocked(Problem.RECORDS_DELETED, NOW, 100, 120)
    assert take_up(facts(begin=120)) == blocked
    assert take_up(facts(begin=120, accepted=lost(NOW, 100, 119))) == blocked
    assert take_up(facts(begin=120, accepted=lost(BEFORE, 100, 120))) == blocked
    behind = Begin(replace(NOW, first=120), 3)
    assert take_up(facts(begin=120, accepted=lost(NOW, 100, 120))) == behind
    assert take_up(facts(begin=120, accepted=lost(NOW, 110, 120) + lost(NOW, 100, 110))) == behind


def test_records_that_were_stored_behind_the_snapshot_are_not_lost() -> None:
    assert take_up(facts(begin=120, stored={str(NOW): 120})) == Begin(replace(NOW, first=120), 3)
    assert take_up(facts(begin=120, stored={str(NOW): 110})) == Blocked(Problem.RECORDS_DELETED, NOW, 110, 120)


def test_a_log_that_ends_before_what_was_counted_is_another_one() -> None:
    assert take_up(facts(end=99, arrived=0)) == Blocked(Problem.LOG_REPLACED, NOW, 0, 100)


def test_so_is_one_whose_record_before_the_snapshot_arrived_at_another_time() -> None:
    assert take_up(facts(arrived=7001)) == Blocked(Problem.LOG_REPLACED, NOW, 0, 100)


def test_what_brokers_from_an_older_copy_have_is_read_again_once_that_was_accepted() -> None:
    accepted = lost(NOW, 0, 100)
    assert take_up(facts(end=99, arrived=0, accepted=accepted)) == Begin(replace(NOW, copy=1), 3)
    assert take_up(facts(begin=40, end=99, arrived=0, accepted=accepted)) == Begin(replace(NOW, first=40, copy=1), 3)


def test_what_is_stored_is_compared_with_what_the_brokers_have_too() -> None:
    """Brokers from an older copy may have older snapshots as well: these agree with them, and the store does not."""
    stored = {str(NOW): 120}
    assert take_up(facts(end=110, stored=stored, differ=[str(NOW)])) == Blocked(Problem.LOG_REPLACED, NOW, 0, 120)
    anew = Begin(replace(NOW, copy=1), 3)
    assert take_up(facts(stored=stored, differ=[str(NOW)], accepted=lost(NOW, 0, 120))) == anew
    without = facts(None, stored=stored, differ=[str(NOW)])
    assert take_up(without) == Blocked(Problem.LOG_REPLACED, NOW, 0, 120)
    assert take_up(replace(without, accepted=lost(NOW, 0, 120))) == Begin(replace(NOW, copy=1), 0)


def test_a_log_beside_an_older_copys_is_gone_on_with_and_never_the_older_one() -> None:
    beside = replace(NOW, copy=1)
    stored = {str(NOW): 120, str(beside): 90}
    assert take_up(facts(SnapshotHeader(beside, 90, era=3), stored=stored)) == Resume(
        SnapshotHeader(beside, 90, era=3), 90
    )
    assert take_up(facts(stored=stored)) == Begin(beside, 3)
    assert PartitionId.parse(str(beside)) == beside
    assert PartitionId.parse(str(replace(beside, first=40))) == replace(beside, first=40)


@pytest.mark.parametrize("stored", [{}, {str(NOW): 99}, {str(BEFORE): 500}])
def test_a_store_from_an_older_copy_is_filled_again(stored: dict[str, int]) -> None:
    assert take_up(facts(stored=stored)) == Begin(NOW, 3)


def test_what_a_store_from_an_older_copy_lacks_and_brokers_no_longer_have_is_lost() -> None:
    assert take_up(facts(begin=60, stored={str(NOW): 60})) == Begin(replace(NOW, first=60), 3)
    assert take_up(facts(begin=60, stored={str(NOW): 50})) == Blocked(Problem.RECORDS_DELETED, NOW, 50, 60)
    accepted = facts(begin=60, stored={str(NOW): 50}, accepted=lost(NOW, 50, 60))
    assert take_up(accepted) == Begin(replace(NOW, first=60), 3)


def test_a_worker_goes_on_while_the_store_does_not_answer() -> None:
    assert take_up(replace(facts(), stored=None)) == Resume(KEPT, 100)


def test_without_a_snapshot_everything_is_counted_again() -> None:
    assert take_up(facts(None)) == Begin(NOW, 0)
    assert take_up(replace(facts(None), stored=None)) == Begin(NOW, 0)


def test_without_a_snapshot_a_new_log_begins_where_the_store_goes_on() -> None:
    counted = facts(None, begin=40, committed=100)
    assert take_up(counted) == Begin(replace(NOW, first=40), 0)
    under_another_name = facts(None, begin=40, committed=100, base=replace(NOW, cluster="second"))
    assert take_up(under_another_name) == Begin(replace(NOW, cluster="second", first=40), 0)


def test_without_a_snapshot_what_nobody_counted_is_lost() -> None:
    assert take_up(facts(None, begin=140)) == Blocked(Problem.RECORDS_DELETED, NOW, 100, 140)
    assert take_up(facts(None, begin=40, stored={}, committed=100)) == Blocked(Problem.STATE_LOST, NOW, 0, 40)
    assert take_up(replace(facts(None, begin=40), stored=None)) == Blocked(Problem.STORE_UNKNOWN, NOW, 0, 40)
    accepted = facts(None, begin=40, stored={}, committed=100, accepted=lost(NOW, 0, 40))
    assert take_up(accepted) == Begin(replace(NOW, first=40), 0)


def test_without_a_snapshot_offsets_of_an_older_copy_say_nothing_of_those_of_the_newest() -> None:
    again = replace(NOW, copy=1)
    known = facts(None, begin=300, end=500, stored={str(NOW): 500, str(again): 100})
    assert take_up(known) == Blocked(Problem.RECORDS_DELETED, again, 100, 300)
    assert take_up(replace(known, accepted=lost(again, 100, 300))) == Begin(replace(again, first=300), 0)


def test_a_topic_that_nobody_has_read_before_is_read_from_what_it_has() -> None:
    assert take_up(facts(None, begin=40, stored={})) == Begin(replace(NOW, first=40), 0)


@pytest.mark.parametrize(
    ("known", "decision"),
    [
        (facts(begin=120), Resume(KEPT, 120)),
        (facts(end=90, arrived=0), Begin(replace(NOW, copy=1), 3)),
        (facts(arrived=1), Begin(replace(NOW, copy=1), 3)),
        (facts(SnapshotHeader(BEFORE, 100)), Begin(NOW, 1)),
        (facts(None, begin=50, stored={}, committed=99), Begin(replace(NOW, first=50), 0)),
    ],
)
def test_a_topic_that_nothing_is_counted_from_is_never_blocked(known: PartitionFacts, decision: Decision) -> None:
    assert take_up_auxiliary(known) == decision


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NOW, OLD, replace(NOW, first=40), replace(OLD, first=40)])
def test_a_name_is_read_as_it_was_written(name: PartitionId) -> None:
    assert PartitionId.parse(str(name)) == name


def test_logs_of_one_partition_share_all_but_what_stands_behind_the_at() -> None:
    names = [str(NOW), str(replace(BEFORE, first=40)), str(OLD)]
    assert {each.partition("@")[0] for each in names} == {"here/turnstile.passages/3"}
    assert len({*names}) == len(names)


# -- whatever has happened ---------------------------------------------------------------------------------------------

OFFSETS = st.integers(0, 12)


@st.composite
def histories(draw: st.DrawFn) -> tuple[PartitionFacts, set[int], set[int]]:
    """Draw what is known of a partition, the offsets that the store has of its log, and those accepted as lost."""
    begin = draw(OFFSETS)
    end = begin + draw(OFFSETS)
    counted_to = draw(st.integers(0, end))
    kept = draw(st.none() | st.integers(0, end))
    snapshot = None if kept is None else SnapshotHeader(NOW, kept)
    accepted = [AcceptedLoss(str(NOW), min(each), max(each)) for each in draw(st.lists(st.tuples(OFFSETS, OFFSETS)))]
    known = PartitionFacts(NOW, begin, end, snapshot, stored={str(NOW): counted_to}, committed=1, accepted=accepted)
    return known, set(range(counted_to)), {n for each in accepted for n in range(each.first, each.after)}


@given(histories())
def test_no_record_is_passed_over_that_was_neither_counted_nor_accepted(
    drawn: tuple[PartitionFacts, set[int], set[int]],
) -> None:
    known, counted, accepted = drawn
    decision = take_up(known)
    if isinstance(decision, Blocked):
        assert decision.first < decision.after
        assert not set(range(decision.first, decision.after)) <= accepted | counted
        return
    at = decision.at if isinstance(decision, Resume) else decision.log.first
    assert known.begin <= at <= known.end
    assert set(range(at)) <= counted | accepted
    if isinstance(decision, Resume):
        assert set(range(decision.snapshot.next)) <= counted


@given(st.lists(st.tuples(OFFSETS, OFFSETS)), OFFSETS, OFFSETS)
def test_a_stretch_is_lost_if_every_offset_of_it_was_accepted(
    ranges: list[tuple[int, int]], first: int, length: int
) -> None:
    accepted = [AcceptedLoss("log", min(each), max(each)) for each in ranges]
    every = {n for each in accepted for n in range(each.first, each.after)}
    wanted = set(range(first, first + length))
    assert skip(accepted, "log", first, first + length) == (length if wanted <= every else None)
