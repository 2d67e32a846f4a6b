"""In-memory doubles of `Brokers` and `Notes`, through which a worker asks for the state of topics."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from faust.types import TP

from sinks.sink import StoreUnavailable
from streams.contract.events import Topic
from streams.contract.topics import SOURCES, TopicPlan
from streams.kernels.counts.takeup import AcceptedLoss, Problem
from streams.settings import KafkaSettings
from streams.sources.brokers import BrokersError, PartitionKey, TopicState
from streams.sources.tables import Loss, StoredPartition, StoredProblem
from tests.histories.plant import CLUSTER, Plant, changelog

GROUP: Final = "g"


class Brokers:
    """See streams.sources.brokers.Brokers."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.kafka = KafkaSettings(group=GROUP)

    def topic_states(self, topics: Sequence[str]) -> Mapping[str, TopicState]:
        """Return the topics that are there."""
        self._reach()
        there = self.plant.broker.topics
        return {
            name: TopicState(
                there[name].id,
                {number: each.begin for number, each in enumerate(there[name].partitions)},
                {number: each.end for number, each in enumerate(there[name].partitions)},
            )
            for name in map(str, topics)
            if name in there
        }

    def incarnations(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of the topics that are there."""
        self._reach()
        there = self.plant.broker.topics
        return {str(name): there[name].id for name in topics if name in there}

    def settings(self, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Say that all is as it should be."""
        self._reach()
        return {str(name): {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"} for name in topics}

    def committed(self) -> Mapping[PartitionKey, int]:
        """Return the group's offsets."""
        self._reach()
        return {(tp.topic, tp.partition): at for tp, at in self.plant.broker.committed.items()}

    def missing(self, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:
        """Return those that are not there."""
        self._reach()
        return [plan for plan in wanted if plan.name not in self.plant.broker.topics]

    def create(self, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:
        """Create topics."""
        self._reach()
        for plan in wanted:
            self.plant.broker.create(plan.name, [0] * plan.partitions)
        return [*wanted]

    def match_changelogs(self) -> list[TopicPlan]:
        """Give the changelogs as many partitions as their topics have."""
        self._reach()
        broker, changed = self.plant.broker, []
        for name in (*map(str, SOURCES), Topic.ALARM_INPUTS.value):
            count = len(broker.topics[name].partitions)
            if broker.add_partitions(changelog(name), count):
                changed.append(TopicPlan(changelog(name), count, {}))
        return changed

    def record_at(self, place: PartitionKey, offset: int) -> tuple[int, int] | None:
        """Return offset and time of the first record at or behind an offset."""
        self._reach()
        log = self.plant.broker.partition(TP(*place))
        found = [each for each in log.records if each.offset >= offset] if log else []
        return (found[0].offset, found[0].timestamp) if found else None

    def is_empty(self, place: PartitionKey, first: int, after: int) -> bool:
        """Tell whether no record has an offset in [first, after)."""
        self._reach()
        log = self.plant.broker.partition(TP(*place))
        return log is not None and log.end >= after and not any(first <= each.offset < after for each in log.records)

    def _reach(self) -> None:
        if self.plant.broker_server.away_until > self.plant.loop.time():
            raise BrokersError("the brokers are away in this history")


class Notes:
    """See streams.sources.tables.SourceTables."""

    def __init__(self, plant: Plant, worker: str) -> None:
        self.plant, self.cluster, self.worker = plant, CLUSTER, worker

    def progress(self) -> Mapping[PartitionKey, Sequence[Mapping[str, Any]]]:
        """Return the stored rows of progress."""
        self._reach()
        found: dict[PartitionKey, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self.plant.store.table("log_progress"):
            found[row["topic"], row["partition"]].append(row)
        return found

    def accepted(self) -> Sequence[AcceptedLoss]:
        """Return every loss that was accepted."""
        self._reach()
        return [
            AcceptedLoss(each.log, each.first, each.after, each.problem) for each in self.plant.store.losses.values()
        ]

    def partitions(self) -> Sequence[StoredPartition]:
        """Return every partition of every incarnation that was ever seen."""
        self._reach()
        return list(self.plant.store.partitions.values())

    def problems(self) -> Sequence[StoredProblem]:
        """Return what stands in the way now."""
        self._reach()
        return list(self.plant.store.problems.values())

    def write_partitions(self, notes: Sequence[StoredPartition]) -> None:
        """Note partitions as they are now."""
        self._reach()
        self.plant.store.partitions |= {(each.topic, each.partition, each.incarnation): each for each in notes}

    def update_recovered(self) -> None:
        """Note nothing: records that were deleted never come back in a history."""
        self._reach()

    def write_readers(self, logs: Mapping[PartitionKey, str]) -> None:
        """Note which log of each partition is read: nothing here reads that."""
        self._reach()
        del logs

    def write_problems(self, notes: Sequence[StoredProblem], *, resolved: bool) -> None:
        """Note what stands in the way, or no longer does."""
        self._reach()
        for each in notes:
            key: tuple[str, int, Problem] = (each.topic, each.partition, each.problem)
            if resolved:
                self.plant.store.problems.pop(key, None)
            else:
                self.plant.store.problems[key] = each

    def write_losses(self, losses: Sequence[Loss]) -> None:
        """Note losses; each once."""
        self._reach()
        self.plant.store.losses |= {each.id: each for each in losses}

    def write_unread(self, notes: Mapping[str, StoredPartition]) -> None:
        """Note that nothing of these partitions is stored yet."""
        self._reach()
        for log, note in notes.items():
            self.plant.store.begin(log, asdict(note), CLUSTER)

    def _reach(self) -> None:
        if self.plant.store_server.away_until > self.plant.loop.time():
            raise StoreUnavailable("notes", "the store is away in this history.", "Wait.")
