"""Accepts lost records for a blocked partition, so that its worker reads on.

Nothing is changed in Kafka. The worker that has the partition sees the acceptance within seconds, and reads on.
"""

import time
from collections.abc import Sequence
from typing import Final

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import ACCEPTABLE, Problem
from streams.sources.brokers import Brokers, PartitionKey
from streams.sources.problem_words import sentence
from streams.sources.tables import Loss, SourceTables, StoredProblem

_LONGEST: Final = 200


class AcceptLossError(ValueError):
    """There is no loss to accept at this partition, or the arguments do not say enough; the message says what is."""


def accept(notes: SourceTables, brokers: Brokers, place: PartitionKey, *, actor: str, reason: str, now: int) -> Loss:
    """Accept the loss that a partition is blocked for, as far as it goes by now (ms). Raises AcceptLossError."""
    actor, reason = actor.strip(), reason.strip()
    for name, value in (("actor", actor), ("reason", reason)):
        if not 0 < len(value) <= _LONGEST:
            raise AcceptLossError(f"--{name}: {len(value)} characters; expected 1 to {_LONGEST}")
    problem = _problem(notes.problems(), place)
    first, after = _still_lost(notes, brokers, problem)
    loss = Loss(
        *place,
        log=problem.log,
        problem=problem.problem.value,
        first=first,
        after=after,
        # What a replaced log had beyond its end was counted; how much of it was never read, nobody knows.
        records=0 if problem.problem is Problem.LOG_REPLACED else after - first,
        from_ts=_counted_to(notes, problem),
        to_ts=_gone_by(brokers, place, after, now),
        accepted_at=now,
        actor=actor,
        reason=reason,
    )
    notes.write_losses([loss])
    return loss


def await_reading(notes: SourceTables, loss: Loss, *, seconds: float) -> bool:
    """Wait until the partition is read beyond the loss, wherever it is blocked next; False if it is not by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(
            (each.topic, each.partition) == (loss.topic, loss.partition) and each.first < loss.after
            for each in notes.problems()
        ):
            return True
        time.sleep(0.5)
    return False


def _problem(problems: Sequence[StoredProblem], place: PartitionKey) -> StoredProblem:
    found = [each for each in problems if (each.topic, each.partition) == place]
    for each in found:
        if each.problem in ACCEPTABLE:
            return each
    if found:
        sentences = "; ".join(
            sentence(each.problem, each.topic, each.partition, each.first, each.after) for each in found
        )
        raise AcceptLossError(f"nothing is lost there that could be accepted. {sentences}")
    there = ", ".join(f"{each.topic} {each.partition}" for each in problems if each.problem in ACCEPTABLE) or "none"
    where = f"{place[0]} {place[1]}"
    raise AcceptLossError(f"{where}: nothing stands in the way of this partition; those with a loss: {there}")


def _still_lost(notes: SourceTables, brokers: Brokers, problem: StoredProblem) -> tuple[int, int]:
    """Return [first, after): what of it the brokers lack by now, without what was accepted before."""
    first, after = problem.first, problem.after
    if problem.problem in (Problem.RECORDS_DELETED, Problem.STATE_LOST):
        state = brokers.topic_states([problem.topic]).get(problem.topic)
        after = after if state is None else state.begin.get(problem.partition, after)
        if after <= first:
            raise AcceptLossError(
                f"{problem.topic} {problem.partition}: the brokers have these records again, so nothing is lost; "
                "the workers resume the partition within seconds"
            )
    for each in sorted(notes.accepted(), key=lambda loss: loss.first):
        if each.log == problem.log and each.first <= first < each.after < after:
            first = each.after
    return first, after


def _gone_by(brokers: Brokers, place: PartitionKey, after: int, now: int) -> int:
    """Return when (ms) the last of the lost records arrived at the latest: before the first that is still there.

    Only the brokers' own times say so; a loss that is accepted late would otherwise concern the days since, too.
    """
    topic, _ = place
    config = brokers.settings([topic]).get(topic, {})
    if config.get("message.timestamp.type") != "LogAppendTime":
        return now
    found = brokers.record_at(place, after)
    return now if found is None else min(now, found[1])


def _counted_to(notes: SourceTables, problem: StoredProblem) -> int:
    """Return up to which moment (ms) the partition was complete before the loss; when it was noticed if not known."""
    name = PartitionId.parse(problem.log)
    rows = notes.progress().get((name.topic, name.partition), ())
    return max((row["complete_to"] for row in rows if row["complete_to"] < problem.since), default=problem.since)
