"""The same event through another partition, gateway or entrance: it counts once, on a real plant."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.faults.catalogue import Layout
from tests.faults.plant import PARTITIONS, Plant
from tests.support.processes import needs_kafka

pytestmark = [needs_kafka, pytest.mark.timeout(300)]
TOPIC = "turnstile.passages"
HOUR = 3_600_000
_SECONDS = 60.0
_lanes = count(1)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Start one plant for all of these; each test has a lane of its own."""
    with Plant(Layout(), tmp_path_factory.mktemp("once")) as started:
        until(lambda: len(ask(started, "SELECT log FROM gatepulse.progress")) >= PARTITIONS)
        yield started


@pytest.fixture
def lane() -> str:
    """Name a lane that no other test has."""
    return f"N1-T{next(_lanes):02}"


def ask(plant: Plant, sql: str, **params: Any) -> list[tuple[Any, ...]]:
    reader = plant.reader()
    try:
        return reader.query(sql, params)
    finally:
        reader.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail if it does not for a minute."""
    end = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.25)


def event(device: str, seq: int, ts: int, *, entrance: str = "N1", **other: Any) -> dict[str, Any]:
    passed = {"direction": "in", "outcome": "passed", "category": "visitor", "credential": f"c{seq}"}
    return {"device": device, "seq": seq, "ts": ts, "entrance": entrance, **passed, **other}


def send(plant: Plant, *records: list[dict[str, Any]], partition: int, key: str | None = None) -> None:
    """Send records of one line or more to a partition; return once all are stored."""
    before = received(plant)
    producer = Producer({"bootstrap.servers": plant.kafka.bootstrap, "log_level": 0})
    for lines in records:
        producer.produce(
            TOPIC, value=b"\n".join(json.dumps(each).encode() for each in lines), key=key, partition=partition
        )
    producer.flush(30)
    until(lambda: received(plant) == before + sum(map(len, records)))


def received(plant: Plant) -> int:
    [(lines,)] = ask(plant, "SELECT sum(received) FROM gatepulse.progress WHERE topic = %(topic)s", topic=TOPIC)
    return int(lines)


def settled(plant: Plant) -> None:
    until(lambda: ask(plant, "SELECT * FROM gatepulse.unsettled") == [])


def passages(plant: Plant, device: str) -> list[tuple[Any, ...]]:
    """Return the passages of a device by entrance."""
    found = "SELECT entrance, count(), uniqExact(seq) FROM gatepulse.passages"
    sql = f"{found} WHERE device = %(device)s GROUP BY 1 ORDER BY 1"
    return ask(plant, sql, device=device)


def counted(plant: Plant) -> dict[str, int]:
    return dict(ask(plant, "SELECT entrance, sum(passages) FROM gatepulse.entrance_totals GROUP BY entrance"))


def conflicts(plant: Plant, device: str) -> int:
    [(n,)] = ask(plant, "SELECT count() FROM gatepulse.conflicts WHERE device = %(device)s", device=device)
    return int(n)


def now() -> int:
    return int(time.time() * 1000)


def test_a_gateway_without_keys_that_sends_again_into_another_partition(plant: Plant, lane: str) -> None:
    before, lines = counted(plant).get("N1", 0), [event(lane, n, now()) for n in range(1, 21)]
    send(plant, *([each] for each in lines), partition=0)
    send(plant, *([each] for each in lines[-5:]), partition=2)
    settled(plant)
    assert passages(plant, lane) == [("N1", 20, 20)]
    assert counted(plant)["N1"] == before + 20


def test_a_lane_that_was_moved_to_another_entrance(plant: Plant, lane: str) -> None:
    before, at = counted(plant), now()
    lines = [event(lane, n, at + n) for n in range(1, 21)]
    moved = [{**each, "entrance": "M1"} for each in lines[-5:]] + [
        event(lane, n, now(), entrance="M1") for n in range(21, 26)
    ]
    send(plant, *([each] for each in lines), partition=1)
    send(plant, *([each] for each in moved), partition=3)
    settled(plant)
    assert passages(plant, lane) == [("M1", 5, 5), ("N1", 20, 20)]
    after = counted(plant)
    assert (after["N1"] - before["N1"], after["M1"] - before.get("M1", 0)) == (20, 5)
    assert conflicts(plant, lane) == 5
    until(lambda: ("conflicts", "M1") in ask(plant, "SELECT rule, subject FROM gatepulse.alarm_episodes"))


def test_a_second_gateway_that_forwards_the_same_in_frames(plant: Plant, lane: str) -> None:
    lines = [event(lane, n, now()) for n in range(1, 101)]
    send(plant, *([each] for each in lines), partition=0, key="N1")
    send(plant, lines[:50], lines[50:], partition=2, key="N1 by the other gateway")
    settled(plant)
    assert passages(plant, lane) == [("N1", 100, 100)]
    assert conflicts(plant, lane) == 0


def test_what_is_late_in_one_log_and_comes_through_another_is_late_once(plant: Plant, lane: str) -> None:
    def late() -> int:
        return sum(n for (n,) in ask(plant, "SELECT events FROM gatepulse.late_passages"))

    before, lines = late(), [event(lane, n, now() - 49 * HOUR + n) for n in range(1, 6)]
    send(plant, *([each] for each in lines), partition=0)
    send(plant, *([each] for each in lines), partition=1)
    settled(plant)
    assert late() == before + 5
    assert passages(plant, lane) == []


def test_a_device_that_begins_its_numbers_again_without_an_epoch_is_in_conflict_with_itself(
    plant: Plant, lane: str
) -> None:
    at = now()
    send(plant, *([event(lane, n, at + n)] for n in range(1, 11)), partition=0)
    send(plant, *([event(lane, n, at + 100 + n, credential=f"d{n}")] for n in range(1, 6)), partition=0)
    until(lambda: conflicts(plant, lane) == 5)
    assert passages(plant, lane) == [("N1", 10, 10)]


def test_every_line_of_every_partition_is_accounted_for_and_the_audit_is_equal(plant: Plant) -> None:
    sql = """
        SELECT partition, toInt64(next_offset), received = counted + duplicate + late + rejected + conflicts,
            next_offset = first_offset + records
        FROM gatepulse.progress WHERE topic = 'turnstile.passages' ORDER BY partition
    """
    until(lambda: plant.watch.position is not None and plant.watch.position.behind == 0)
    assert plant.watch.position is not None
    ends = {partition: end for (topic, partition), end in plant.watch.position.ends.items() if topic == TOPIC}
    assert ask(plant, sql) == [(partition, ends[partition], 1, 1) for partition in range(PARTITIONS)]
    assert plant.watch.broken == []
    try:
        said = plant.command("audit")
    except subprocess.CalledProcessError as error:
        pytest.fail(error.stdout)
    assert "EQUAL" in said


def test_a_worker_that_is_killed_while_it_settles_leaves_nothing_counted_twice(plant: Plant) -> None:
    lanes = [f"N1-K{n:03}" for n in range(20)]
    before, at = counted(plant).get("N1", 0), now()
    lines = [[event(lane, n, at + n) for n in range(1, 501)] for lane in lanes]
    send(plant, *lines, partition=0)
    send(plant, *lines, partition=2)
    for _ in range(3):
        time.sleep(1.5)  # it settles every two seconds
        plant.worker.kill()
        until(lambda: plant.worker.running)
    settled(plant)
    assert counted(plant)["N1"] == before + 20 * 500
    assert [passages(plant, lane) for lane in lanes] == [[("N1", 500, 500)]] * 20
