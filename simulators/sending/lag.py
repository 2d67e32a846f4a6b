"""Measures how far workers are behind, so that sending waits for them (a broker stores little). Next: `produce.py`."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

log = structlog.get_logger()

_ANSWER_MS: Final = 10_000


class ConsumerLag:
    """Reads a consumer group's committed offsets; "messages behind" counts Kafka messages, not events.

    Connects on first use, and again after an error.
    """

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], **kafka: Any) -> None:  # noqa: ANN401 - settings of kafka-python
        self._topics = tuple(topics)
        self._settings = {
            "bootstrap_servers": bootstrap, "client_id": "gatepulse-lag", "group_id": group,
            "enable_auto_commit": False, "request_timeout_ms": _ANSWER_MS, **kafka,
        }  # fmt: skip
        self._connected: KafkaConsumer | None = None

    def __call__(self) -> int | None:
        """Return the messages that the group has not committed, without a commit all there are.

        None when the broker does not answer, which passes or does not: whoever waits for it has a limit.
        """
        with self._errors():
            partitions = self._partitions()
            begin, end = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
            waiting = [end[each] - (self._consumer.committed(each) or begin[each]) for each in partitions]
            return sum(map(int, waiting))
        return None

    def committed(self) -> Mapping[tuple[str, int], int]:
        """Return the committed offset of every partition, 0 without a commit; nothing if the broker does not answer."""
        with self._errors():
            return {(each.topic, each.partition): self._consumer.committed(each) or 0 for each in self._partitions()}
        return {}

    def close(self) -> None:
        """Close the connection."""
        consumer, self._connected = self._connected, None
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close()

    @property
    def _consumer(self) -> KafkaConsumer:
        self._connected = self._connected or KafkaConsumer(**self._settings)
        return self._connected

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            log.warning("the broker does not report how far the workers are", reason=repr(error))
            self.close()

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
