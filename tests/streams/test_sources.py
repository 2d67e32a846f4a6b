"""What a worker does about its source topics at a poll, as far as no broker is needed for it."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.brokers import BrokersError
from streams.counting import Start
from streams.ends import SourceChangedError
from streams.kernels.log import LogName
from streams.kernels.takeup import Blocked, Problem
from streams.settings import Kafka
from streams.sources import SourceWatch
from streams.takeup import Assigned, TakenUp, Verdict

T = "turnstile.passages"
LOG = LogName("c", T, 1, "id")
COMPACTED = Blocked(Problem.COMPACTED, LOG)


class Counting:
    """One partition that is not read."""

    def __init__(self, blocked: Blocked) -> None:
        self.blocked = {blocked.log.partition: blocked}

    def block(self, blocked: Blocked) -> None:
        """Block it for this reason."""
        self.blocked[blocked.log.partition] = blocked


def check(now: Verdict) -> Mapping[int, Blocked]:
    """Poll while a partition is blocked as compacted; return how it is blocked after its facts were looked at again."""
    counting = Counting(COMPACTED)
    newest = TakenUp(assigned={(T, 1): Assigned(T, 1)})

    def decide(assigned: Sequence[Assigned]) -> list[Verdict]:
        assert list(assigned) == [Assigned(T, 1)]
        return [now]

    watch: Any = SourceWatch(
        cast("Any", None), cast("Any", None), cast("Any", {T: counting}), cast("Any", SimpleNamespace(newest=newest)),
        cast("Any", SimpleNamespace(decide=decide)), end=lambda _: None,
    )  # fmt: skip
    watch._check_blocked()
    return counting.blocked


def test_a_partition_is_read_on_once_nothing_stands_in_its_way() -> None:
    with pytest.raises(SourceChangedError, match="it is read on"):
        check(Start(LOG, 0))


def test_what_stands_in_the_way_of_a_partition_may_become_something_else() -> None:
    """Retention goes on in a topic that was compacted, too: then its records are gone, and a loss is to be accepted."""
    deleted = Blocked(Problem.RECORDS_DELETED, LOG, 10, 30)
    assert check(deleted) == {1: deleted}
    assert check(COMPACTED) == {1: COMPACTED}


@pytest.mark.parametrize("create_topics", [True, False])
def test_brokers_that_refuse_to_create_topics_stop_nothing_else(*, create_topics: bool) -> None:
    def refuse(*_: object) -> None:
        raise BrokersError("not authorized")

    brokers = SimpleNamespace(
        kafka=Kafka(create_topics=create_topics), missing=lambda _: [SimpleNamespace(name="rejected")], create=refuse,
        match_changelogs=refuse,
    )  # fmt: skip
    watch: Any = SourceWatch(
        cast("Any", brokers), cast("Any", None), {}, cast("Any", None), cast("Any", None), end=lambda _: None
    )
    watch._prepare_topics({})
    assert [each.topic for each in watch._found({T: None, "vehicle.passages": None, "corrections": None}, now=0)] == [
        "alarm.inputs", "rejected",
    ]  # fmt: skip
