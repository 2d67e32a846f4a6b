"""Reads every record of the source topics beside the workers, and computes the true counts of a run.

Nothing of the product decides it: lines are read by `json` and counted by hand. What was lost aloud is taken out by its
offsets, as the view `losses` names them.
"""

import datetime as dt
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from confluent_kafka import Consumer, KafkaException, TopicPartition
from kafka.errors import KafkaError

from streams.sources.brokers import Brokers, BrokersError

Place = tuple[str, int, int]
"""Incarnation of the topic, partition, offset."""
Identity = tuple[str, int, int]
"""Device, epoch, number."""

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Passage:
    """What a line says, as far as any figure depends on it."""

    identity: Identity
    ts: int
    entrance: str
    direction: str
    category: str


@dataclass
class Recorder:
    """Reads a topic for as long as it runs, every partition and incarnation of it."""

    brokers: Brokers
    topic: str
    records: dict[Place, list[Passage]] = field(default_factory=dict)
    incarnation: str = ""
    read: dict[int, int] = field(default_factory=dict)
    """Next offset by partition, of the incarnation that is there now."""

    def __post_init__(self) -> None:
        """Begin to read."""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join()
        self.brokers.close()

    def caught_up(self) -> bool:
        """Tell whether everything has been read that is there now. Raises BrokersError."""
        brokers = Brokers(self.brokers.kafka)
        try:
            state = brokers.topic_states([self.topic]).get(self.topic)
        finally:
            brokers.close()
        with self._lock:
            return (
                state is not None
                and state.incarnation == self.incarnation
                and all(self.read.get(number, -1) >= end for number, end in state.end.items())
            )

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow()
            except (BrokersError, KafkaError, KafkaException):  # the broker is killed, too
                self._over.wait(_LOOK_SECONDS)

    def _follow(self) -> None:
        """Read until the topic, or its partitions, are others."""
        state = self.brokers.topic_states([self.topic]).get(self.topic)
        if state is None:
            self._over.wait(_LOOK_SECONDS)
            return
        with self._lock:
            if state.incarnation != self.incarnation:
                self.incarnation, self.read = state.incarnation, {}
            for number, begin in state.begin.items():
                self.read.setdefault(number, begin)
        consumer = Consumer(
            {
                "bootstrap.servers": self.brokers.kafka.brokers, "group.id": "recorder", "enable.auto.commit": False,
                "isolation.level": "read_committed", "auto.offset.reset": "error", "log_level": 0,
                "enable.partition.eof": False,
            }
        )  # fmt: skip
        try:
            consumer.assign([TopicPartition(self.topic, number, at) for number, at in self.read.items()])
            until = time.monotonic() + _LOOK_SECONDS
            while not self._over.is_set() and time.monotonic() < until:
                for message in consumer.consume(5000, timeout=0.2):
                    if message.error():
                        raise KafkaException(message.error())
                    self._note(message.partition() or 0, message.offset() or 0, message.value())
        finally:
            consumer.close()

    def _note(self, partition: int, offset: int, value: bytes | None) -> None:
        with self._lock:
            self.records[self.incarnation, partition, offset] = list(_passages(value or b""))
            self.read[partition] = offset + 1

    def truth(self, lost: Iterable[tuple[str, int, int, int]]) -> dict[Identity, Passage]:
        """Return every passage that must count; `lost`: incarnation, partition, and offsets [a, b)."""
        gone = [each for each in lost if each[3] > each[2]]
        found: dict[Identity, Passage] = {}
        with self._lock:
            for (incarnation, partition, offset), passages in self.records.items():
                if any((i, p) == (incarnation, partition) and a <= offset < b for i, p, a, b in gone):
                    continue
                for passage in passages:
                    found.setdefault(passage.identity, passage)
        return found


def _passages(value: bytes) -> Iterator[Passage]:
    """Read the lines that are whole passages; hostile ones are marked by their sender with another device."""
    for line in value.split(b"\n"):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and str(said.get("device", "")).startswith("G-"):
            yield Passage(
                (said["device"], said.get("epoch", 0), said["seq"]), said["ts"], said["entrance"], said["direction"],
                said["category"],
            )  # fmt: skip


def figures(passages: Iterable[Passage], zone: str) -> Mapping[str, Counter[Any]]:
    """Add up what the views must say: by minute, by day, and inside the site."""
    minutes: Counter[Any] = Counter()
    days: Counter[Any] = Counter()
    inside: Counter[Any] = Counter()
    for each in passages:
        cell = (each.entrance, each.direction, each.category)
        minutes[each.ts // 60_000, *cell] += 1
        days[dt.datetime.fromtimestamp(each.ts / 1000, ZoneInfo(zone)).date(), *cell] += 1
        inside["all"] += 1 if each.direction == "in" else -1
    return {"minutes": minutes, "days": days, "inside": inside}
