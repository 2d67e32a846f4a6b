"""Parked rows are listed, stored once the store accepts them, and then removed from the topic."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from clickhouse_driver import Client
from kafka import KafkaProducer

from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.server import KafkaServer
from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress, connect
from sinks.memory import MemorySink
from sinks.rows import TABLES
from sinks.sink import Refusal, StoreRefused
from streams.contract import topics
from streams.contract.events import Topic
from streams.contract.parked import ParkedBatch, park, status_rows
from streams.kernels.counts.columns import Block
from streams.operations.parked_rows import ParkedTopic, Retried, UnknownBatchError, retry
from streams.settings import KafkaSettings
from tests.support.local_plant import GROUP, PARTITIONS, LocalPlant, eventually
from tests.support.processes import running
from tests.support.rows import NOON, block
from tests.support.stores import address_of, mending

LOG = "demo-1/turnstile.passages/0"


class Plant:
    """A broker with the topic `parked`, nothing in it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.topic = ParkedTopic([bootstrap])
        self.topic.forget([head.id for head in self.topic.heads()])

    def park(self, *blocks: Block, at: int = NOON) -> list[ParkedBatch]:
        """Park the rows of each block as a batch."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=8 << 20)
        parked = [
            each
            for of in blocks
            for each in park(Refusal(of, StoreRefused(of.table, "no.", "Act.")), logs={LOG: at - 1}, worker="w", at=at)
        ]
        for head, value in parked:
            producer.send(Topic.PARKED.value, key=head.id.encode(), value=value)
        producer.close()
        return [head for head, _ in parked]

    def names(self) -> list[str]:
        """Return what is parked, in the order of the list."""
        return [head.id for head in self.topic.heads()]

    def retry(self, sink: Any, *names: str) -> Retried:
        """Store what is parked."""
        return asyncio.run(retry(self.topic, sink, names, done=lambda _: None))


@pytest.fixture
def plant(kafka: KafkaServer) -> Iterator[Plant]:
    """A broker on which nothing is parked."""
    topics.apply(KafkaSettings(brokers=kafka.bootstrap))
    built = Plant(kafka.bootstrap)
    yield built
    built.topic.close()


def entered(*credentials: str) -> Block:
    return block("entered", *({"credential": each} for each in credentials))


def test_batches_are_listed_the_oldest_first_each_once(plant: Plant) -> None:
    (late,) = plant.park(entered("late"), at=NOON + 5)
    (early,) = plant.park(entered("early"))
    plant.park(entered("late"), at=NOON + 9)  # a replay after a crash
    heads = plant.topic.heads()
    assert [(head.id, head.at) for head in heads] == [(early.id, NOON), (late.id, NOON + 9)]
    plant.topic.forget([early.id])
    assert plant.names() == [late.id]


def test_what_is_stored_is_marked_and_gone_from_the_topic(plant: Plant) -> None:
    one, two = plant.park(entered("c1", "c2"), block("devices", {"ranges": [(1, 2), (5, 9)]}))
    sink = MemorySink()
    assert [head.id for head in plant.retry(sink).stored] == [one.id, two.id]
    assert len(sink.rows("entered")) == 2
    assert sink.rows("devices")[0][TABLES["devices"].columns.index("ranges")] == [(1, 2), (5, 9)]
    resolved = TABLES["parked_batches"].columns.index("resolved")
    assert [row[resolved] for row in sink.rows("parked_batches")] == [1, 1]
    assert plant.names() == []


def test_only_the_named_batches_are_stored(plant: Plant) -> None:
    one, two = plant.park(entered("c1"), entered("c2"))
    sink = MemorySink()
    plant.retry(sink, two.id)
    assert [row[-1] for row in sink.rows("entered")] == ["c2"]
    assert plant.names() == [one.id]


def test_what_is_still_refused_stays_and_the_rest_is_stored(plant: Plant) -> None:
    bad, good = plant.park(block("rejections", {}), entered("c1"))
    sink = MemorySink()
    sink.refuses = {"rejections": "never."}
    outcome = plant.retry(sink)
    assert [head.id for head in outcome.stored] == [good.id]
    ((head, error),) = outcome.refused
    assert isinstance(error, StoreRefused)
    assert (head.id, error.reason) == (bad.id, "never.")
    assert plant.names() == [bad.id]
    assert [row[0] for row in sink.rows("parked_batches")] == [good.id]


def test_what_is_no_batch_is_passed_over_and_named(plant: Plant) -> None:
    (good,) = plant.park(entered("c1"))
    (spoilt, value), (other, _) = (
        park(Refusal(entered(each), StoreRefused("entered", "no.", "Act.")), logs={LOG: NOON}, worker="w", at=NOON)[0]
        for each in ("c2", "c3")
    )
    producer = KafkaProducer(bootstrap_servers=plant.bootstrap)
    garbage = [(b"", b"x"), (b"\xff", b"\xff" * 9), (b"k", b"\0\0\0\1{"), (other.id.encode(), value)]
    sent = [producer.send(Topic.PARKED.value, key=key, value=each, partition=0) for key, each in garbage]
    producer.send(Topic.PARKED.value, key=spoilt.id.encode(), value=value[:-9])
    producer.close()
    assert sorted(plant.names()) == sorted([good.id, spoilt.id])
    foreign = [(0, each.get().offset) for each in sent]
    assert plant.topic.foreign[-len(foreign) :] == foreign
    outcome = plant.retry(sink := MemorySink())
    assert [row[-1] for row in sink.rows("entered")] == ["c1"]
    assert [(head.id, str(error)) for head, error in outcome.refused] == [
        (spoilt.id, f"the rows of batch {spoilt.id} cannot be read")
    ]
    plant.topic.forget([spoilt.id])


def test_a_crash_before_the_record_is_deleted_is_made_good_by_trying_again(plant: Plant) -> None:
    (head,) = plant.park(entered("c1"))
    sink = MemorySink()
    asyncio.run(sink.write([entered("c1"), status_rows([head], resolved=True)]))
    assert len(plant.retry(sink).stored) == 1
    assert len(sink.rows("entered")) == 1
    assert plant.names() == []


def test_a_batch_that_is_not_there_is_named_before_anything_is_stored(plant: Plant) -> None:
    plant.park(entered("c1"))
    sink = MemorySink()
    with pytest.raises(UnknownBatchError, match="beef: not parked"):
        plant.retry(sink, plant.names()[0], "beef")
    assert sink.rows("entered") == []


def test_a_large_batch_and_many_small_ones_are_all_stored(plant: Plant) -> None:
    many = [entered(f"small-{n}") for n in range(500)]
    large = Block("entered", {"day": [1] * 200_000, "kind": ["person"] * 200_000, "credential": [
        f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n * 0xC2B2AE3D27D4EB4F % 2**64:016x}" for n in range(200_000)
    ]})  # fmt: skip
    plant.park(*many, large)
    sink = MemorySink()
    seen: list[int] = []
    asyncio.run(retry(plant.topic, sink, [], done=seen.append))
    assert len(sink.rows("entered")) == 200_500
    assert sum(seen) >= 501
    assert plant.names() == []


# -- the command, on a server ------------------------------------------------------------------------------------------


@pytest.fixture
def server(address: StoreAddress, client: Client) -> Iterator[StoreAddress]:
    """A store with our schema, empty; what a test changes of it is mended afterwards."""
    with mending(client):
        yield address


def command(*words: str, env: dict[str, str]) -> tuple[int, str, str]:
    """Run `gatepulse parked …`; exit code, stdout, stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPULSE_")}
    argv = [sys.executable, "-P", "-m", "infra.cli.main", "parked", *words]
    done = subprocess.run(argv, env=kept | env, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_the_command_lists_and_stores_and_says_what_is_still_refused(plant: Plant, server: StoreAddress) -> None:
    env = {
        "GATEPULSE_KAFKA__BROKERS": plant.bootstrap, "GATEPULSE_STORE__HOST": server.host,
        "GATEPULSE_STORE__PORT": str(server.port), "GATEPULSE_STORE__USER": server.user,
        "GATEPULSE_STORE__PASSWORD": server.password, "COLUMNS": "200",
    }  # fmt: skip
    bad, good = plant.park(block("rejections", {}), entered("c1"))
    asyncio.run(_write(server, status_rows([bad, good], resolved=False)))
    with connect(server) as client:
        client.execute("ALTER TABLE gatepulse_store.rejections RENAME COLUMN detail TO details")
        code, out, _ = command("list", "--json", env=env)
        (first, second) = sorted(json.loads(out)["parked"], key=lambda each: each["table"])
        assert (code, first["id"], second["id"]) == (0, good.id, bad.id)
        assert (second["rows"], second["logs"], second["reason"], second["advice"]) == (1, [LOG], "no.", "Act.")
        assert command("retry", env=env)[0] == command("retry", "beef", env=env)[0] == 2
        code, out, said = command("retry", "--all", env=env)
        assert (code, out) == (1, "1 batches stored, 1 refused\n")
        assert f"{bad.id} is still refused: rejections: " in said
        assert "lacks a column" in said
        client.execute("ALTER TABLE gatepulse_store.rejections RENAME COLUMN details TO detail")
        code, out, _ = command("list", env=env)
        assert bad.id in out
        assert good.id not in out
        assert command("retry", bad.id, env=env)[:2] == (0, "1 batches stored, 0 refused\n")
        assert client.execute("SELECT count() FROM gatepulse.parked") == [(0,)]
        assert client.execute("SELECT count() FROM gatepulse.rejections") == [(1,)]
    assert command("list", env=env)[:2] == (0, "nothing is parked\n")


async def _write(address: StoreAddress, *blocks: Block) -> None:
    sink = ClickHouseSink(address)
    await sink.write(blocks)
    await sink.close()


def test_without_the_topic_the_command_says_what_to_do(kafka_installed: Path, tmp_path: Path) -> None:
    assert kafka_installed
    with running(KafkaServer(tmp_path)) as broker:
        code, out, said = command("list", env={"GATEPULSE_KAFKA__BROKERS": broker.bootstrap})
    assert (code, out) == (1, "")
    assert "create it with `gatepulse topics apply`" in said


# -- a worker whose table refuses --------------------------------------------------------------------------------------


@pytest.fixture
def place(
    kafka_installed: Path, empty_clickhouse: EmbeddedClickHouse, client: Client, tmp_path: Path
) -> Iterator[LocalPlant]:
    """A Kafka of our own: a worker would find what other tests have left."""
    assert kafka_installed
    with running(KafkaServer(tmp_path / "kafka")) as broker, mending(client):
        topics.apply(KafkaSettings(brokers=broker.bootstrap, group=GROUP, partitions=PARTITIONS))
        yield LocalPlant(empty_clickhouse, cast("Any", broker), tmp_path)


def test_a_table_that_takes_no_rows_stops_no_worker_and_every_count_is_right_in_the_end(place: LocalPlant) -> None:
    address = place.store.address.reader
    env = place.environment({})
    owner = address_of(place.store)
    with place.worker() as worker, connect(owner) as client, ThreadPoolExecutor(1) as background:
        playing = background.submit(place.play, seconds=5, distortion="duplicates=5%")
        place.wait_until_at_work(worker, seconds=90)
        # Not by renaming a column: an insert that ClickHouse acknowledges while it renames reads as zeros afterwards.
        client.execute("ALTER TABLE gatepulse_store.counts_10s ADD CONSTRAINT drifted CHECK passages = 0")
        playing.result(60)
        views = ClickHouseReader(address)
        parked = "SELECT uniqExact(id) FROM gatepulse.parked WHERE table = 'counts_10s'"
        eventually(lambda: views.query(parked)[0][0] > 0, worker, seconds=30)
        place.wait_until_counted(worker, seconds=30)  # other tables are stored, and offsets are committed
        held = "SELECT count() FROM gatepulse.progress AS p JOIN gatepulse_store.log_progress AS s FINAL USING (log)"
        behind = client.execute(f"{held} WHERE p.complete_to < s.complete_to")
        assert behind[0][0] > 0
        eventually(lambda: sum(v for _, v in place.metrics()["gatepulse_parked_batches"]) > 0, worker, seconds=10)
        client.execute("ALTER TABLE gatepulse_store.counts_10s DROP CONSTRAINT drifted")
        code, out, said = command("retry", "--all", env=env)
        assert code == 0, out + said
        eventually(lambda: views.query(parked)[0][0] == 0, worker, seconds=10)
        assert client.execute(f"{held} WHERE p.complete_to < s.complete_to") == [(0,)]
        place.check_every_view()
        views.close()
