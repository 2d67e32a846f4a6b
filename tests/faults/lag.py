"""Reads the consumer group's lag in the source topics from the broker."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from infra.process.ports import accepts

_REQUEST_MS: Final = 5_000
Place = tuple[str, int]


@dataclass(frozen=True)
class Position:
    """The ends and the group's committed offsets of all source partitions at one moment (monotonic seconds)."""

    at: float
    ends: Mapping[Place, int]
    committed: Mapping[Place, int]

    @property
    def behind(self) -> int:
        """Messages that are not committed."""
        return sum(self.ends.values()) - sum(self.committed.values())

    @property
    def done(self) -> int:
        """Messages that are committed."""
        return sum(self.committed.values())

    def covers(self, ends: Mapping[Place, int]) -> bool:
        """Whether everything up to these ends is committed."""
        return all(self.committed.get(place, 0) >= end for place, end in ends.items())


class Group:
    """Asks for the position of a consumer group; for one thread."""

    def __init__(self, bootstrap: str, group: str, places: list[Place]) -> None:
        self._bootstrap, self._group = bootstrap, group
        self._partitions = [TopicPartition(*place) for place in places]
        self._admin: Any = None

    def look(self) -> Position | None:
        """Return the position, None while the broker cannot say."""
        addresses = (address.rsplit(":", 1) for address in self._bootstrap.split(","))
        if not any(accepts(host, int(port)) for host, port in addresses):
            return None
        try:
            return self._ask()
        except (KafkaError, OSError, TimeoutError):
            self.close()
            return None

    def _ask(self) -> Position:
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._bootstrap, request_timeout_ms=_REQUEST_MS, bootstrap_timeout_ms=_REQUEST_MS
            )
        committed = self._admin.list_group_offsets({self._group: self._partitions})[self._group]
        ends = self._admin.list_partition_offsets(dict.fromkeys(self._partitions, OffsetSpec.LATEST))
        return Position(
            time.monotonic(),
            {(each.topic, each.partition): int(ends[each].offset) for each in self._partitions},
            {(each.topic, each.partition): max(0, _offset(committed.get(each))) for each in self._partitions},
        )

    def close(self) -> None:
        """Let go of the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def _offset(found: Any) -> int:  # kafka-python's OffsetAndMetadata, or nothing
    return -1 if found is None else int(found.offset)
