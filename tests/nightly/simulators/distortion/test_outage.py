"""A simulator waits while its broker is away, and sends every event once, in order."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from infra.servers.kafka.server import KafkaServer
from simulators.distortion.settings import Distortion
from simulators.ledger.ledger import Ledger, read_ledger
from simulators.scenario.expo.expo import EXPO
from simulators.sending.plan import Plan
from simulators.sending.play import Progress
from simulators.sending.run import Summary, simulate
from streams.contract.events import KIND_OF_TOPIC
from tests.support.processes import needs_kafka
from tests.support.small_day import expo

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

PARTITIONS = [TopicPartition(str(topic), number) for topic in KIND_OF_TOPIC for number in range(4)]


class Newest:
    """A report that remembers how many events were sent."""

    def __init__(self) -> None:
        self.events = 0

    def __call__(self, progress: Progress) -> None:
        """Remember it."""
        self.events = progress.events


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    """kafka-python leaves it to the garbage collector to close a socket whose connection failed: let it do so here."""
    yield
    gc.collect()


@pytest.fixture
def server(kafka_installed: Path, tmp_path: Path) -> Iterator[KafkaServer]:  # noqa: ARG001 - needed
    server = KafkaServer(tmp_path / "kafka")
    yield server
    server.stop()


def create_topics(server: KafkaServer) -> None:
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    as_ours = {"message.timestamp.type": "LogAppendTime"}
    options = {"num_partitions": 4, "replication_factor": 1, "configs": as_ours}
    admin.create_topics({str(topic): options for topic in KIND_OF_TOPIC})
    admin.close()


def play(future: "Future[Summary]", *, server: KafkaServer, ledger: Path, stop: threading.Event, seen: Newest) -> None:
    plan = Plan(EXPO, rate=1_000, seed=3, epoch=1, distortion=Distortion.parse("duplicates=5%"))
    try:
        future.set_result(simulate(plan, expo(), bootstrap=server.bootstrap, ledger=ledger, stop=stop, report=seen))
    except BaseException as error:  # noqa: BLE001 - handed to who waits for it
        future.set_exception(error)


@needs_kafka
def test_nothing_is_lost_repeated_or_out_of_order_when_the_broker_is_not_there_yet_or_killed(
    server: KafkaServer, tmp_path: Path
) -> None:
    stop, seen, done = threading.Event(), Newest(), Future[Summary]()
    options = {"server": server, "ledger": tmp_path / "ledger", "stop": stop, "seen": seen}
    threading.Thread(target=play, args=(done,), kwargs=options, daemon=True).start()
    time.sleep(1)  # the simulator has looked for a broker, in vain
    server.start()
    server.wait_ready()
    create_topics(server)
    for _ in range(2):
        before = seen.events
        eventually(lambda: seen.events > before + 1_000)  # noqa: B023 - asked at once
        os.kill(server.pid or 0, signal.SIGKILL)
        time.sleep(0.5)
        server.start()
        server.wait_ready()
    stop.set()
    summary = done.result(90)

    ledger = read_ledger(tmp_path / "ledger")
    assert (summary.unknown, ledger.closed) == (0, True)
    assert int(ledger.tries("ok").sum()) == summary.sent > summary.events > 2_000
    assert_the_log_is_what_the_ledger_says(server, ledger)


def assert_the_log_is_what_the_ledger_says(server: KafkaServer, ledger: Ledger) -> None:
    """Compare number by number and place by place; each device's first deliveries are in the order of its numbers."""
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap, consumer_timeout_ms=2_000)
    consumer.assign(PARTITIONS)
    consumer.seek_to_beginning()
    found = []
    places: set[tuple[str, int, int]] = set()
    last: dict[str, int] = {}
    for record in consumer:
        for line in record.value.split(b"\n"):
            event = msgspec.json.decode(line)
            found.append((event["device"], event["seq"], record.partition, record.offset, record.timestamp))
            places.add((record.topic, record.partition, record.offset))
            if event["seq"] > last.get(event["device"], 0):
                assert event["seq"] == last.get(event["device"], 0) + 1
                last[event["device"]] = event["seq"]
    ends = consumer.end_offsets(PARTITIONS)
    consumer.close()
    at = ledger.attempts["index"]
    columns = [ledger.passages["device"].texts()[at].tolist(), ledger.passages["seq"][at].tolist()]
    columns += [ledger.attempts[name].tolist() for name in ("partition", "offset", "arrived_ms")]
    assert sorted(found) == sorted(zip(*columns, strict=True))
    # A worker takes numbers without a record for records that are gone.
    assert sum(ends.values()) == len(places)
