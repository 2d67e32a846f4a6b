"""A store, a broker and workers on this machine, with a day that is played there."""

import datetime as dt
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from infra.process.child import Child, tail
from infra.process.ports import LOOPBACK, free_port
from infra.servers.broker import PROTOCOL, EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.distortion.settings import Distortion
from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.expo.expo import EXPO
from simulators.scenario.scenario import Scenario
from simulators.sending.corrections import OccupancyCorrection, send_correction
from simulators.sending.lag import ConsumerLag
from simulators.sending.plan import Plan, site_time
from simulators.sending.producer import make_producer
from simulators.sending.run import Summary, simulate
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader
from streams.contract.events import Topic
from streams.contract.topics import plans
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import KafkaSettings
from streams.site.reader import load_site

SOURCES = (Topic.TURNSTILES.value, Topic.VEHICLES.value, Topic.CORRECTIONS.value)
GROUP = "workers"
PARTITIONS = 4
TOPICS = {plan.name: plan.partitions for plan in plans(KafkaSettings(group=GROUP, partitions=PARTITIONS))}
SESSION_SECONDS = 3
"""The mock cluster keeps a killed worker's place for nearly twice as long."""


@dataclass
class LocalPlant:
    """A store and a broker, and the day that is played there."""

    store: EmbeddedClickHouse
    broker: EmbeddedBroker
    path: Path
    metrics_port: int = field(default_factory=free_port)
    scenario: Scenario = EXPO
    begins: dt.time = dt.time(6, 40)
    speed: int = 60

    def __post_init__(self) -> None:
        """Let the site's clock run fast, from early morning on if nothing else is said."""
        self.site = load_site(self.scenario.profile)
        self.start_at = site_time(self.site, self.scenario.date, self.begins)
        self.clock = SiteClock(self.start_at, int(time.time() * 1000) + 1000, self.speed)

    @contextmanager
    def worker(self, **settings: str) -> Iterator[Child]:
        """Run a worker process; kill it in the end if it is still there."""
        child = Child(
            [sys.executable, "-P", "-m", "infra.cli.main", "worker"],
            self.path / "worker.log",
            self.environment(settings),
        )
        child.start()
        try:
            yield child
        finally:
            if child.running:
                os.kill(child.pid or 0, 9)
            child.stop()

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        """Return the environment of a gatepulse command here, with settings over ours."""
        address = self.store.address
        ours = {
            "SITE": self.scenario.profile,
            "KAFKA__BROKERS": self.broker.bootstrap,
            "KAFKA__CLUSTER": self.broker.cluster,
            "KAFKA__API_VERSION": ".".join(map(str, PROTOCOL)),
            "KAFKA__GROUP": GROUP,
            "KAFKA__CREATE_TOPICS": "false",
            "KAFKA__SESSION_SECONDS": str(SESSION_SECONDS),
            "KAFKA__STATIC_MEMBERSHIP": "false",
            "STORE__HOST": address.host,
            "STORE__PORT": str(address.port),
            "STORE__USER": address.owner.user,
            "STORE__PASSWORD": address.owner.password,
            "STORE__READER": address.reader.user,
            "STORE__READER_PASSWORD": address.reader.password,
            "WORKER__DATA": str(self.path / "faust"),
            "WORKER__METRICS_PORT": str(self.metrics_port),
            "CLOCK__SITE_MS": str(self.clock.site_ms),
            "CLOCK__REAL_MS": str(self.clock.real_ms),
            "CLOCK__SPEED": str(self.clock.speed),
        }
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("GATEPULSE_")}
        return kept | {f"GATEPULSE_{name}": value for name, value in (ours | settings).items()}

    def play(self, *, seconds: float, distortion: str, stop: threading.Event | None = None) -> Summary:
        """Play a piece of the day, and write down the truth."""
        plan = Plan(
            self.scenario,
            clock=self.clock,
            for_seconds=seconds,
            seed=5,
            epoch=1,
            frame=3,
            distortion=Distortion.parse(distortion),
        )
        return simulate(plan, self.site, bootstrap=self.broker.bootstrap, ledger=self.ledgers / "day", stop=stop)

    def correct(self, *corrections: OccupancyCorrection) -> None:
        """Send corrections, and write down the truth."""
        plan = Plan(self.scenario, clock=self.clock, epoch=1)
        producer = make_producer(self.broker.bootstrap)
        with LedgerWriter(self.ledgers / "corrections", meta=plan.described(self.site, 1)) as ledger:
            for correction in corrections:
                send_correction(producer, correction, ledger)
        producer.close()

    @property
    def ledgers(self) -> Path:
        """Where the truth is."""
        return self.path / "ledgers"

    def wait_until_at_work(self, worker: Child, *, seconds: float) -> None:
        """Return when this worker has the partitions and has received something of what it took them up for."""
        eventually(lambda: self._received() > 0, worker, seconds=seconds)

    def _received(self) -> float:
        try:
            return sum(value for _, value in self.metrics()["gatepulse_events_received_total"])
        except (OSError, KeyError):
            return 0

    def wait_until_counted(self, worker: Child, *, seconds: float) -> None:
        """Return when everything that was sent is committed, and so is stored."""
        lag = ConsumerLag(self.broker.bootstrap, GROUP, SOURCES, api_version=PROTOCOL)
        try:
            eventually(lambda: lag() == 0, worker, seconds=seconds)
        finally:
            lag.close()

    def messages(self, topic: str) -> list[Any]:
        """Return all messages of a topic that the broker still has."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, api_version=PROTOCOL)
        places = [TopicPartition(topic, number) for number in range(TOPICS[topic])]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[Any] = []
        ends = consumer.end_offsets(places)
        while any(consumer.position(each) < ends[each] for each in places):
            found += [record for records in consumer.poll(500).values() for record in records]
        consumer.close()
        return found

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Scrape the worker."""
        connection = HTTPConnection(LOOPBACK, self.metrics_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    @contextmanager
    def reader(self) -> Iterator[ClickHouseReader]:
        """Ask the views."""
        reader = ClickHouseReader(self.store.address.reader)
        try:
            yield reader
        finally:
            reader.close()

    def check_every_view(self, *, least: int = 1_000) -> None:
        """Compare all views with the ledger."""
        with self.reader() as reader:
            verdict = verify(self.ledgers, reader, self.site)
        assert {name: view.different for name, view in verdict.views.items() if view.different} == {}, verdict
        assert verdict.ok
        assert verdict.sent == verdict.counted > least


def eventually(condition: Callable[[], object], worker: Child, *, seconds: float) -> None:
    """Wait until the condition holds; fail with the worker's last words when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert worker.running, f"the worker has ended with {worker.poll()}:\n{tail(worker.log_path, 60)}"
        assert time.monotonic() < deadline, f"not within {seconds} s:\n{tail(worker.log_path, 60)}"
        time.sleep(0.1)
