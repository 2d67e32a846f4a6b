"""Kafka, ClickHouse and workers of their own for one measurement, on this machine; next: `chain.py`.

Everything here ends with the block that it was started in.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition
from kafka.admin import KafkaAdminClient

from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.server import KafkaServer
from sinks import schema
from sinks.clickhouse import ClickHouseReader, connect
from streams.contract import topics
from streams.contract.events import Topic
from streams.settings import KafkaSettings
from tests.benchmarks.growth.kernels import WrongCountError
from tests.benchmarks.growth.places import profile
from tests.benchmarks.growth.traffic import ON_THE_WAY_MS, Slice
from tests.faults.kept import Kept
from tests.support.processes import running

TOPIC: Final = Topic.TURNSTILES
SESSION_SECONDS: Final = 120
"""So long may a worker be stopped and keep its partitions; one that is started again has them back at once."""
_PROGRESS: Final = "SELECT partition, next_offset, worker FROM gatepulse.progress WHERE topic = %(topic)s"
_COUNTED: Final = "SELECT uniqExact(device, epoch, seq), countIf(outcome = 'passed') FROM gatepulse.passages"
_TOTAL: Final = "SELECT sum(passages) FROM gatepulse.entrance_totals"
_ON_DISK: Final = """
SELECT table, sum(bytes_on_disk) FROM system.parts
WHERE active AND database = 'gatepulse_store' GROUP BY table ORDER BY table
"""


class TooSlowError(RuntimeError):
    """Something did not happen in time; the message says what, and shows the end of the workers' logs."""


@dataclass(frozen=True)
class Size:
    """A site and the topics that its passages come through."""

    partitions: int
    entrances: int
    devices: int


@dataclass(frozen=True)
class Look:
    """What was stored of each partition at a moment (monotonic seconds): its next offset, and who counted it last."""

    at: float
    stored: dict[int, int]
    worker: dict[int, str]

    @property
    def passages(self) -> int:
        """How many are stored, of all partitions; a message has one."""
        return sum(self.stored.values())

    def stored_by(self, name: str) -> int:
        """How many are stored of the partitions that a worker has."""
        return sum(offset for each, offset in self.stored.items() if self.worker[each] == name)


