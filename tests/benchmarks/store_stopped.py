"""Measures a worker's memory while its store hangs and input goes on: `python -m tests.benchmarks.store_stopped`.

A real Kafka, a store that is stopped (SIGSTOP), and half a million messages of one event each. Prints the worker's
memory (MB) every few seconds; then the store goes on, and every event must be there. Arguments: messages, seconds that
the store hangs.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer

from infra.process.child import Child, tail
from infra.process.ports import free_port
from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.server import KafkaServer
from sinks import schema
from sinks.clickhouse import ClickHouseReader, connect
from streams.contract import topics
from streams.contract.events import Topic
from streams.settings import KafkaSettings
from tests.support.processes import running

PARTITIONS = 4


def memory_mb(pid: int, key: str = "VmRSS") -> float:
    """Return the memory of a process: what it holds now (VmRSS) or held at most (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024


def send(bootstrap: str, messages: int) -> None:
    """Send passages of one device a partition, numbered from 1."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    now = int(time.time() * 1000)
    for number in range(messages):
        partition = number % PARTITIONS
        event = {
            "device": f"N3-L0{partition + 1}", "seq": number // PARTITIONS + 1, "ts": now, "entrance": "N3",
            "direction": "in", "outcome": "passed", "category": "visitor", "credential": f"{number:032x}",
            "temperature": 36.4, "health": "normal",
        }  # fmt: skip
        producer.produce(Topic.TURNSTILES.value, json.dumps(event), key="N3", partition=partition)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def run(folder: Path, messages: int, seconds: float) -> None:
    """Start everything, stop the store, send, watch, let the store go on, compare."""
    with running(KafkaServer(folder / "kafka")) as broker, running(EmbeddedClickHouse(folder / "store")) as store:
        at = store.address
        with connect(at.owner) as client:
            schema.apply(client)
        topics.apply(KafkaSettings(brokers=broker.bootstrap, partitions=PARTITIONS))
        worker = Child(
            [sys.executable, "-P", "-m", "infra.cli.main", "worker"], folder / "worker.log", env(broker, store)
        )
        worker.start()
        reader = ClickHouseReader(at.reader)
        try:
            wait(lambda: reader.query("SELECT count() FROM gatepulse.progress")[0][0] >= PARTITIONS, 60)
            watch(store, worker, broker.bootstrap, messages=messages, seconds=seconds)
            count = "SELECT uniqExact(seq, device) FROM gatepulse.passages"
            wait(lambda: reader.query(count)[0][0] == messages, 180)
            say(f"all {messages:,} events stored; worker at most {memory_mb(worker.pid or 0, 'VmHWM'):.0f} MB")
        finally:
            reader.close()
            if not worker.running:
                say(tail(worker.log_path, 20))
            worker.stop(10)


def watch(store: EmbeddedClickHouse, worker: Child, bootstrap: str, *, messages: int, seconds: float) -> None:
    """Send while the store hangs, and print the worker's memory."""
    assert store.pid
    assert worker.pid
    say(f"worker idle: {memory_mb(worker.pid):.0f} MB; the store hangs now")
    os.kill(store.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        send(bootstrap, messages)
        say(f"{messages:,} messages sent in {time.monotonic() - begun:.1f} s")
        while time.monotonic() - begun < seconds:
            say(f"{time.monotonic() - begun:5.0f} s: worker {memory_mb(worker.pid):.0f} MB")
            time.sleep(5)
    finally:
        os.kill(store.pid, signal.SIGCONT)


def env(broker: KafkaServer, store: EmbeddedClickHouse) -> dict[str, str]:
    """Tell the worker where everything is."""
    at = store.address
    ours = {
        "KAFKA__BROKERS": broker.bootstrap, "KAFKA__PARTITIONS": str(PARTITIONS), "KAFKA__CREATE_TOPICS": "false",
        "STORE__HOST": at.host, "STORE__PORT": str(at.port), "STORE__USER": at.owner.user,
        "STORE__PASSWORD": at.owner.password, "STORE__READER": at.reader.user,
        "STORE__READER_PASSWORD": at.reader.password, "WORKER__METRICS_PORT": str(free_port()),
        "WORKER__DATA": str(broker.log_path.parent / "faust"),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("GATEPULSE_")}
    return kept | {f"GATEPULSE_{name}": value for name, value in ours.items()}


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Return when it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.5)


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201 - a script's output


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), *([*given, 500_000, 90][: len(given)] + [500_000, 90][len(given) :]))
