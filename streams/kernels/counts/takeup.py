"""Decides where a partition resumes after an assignment, or why it is blocked; read `partition_log` first.

A worker may go on at a snapshot only while three things agree: the snapshot, what the brokers still have, and what the
store has. Where they do not, going on would pass over records or count them twice, and the figures would look right.
Then either a new log is begun, and the store settles what is counted again, or, where records are gone that nobody
has counted, the partition is blocked until an operator accepts the loss.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from streams.kernels.counts.partition_log import PartitionId


class Problem(StrEnum):
    """Why the figures of a partition are not fresh; `problem_words` says each to people."""

    RECORDS_DELETED = "records-deleted"  # by retention or by hand, before they were counted
    OFFSET_GAP = "offset-gap"  # offsets without a record: transactions, compaction
    LOG_REPLACED = "log-replaced"  # the brokers came back from an older copy: what was counted is not what they have
    STATE_LOST = "state-lost"  # neither snapshot nor rows are left, and the brokers no longer have the first records
    STORE_UNKNOWN = "store-unknown"  # no snapshot is left, and the store does not say what it has
    SNAPSHOTS_APART = "snapshots-apart"  # the partition of the snapshots is not assigned to the same worker
    TOPIC_MISSING = "topic-missing"
    COMPACTED = "compacted"  # the topic is compacted: records vanish from it unread
    PRODUCER_TIME = "producer-time"  # the topic says when a record was made, not when it arrived
    BROKER_CLOCK = "broker-clock"  # the brokers' clock contradicts the worker's
    SNAPSHOT_UNREADABLE = "snapshot-unreadable"  # it is read, from an older snapshot or from the beginning


ACCEPTABLE: Final = frozenset({Problem.RECORDS_DELETED, Problem.OFFSET_GAP, Problem.LOG_REPLACED, Problem.STATE_LOST})
"""Those that an operator ends by accepting a loss."""
OF_TIME: Final = frozenset({Problem.PRODUCER_TIME, Problem.BROKER_CLOCK})
"""Those with which everything is counted, though what is believed of its times may be wrong."""


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What a snapshot says of itself. Of two of one partition the one with the higher (era, next) is the newer."""

    log: PartitionId
    next: int
    era: int = 0  # how many logs of the partition ended before it
    arrived: int = 0  # broker time (ms) of the record before `next`; 0 if not known


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """Offsets of a log, [first, after), whose records an operator has accepted to be lost."""

    log: str
    first: int
    after: int
    problem: str = ""  # a Problem, if known


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What is known of one partition when it is assigned."""

    base: PartitionId  # its log as it would be named if it were begun at offset 0 now
    begin: int  # the brokers' first offset
    end: int  # the one behind the last
    snapshot: SnapshotHeader | None = None
    arrived: int = 0  # broker time (ms) of the record before the snapshot's next; 0 if there is none
    # The next offset of every log of the same topic and partition that the store has rows of; None while the store does
    # not answer.
    stored: Mapping[str, int] | None = None
    committed: int = 0  # the group's offset, 0 if it has none
    accepted: Sequence[AcceptedLoss] = ()
    differ: Collection[str] = ()  # logs in `stored` of which the brokers have other records than were stored, or fewer


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the snapshot's log at an offset."""

    snapshot: SnapshotHeader
    at: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a log at its first offset."""

    log: PartitionId
    era: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """Do not read: records at the offsets [first, after) are missing, or not what was counted."""

    problem: Problem
    log: PartitionId
    first: int = 0
    after: int = 0


Decision = Resume | Begin | Blocked


def take_up(facts: PartitionFacts) -> Decision:
    """Decide how a partition is read on of which every record counts."""
    snapshot = facts.snapshot
    if snapshot is None or not same_topic(snapshot.log, facts.base) or snapshot.log.copy < _copy(facts):
        return _without_snapshot(facts)
    stored = snapshot.next if facts.stored is None else facts.stored.get(str(snapshot.log), snapshot.log.first)
    if _is_replaced(facts, snapshot) or str(snapshot.log) in facts.differ:
        return _begin_beside(facts, snapshot.log, max(stored, snapshot.next))
    if stored < snapshot.next or snapshot.next < facts.begin:
        # The store came back from an older copy, or records are gone: of what was stored behind the snapshot nothing
        # may be overwritten by a log that does not know it.
        return _begin_behind(facts, snapshot.log, stored, Problem.RECORDS_DELETED)
    return Resume(snapshot, snapshot.next)


def take_up_auxiliary(facts: PartitionFacts) -> Resume | Begin:
    """Decide the same for a topic that nothing is counted from: a log is begun where it cannot be gone on with."""
    snapshot = facts.snapshot
    if snapshot is None or not same_topic(snapshot.log, facts.base):
        return _begin(facts)
    if _is_replaced(facts, snapshot):
        return _begin(facts, more=1)
    return Resume(snapshot, max(snapshot.next, facts.begin))


def same_topic(log: PartitionId, base: PartitionId) -> bool:
    """Tell whether a log is of the same topic in the same incarnation, or of the same cluster where one has no id."""
    if (log.topic, log.partition) != (base.topic, base.partition):
        return False
    if log.incarnation and base.incarnation:  # ids of topics differ between clusters
        return log.incarnation == base.incarnation
    return log.cluster == base.cluster


def missing_records(log: PartitionId, first: int, after: int, *, begin: int) -> Blocked:
    """Say why the offsets [first, after) have no record: deleted if the brokers' log begins behind `first`."""
    return Blocked(Problem.RECORDS_DELETED if begin > first else Problem.OFFSET_GAP, log, first, after)


