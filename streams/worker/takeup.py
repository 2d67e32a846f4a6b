"""Collects what brokers and store know of assigned partitions; `kernels.counts.takeup` decides where each resumes.

Blocking calls to brokers and store: for a thread. Read `agents` next.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

import structlog

from sinks.sink import StoreError
from streams.contract.topics import SOURCES
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import (
    AcceptedLoss,
    Begin,
    Blocked,
    PartitionFacts,
    Problem,
    Resume,
    SnapshotHeader,
    same_topic,
    take_up,
    take_up_auxiliary,
)
from streams.sources.brokers import Brokers, PartitionKey, TopicState
from streams.sources.tables import Loss, Row, SourceTables, StoredPartition
from streams.worker.checkpoint import snapshot_of
from streams.worker.partition_state import Start
from streams.worker.process_ends import SourceChangedError

log = structlog.get_logger()
_NOBODY: Final = "gatepulse"
_REPLACED: Final = "the topic was made anew before these were read"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A partition that was assigned, with its newest snapshot."""

    topic: str
    partition: int
    snapshot: Plain | None = None
    elsewhere: bool = False  # the snapshot may be with another worker
    unreadable: int = 0  # up to which offset a newer snapshot had counted that cannot be loaded


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the store knows: rows of progress by partition, losses that were accepted, partitions as they once were."""

    progress: Mapping[PartitionKey, Sequence[Row]]
    accepted: Sequence[AcceptedLoss]
    partitions: Sequence[StoredPartition]


Verdict = Start | Blocked


@dataclass(frozen=True, slots=True)
class AssignmentFacts:
    """What one assignment was decided by."""

    assigned: Mapping[PartitionKey, Assigned] = field(default_factory=dict)
    states: Mapping[str, TopicState] = field(default_factory=dict)  # what the brokers had then
    logs: dict[PartitionKey, str] = field(default_factory=dict)  # those that are read
    # Next offsets of the logs before these, and of partitions that topics no longer have: this worker publishes up to
    # when they are complete.
    ended: dict[str, int] = field(default_factory=dict)


@dataclass
class TakeUp:
    """Decides for the partitions of one cluster, and notes what was lost with topics that were made anew.

    newest: what was decided last; whole, as other threads read it. A worker that begins while the store does not answer
    must check before it writes: the store may have come back from an older copy.
    """

    brokers: Brokers
    notes: SourceTables
    cluster: str
    newest: AssignmentFacts = field(default_factory=AssignmentFacts)
    clock: Callable[[], float] = time.time
    _checked: AssignmentFacts | None = None

    @property
    def checked(self) -> bool:
        """Whether the store is known to have what the newest snapshots say it has."""
        return not self.newest.assigned or self._checked is self.newest

    def decide(self, assigned: Sequence[Assigned]) -> list[Verdict]:
        """Return for each partition how it is read on, or why it is not. Raises BrokersError."""
        topics = sorted({each.topic for each in assigned})
        states = self.brokers.topic_states(topics)
        settings, stored = self.brokers.settings(described(states)), self._stored()
        assignment = AssignmentFacts({(each.topic, each.partition): each for each in assigned}, states)
        committed = self._committed(assigned, states)
        verdicts: list[Verdict] = []
        for each in assigned:
            place, state = (each.topic, each.partition), states.get(each.topic)
            if state is None or each.partition not in state.end:
                verdicts.append(Blocked(Problem.TOPIC_MISSING, PartitionId(self.cluster, *place)))
                continue
            base = PartitionId(self.cluster, *place, state.incarnation)
            if "compact" in settings.get(each.topic, {}).get("cleanup.policy", ""):
                verdicts.append(Blocked(Problem.COMPACTED, base))
            else:
                facts = self._facts(each, base, state, stored, committed.get(place, 0))
                verdicts.append(self._verdict(each, facts, stored, assignment))
        if stored is not None:
            self._checked = assignment
        self.newest = assignment
        return verdicts

    def recheck(self, assigned: Sequence[Assigned], brokers: Brokers) -> list[Verdict]:
        """Decide again, over a connection of its own; what was decided at the assignment stays the newest."""
        return replace(self, brokers=brokers).decide(assigned)

    def check_store(self) -> None:
        """Check that the store has all that the snapshots contain, if it did not answer at the assignment.

        Raises StoreError while it does not answer, and SourceChangedError if rows are missing, or logs were not known.
        """
        newest = self.newest
        if self.checked:
            return
        progress = self.notes.progress()
        stored = {row["log"]: row["next_offset"] for rows in progress.values() for row in rows}
        for each in newest.assigned.values():
            snapshot = None if each.snapshot is None or each.topic not in SOURCES else snapshot_of(each.snapshot)
            if snapshot is not None and stored.get(str(snapshot.log), snapshot.log.first) < snapshot.next:
                raise SourceChangedError(f"{snapshot.log}: the store has less of it than its snapshot says")
            copy = 0 if snapshot is None else snapshot.log.copy
            if any(
                (log.topic, log.partition) == (each.topic, each.partition) and log.copy > copy
                for log in map(PartitionId.parse, stored)
            ):
                raise SourceChangedError(f"{each.topic} {each.partition}: the store knows of a later log")
        for place, name in newest.logs.items():
            if self._ended(place, name, progress, newest):  # nobody would publish up to when these are complete
                raise SourceChangedError(f"{name}: the store knows of logs that ended before it")
        self._checked = newest

    def _stored(self) -> StoreState | None:
        try:
            return StoreState(self.notes.progress(), self.notes.accepted(), self.notes.partitions())
        except StoreError as error:
            log.warning("the progress in the store cannot be read", reason=error.reason)
            return None

    def _committed(self, assigned: Sequence[Assigned], states: Mapping[str, TopicState]) -> Mapping[PartitionKey, int]:
        # Queried only where they matter.
        lost = [each for each in assigned if each.snapshot is None and each.topic in states]
        if any(states[each.topic].begin.get(each.partition, 0) > 0 for each in lost):
            return self.brokers.committed()
        return {}

    def _facts(
        self, each: Assigned, base: PartitionId, state: TopicState, stored: StoreState | None, committed: int
    ) -> PartitionFacts:
        place = each.topic, each.partition
        snapshot = None if each.snapshot is None else snapshot_of(each.snapshot)
        rows = None if stored is None else stored.progress.get(place, ())
        begin, end = state.begin[each.partition], state.end[each.partition]
        return PartitionFacts(
            base=base,
            begin=begin,
            end=end,
            snapshot=snapshot,
            arrived=self._arrived(place, snapshot, begin, end),
            # A row without a record says that a partition was seen, not that anything was counted.
            stored=None if rows is None else {row["log"]: row["next_offset"] for row in rows if row["next_offset"]},
            committed=committed,
            differ=() if rows is None else self._differ(rows, base, begin, end),
            accepted=() if stored is None else stored.accepted,
        )

    def _differ(self, rows: Sequence[Row], base: PartitionId, begin: int, end: int) -> list[str]:
        """Return the logs that are stored of which the brokers have fewer records, or another one before the next."""
        place = base.topic, base.partition
        logs = [(PartitionId.parse(row["log"]), row) for row in rows if row["next_offset"]]
        own = [(log, row) for log, row in logs if same_topic(log, base)]
        copy = max((log.copy for log, _ in own), default=0)
        return [
            row["log"]
            for log, row in own
            if log.copy == copy and self._is_other(place, row["next_offset"], row["tail"], begin=begin, end=end)
        ]

    def _is_other(self, place: PartitionKey, after: int, tail: int, *, begin: int, end: int) -> bool:
        """Tell whether the record before an offset is not the one that arrived at `tail` (ms; 0: not known)."""
        if after > end:
            return True
        return bool(tail) and after > begin and self._tail(place, after) not in (None, tail)

    def _arrived(self, place: PartitionKey, snapshot: SnapshotHeader | None, begin: int, end: int) -> int:
        """Return the time of the record before a snapshot's next offset; 0 if there is none any more."""
        if snapshot is None or not snapshot.arrived or not begin < snapshot.next <= end:
            return 0
        return self._tail(place, snapshot.next) or 0

    def _tail(self, place: PartitionKey, after: int) -> int | None:
        """Return the time (ms) of the record before an offset; None if the brokers have none there."""
        found = self.brokers.record_at(place, after - 1)
        return found[1] if found is not None and found[0] == after - 1 else None

    def _verdict(
        self, each: Assigned, facts: PartitionFacts, stored: StoreState | None, assignment: AssignmentFacts
    ) -> Verdict:
        if each.elsewhere:
            return Blocked(Problem.SNAPSHOTS_APART, facts.base)
        decision = (take_up if each.topic in SOURCES else take_up_auxiliary)(facts)
        if isinstance(decision, Blocked):
            return decision
        if isinstance(decision, Resume):
            name, at, era, plain = decision.snapshot.log, decision.at, decision.snapshot.era, each.snapshot
        else:
            name, at, era = decision.log, decision.log.first, decision.era
            plain = None
            if each.snapshot is not None and each.topic not in SOURCES:  # nothing is counted from it: its state goes on
                plain = {**each.snapshot, "log": str(name), "next": at}
            self._begun(decision, facts, stored)
        place = name.topic, name.partition
        accepted = () if stored is None else [one for one in stored.accepted if one.log == str(name)]
        ended = () if stored is None else self._ended(place, str(name), stored.progress, assignment)
        assignment.logs[place] = str(name)
        assignment.ended.update({row["log"]: row["next_offset"] for row in ended})
        unreadable = min(each.unreadable, facts.end)  # what it says of itself may be garbage, too
        return Start(name, at, plain, era=era, accepted=accepted, ended=ended, unreadable=unreadable)

    def check_ended(self) -> bool:
        """See that logs have ended, and note what was unread of partitions that topics no longer have.

        To be called once whoever read them before has ended, too. Returns whether the store said what it has. Raises
        StoreError, and SourceChangedError where a log went on: this worker says up to when an older row is complete.
        """
        stored, newest = self._stored(), self.newest
        if stored is None:
            return False
        for place, name in newest.logs.items():
            for row in self._ended(place, name, stored.progress, newest):
                unknown = -1 if row["partition"] == place[1] else row["next_offset"]  # a partition may have been added
                if row["next_offset"] > newest.ended.get(row["log"], unknown):
                    raise SourceChangedError(f"{row['log']}: it went on after another log had begun")
        vanished = [
            (place, state.incarnation)
            for topic, state in newest.states.items()
            if topic in SOURCES and (topic, 0) in newest.logs
            for place in _vanished(state, topic, stored.progress)
        ]
        self._note([loss for place, now in vanished for loss in self._unread(place, now, None, stored)], stored)
        return True

    def _ended(
        self,
        place: PartitionKey,
        name: str,
        progress: Mapping[PartitionKey, Sequence[Row]],
        assignment: AssignmentFacts,
    ) -> Sequence[Row]:
        """Return the other logs of a partition; with partition 0 those of partitions that its topic no longer has."""
        topic, partition = place
        gone = _vanished(assignment.states[topic], topic, progress) if partition == 0 else ()
        rows = chain(progress.get(place, ()), *(progress[each] for each in gone))
        return [row for row in rows if row["log"] != name and row["cluster"] == self.cluster]

    def _begun(self, begin: Begin, facts: PartitionFacts, stored: StoreState | None) -> None:
        """Say that a log is begun, and note what was never read of a topic that was there before."""
        before, known = facts.snapshot, [PartitionId.parse(name) for name in facts.stored or ()]
        if before is not None:
            log.warning("log begun anew", log=str(begin.log), before=str(before.log), before_next=before.next)
            known.append(before.log)
        if stored is None or begin.log.topic not in SOURCES or any(same_topic(each, facts.base) for each in known):
            return
        place = begin.log.topic, begin.log.partition
        self._note(list(self._unread(place, facts.base.incarnation, before, stored)), stored)

    def _note(self, losses: Sequence[Loss], stored: StoreState) -> None:
        """Note losses that are not noted yet: they keep the times at which they were."""
        noted = {(each.log, each.first, each.after) for each in stored.accepted}
        fresh = [each for each in losses if (each.log, each.first, each.after) not in noted]
        if fresh:
            self.notes.write_losses(fresh)

    def _unread(
        self, place: PartitionKey, now_is: str, snapshot: SnapshotHeader | None, stored: StoreState
    ) -> Iterator[Loss]:
        """Tell what was never read of a partition before its topic was made anew, in the incarnation `now_is`."""
        former = [note for note in stored.partitions if (note.topic, note.partition) == place]
        former = [note for note in former if note.incarnation not in ("", now_is)]
        if not former:
            return
        newest = max(former, key=lambda note: note.since)
        logs = [
            SnapshotHeader(PartitionId.parse(row["log"]), row["next_offset"], arrived=row["tail"])
            for row in stored.progress.get(place, ())
            if row["cluster"] == self.cluster
        ]
        if snapshot is not None and (snapshot.log.topic, snapshot.log.partition) == place:  # its key says nothing
            logs.append(snapshot)
        own = [each for each in logs if each.log.incarnation in ("", newest.incarnation)]
        nothing = SnapshotHeader(PartitionId(self.cluster, *place, newest.incarnation, newest.begin), newest.begin)
        counted = max(own, key=lambda each: (each.log.copy, each.next), default=nothing)
        if newest.end > counted.next:
            now = round(self.clock() * 1000)
            yield Loss(
                *place, str(counted.log), "topic-replaced", counted.next, newest.end, newest.end - counted.next,
                counted.arrived or now, now, now, _NOBODY, _REPLACED,
            )  # fmt: skip


def check_topics(brokers: Brokers, logs: Iterable[PartitionId]) -> None:
    """See that what was read until now is of these logs, and not of topics that were made anew under their names.

    Clients read on by name: where a log was empty, or the new one is long enough, no offset tells the two apart.
    Raises BrokersError, and SourceChangedError where a topic was made anew.
    """
    known = {log.topic: log.incarnation for log in logs if log.incarnation and log.topic in SOURCES}
    found = brokers.incarnations(sorted(known)) if known else {}
    for topic, incarnation in found.items():
        if incarnation != known[topic]:
            raise SourceChangedError(f"{topic}: the topic was made anew; its new log is read from the beginning")


def _vanished(state: TopicState, topic: str, progress: Mapping[PartitionKey, Sequence[Row]]) -> Sequence[PartitionKey]:
    return sorted(each for each in progress if each[0] == topic and each[1] not in state.end)


def described(states: Mapping[str, TopicState]) -> list[str]:
    """List the source topics that brokers describe; those that give no ids may not know how topics are set."""
    return [topic for topic, state in states.items() if topic in SOURCES and state.incarnation]