class Plant:
    """One broker, one store, and workers that come back when they are killed."""

    def __init__(self, folder: Path, size: Size, broker: KafkaServer, store: EmbeddedClickHouse) -> None:
        self.folder, self.size, self.broker, self.store = folder, size, broker, store
        self.workers: list[Kept] = []
        self.reader = ClickHouseReader(store.address.reader)
        self.owner = ClickHouseReader(store.address.owner)
        self._producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,  # that the broker is gone in the end is no news
            }
        )

    def send(self, part: Slice) -> None:
        """Send passages; those of one entrance into one partition, so that all partitions have as much to do."""
        partitions, produce = self.size.partitions, self._producer.produce
        arrived = (part.ts + ON_THE_WAY_MS).tolist()
        for line, at, entrance in zip(part.lines, arrived, part.entrance.tolist(), strict=True):
            while True:
                try:
                    produce(TOPIC.value, line, b"E%d" % entrance, partition=entrance % partitions, timestamp=at)
                    break
                except BufferError:  # it is faster than the broker
                    self._producer.poll(0.05)
        self._producer.poll(0)

    def sent(self) -> None:
        """Return when the broker has everything."""
        left = self._producer.flush(60)
        if left:
            raise TooSlowError(f"the broker took all but {left:,} messages within 60 s:\n{self.broker.log_path}")

    def add_workers(self, number: int) -> None:
        """Start so many more workers."""
        command = [sys.executable, "-P", "-m", "infra.cli.main", "worker"]
        for _ in range(number):
            name = f"worker-{len(self.workers) + 1}"
            self.workers.append(Kept(name, command, self.folder / f"{name}.log", self._environment(name)))
            self.workers[-1].start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop all workers for the time of a block, shorter than SESSION_SECONDS; then all go on at once."""
        for each in self.workers:
            each.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for each in self.workers:
                each.signal(signal.SIGCONT)

    def look(self) -> Look:
        """Ask the store how far each partition is stored."""
        rows = self.reader.query(_PROGRESS, {"topic": TOPIC.value})
        at = time.monotonic()
        return Look(at, {each: int(offset) for each, offset, _ in rows}, {each: name for each, _, name in rows})

    def until(self, condition: Callable[[Look], bool], *, seconds: float, what: str, every: float = 0.1) -> Look:
        """Return the first look at which it holds. Raises TooSlowError."""
        deadline = time.monotonic() + seconds
        while not condition(look := self.look()):
            if time.monotonic() > deadline:
                said = "\n".join(f"{each.name}: {each.log_path.read_text()[-2000:]}" for each in self.workers)
                raise TooSlowError(f"{what}: not within {seconds:g} s; stored {look.passages:,}\n{said}")
            time.sleep(every)
        return look

    def check(self, *, events: int, passed: int) -> None:
        """Raise WrongCountError unless the views show what was sent."""
        (shown,), ((total,),) = self.reader.query(_COUNTED), self.reader.query(_TOTAL)
        if (*shown, total) != (events, passed, passed):
            raise WrongCountError(
                f"sent {events:,} passages, {passed:,} of them passed; the store shows {shown[0]:,} and {shown[1]:,}, "
                f"in its totals {total:,}"
            )

    def on_disk(self) -> dict[str, int]:
        """Return the bytes on disk of each table."""
        return {str(table): int(size) for table, size in self.owner.query(_ON_DISK)}

    def settle(self) -> None:
        """Merge every table, as the store does by itself in time."""
        with connect(self.store.address.owner, seconds=120) as client:
            for table in self.on_disk():
                client.execute(f"OPTIMIZE TABLE gatepulse_store.{table} FINAL")

    def snapshots(self) -> list[int]:
        """Return the bytes of the newest snapshot of each partition, as the broker keeps it."""
        changelog = topics.changelog(self._kafka(), TOPIC)
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "look", "log_level": 0})
        try:
            return [_last(consumer, changelog, each) for each in range(self.size.partitions)]
        finally:
            consumer.close()

    def pids(self) -> dict[str, int]:
        """Return the process ids of all that runs now, by name."""
        servers = {"Kafka": self.broker.pid, "ClickHouse": self.store.pid}
        ours = {each.name: each.pid for each in self.workers if each.running}
        return {name: pid for name, pid in (servers | ours).items() if pid is not None}

    def close(self) -> None:
        """End the workers."""
        for each in self.workers:
            each.stop(5.0)
        self.reader.close()
        self.owner.close()

    def _kafka(self) -> KafkaSettings:
        return KafkaSettings(brokers=self.broker.bootstrap, partitions=self.size.partitions)

    def prepare(self) -> None:
        """Create tables and topics, and write the profile of the site."""
        with connect(self.store.address.owner) as client:
            schema.apply(client)
        self._create_topics()
        self._profile.write_text(profile(self.size.entrances, self.size.devices), encoding="utf-8")

    def _create_topics(self) -> None:
        """Create them; records of the source have the times of the sender: a backlog came in as it happened."""
        as_sent = {"message.timestamp.type": "CreateTime"}
        wanted = [
            replace(each, config={**each.config, **as_sent}) if each.name == TOPIC else each
            for each in topics.plans(self._kafka())
        ]
        admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        try:
            topics.create(admin, wanted)
        finally:
            admin.close()

    @property
    def _profile(self) -> Path:
        return self.folder / "site.toml"

    def _environment(self, name: str) -> dict[str, str]:
        at = self.store.address
        ours = {
            "SITE": str(self._profile),
            "KAFKA__BROKERS": self.broker.bootstrap,
            "KAFKA__PARTITIONS": str(self.size.partitions),
            "KAFKA__CREATE_TOPICS": "false",
            "KAFKA__SESSION_SECONDS": str(SESSION_SECONDS),
            "STORE__HOST": at.host,
            "STORE__PORT": str(at.port),
            "STORE__USER": at.owner.user,
            "STORE__PASSWORD": at.owner.password,
            "STORE__READER": at.reader.user,
            "STORE__READER_PASSWORD": at.reader.password,
            "WORKER__NAME": name,
            "WORKER__DATA": str(self.folder / "faust"),
            "WORKER__METRICS_PORT": "0",
        }
        kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("GATEPULSE_")}
        return kept | {f"GATEPULSE_{key}": value for key, value in ours.items()}


@contextmanager
def plant(folder: Path, size: Size) -> Iterator[Plant]:
    """Start a broker and a store for the time of a block, with topics and tables and without workers."""
    folder.mkdir(parents=True)
    with ExitStack() as ending:
        broker = ending.enter_context(running(KafkaServer(folder / "kafka")))
        store = ending.enter_context(running(EmbeddedClickHouse(folder / "store")))
        made = Plant(folder, size, broker, store)
        ending.callback(made.close)
        made.prepare()
        yield made


def _last(consumer: Any, topic: str, partition: int) -> int:
    """Return the bytes of the last record of a partition, 0 if it has none."""
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    if not end:
        return 0
    consumer.assign([TopicPartition(topic, partition, end - 1)])
    found: Sequence[Any] = consumer.consume(1, timeout=10)
    return sum(len(each.value() or b"") for each in found)
