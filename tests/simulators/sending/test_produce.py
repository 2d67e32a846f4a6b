"""What a simulator sends arrives in a real broker, and its ledger says so."""

import datetime as dt
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from infra.process.ports import LOOPBACK, free_port
from infra.servers.broker import PROTOCOL, EmbeddedBroker
from simulators.distortion.settings import Distortion
from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.scenario.expo.expo import EXPO, PEAK_DAY
from simulators.sending.corrections import OccupancyCorrection, send_correction
from simulators.sending.lag import Backlog, ConsumerLag
from simulators.sending.plan import Plan, site_time
from simulators.sending.producer import Answer, NoBrokerError, make_producer
from simulators.sending.run import simulate
from streams.contract.events import Topic
from tests.support.small_day import expo

TOPICS = (Topic.TURNSTILES.value, Topic.VEHICLES.value)


def ends(broker: str, topics: tuple[str, ...]) -> dict[TopicPartition, int]:
    consumer = KafkaConsumer(bootstrap_servers=broker, api_version=PROTOCOL)
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(4)]
    try:
        return dict(consumer.end_offsets(partitions))
    finally:
        consumer.close()


def read(broker: str, begin: dict[TopicPartition, int]) -> list[bytes]:
    """Return the lines of all messages from `begin` on."""
    consumer = KafkaConsumer(bootstrap_servers=broker, api_version=PROTOCOL, consumer_timeout_ms=2_000)
    consumer.assign(list(begin))
    for partition, offset in begin.items():
        consumer.seek(partition, offset)
    lines = [line for message in consumer for line in message.value.split(b"\n")]
    consumer.close()
    return lines


@pytest.fixture
def begin(broker: str) -> dict[TopicPartition, int]:
    producer = make_producer(broker)
    for topic in TOPICS:
        producer.partitions_for(topic)
    producer.close()
    return ends(broker, TOPICS)


def test_what_is_sent_arrives_and_stands_in_the_ledger(
    broker: str, begin: dict[TopicPartition, int], tmp_path: Path
) -> None:
    start = site_time(expo(), PEAK_DAY, dt.time(6, 40))
    distortion = Distortion.parse("duplicates=10%,disorder=1m,malformed=1%,lost=1%")
    plan = Plan(EXPO, speed=60, start_at=start, for_seconds=3, seed=5, distortion=distortion)
    summary = simulate(plan, expo(), bootstrap=broker, ledger=tmp_path / "ledger")
    lines = read(broker, begin)
    ledger = read_ledger(tmp_path / "ledger")
    assert ledger.closed
    assert len(lines) == summary.sent + summary.malformed
    assert len(ledger) == summary.events > 1_000
    assert int((ledger.tries("ok") > 0).sum()) == summary.events - summary.lost
    good: Counter[tuple[str, int, int]] = Counter()
    for line in lines:
        try:
            event = msgspec.json.decode(line)
            good[event["device"], event["epoch"], event["seq"]] += 1
        except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError, RecursionError):
            continue
    columns = [ledger.passages[name] for name in ("device", "epoch", "seq")]
    identities = zip(columns[0].texts().tolist(), columns[1].tolist(), columns[2].tolist(), strict=True)
    assert all(good[each] == tries for each, tries in zip(identities, ledger.tries("ok").tolist(), strict=True))
    assert summary.duplicates == summary.sent - summary.events + summary.lost
    assert summary.seconds < 20


def test_lag_counts_messages_that_nobody_has_committed(broker: str) -> None:
    producer = make_producer(broker)
    lag = ConsumerLag(broker, "lag-test", ["lag.topic"], api_version=PROTOCOL)
    answers: list[Answer] = []
    for number in range(10):
        producer.send(
            "lag.topic", b"x", str(number).encode(), timestamp_ms=round(time.time() * 1000), on_answer=answers.append
        )
    producer.flush()
    assert lag() == 10
    consumer = KafkaConsumer(
        bootstrap_servers=broker, api_version=PROTOCOL, group_id="lag-test", auto_offset_reset="earliest",
        enable_auto_commit=False, consumer_timeout_ms=30_000,
    )  # fmt: skip
    consumer.assign([TopicPartition("lag.topic", partition) for partition in producer.partitions_for("lag.topic")])
    assert len([next(consumer) for _ in range(10)]) == 10
    consumer.commit()
    assert lag() == 0
    assert sum(lag.committed().values()) == 10
    consumer.close()
    lag.close()
    producer.close()


def test_the_lag_is_unknown_while_the_broker_does_not_answer_and_known_once_it_does(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, topics={"lag.topic": 1})
    broker.start()
    broker.wait_ready(30.0)
    pid = broker.pid or 0
    lag = ConsumerLag(broker.bootstrap, "lag-test", ["lag.topic"], api_version=PROTOCOL, request_timeout_ms=1_000)
    try:
        assert lag() == 0
        os.kill(pid, signal.SIGSTOP)
        assert lag() is None
        os.kill(pid, signal.SIGCONT)
        assert lag() == 0
    finally:
        os.kill(pid, signal.SIGCONT)
        lag.close()
        broker.stop()


def test_a_backlog_shrinks_with_what_workers_commit() -> None:
    backlog = Backlog()
    backlog.stored(("t", 0), 0, 50)
    backlog.stored(("t", 0), 1, 50)
    backlog.stored(("t", 1), 0, 60)
    assert backlog.fullest() == 100
    backlog.committed({("t", 0): 1})
    assert backlog.fullest() == 60
    backlog.committed({("t", 0): 2, ("t", 1): 1})
    assert backlog.fullest() == 0


def test_a_run_that_is_stopped_at_once_ends_cleanly(broker: str, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    summary = simulate(
        Plan(EXPO),
        expo(),
        bootstrap=broker,
        ledger=tmp_path / "ledger",
        stop=stop,
    )
    assert summary.stopped
    assert summary.events == 0
    assert read_ledger(tmp_path / "ledger").closed


def test_a_correction_arrives_with_the_fields_of_the_contract(broker: str) -> None:
    producer = make_producer(broker)
    producer.partitions_for(Topic.CORRECTIONS.value)
    begin = ends(broker, (Topic.CORRECTIONS.value,))
    written: list[Mapping[str, object]] = []

    class Kept(LedgerWriter):
        def __init__(self) -> None: ...

        def corrections(self, rows: Sequence[Mapping[str, object]]) -> None:
            written.extend(rows)

    correction = OccupancyCorrection("hall1", 1_600_000_000_000, "officer-3", "counted by hand", absolute=420)
    send_correction(producer, correction, Kept())
    producer.close()
    (line,) = read(broker, begin)
    assert msgspec.json.decode(line) == {
        "area": "hall1", "ts": 1_600_000_000_000, "actor": "officer-3", "reason": "counted by hand",
        "absolute": 420, "id": correction.id,
    }  # fmt: skip
    assert [(row["id"], row["result"], row["delta"]) for row in written] == [(correction.id, "ok", None)]


@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "who listens says nothing"])
def test_brokers_that_never_answer_end_a_simulation_before_it_begins(silent: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with socket.create_server((LOOPBACK, 0)) as listener:
        address = f"{LOOPBACK}:{listener.getsockname()[1] if silent else free_port()}"
        with pytest.raises(NoBrokerError, match=f"{address}: no broker answers there. Start it, or name another."):
            make_producer(address, patience=0.5)
        stop = threading.Event()
        stop.set()
        with pytest.raises(NoBrokerError):
            simulate(Plan(EXPO), expo(), bootstrap=address, ledger=tmp_path / "ledger", stop=stop)
    assert not (tmp_path / "ledger").exists()
