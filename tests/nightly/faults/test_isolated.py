"""Whatever a kernel does on a record, only that record is rejected, at the cost of one restart; on a real plant.

One plant for all of it. Each defect is met in a partition of its own: behind a line that was set aside the others of
its partition are rehearsed, and defects in them end nobody. What a kernel does is in `failing_worker.py`.
"""

import json
import signal
import time
from collections.abc import Iterator

import pytest

from infra.process.supervisor import described
from streams.contract import topics
from streams.contract.events import Topic
from streams.settings import KafkaSettings
from tests.faults.catalogue import Layout
from tests.faults.failing_worker import FATAL, HANGING, HUNGRY, NATIVE, POISONOUS, SLOW, SPOILING
from tests.faults.kept import last_words
from tests.faults.plant import GROUP, PARTITIONS, Plant
from tests.faults.test_set_aside import TURNSTILES, ask, event, found_in, passages, send, until

pytestmark = pytest.mark.timeout(400)

STALL_SECONDS = 20


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    layout = Layout(worker="failing_worker.py", settings={"WORKER__STALL_SECONDS": str(STALL_SECONDS)})
    with Plant(layout, tmp_path_factory.mktemp("isolated")) as running:
        until(True, lambda: ask(running, "SELECT count() >= 4 FROM gatepulse.progress"))
        yield running


def set_aside(plant: Plant) -> int:
    return int(ask(plant, "SELECT count() FROM gatepulse.rejections WHERE reason = 'unprocessable'"))


def new_ends(plant: Plant, before: int) -> list[str]:
    return [str(end) for end in plant.worker.ends[before:]]


def all_accounted(plant: Plant) -> None:
    accounted = "sum(received) = sum(counted) + sum(duplicate) + sum(late) + sum(rejected)"
    until(1, lambda: ask(plant, f"SELECT {accounted} FROM gatepulse.progress"))


@pytest.mark.parametrize(("partition", "device"), [*enumerate([HANGING, NATIVE, HUNGRY, SPOILING])])
def test_one_end_and_the_record_is_isolated(plant: Plant, partition: int, device: str) -> None:
    ends, aside, n1, n2 = len(plant.worker.ends), set_aside(plant), passages(plant, "N1")(), passages(plant, "N2")()
    good = f"good-{device.removeprefix('canary-')}"
    bad = event(device, 1, credential="canary-who")
    send(plant, TURNSTILES, event(good, 1), bad, event(good, 2), partition=partition)
    elsewhere = (event(f"{good}-2", n, entrance="N2") for n in range(1, 4))
    send(plant, TURNSTILES, *elsewhere, partition=(partition + 1) % PARTITIONS)
    until(n1 + 2, passages(plant, "N1"))
    until(n2 + 3, passages(plant, "N2"))
    until(aside + 1, lambda: set_aside(plant))
    all_accounted(plant)
    assert len(plant.worker.ends) == ends + 1, new_ends(plant, ends)


def test_two_in_two_partitions_at_once_and_the_first_thing_after_a_start(plant: Plant) -> None:
    aside, n1, n2 = set_aside(plant), passages(plant, "N1")(), passages(plant, "N2")()
    plant.worker.stop(30.0)
    ends = len(plant.worker.ends)
    send(plant, TURNSTILES, event(FATAL, 7), event("good-both", 1), partition=0)
    send(plant, TURNSTILES, event(HUNGRY, 7, entrance="N2"), event("good-both-2", 1, entrance="N2"), partition=1)
    plant.worker.start()
    until(n1 + 1, passages(plant, "N1"))
    until(n2 + 1, passages(plant, "N2"))
    until(aside + 2, lambda: set_aside(plant))
    assert len(plant.worker.ends) <= ends + 2, new_ends(plant, ends)


def test_a_state_that_no_start_can_take_up_is_counted_again_without_what_made_it_so(plant: Plant) -> None:
    aside, n1 = set_aside(plant), passages(plant, "N1")()
    send(plant, TURNSTILES, event("good-poison", 1), event(POISONOUS, 1), event("good-poison", 2), partition=3)
    until(n1 + 3, passages(plant, "N1"))  # nobody notices anything
    time.sleep(3)  # and it is kept
    ends = len(plant.worker.ends)
    plant.worker.kill()
    send(plant, TURNSTILES, event("good-poison", 3), partition=3)
    until(aside + 1, lambda: set_aside(plant))
    until(n1 + 3, passages(plant, "N1"))
    assert len(plant.worker.ends) == ends + 1, new_ends(plant, ends)
    until(0, lambda: ask(plant, "SELECT count() FROM gatepulse.source_problems"))
    all_accounted(plant)
    # Its row was stored before anybody knew, and stays: the audit names it, and the counts do not have it.
    assert ask(plant, f"SELECT count() FROM gatepulse.passages WHERE device = '{POISONOUS}'") == 1


@pytest.mark.parametrize("offset", [b"\0" * 8, b"\0\xff" + b"\xff" * 6])
def test_garbage_among_the_snapshots_and_in_every_topic_ends_nobody(plant: Plant, offset: bytes) -> None:
    n1 = passages(plant, "N1")()
    kafka_topics = [topics.changelog(settings(plant), Topic(topic)) for topic in (*topics.SOURCES, Topic.ALARM_INPUTS)]
    for topic in (*kafka_topics, Topic.TOTALS, Topic.ALARM_INPUTS, Topic.ALARMS, Topic.PARKED, Topic.REJECTED):
        for key in ("0", "1", "canary-key"):
            send(plant, str(topic), offset + b"canary-garbage", b"canary", b'{"canary": "canary"}', b"\xff", key=key)
    ends = len(plant.worker.ends)
    plant.worker.kill()
    send(plant, TURNSTILES, event(f"good-garbage-{offset[1]}", 1))
    until(n1 + 1, passages(plant, "N1"))
    assert len(plant.worker.ends) == ends + 1, new_ends(plant, ends)
    assert plant.metrics(plant.worker)


def settings(plant: Plant) -> KafkaSettings:
    return KafkaSettings(brokers=plant.bootstrap, group=GROUP, partitions=PARTITIONS)


def test_who_is_stopped_in_the_middle_of_a_slow_batch_suspects_nothing(plant: Plant) -> None:
    n1, file = passages(plant, "N1")(), plant.path / "faust" / "worker-1.suspects.json"
    before = file.read_text()
    send(plant, TURNSTILES, event(SLOW, 1), event("good-slow", 1), partition=2)
    at_work = plant.path / "faust" / "worker-1.at-work.json"
    until(True, lambda: len(json.loads(at_work.read_text() or "{}")) > 0)
    plant.worker.signal(signal.SIGTERM)
    code = plant.worker.stop(60.0)
    assert code == 0, f"{described(code or 0)}: {last_words(plant.worker.log_path)}"
    assert file.read_text() == before
    assert json.loads(at_work.read_text()) == {}
    plant.worker.start()
    until(n1 + 2, passages(plant, "N1"))


def test_after_all_that_no_log_has_a_value(plant: Plant) -> None:
    assert found_in(plant.path) == []
