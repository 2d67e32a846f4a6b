"""What the store knows of ended logs is neither lost nor taken for the present; decisions are in `kernels`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sinks.sink import StoreUnavailable
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import AcceptedLoss
from streams.sources.brokers import PartitionKey, TopicState
from streams.sources.tables import Loss, Row, StoredPartition
from streams.worker.partition_state import Start
from streams.worker.process_ends import SourceChangedError
from streams.worker.takeup import Assigned, TakeUp, check_topics

T = "turnstile.passages"


class Brokers:
    """Brokers with one topic in one incarnation, nothing deleted."""

    def __init__(self, incarnation: str, *ends: int) -> None:
        self.state = TopicState(incarnation, dict.fromkeys(range(len(ends)), 0), dict(enumerate(ends)))

    def topic_states(self, topics: Sequence[str]) -> Mapping[str, TopicState]:
        """Return the one topic under any name."""
        return dict.fromkeys(topics, self.state)

    def incarnations(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Return the id of the one topic under any name."""
        return dict.fromkeys(topics, self.state.incarnation)

    def settings(self, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Say nothing of how topics are set."""
        del topics
        return {}

    def committed(self) -> Mapping[PartitionKey, int]:
        """Have no group's offsets."""
        return {}

    def record_at(self, place: PartitionKey, offset: int) -> tuple[int, int] | None:
        """Have no record that could be compared."""
        del place, offset
        return None


class Notes:
    """A store that knows these logs by partition and incarnation, and where partitions ended."""

    def __init__(self, logs: Mapping[tuple[int, str], int], ends: Mapping[tuple[int, str], int] | None = None) -> None:
        self.away = False
        self.losses: list[Loss] = []
        self._ends = ends or {}
        self._rows: list[dict[str, Any]] = [
            {
                "log": str(log_of(*key)),
                "cluster": "c",
                "partition": key[0],
                "next_offset": at,
                "tail": 0,
                "complete_to": 7,
            }
            for key, at in logs.items()
        ]

    def progress(self) -> Mapping[PartitionKey, Sequence[Row]]:
        """Return the rows of progress."""
        if self.away:
            raise StoreUnavailable("log_progress", "away.", "")
        found: dict[PartitionKey, list[Row]] = defaultdict(list)
        for row in self._rows:
            found[T, int(str(row["partition"]))].append(row)
        return found

    def hide(self, partition: int, incarnation: str) -> dict[str, Any]:
        """Know nothing of a log."""
        (found,) = [row for row in self._rows if row["log"] == str(log_of(partition, incarnation))]
        self._rows.remove(found)
        return found

    def show(self, row: dict[str, Any]) -> None:
        """Know of it again."""
        self._rows.append(row)

    def set_next(self, partition: int, incarnation: str, next_offset: int) -> None:
        """Let a log go on."""
        (row,) = (row for row in self._rows if row["log"] == str(log_of(partition, incarnation)))
        row["next_offset"] = next_offset

    def accepted(self) -> Sequence[AcceptedLoss]:
        """Return the losses that were noted."""
        return [AcceptedLoss(each.log, each.first, each.after, each.problem) for each in self.losses]

    def partitions(self) -> Sequence[StoredPartition]:
        """Return partitions as they were, incarnations in the order of their names."""
        return [
            StoredPartition(T, number, incarnation, 0, end, present=False, since=int(incarnation[2:]))
            for (number, incarnation), end in self._ends.items()
        ]

    def write_losses(self, losses: Sequence[Loss]) -> None:
        """Keep what is lost."""
        self.losses += losses


def log_of(partition: int, incarnation: str) -> PartitionId:
    return PartitionId("c", T, partition, incarnation)


def snapshot(partition: int, incarnation: str, at: int) -> Plain:
    return {"log": str(log_of(partition, incarnation)), "next": at}


def taken_up(brokers: Any, notes: Any, *assigned: Assigned) -> tuple[TakeUp, list[Start]]:
    take_up = TakeUp(brokers, notes, "c", clock=lambda: 5.0)
    verdicts = take_up.decide(assigned)
    assert all(isinstance(each, Start) for each in verdicts)
    return take_up, [each for each in verdicts if isinstance(each, Start)]


def ended(start: Start) -> list[str]:
    return [str(row["log"]) for row in start.ended]


def test_logs_of_partitions_that_a_topic_no_longer_has_ended_with_its_first_one() -> None:
    logs = {(n, "id1"): 10 for n in range(4)}
    _, (first, second) = taken_up(
        Brokers("id2", 0, 0), Notes(logs), *(Assigned(T, n, snapshot(n, "id1", 10)) for n in (0, 1))
    )
    assert ended(first) == [str(log_of(n, "id1")) for n in (0, 2, 3)]
    assert ended(second) == [str(log_of(1, "id1"))]


def test_with_as_many_partitions_each_log_ended_with_its_own() -> None:
    logs = {(n, i): 10 for n in range(2) for i in ("id1", "id2")}
    _, starts = taken_up(Brokers("id2", 10, 10), Notes(logs), *(Assigned(T, n, snapshot(n, "id2", 10)) for n in (0, 1)))
    assert [ended(each) for each in starts] == [[str(log_of(n, "id1"))] for n in (0, 1)]


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_unread_of_a_topic_that_was_made_anew_is_lost_with_and_without_snapshots(*, kept: bool) -> None:
    notes = Notes(
        {(0, "id1"): 50, (3, "id1"): 70, (2, "id1"): 60},
        {(0, "id1"): 100, (2, "id1"): 60, (3, "id1"): 75, (3, "id0"): 900, (0, "id2"): 4},
    )
    take_up, _ = taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(0, "id1", 50) if kept else None))
    lost = (str(log_of(0, "id1")), 50, 100, 50)
    assert [(each.log, each.first, each.after, each.records) for each in notes.losses] == [lost]
    assert take_up.check_ended()  # by now their readers have ended
    gone = (str(log_of(3, "id1")), 70, 75, 5)
    assert [(each.log, each.first, each.after, each.records) for each in notes.losses] == [lost, gone]
    assert take_up.check_ended()
    assert len(notes.losses) == 2
    notes.away = True
    assert not take_up.check_ended()


