"""How far the workers are behind: sending waits for them, since a broker keeps only so much. Next: `produce.py`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ConsumerLag:
    """Reads a consumer group's committed offsets; "messages behind" counts Kafka messages, not events."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], **kafka: Any) -> None:  # noqa: ANN401 - settings of kafka-python
        self._topics = tuple(topics)
        settings = {"enable_auto_commit": False, "client_id": "gatepulse-lag"}
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, **(settings | kafka))

    def __call__(self) -> int:
        """Return the messages that the group has not committed; without a commit, all there are."""
        partitions = self._partitions()
        begin, end = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        return sum(end[each] - (self._consumer.committed(each) or begin[each]) for each in partitions)

    def committed(self) -> Mapping[tuple[str, int], int]:
        """Return the committed offset of every partition, 0 without a commit."""
        return {(each.topic, each.partition): self._consumer.committed(each) or 0 for each in self._partitions()}

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _partitions(self) -> list[TopicPartition]:
        known = ((topic, self._consumer.partitions_for_topic(topic) or ()) for topic in self._topics)
        return [TopicPartition(topic, number) for topic, numbers in known for number in sorted(numbers)]


class Backlog:
    """Events that were stored by the broker and are not yet committed by the workers, by partition."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, int], deque[tuple[int, int]]] = {}
        self._waiting: dict[tuple[str, int], int] = {}

    def stored(self, partition: tuple[str, int], offset: int, events: int) -> None:
        """Note a message with so many events; offsets of a partition come in order."""
        self._stored.setdefault(partition, deque()).append((offset, events))
        self._waiting[partition] = self._waiting.get(partition, 0) + events

    def committed(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Forget what workers have committed: everything below these offsets."""
        for partition, messages in self._stored.items():
            while messages and messages[0][0] < offsets.get(partition, 0):
                self._waiting[partition] -= messages.popleft()[1]

    def fullest(self) -> int:
        """Return the number of events that wait in the fullest partition."""
        return max(self._waiting.values(), default=0)
