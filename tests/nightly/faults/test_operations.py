"""Further operations on topics; those tried with every change are in `tests/faults/test_operations.py`.

One plant for all; each test has an entrance of its own. Read `desk.py` first.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import NewPartitions

from streams.contract import topics
from streams.contract.events import Topic
from tests.faults.desk import TURNSTILES, WITH_WALL, Desk, desk_of
from tests.support.processes import needs_kafka

pytestmark = [needs_kafka, pytest.mark.timeout(240)]

INPUTS = Topic.ALARM_INPUTS.value


@pytest.fixture(scope="module")
def desk(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:  # noqa: ARG001 - needed
    """Start a plant with a worker and a wall."""
    with desk_of(WITH_WALL, tmp_path_factory.mktemp("operations")) as running:
        yield running


def test_a_topic_that_is_made_anew_while_no_worker_runs_is_a_new_log_beside_the_old_one(desk: Desk) -> None:
    desk.send("O01-1", range(1, 51), entrance="N2")
    desk.until_total("N2", 50)
    desk.plant.worker.stop(30.0)
    desk.delete_topics([TURNSTILES])
    assert "created turnstile.passages" in desk.command("topics", "apply").stdout
    desk.plant.worker.start()
    desk.renew()
    desk.send("O01-1", range(51, 81), entrance="N2")
    desk.until_total("N2", 80)
    desk.send("O01-1", range(81, 121), entrance="N2")
    desk.until_total("N2", 120)
    ((logs, missing),) = desk.ask("SELECT logs, missing FROM gatepulse.completeness WHERE device = 'O01-1'")
    assert (logs, missing) == (2, 0)


def test_topics_that_only_workers_write_are_made_anew_while_a_worker_runs(desk: Desk) -> None:
    desk.send("O03-2", range(1, 21), entrance="S1")
    desk.until_total("S1", 20)
    written = [plan.name for plan in topics.output_topics(desk.kafka)]
    desk.delete_topics(written)
    desk.until(lambda: {*written} <= desk.topics(), "the topics made anew")
    desk.send("O03-2", range(21, 31), entrance="S1")
    desk.send("O03-2", [31], entrance="nowhere")
    desk.until_total("S1", 30, 120)
    rejected = "SELECT count() FROM gatepulse.rejections WHERE detail LIKE '%nowhere%'"
    desk.until(lambda: desk.ask(rejected) == [(1,)], "the rejected line")
    desk.until(lambda: not desk.problems() and not desk.wall()["stale"], "a fresh wall without a problem")
    desk.plant.worker.kill()
    desk.send("O03-2", range(31, 41), entrance="S1")
    desk.until_total("S1", 40, 120)


def test_partitions_that_are_added_are_read(desk: Desk) -> None:
    desk.send("O02-1", range(1, 21), entrance="N4", partition=0)
    desk.until_total("N4", 20)
    admin = desk.admin()
    admin.create_partitions({TURNSTILES: NewPartitions(6)})
    admin.close()
    desk.until(lambda: len(desk.bounds(TURNSTILES)) == 6, "six partitions")
    desk.renew()
    desk.send("O02-2", range(1, 11), entrance="N4", partition=5)
    desk.send("O02-1", range(21, 31), entrance="N4", partition=0)
    desk.until_total("N4", 40)
    desk.until(lambda: not desk.problems(), "no problem any more")


def test_a_topic_that_is_compacted_is_not_read_and_one_with_the_senders_times_is_named(desk: Desk) -> None:
    desk.configure(TURNSTILES, cleanup_policy="compact", message_timestamp_type="CreateTime")
    desk.plant.worker.stop(30.0)
    desk.plant.worker.start()
    desk.until(lambda: (TURNSTILES, 0, "compacted") in desk.problems(), "the compaction")
    desk.until(lambda: (TURNSTILES, -1, "producer-time") in desk.problems(), "the times", 90)
    doctor = desk.command("doctor")
    assert doctor.returncode == 1
    said = "".join(doctor.stdout.split())  # a table breaks its lines anywhere
    assert "message.timestamp.typeisCreateTime" in said
    assert "thebrokersremoverecordsofacompactedtopicbeforetheyarecounted" in said
    desk.configure(TURNSTILES, cleanup_policy="delete", message_timestamp_type="LogAppendTime")
    desk.send("O10-3", range(1, 6), entrance="W2")
    desk.until_total("W2", 5)


def test_brokers_that_come_back_from_an_older_copy_are_noticed_and_each_event_counts_once(desk: Desk) -> None:
    plant, data, copy = desk.plant, desk.plant.path / "kafka", desk.plant.path / "kafka-older"
    desk.send("O06-1", range(1, 11), entrance="E1", partition=0)
    desk.until_total("E1", 10)
    time.sleep(2)
    plant.worker.stop(30.0)
    plant.broker.stop()
    shutil.copytree(data, copy)
    plant.broker.start()
    plant.worker.start()
    desk.renew()
    desk.send("O06-1", range(11, 31), entrance="E1", partition=0)
    desk.until_total("E1", 30)
    time.sleep(2)
    plant.worker.stop(30.0)
    plant.broker.stop()
    shutil.rmtree(data)
    copy.rename(data)
    plant.broker.start()
    desk.renew()
    desk.send("O06-1", range(31, 56), entrance="E1", partition=0)  # more than was there: the offsets alone say nothing
    plant.worker.start()
    desk.until(lambda: (TURNSTILES, 0, "log-replaced") in desk.problems(), "what was replaced")
    assert desk.total("E1") == 30
    desk.follow(desk.advice(TURNSTILES, 0), actor="duty", reason="restored from a backup")
    desk.until_total("E1", 55, 90)


@pytest.mark.parametrize("partitions", [3, 2])
def test_a_topic_that_is_made_anew_with_fewer_partitions_is_counted_on_by_all_workers(
    desk: Desk, partitions: int
) -> None:
    if len(desk.plant.workers) == 1:
        desk.plant.add_worker()
    desk.until(lambda: len(desk.readers(TURNSTILES)) == 2, "two workers that read", 120)
    before, counted = desk.total("E3"), desk.total("E2")
    desk.send(f"fewer-{partitions}", range(1, 11), entrance="E2", partition=partitions)  # the last partition of before
    desk.until_total("E2", counted + 10)
    desk.delete_topics([TURNSTILES])
    desk.create_topic(TURNSTILES, partitions=partitions)
    desk.renew()
    for partition in range(partitions):
        desk.send(f"fewer-{partitions}-{partition}", range(1, 6), entrance="E3", partition=partition)
    desk.until_total("E3", before + 5 * partitions, 150)
    desk.until(lambda: not desk.problems() and not desk.wall()["stale"], "a fresh wall", 150)
    desk.until(lambda: len(desk.readers(TURNSTILES)) == 2, "two workers that read", 120)
    assert desk.total("E3") == before + 5 * partitions


def test_a_topic_that_is_made_anew_while_a_worker_runs_goes_on_and_until_then_the_wall_is_stale(
    desk: Desk,
) -> None:
    desk.send("O01-2", range(1, 21), entrance="N3")
    desk.until_total("N3", 20)
    desk.delete_topics([TURNSTILES])
    desk.until(lambda: (TURNSTILES, -1, "topic-missing") in desk.problems(), "the missing topic")
    desk.until(lambda: desk.wall()["stale"], "a wall that says that it is old")
    desk.until(lambda: TURNSTILES in desk.alarms("source-unread"), "an alarm")
    desk.follow(desk.advice(TURNSTILES, -1), actor="", reason="")
    desk.renew()
    desk.send("O01-2", range(21, 61), entrance="N3")
    desk.until_total("N3", 60)
    desk.until(lambda: not desk.problems(), "no problem any more")
    desk.until(lambda: not desk.wall()["stale"], "a fresh wall")
    desk.until(lambda: not desk.alarms("source-unread"), "no alarm any more")
