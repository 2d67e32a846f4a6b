"""An in-memory Kafka broker: topics with incarnations, logs that are cut, a consumer group with generations."""

import random
import zlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from faust.types import TP

SESSION_SECONDS: Final = 3.0
"""Seconds without a heartbeat after which a member has lost its partitions."""
METADATA_SECONDS: Final = 1.0
"""Seconds after which the group notices that a topic has other partitions than before."""
_offset = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class Record:
    """One record, with the attributes that aiokafka's have."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1
    checksum: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Partition:
    """Records from `begin` to before `end`; compaction and deletion leave offsets without one."""

    begin: int = 0
    end: int = 0
    records: list[Record] = field(default_factory=list)

    def append(self, at: int, key: bytes | None, value: bytes | None) -> int:
        """Append a record; return its offset."""
        self.records.append(Record(self.end, at, key, value))
        self.end += 1
        return self.end - 1

    def read(self, position: int, most: int) -> list[Record]:
        """Return at most so many records at or behind a position."""
        if position == self.end:
            return []
        start = bisect_left(self.records, position, key=_offset)
        return self.records[start : start + most]

    def delete_before(self, offset: int) -> None:
        """Delete records as retention does."""
        self.begin = max(self.begin, min(offset, self.end))
        self.records = [each for each in self.records if each.offset >= self.begin]

    def shorten(self, records: int) -> None:
        """Lose the last records, as a replica that has fallen behind does when it becomes the leader."""
        if records:
            self.records = self.records[:-records]
            self.end = self.records[-1].offset + 1 if self.records else self.begin

    def compact(self) -> None:
        """Keep the newest record of each key."""
        newest = {each.key: each.offset for each in self.records}
        self.records = [each for each in self.records if newest[each.key] == each.offset]


@dataclass(slots=True)
class Topic:
    """One incarnation of a topic."""

    name: str
    id: str
    partitions: list[Partition]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fetch brought of one partition. `position`: from where it was read, which is not always what was asked."""

    position: int
    records: list[Record]
    end: int


@dataclass(slots=True)
class Member:
    """A member of the group, by its static name; `process` tells a restarted one from the one before."""

    last_heartbeat: float
    process: object


class Broker:
    """Topics, and the offsets and members of one group. Times in virtual seconds; `clock` tells milliseconds."""

    def __init__(self, clock: Callable[[], int], order: random.Random) -> None:
        self.clock = clock
        self.topics: dict[str, Topic] = {}
        self.committed: dict[TP, int] = {}
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.assigned: dict[str, tuple[TP, ...]] = {}
        self.sources: dict[str, str] = {}  # the topics that are counted, with those of their snapshots
        self._spread: list[tuple[TP, ...]] = []
        self._differs_since = 0.0
        self._order = order
        self._made = 0

    # -- topics --------------------------------------------------------------------------------------------------------

    def create(self, name: str, firsts: Iterable[int]) -> Topic:
        """Create a topic, or create it anew, whose partitions begin at these offsets."""
        self._made += 1
        partitions = [Partition(first, first) for first in firsts]
        self.topics[name] = Topic(name, f"id{self._made}", partitions)
        return self.topics[name]

    def add_partitions(self, name: str, count: int) -> bool:
        """Give a topic so many partitions; False if it has them."""
        partitions = self.topics[name].partitions
        more = max(0, count - len(partitions))
        partitions += [Partition() for _ in range(more)]
        return more > 0

    def partition(self, tp: TP) -> Partition | None:
        """Return a partition, if it is there."""
        topic = self.topics.get(tp.topic)
        return topic.partitions[tp.partition] if topic and tp.partition < len(topic.partitions) else None

    def append(self, name: str, key: bytes | None, value: bytes | None, partition: int | None = None) -> int:
        """Append a record; where no partition is given the key decides."""
        partitions = self.topics[name].partitions
        number = zlib.crc32(key or b"") % len(partitions) if partition is None else partition
        return partitions[number].append(self.clock(), key, value)

    def fetch(self, positions: Mapping[TP, int], most: int) -> dict[TP, Answer]:
        """Read some of each partition; a position out of range becomes the earliest, as clients are set."""
        answers = {}
        for tp, position in positions.items():
            log = self.partition(tp)
            if log is None:
                continue
            at = position if log.begin <= position <= log.end else log.begin
            answers[tp] = Answer(at, log.read(at, most), log.end)
        return answers

    # -- the group -----------------------------------------------------------------------------------------------------

    def beat(self, name: str, process: object, now: float) -> tuple[int, tuple[TP, ...]]:
        """Take a heartbeat, which joins if need be; return the generation and the member's partitions.

        A static member that is back within its session takes its partitions up without a rebalance.
        """
        gone = [each for each, member in self.members.items() if now - member.last_heartbeat > SESSION_SECONDS]
        for each in gone:
            del self.members[each]
        known = name in self.members
        self.members[name] = Member(now, process)
        if gone or not known or self._has_changed(now):
            self.rebalance()
        return self.generation, self.assigned[name]

    def _has_changed(self, now: float) -> bool:
        """Tell whether topics have had other partitions than the assignment knows for as long as metadata is kept."""
        if self._places() == self._spread:
            self._differs_since = now
        return now - self._differs_since > METADATA_SECONDS

    def _places(self) -> list[tuple[TP, ...]]:
        """List what is assigned together: a partition, and that of its snapshots if it is there."""
        places: list[tuple[TP, ...]] = []
        for topic, kept in self.sources.items():
            for number in range(len(self.topics[topic].partitions)):
                both = (TP(topic, number), TP(kept, number))
                places.append(both if self.partition(both[1]) else both[:1])
        return places

    def leave(self, name: str) -> None:
        """Let a member go."""
        if self.members.pop(name, None):
            self.rebalance()

    def rebalance(self) -> None:
        """Spread all partitions over the members."""
        self.generation += 1
        names = sorted(self.members)
        self._order.shuffle(names)
        self._spread = self._places()
        self.assigned = {
            name: tuple(tp for together in self._spread[number :: len(names)] for tp in together)
            for number, name in enumerate(names)
        }

    def commit(self, name: str, generation: int, offsets: Mapping[TP, int]) -> Collection[TP]:
        """Commit offsets of a member of this generation; return what was committed."""
        if generation != self.generation or name not in self.members:
            return ()
        self.committed |= offsets
        return offsets