def skip(accepted: Sequence[AcceptedLoss], log: str, first: int, after: int) -> int | None:
    """Return how many offsets are in [first, after) if all of them were accepted to be lost; None otherwise."""
    at = first
    for each in sorted(accepted, key=lambda loss: loss.first):
        if each.log == log and each.first <= at < each.after:
            at = each.after
    return after - first if at >= after else None


def _is_replaced(facts: PartitionFacts, snapshot: SnapshotHeader) -> bool:
    """Tell whether the brokers have another log than was counted, as brokers that came back from an older copy have."""
    return snapshot.next > facts.end or (0 < facts.arrived != snapshot.arrived > 0)


def _copy(facts: PartitionFacts) -> int:
    """Return how often the brokers are known to have come back with other records."""
    logs = [PartitionId.parse(name) for name in facts.stored or ()]
    if facts.snapshot is not None:
        logs.append(facts.snapshot.log)
    return max((each.copy for each in logs if same_topic(each, facts.base)), default=0)


def _begin(facts: PartitionFacts, *, more: int = 0) -> Begin:
    era = 0 if facts.snapshot is None else facts.snapshot.era + 1
    return Begin(replace(facts.base, first=facts.begin, copy=_copy(facts) + more), era)


def _begin_beside(facts: PartitionFacts, log: PartitionId, counted: int) -> Begin | Blocked:
    """Begin a log under another name where the brokers have other records than were counted, once that is accepted."""
    if skip(facts.accepted, str(log), facts.begin, counted) is not None:
        # Its rows must not take the place of those of the log that ended; what is in both is settled.
        return _begin(facts, more=1)
    return Blocked(Problem.LOG_REPLACED, log, facts.begin, counted)


def _begin_behind(facts: PartitionFacts, log: PartitionId, counted: int, problem: Problem) -> Begin | Blocked:
    """Begin a log at the brokers' first record if everything before it was counted in another, or its loss accepted."""
    if counted >= facts.begin or skip(facts.accepted, str(log), counted, facts.begin) is not None:
        return _begin(facts)
    return Blocked(problem, log, counted, facts.begin)


def _without_snapshot(facts: PartitionFacts) -> Begin | Blocked:
    """Decide where there is no snapshot of the topic as it is now: it is new, or the snapshots are lost."""
    copy = _copy(facts)
    ended = [name for name in facts.differ if PartitionId.parse(name).copy == copy]
    if ended and facts.stored:
        name = max(ended, key=lambda each: (facts.stored or {})[each])
        return _begin_beside(facts, PartitionId.parse(name), facts.stored[name])
    if facts.begin == 0:
        return _begin(facts)
    if facts.stored is None:
        return Blocked(Problem.STORE_UNKNOWN, facts.base, 0, facts.begin)
    base, logs = replace(facts.base, copy=copy), [(PartitionId.parse(name), n) for name, n in facts.stored.items()]
    stored = [n for log, n in logs if same_topic(log, facts.base) and log.copy == copy]  # others gave offsets to others
    if not stored and not facts.committed and facts.snapshot is None:
        return _begin(facts)  # nobody has read the topic before
    known = bool(stored or facts.snapshot)
    problem = Problem.RECORDS_DELETED if known else Problem.STATE_LOST
    return _begin_behind(facts, base, max(stored, default=0), problem)
