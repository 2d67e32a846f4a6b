"""A loss that is accepted ends where the brokers' records begin again, as far as the brokers' own times say when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from streams.brokers import Place, TopicState
from streams.counting import Row
from streams.kernels.log import LogName
from streams.kernels.takeup import Problem
from streams.losses import Acceptance, accept
from streams.notes import Loss, ProblemNote

TOPIC = "turnstile.passages"
LOG = str(LogName("live", TOPIC, 1, "id"))
COUNTED_TO, NOTICED, NOW = 1_000, 5_000, 90_000


@dataclass
class Brokers:
    """Brokers that have records from offset 30 on, the first of which arrived at `first`; None: they have none."""

    first: int | None
    times: str = "LogAppendTime"

    def look(self, topics: Sequence[str]) -> Mapping[str, TopicState]:
        """Return the topic as it is."""
        return {name: TopicState("id", {1: 30}, {1: 40}) for name in topics}

    def settings(self, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Say whose times a topic has."""
        return {name: {"message.timestamp.type": self.times} for name in topics} if self.times else {}

    def record_at(self, place: Place, offset: int) -> tuple[int, int] | None:
        """Return the first record that is still there."""
        assert (place, offset) == ((TOPIC, 1), 30)
        return None if self.first is None else (30, self.first)


@dataclass
class Notes:
    """Notes of one partition whose records up to offset 20 were gone when somebody looked."""

    noted: list[Loss] = field(default_factory=list)

    def problems(self) -> Sequence[ProblemNote]:
        """Return the loss."""
        return [ProblemNote(TOPIC, 1, Problem.RECORDS_DELETED, LOG, 10, 20, NOTICED)]

    def progress(self) -> Mapping[Place, Sequence[Row]]:
        """Return how far the log was stored."""
        return {(TOPIC, 1): [{"log": LOG, "complete_to": COUNTED_TO}]}

    def note_losses(self, losses: Sequence[Loss]) -> None:
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
    wanted = Acceptance(TOPIC, 1, "duty", "the disk was full")
    loss = accept(cast("Any", notes), cast("Any", brokers), wanted, now=NOW)
    assert (loss.first, loss.after, loss.records) == (10, 30, 20)  # ten more were gone by the time it was accepted
    assert (loss.from_ts, loss.to_ts, loss.accepted_at) == (COUNTED_TO, to_ts, NOW)
    assert notes.noted == [loss]
