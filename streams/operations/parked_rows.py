"""Lists parked batches and stores them again; the command is `infra/cli/parked.py`.

Works while workers run: both may store the same rows, which is harmless. Rows are stored first, then the
batch is marked as resolved, and only then the record is deleted.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from sinks.sink import Sink, StoreRefused
from streams.contract.events import Topic
from streams.contract.parked import LARGEST_PARKED, NotParkedError, ParkedBatch, header, rows_of, status_rows

_POLL_MS: Final = 500
_SILENT_SECONDS: Final = 60.0
_ACKNOWLEDGED_SECONDS: Final = 60.0
_AT_ONCE: Final = 200  # batches of one write; a long drift of the schema leaves thousands of small ones
_BYTES_AT_ONCE: Final = 4 * LARGEST_PARKED


class ParkedTopicError(RuntimeError):
    """The topic cannot be read: create it (`gatepulse topics apply`), or see why the brokers do not answer."""


class UnknownBatchError(ValueError):
    """No such batch is parked: `gatepulse parked list` names those that are."""


class ParkedTopic:
    """Reads and deletes parked batches. Of records with one name the newest counts.

    `foreign`: partition and offset of the records that `heads` found to be no batches; they are passed over.
    """

    def __init__(self, brokers: Sequence[str], **client: Any) -> None:  # noqa: ANN401 - settings of kafka-python
        self._settings = {"bootstrap_servers": list(brokers), "client_id": "gatepulse-parked", **client}
        self._consumer = KafkaConsumer(
            enable_auto_commit=False,
            max_partition_fetch_bytes=_BYTES_AT_ONCE,
            max_poll_records=_AT_ONCE,
            **self._settings,
        )
        if Topic.PARKED.value not in self._consumer.topics():  # for one that is not there, the next call waits a minute
            self._consumer.close()
            raise ParkedTopicError("there is no topic `parked`: create it with `gatepulse topics apply`")
        numbers = self._consumer.partitions_for_topic(Topic.PARKED.value)
        self._partitions = [TopicPartition(Topic.PARKED.value, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        self._newest: dict[str, tuple[int, int]] = {}
        self.foreign: list[tuple[int, int]] = []

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def heads(self) -> list[ParkedBatch]:
        """Read the whole topic; return what waits there, the oldest first."""
        found: dict[str, tuple[ParkedBatch, tuple[int, int]]] = {}
        self.foreign = []
        for records in self._records():
            for record in records:
                name, place = (record.key or b"").decode(errors="replace"), (record.partition, record.offset)
                if record.value is None:
                    found.pop(name, None)
                elif (head := _head_of(record.value, name)) is not None:
                    found[name] = head, place
                else:
                    self.foreign.append(place)
        self._newest = {name: place for name, (_, place) in found.items()}
        return sorted((head for head, _ in found.values()), key=lambda head: (head.at, head.id))

    def values(self, names: set[str]) -> Iterator[list[bytes]]:
        """Read the records of these batches, as `heads` found them, some at a time."""
        wanted = {self._newest[name] for name in names}
        for records in self._records():
            some = [record.value for record in records if (record.partition, record.offset) in wanted]
            if some:
                yield some

    def forget(self, names: Sequence[str]) -> None:
        """Delete batches; returns once the brokers have that."""
        with closing(KafkaProducer(acks="all", **self._settings)) as producer:
            sent = [producer.send(Topic.PARKED.value, key=name.encode(), value=None) for name in names]
            producer.flush(timeout=_ACKNOWLEDGED_SECONDS)
            for each in sent:
                each.get(timeout=_ACKNOWLEDGED_SECONDS)

    def _records(self) -> Iterator[list[Any]]:
        self._consumer.seek_to_beginning(*self._partitions)
        ends: Mapping[TopicPartition, int] = self._consumer.end_offsets(self._partitions)
        last_received = time.monotonic()
        while any(self._consumer.position(each) < ends[each] for each in self._partitions):
            polled = [record for records in self._consumer.poll(_POLL_MS).values() for record in records]
            if polled:
                last_received = time.monotonic()
                yield polled
            elif time.monotonic() - last_received > _SILENT_SECONDS:
                raise ParkedTopicError(f"the brokers have sent nothing of `parked` for {_SILENT_SECONDS:g} s")


def _head_of(value: bytes, name: str) -> ParkedBatch | None:
    """Return the head of a batch under its own name, None for anything else."""
    try:
        head = header(value)
    except NotParkedError:
        return None
    return head if head.id == name else None


@dataclass
class Retried:
    """What became of the batches: `refused` with the store's reason, or why their rows cannot be read."""

    stored: list[ParkedBatch] = field(default_factory=list)
    refused: list[tuple[ParkedBatch, StoreRefused | NotParkedError]] = field(default_factory=list)


OnProgress = Callable[[int], None]
"""Called with the number of batches just done."""


async def retry(topic: ParkedTopic, sink: Sink, names: Sequence[str], *, done: OnProgress) -> Retried:
    """Store these batches, or all, and return what became of each. Raises UnknownBatchError before anything is done."""
    known = {head.id for head in topic.heads()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownBatchError(f"{', '.join(unknown)}: not parked; `gatepulse parked list` names what is")
    outcome = Retried()
    wanted = set(names) or known
    for values in topic.values(wanted) if wanted else ():
        before = len(outcome.stored)
        await _store(sink, values, outcome)
        stored = outcome.stored[before:]
        if stored:
            await sink.write([status_rows(stored, resolved=True)])
            topic.forget([each.id for each in stored])
        done(len(values))
    return outcome


async def _store(sink: Sink, values: Sequence[bytes], outcome: Retried) -> None:
    try:
        await sink.write([rows_of(value) for value in values])
    except (StoreRefused, NotParkedError):
        for value in values:
            try:
                await sink.write([rows_of(value)])
            except (StoreRefused, NotParkedError) as error:
                outcome.refused.append((header(value), error))
            else:
                outcome.stored.append(header(value))
    else:
        outcome.stored += map(header, values)
