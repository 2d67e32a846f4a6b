"""Queries the brokers for topics: incarnations, partitions, first and last offsets, settings.

Queried over connections of its own, so that it is known while a worker joins its group or hangs; one thread at a time.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.protocol.consumer import IsolationLevel

from streams.contract.topics import TopicPlan, create, describe, match_changelogs
from streams.settings import KafkaSettings

log = structlog.get_logger()

PartitionKey = tuple[str, int]
"""Topic and partition."""

_ANSWER_MS: Final = 5_000
_RECORD_MS: Final = 2_000


class BrokersError(ConnectionError):
    """The brokers do not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as it is."""

    incarnation: str  # the id it was given when it was created, "" where brokers give none
    begin: Mapping[int, int]  # by partition: the first offset
    end: Mapping[int, int]  # and the one behind the last


@dataclass
class Brokers:
    """Queries the brokers; connects on first use, and again after an error."""

    kafka: KafkaSettings
    _admin: Any = None
    _consumer: Any = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def topic_states(self, topics: Sequence[str]) -> Mapping[str, TopicState]:
        """Return the topics that are there. Raises BrokersError."""
        with self._admin_client() as admin:
            known = _there(admin, topics)
            places = [
                TopicPartition(name, one["partition_index"])
                for name, each in known.items()
                for one in each["partitions"]
            ]
            begin, end = (_offsets(admin, places, at) for at in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
        return {
            name: TopicState(
                incarnation=_incarnation(each.get("topic_id")),
                begin={place.partition: begin[place] for place in places if place.topic == name},
                end={place.partition: end[place] for place in places if place.topic == name},
            )
            for name, each in known.items()
        }

    def cluster(self) -> str:
        """Return the name of this incarnation of the brokers: as set, or the id that they give. Raises BrokersError."""
        if self.kafka.cluster:
            return self.kafka.cluster
        with self._admin_client() as admin:
            return str(admin.describe_cluster()["cluster_id"])

    def incarnations(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of the topics that are there, "" where brokers give none. Raises BrokersError."""
        with self._admin_client() as admin:
            return {name: _incarnation(each.get("topic_id")) for name, each in _there(admin, topics).items()}

    def settings(self, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return how topics that are there are set; nothing where brokers do not say, as some cannot."""
        if not topics:
            return {}
        try:
            with self._admin_client() as admin:
                return {name: found.config for name, found in describe(admin, topics).items()}
        except BrokersError as error:
            log.warning("brokers do not say how topics are set", reason=str(error))
            return {}

    def committed(self) -> Mapping[PartitionKey, int]:
        """Return the offsets that the group of workers has committed. Raises BrokersError."""
        with self._admin_client() as admin:
            found = admin.list_group_offsets(self.kafka.group).get(self.kafka.group, {})
        return {(place.topic, place.partition): max(0, at.offset) for place, at in found.items()}

    def missing(self, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:
        """Return those of the topics that are not there. Raises BrokersError."""
        with self._admin_client() as admin:
            there = _there(admin, [plan.name for plan in wanted])
        return [plan for plan in wanted if plan.name not in there]

    def create(self, wanted: Sequence[TopicPlan]) -> list[TopicPlan]:
        """Create topics; return those that were. Raises BrokersError."""
        with self._admin_client() as admin:
            return create(admin, wanted)

    def match_changelogs(self) -> list[TopicPlan]:
        """Give the changelogs as many partitions as their topics have; return the changed ones. Raises BrokersError."""
        with self._admin_client() as admin:
            return match_changelogs(admin, self.kafka)

    def record_at(self, place: PartitionKey, offset: int) -> tuple[int, int] | None:
        """Return offset and time (ms) of the first record at or behind an offset, if any. Raises BrokersError."""
        return self._read(place, offset)[0]

    def is_empty(self, place: PartitionKey, first: int, after: int) -> bool:
        """Tell whether it is proven that no record has an offset in [first, after). Raises BrokersError."""
        found, read_to = self._read(place, first)
        return (read_to if found is None else found[0]) >= after

    def _read(self, place: PartitionKey, offset: int) -> tuple[tuple[int, int] | None, int]:
        """Read from an offset on: offset and time of the first record, None if none came, and up to where was read."""
        where = TopicPartition(*place)
        with self._errors():
            self._consumer = self._consumer or KafkaConsumer(
                **self._client, group_id=None, enable_auto_commit=False, isolation_level="read_committed",
                auto_offset_reset="earliest",
            )  # fmt: skip
            self._consumer.assign([where])
            self._consumer.seek(where, offset)
            records = self._consumer.poll(timeout_ms=_RECORD_MS, max_records=1).get(where, [])
            read_to = self._consumer.position(where, timeout_ms=_RECORD_MS) or offset
        return (records[0].offset, records[0].timestamp) if records else None, read_to

    def close(self) -> None:
        """Let go of the connections."""
        for client in (self._admin, self._consumer):
            if client is not None:
                with suppress(KafkaError):
                    client.close()
        self._admin = self._consumer = None

    @property
    def _client(self) -> dict[str, Any]:
        brokers = self.kafka.brokers.split(",")
        return {"bootstrap_servers": brokers, "client_id": "gatepulse-sources", **self.kafka.client}

    @contextmanager
    def _admin_client(self) -> Iterator[Any]:
        with self._errors():
            self._admin = self._admin or KafkaAdminClient(
                **self._client, bootstrap_timeout_ms=_ANSWER_MS, request_timeout_ms=_ANSWER_MS
            )
            yield self._admin

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with self._turn:
            try:
                yield
            except KafkaError as error:
                self.close()
                raise BrokersError(f"the brokers at {self.kafka.brokers} do not answer: {error!r}") from error


def _there(admin: Any, topics: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401  # kafka-python has no types
    return {each["name"]: each for each in admin.describe_topics(list(topics)) if each["error_code"] == 0}


def _incarnation(topic_id: object) -> str:
    """Return the id of a topic; brokers that give none may say zero."""
    text = str(topic_id or "")
    return "" if set(text) <= {"0", "-"} else text


def _offsets(admin: Any, places: Sequence[TopicPartition], at: OffsetSpec) -> Mapping[TopicPartition, int]:  # noqa: ANN401  # as above
    if not places:
        return {}
    found = admin.list_partition_offsets(dict.fromkeys(places, at), IsolationLevel.READ_COMMITTED)
    return {place: one.offset for place, one in found.items()}