@pytest.mark.parametrize("next_offset", [5, 100])
def test_a_snapshot_of_another_partition_hides_no_loss(next_offset: int) -> None:
    notes = Notes({}, {(0, "id1"): 9})
    taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(1, "id1", next_offset)))
    assert [(each.log, each.first, each.after) for each in notes.losses] == [(str(log_of(0, "id1")), 0, 9)]


def test_a_log_of_a_partition_that_is_gone_and_went_on_is_taken_for_ended_once_more() -> None:
    notes = Notes({(0, "id1"): 50, (3, "id1"): 70}, {(0, "id1"): 50, (3, "id1"): 75})
    take_up, _ = taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(0, "id1", 50)))
    notes.set_next(3, "id1", 75)  # a flush of its reader was still under way
    with pytest.raises(SourceChangedError, match="went on after"):
        take_up.check_ended()
    again, _ = taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(0, "id2", 0)))
    again.check_ended()
    assert notes.losses == []


def test_each_assignment_has_ended_logs_of_its_own() -> None:
    notes = Notes({(0, "id2"): 4, (0, "id1"): 50, (1, "id1"): 60})
    brokers = Brokers("id2", 4, 4)
    take_up, _ = taken_up(brokers, notes, Assigned(T, 0, snapshot(0, "id2", 4)))
    take_up.check_ended()
    take_up.decide([Assigned(T, 1, snapshot(1, "id2", 0))])
    notes.set_next(0, "id1", 55)  # another worker's now
    take_up.check_ended()
    notes.set_next(1, "id1", 65)
    with pytest.raises(SourceChangedError, match="went on after"):
        take_up.check_ended()


