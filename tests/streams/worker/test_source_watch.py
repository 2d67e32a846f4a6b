"""The watch of the source topics decides rightly about partitions, without a broker."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import Blocked, Problem
from streams.settings import KafkaSettings
from streams.sources.brokers import BrokersError, TopicState
from streams.worker.partition_state import Start
from streams.worker.process_ends import SourceChangedError
from streams.worker.source_watch import SourceWatch
from streams.worker.takeup import Assigned, AssignmentFacts, Verdict

T = "turnstile.passages"
LOG = PartitionId("c", T, 1, "id")
COMPACTED = Blocked(Problem.COMPACTED, LOG)
STATE = TopicState("id", {1: 0}, {1: 50})


class Counting:
    """One partition that is not read: from the start on, or from `next_offset` on."""

    generation = 3

    def __init__(self, blocked: Blocked, next_offset: int | None) -> None:
        self.blocked = {blocked.log.partition: blocked}
        self.log = None if next_offset is None else SimpleNamespace(name=blocked.log, next_offset=next_offset)
        self.changed: list[Blocked] = []

    def partition(self, number: int) -> object:
        """Return its log, if it was read."""
        assert number == LOG.partition
        return self.log

    def block(self, blocked: Blocked, *, generation: int) -> None:
        """Block it for this reason."""
        assert generation == self.generation
        self.changed.append(blocked)


def check(
    now: Verdict, was: Blocked = COMPACTED, *, next_offset: int | None = None, state: TopicState = STATE
) -> list[Blocked]:
    """Poll while a partition is blocked; return how it is blocked from then on, if that is another way."""
    counting = Counting(was, next_offset)
    newest = AssignmentFacts(assigned={(T, 1): Assigned(T, 1)})

    def recheck(assigned: Sequence[Assigned], _: object) -> list[Verdict]:
        snapshot = None if next_offset is None else {"log": str(LOG), "next": next_offset}
        assert list(assigned) == ([Assigned(T, 1, snapshot)] if was.problem is not Problem.OFFSET_GAP else [])
        return [now]

    watch: Any = SourceWatch(
        cast("Any", None), cast("Any", SimpleNamespace(accepted=list)), cast("Any", {T: counting}),
        cast("Any", SimpleNamespace(newest=newest, recheck=recheck)), end=lambda _: None,
        rejoin=lambda: None,
    )  # fmt: skip
    watch._check_blocked({T: state})
    return counting.changed


def test_a_partition_is_read_on_once_nothing_stands_in_its_way() -> None:
    with pytest.raises(SourceChangedError, match="it is read on"):
        check(Start(LOG, 0))


def test_what_stands_in_the_way_of_a_partition_may_become_something_else() -> None:
    """Retention goes on in a topic that was compacted, too: then its records are gone, and a loss is to be accepted."""
    deleted = Blocked(Problem.RECORDS_DELETED, LOG, 10, 30)
    assert check(deleted) == [deleted]
    assert check(COMPACTED) == []


def test_a_partition_that_was_blocked_while_it_was_read_is_decided_about_as_far_as_it_was_read() -> None:
    deleted = Blocked(Problem.RECORDS_DELETED, LOG, 10, 30)
    assert check(deleted, deleted, next_offset=10) == []


def test_a_gap_lasts_until_it_is_accepted_or_its_topic_is_another() -> None:
    gap = Blocked(Problem.OFFSET_GAP, LOG, 10, 30)
    assert check(gap, gap, next_offset=10) == []
    assert check(gap, gap, next_offset=10, state=TopicState("", {1: 0}, {1: 50})) == []  # brokers that give no ids
    for state in (TopicState("anew", {1: 0}, {1: 5}), TopicState("id", {1: 20}, {1: 50})):
        with pytest.raises(SourceChangedError, match="no longer what stands in the way"):
            check(gap, gap, next_offset=10, state=state)


@pytest.mark.parametrize("create_topics", [True, False])
def test_brokers_that_refuse_to_create_topics_stop_nothing_else(*, create_topics: bool) -> None:
    refused = []

    def refuse(*_: object) -> None:
        refused.append(True)
        raise BrokersError("not authorized")

    brokers = SimpleNamespace(
        kafka=KafkaSettings(create_topics=create_topics), missing=lambda _: [SimpleNamespace(name="rejected")],
        create=refuse,
        match_changelogs=refuse,
    )  # fmt: skip
    watch: Any = SourceWatch(
        cast("Any", brokers), cast("Any", None), {}, cast("Any", None), end=lambda _: None, rejoin=lambda: None
    )
    watch._prepare_topics({T: STATE})
    assert len(refused) == (2 if create_topics else 1)  # partitions of changelogs are added in any case
    assert [each.topic for each in watch._found({T: None, "vehicle.passages": None, "corrections": None}, now=0)] == [
        "alarm.inputs", "rejected",
    ]  # fmt: skip
