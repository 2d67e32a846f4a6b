"""An accepted loss ends at the brokers' first remaining record, in offset and in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import AcceptedLoss, Problem
from streams.operations.losses import AcceptLossError, accept, await_reading
from streams.sources.brokers import PartitionKey, TopicState
from streams.sources.tables import Loss, Row, StoredProblem

TOPIC = "turnstile.passages"
LOG = str(PartitionId("live", TOPIC, 1, "id"))
COUNTED_TO, NOTICED, NOW = 1_000, 5_000, 90_000
WANTED: Any = {"place": (TOPIC, 1), "actor": "duty", "reason": "the disk was full"}


@dataclass
class Brokers:
    """Brokers that have records from `begin` on, the first of which arrived at `first`; None: they have none."""

    first: int | None
    times: str = "LogAppendTime"
    begin: int = 30

    def topic_states(self, topics: Sequence[str]) -> Mapping[str, TopicState]:
        """Return the topic as it is."""
        return {name: TopicState("id", {1: self.begin}, {1: 40}) for name in topics}

    def settings(self, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Say whose times a topic has."""
        return {name: {"message.timestamp.type": self.times} for name in topics} if self.times else {}

    def record_at(self, place: PartitionKey, offset: int) -> tuple[int, int] | None:
        """Return the first record that is still there."""
        assert (place, offset) == ((TOPIC, 1), self.begin)
        return None if self.first is None else (self.begin, self.first)


@dataclass
class Notes:
    """Notes of one partition whose records up to offset 20 were gone when somebody looked."""

    noted: list[Loss] = field(default_factory=list)

    def accepted(self) -> Sequence[AcceptedLoss]:
        """Return what was accepted before."""
        return [AcceptedLoss(each.log, each.first, each.after, each.problem) for each in self.noted]

    def problems(self) -> Sequence[StoredProblem]:
        """Return the loss."""
        return [StoredProblem(TOPIC, 1, Problem.RECORDS_DELETED, LOG, 10, 20, NOTICED)]

    def progress(self) -> Mapping[PartitionKey, Sequence[Row]]:
        """Return how far the log was stored."""
        return {(TOPIC, 1): [{"log": LOG, "complete_to": COUNTED_TO}]}

    def write_losses(self, losses: Sequence[Loss]) -> None:
        """Keep them."""
        self.noted += losses


@pytest.mark.parametrize(
    ("brokers", "to_ts"),
    [
        (Brokers(first=7_000), 7_000),
        (Brokers(first=NOW + 60_000), NOW),  # a broker whose clock is ahead
        (Brokers(first=None), NOW),  # nothing is left: more may be lost until now
        (Brokers(first=7_000, times="CreateTime"), NOW),  # the senders' times say nothing of when it arrived
        (Brokers(first=7_000, times=""), NOW),  # brokers that do not say how topics are set
    ],
)
def test_records_that_were_lost_arrived_before_the_first_that_is_still_there(brokers: Brokers, to_ts: int) -> None:
    notes = Notes()
    loss = accept(cast("Any", notes), cast("Any", brokers), **WANTED, now=NOW)
    assert (loss.first, loss.after, loss.records) == (10, 30, 20)  # ten more were gone by the time it was accepted
    assert (loss.from_ts, loss.to_ts, loss.accepted_at) == (COUNTED_TO, to_ts, NOW)
    assert notes.noted == [loss]


def accepted(notes: Notes, brokers: Brokers) -> tuple[int, int, int]:
    loss = accept(cast("Any", notes), cast("Any", brokers), **WANTED, now=NOW)
    return loss.first, loss.after, loss.records


def test_records_that_a_broker_has_again_are_not_lost() -> None:
    """A broker that is killed soon after it deleted records may have them again."""
    assert accepted(Notes(), Brokers(first=7_000, begin=15)) == (10, 15, 5)
    notes = Notes()
    with pytest.raises(AcceptLossError, match="have these records again, so nothing is lost"):
        accepted(notes, Brokers(first=7_000, begin=10))
    assert notes.noted == []


def test_what_was_accepted_before_is_not_lost_once_more() -> None:
    notes = Notes()
    assert accepted(notes, Brokers(first=7_000, begin=30)) == (10, 30, 20)
    assert accepted(notes, Brokers(first=7_000, begin=34)) == (30, 34, 4)
    assert sum(each.records for each in notes.noted) == 24


def test_a_partition_that_is_blocked_again_behind_a_loss_was_read_beyond_it() -> None:
    """A producer's next transaction may end before anybody sees that the partition was read."""
    notes = Notes()
    loss = accept(cast("Any", notes), cast("Any", Brokers(first=7_000)), **WANTED, now=NOW)
    assert not await_reading(cast("Any", notes), loss, seconds=0.01)
    again = replace(notes.problems()[0], problem=Problem.OFFSET_GAP, first=loss.after, after=loss.after + 1)
    notes.problems = lambda: [again]  # type: ignore[method-assign]
    assert await_reading(cast("Any", notes), loss, seconds=5)