def test_a_log_of_which_nothing_was_stored_at_the_take_up_ended_too() -> None:
    notes = Notes({(0, "id2"): 4, (0, "id1"): 50})
    hidden = notes.hide(0, "id1")
    take_up, _ = taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(0, "id2", 4)))
    take_up.check_ended()
    notes.show(hidden)
    with pytest.raises(SourceChangedError, match="went on after"):
        take_up.check_ended()


def test_a_log_that_goes_on_has_lost_nothing_and_one_of_a_version_without_ids_neither() -> None:
    for logs in ({(0, "id2"): 4, (0, "id1"): 50}, {(0, ""): 100}):
        notes = Notes(logs, {(0, "id1"): 100})
        taken_up(Brokers("id2", 100), notes, Assigned(T, 0))
        assert notes.losses == []


def test_a_store_that_comes_back_and_knows_of_ended_logs_is_asked_again_by_a_new_worker() -> None:
    notes = Notes({(0, "id1"): 50, (0, "id2"): 4})
    notes.away = True
    assigned = Assigned(T, 0, snapshot(0, "id2", 4))
    take_up, (start,) = taken_up(Brokers("id2", 4), notes, assigned)
    assert (ended(start), take_up.checked) == ([], False)
    notes.away = False
    with pytest.raises(SourceChangedError, match="ended before it"):
        take_up.check_store()
    again, (start,) = taken_up(Brokers("id2", 4), notes, assigned)
    assert (ended(start), again.checked) == ([str(log_of(0, "id1"))], True)
    again.check_store()


def test_a_store_that_comes_back_and_knows_nothing_else_changes_nothing() -> None:
    notes = Notes({(0, "id2"): 4})
    notes.away = True
    take_up, _ = taken_up(Brokers("id2", 4), notes, Assigned(T, 0, snapshot(0, "id2", 4)))
    notes.away = False
    take_up.check_store()
    assert take_up.checked


def test_what_was_assigned_while_the_store_was_checked_is_checked_itself() -> None:
    notes = Notes({(0, "id1"): 10})
    notes.away = True
    brokers = Brokers("id1", 20, 20)
    take_up, _ = taken_up(brokers, notes, Assigned(T, 0, snapshot(0, "id1", 10)))
    both = [Assigned(T, n, snapshot(n, "id1", 10)) for n in (0, 1)]  # of the second one the store has nothing
    progress = notes.progress
    notes.away = False

    def assigned_meanwhile() -> Mapping[PartitionKey, Sequence[Row]]:
        notes.away, notes.progress = True, progress  # type: ignore[method-assign]
        take_up.decide(both)
        notes.away = False
        return progress()

    notes.progress = assigned_meanwhile  # type: ignore[method-assign]
    take_up.check_store()
    assert not take_up.checked
    with pytest.raises(SourceChangedError, match="the store has less of it"):
        take_up.check_store()


def test_a_partition_that_was_added_since_is_none_that_ended() -> None:
    notes = Notes({(0, "id1"): 4})
    take_up, _ = taken_up(Brokers("id1", 4), notes, Assigned(T, 0, snapshot(0, "id1", 4)))
    notes.show({**notes.hide(0, "id1"), "log": str(log_of(1, "id1")), "partition": 1, "next_offset": 0})
    take_up.check_ended()


def test_what_was_read_is_of_the_logs_that_it_is_counted_in() -> None:
    brokers: Any = Brokers("id2", 4)
    check_topics(brokers, [log_of(0, "id2"), log_of(1, "id2")])
    check_topics(brokers, [log_of(0, ""), PartitionId("c", "alarm.inputs", 0, "id1")])
    with pytest.raises(SourceChangedError, match="the topic was made anew"):
        check_topics(brokers, [log_of(0, "id1")])
