"""Watches the source topics: records partitions and problems, and triggers a take-up or a rebalance.

`SourceWatch` polls every few seconds on a thread of its own, writes what it sees to the store, gives new partitions a
place for their snapshots, makes topics anew that only workers write, and ends the process where only a new take-up can
be right.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, Final

import structlog

from sinks.sink import StoreError
from streams.contract.events import Topic
from streams.contract.topics import SOURCES, changelog, output_topics
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import Blocked, Problem, missing_records, same_topic, skip
from streams.sources.brokers import Brokers, BrokersError, PartitionKey, TopicState
from streams.sources.tables import ProblemKey, SourceTables, StoredPartition, StoredProblem
from streams.worker.counting import Counting
from streams.worker.partition_state import Start
from streams.worker.process_ends import EndProcess, SourceChangedError
from streams.worker.takeup import Assigned, AssignmentFacts, TakeUp, described

log = structlog.get_logger()

TICK_SECONDS: Final = 1.5
_RARE_POLLS: Final = 20
_WATCHED: Final = (*SOURCES, Topic.ALARM_INPUTS)
_WHOLE_TOPIC: Final = -1
_GONE_MS: Final = 300_000
"""So long a partition that its topic no longer has may still be assigned to somebody."""
_ENDED_POLLS: Final = 20
"""Polls after a take-up by which whoever has read other logs of the partitions has ended."""


FIRST_REBALANCE: Final = 3
"""Polls until the first rebalance: another worker may only be slow to start."""
BACKOFF: Final = 4
"""Each further rebalance comes after so many times as many polls."""


@dataclass
class Unassigned:
    """Decides when the group must rebalance although no member joined or left: its assignment is out of date.

    A member that returns within its session gets its partitions back without a rebalance. If it leads the group,
    aiokafka does not tell it so, and then no member watches for partitions that were added or are gone.
    """

    unread: frozenset[PartitionKey] = frozenset()  # no worker has ever read them
    gone: frozenset[PartitionKey] = frozenset()  # assigned, and their topic no longer has them
    elsewhere: frozenset[PartitionKey] = frozenset()  # assigned, and their snapshots are with another worker, or none
    _polls: int = 0
    _next: int = FIRST_REBALANCE

    def begin(self, unread: frozenset[PartitionKey]) -> None:
        """Count anew: the topics have other partitions than before."""
        self.unread, self._polls, self._next = unread, 0, FIRST_REBALANCE

    def poll(self, read: AbstractSet[PartitionKey]) -> bool:
        """Count a poll of a worker that reads these partitions; return whether the group must rebalance.

        A worker without partitions leaves it to those that have some.
        """
        self.unread -= read
        if not (self.gone or self.elsewhere or (self.unread and read)):
            self.begin(self.unread)
            return False
        self._polls += 1
        if self._polls < self._next:
            return False
        self._next *= BACKOFF
        return True


@dataclass
class SourceWatch:
    """Polls the brokers for the source topics, over connections of its own."""

    brokers: Brokers
    notes: SourceTables
    countings: Mapping[str, Counting[Any]]
    take_up: TakeUp
    end: EndProcess
    rejoin: Callable[[], object]
    clock: Callable[[], float] = time.time
    _polls: int = 0
    _settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _written: Mapping[tuple[str, int, str], StoredPartition] | None = None
    _places: frozenset[tuple[str, int, str]] = frozenset()
    _problems: Mapping[ProblemKey, StoredProblem] = field(default_factory=dict)
    _reads: Mapping[PartitionKey, str] = field(default_factory=dict)
    _matched: Mapping[str, int] = field(default_factory=dict)
    _missing: Sequence[str] = ()
    _absent: Collection[PartitionKey] = ()  # read, and their topics did not have them at the last poll
    _ended_of: AssignmentFacts | None = None
    _ended_due: int = 0
    _waiting: Mapping[PartitionKey, tuple[int, int]] = field(default_factory=dict)
    _unassigned: Unassigned = field(default_factory=Unassigned)

    def start(self) -> threading.Thread:
        """Poll for ever, on a thread of its own."""
        thread = threading.Thread(target=self._run, name="sources", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        pause = threading.Event()  # time.sleep fails under libfaketime, with which clocks are tested
        while True:
            try:
                self.poll()
            except BrokersError as error:
                log.warning("the request for the state of the source topics failed", reason=str(error))
            except StoreError as error:
                log.warning("the state of the source topics cannot be stored", reason=error.reason)
            except Exception as error:  # noqa: BLE001  # without it nobody would notice what is not read
                self.end(error)
            pause.wait(TICK_SECONDS)

    def poll(self) -> None:
        """Compare once what is read with what the brokers have. Raises BrokersError and StoreError."""
        # What is read is known before the brokers are queried.
        held = dict(chain.from_iterable(counting.next_offsets().items() for counting in self.countings.values()))
        states = self.brokers.topic_states(_WATCHED)
        if self._polls % _RARE_POLLS == 0:
            self._settings = self.brokers.settings(described(states)) or self._settings
        self._polls += 1
        self._check_held(held, states)
        self._absent = {place for place in held if place[0] in states and place[1] not in states[place[0]].end}
        self._block_at_gaps(held, states)
        self._prepare_topics(states)
        self._write_partitions(states)
        self._write_readers()
        self._write_problems(states)
        self._rebalance(held)
        self._check_blocked(states)
        self._check_ended()
        if self._polls % _RARE_POLLS == 0:
            self.notes.update_recovered()

    # -- what needs a new take-up --------------------------------------------------------------------------------------

    def _check_held(self, held: Mapping[PartitionKey, int], states: Mapping[str, TopicState]) -> None:
        for (topic, partition), next_offset in held.items():
            state = states.get(topic)
            if state is None:
                continue  # the group notices it, too
            if partition not in state.end:
                if (topic, partition) in self._absent:
                    raise SourceChangedError(f"{topic} {partition}: the topic no longer has this partition")
                continue  # an answer from the moment at which the topic was made
            known = self.take_up.newest.states.get(topic, state)
            if state.incarnation != known.incarnation:
                raise SourceChangedError(f"{topic}: the topic was made anew; its new log is read from the beginning")
            if next_offset > state.end[partition]:
                raise SourceChangedError(
                    f"{topic} {partition}: counted up to offset {next_offset}, and the brokers' log ends at "
                    f"{state.end[partition]}; reading their state again"
                )

    def _block_at_gaps(self, held: Mapping[PartitionKey, int], states: Mapping[str, TopicState]) -> None:
        """Block partitions that wait at offsets without a record: the end of a transaction, with nothing behind it."""
        before, self._waiting = self._waiting, {
            (topic, partition): (at, states[topic].end[partition])
            for (topic, partition), at in held.items()
            if topic in SOURCES and topic in states and at < states[topic].end.get(partition, 0)
        }  # fmt: skip
        for (topic, partition), (at, end) in self._waiting.items():
            if before.get((topic, partition)) != (at, end) or not self.brokers.is_empty((topic, partition), at, end):
                continue
            counting = self.countings[topic]
            generation, one = counting.generation, counting.partition(partition)
            if one is not None and one.next_offset == at:
                blocked = missing_records(one.name, at, end, begin=states[topic].begin[partition])
                counting.block(blocked, generation=generation)

    def _check_blocked(self, states: Mapping[str, TopicState]) -> None:
        """Take partitions up again once nothing stands in their way, or something else does."""
        generations = {topic: counting.generation for topic, counting in self.countings.items()}
        blocked = {
            (topic, number): each
            for topic, counting in self.countings.items()
            for number, each in counting.blocked.items()
        }
        gaps = [each for each in blocked.values() if each.problem is Problem.OFFSET_GAP]
        assigned = self.take_up.newest.assigned  # what is being assigned now may not be what was blocked
        others = [
            self._as_counted(assigned[place])
            for place, each in blocked.items()
            if place in assigned and each.problem not in (Problem.OFFSET_GAP, Problem.SNAPSHOTS_APART)
        ]  # snapshots that get their partition are assigned anew, and their topic with them
        if any(_is_other_gap(each, states.get(each.log.topic)) for each in gaps):
            raise SourceChangedError("a gap is no longer what stands in the way of a partition; deciding anew")
        accepted = self.notes.accepted() if gaps else ()
        verdicts = self.take_up.recheck(others, self.brokers) if others else ()
        if any(skip(accepted, str(each.log), each.first, each.after) is not None for each in gaps) or any(
            isinstance(verdict, Start) for verdict in verdicts
        ):
            raise SourceChangedError("nothing stands in the way of a partition any more; it is read on")
        for verdict in verdicts:
            topic = verdict.log.topic
            if isinstance(verdict, Blocked) and blocked.get((topic, verdict.log.partition)) != verdict:
                # for another reason, or of more records, than before
                self.countings[topic].block(verdict, generation=generations[topic])

    def _as_counted(self, assigned: Assigned) -> Assigned:
        """Return a partition with how far it is counted by now: it may have been blocked while it was read."""
        one = self.countings[assigned.topic].partition(assigned.partition)
        return assigned if one is None else replace(assigned, snapshot={"log": str(one.name), "next": one.next_offset})

    # -- what is prepared and noted ------------------------------------------------------------------------------------

    def _rebalance(self, held: Mapping[PartitionKey, int]) -> None:
        wrong = self._unassigned
        if not wrong.poll(held.keys()):
            return
        blocked = {(each.topic, each.partition) for each in self.notes.problems()}
        wrong.unread = self._never_read(wrong.unread - blocked)
        if wrong.gone or wrong.elsewhere or wrong.unread:
            log.warning(
                "the group's assignment is not that of its topics; rejoining",
                unread=sorted(wrong.unread), gone=sorted(wrong.gone), apart=sorted(wrong.elsewhere),
            )  # fmt: skip
            self.rejoin()

    def _never_read(self, places: Iterable[PartitionKey]) -> frozenset[PartitionKey]:
        progress = self.notes.progress()
        return frozenset(place for place in places if not any(row["worker"] for row in progress.get(place, ())))

    def _check_ended(self) -> None:
        """Check the logs that ended before a take-up, once for each, and so long after it that nobody reads them."""
        if self.take_up.newest is not self._ended_of:
            self._ended_of, self._ended_due = self.take_up.newest, self._polls + _ENDED_POLLS
        if 0 < self._ended_due <= self._polls and self.take_up.check_ended():
            self._ended_due = 0

    def _prepare_topics(self, states: Mapping[str, TopicState]) -> None:
        """Create topics and partitions that workers write. Brokers may refuse it, which must stop nothing else."""
        for prepare in (self._recreate_output_topics, partial(self._match_changelogs, states)):
            try:
                prepare()
            except BrokersError as error:
                log.warning("topics that workers write cannot be created", reason=str(error))

    def _recreate_output_topics(self) -> None:
        """Create again the topics that only workers write and somebody has deleted: else no flush would end."""
        missing = self.brokers.missing(output_topics(self.brokers.kafka))
        self._missing = tuple(plan.name for plan in missing)
        if missing and self.brokers.kafka.create_topics:
            for plan in self.brokers.create(missing):
                log.warning("a deleted topic was created again", topic=plan.name)
            self._missing, self._matched = (), {}  # it may have fewer partitions than its topic

    def _match_changelogs(self, states: Mapping[str, TopicState]) -> None:
        wanted = {changelog(self.brokers.kafka, Topic(topic)): len(state.end) for topic, state in states.items()}
        if wanted != self._matched:
            for plan in self.brokers.match_changelogs():
                log.warning("partitions added", topic=plan.name, partitions=plan.partitions)
            self._matched = wanted

    def _write_partitions(self, states: Mapping[str, TopicState]) -> None:
        known = self._written
        if known is None:
            known = {(each.topic, each.partition, each.incarnation): each for each in self.notes.partitions()}
        now, seen = round(self.clock() * 1000), dict[tuple[str, int, str], StoredPartition]()
        for topic, state in states.items():
            for number, end in state.end.items():
                key = topic, number, state.incarnation
                since = known[key].since if key in known else now
                seen[key] = StoredPartition(*key, state.begin[number], end, True, since)
        gone = {key: replace(each, present=False) for key, each in known.items() if key not in seen}
        fresh = {key: each for key, each in (seen | gone).items() if each != known.get(key)}
        self.notes.write_partitions([fresh[key] for key in sorted(fresh)])
        self._written = {**known, **fresh}
        places = frozenset(key for key in seen if key[0] in SOURCES)
        if places != self._places:
            self._write_unread([seen[key] for key in sorted(places)])
            self._places = places

    def _write_readers(self) -> None:
        reads = {
            (topic, each.name.partition): str(each.name)
            for topic, counting in self.countings.items()
            for each in counting.partitions
        }
        if reads != self._reads:
            self.notes.write_readers({place: name for place, name in reads.items() if self._reads.get(place) != name})
            self._reads = reads

    def _write_unread(self, partitions: Sequence[StoredPartition]) -> None:
        """Let figures be as old as the partitions of which nothing is stored yet."""
        progress, unread = self.notes.progress(), dict[str, StoredPartition]()
        for each in partitions:
            base = PartitionId(self.notes.cluster, each.topic, each.partition, each.incarnation, each.begin)
            rows = progress.get((each.topic, each.partition), ())
            stored = [PartitionId.parse(row["log"]) for row in rows if row["cluster"] == base.cluster]
            if not any(same_topic(name, base) for name in stored):
                unread[str(base)] = each
        self.notes.write_unread(unread)
        self._unassigned.begin(self._never_read((each.topic, each.partition) for each in partitions))

    def _write_problems(self, states: Mapping[str, TopicState]) -> None:
        now = round(self.clock() * 1000)
        known = {each.key: each for each in self.notes.problems()}
        found = {
            each.key: replace(each, since=known[each.key].since) if each.key in known else each
            for each in self._found(states, now)
        }
        self.notes.write_problems([each for key, each in found.items() if known.get(key) != each], resolved=False)
        absent = [
            each
            for each in known.values()
            if each.topic in states and each.partition not in (_WHOLE_TOPIC, *states[each.topic].end)
        ]
        assigned = [each for each in absent if each.problem is Problem.TOPIC_MISSING]  # to some worker, perhaps
        self._unassigned.gone = frozenset((each.topic, each.partition) for each in assigned)
        vanished = {each.key for each in absent if each not in assigned or now - each.since > _GONE_MS}
        mine = {key for key in known if key in self._problems or self._is_mine(key)}
        over = (mine | vanished) - found.keys()
        self.notes.write_problems([known[key] for key in sorted(over)], resolved=True)
        self._unassigned.elsewhere = frozenset(
            (topic, partition)
            for topic, partition, problem in (known.keys() | found.keys()) - over
            if problem is Problem.SNAPSHOTS_APART
        )
        self._problems = found

    def _is_mine(self, key: ProblemKey) -> bool:
        """Tell whether it is this worker that sees when a problem is over."""
        topic, partition, _ = key
        counting = self.countings.get(topic)
        return partition == _WHOLE_TOPIC or (
            counting is not None and (partition in counting.blocked or counting.partition(partition) is not None)
        )

    def problems(self) -> list[ProblemKey]:
        """Return what stands in the way as of the last poll; any thread may call."""
        return sorted(self._problems)

    def _found(self, states: Mapping[str, TopicState], now: int) -> Iterator[StoredProblem]:
        for missing in dict.fromkeys((*(topic for topic in _WATCHED if topic not in states), *self._missing)):
            yield StoredProblem(missing, _WHOLE_TOPIC, Problem.TOPIC_MISSING, "", 0, 0, now)
        for topic, config in self._settings.items():
            if config.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime":
                yield StoredProblem(topic, _WHOLE_TOPIC, Problem.PRODUCER_TIME, "", 0, 0, now)
        for topic, counting in self.countings.items():
            for each in counting.problems():
                number, name = each.log.partition, str(each.log)
                yield StoredProblem(topic, number, each.problem, name, each.first, each.after, now)


def _is_other_gap(gap: Blocked, state: TopicState | None) -> bool:
    """Tell whether the topic of a gap was made anew, or the brokers' log begins behind where it begins."""
    if state is None:
        return False
    is_same = same_topic(gap.log, replace(gap.log, incarnation=state.incarnation))
    return not is_same or state.begin.get(gap.log.partition, 0) > gap.first
