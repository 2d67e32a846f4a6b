"""What people and brokers do to topics, snapshots and tables never makes a wrong figure that looks right.

One plant for all; each test has an entrance of its own. Read `desk.py` first.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka.admin import NewPartitions

from streams.contract import topics
from streams.contract.events import Topic
from tests.faults.catalogue import Layout
from tests.faults.desk import TURNSTILES, Desk
from tests.faults.plant import Plant
from tests.support.processes import needs_kafka

pytestmark = [needs_kafka, pytest.mark.timeout(240)]

INPUTS = Topic.ALARM_INPUTS.value


@pytest.fixture(scope="module")
def desk(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:  # noqa: ARG001 - needed
    """Start a plant with a worker and a wall."""
    layout = Layout(
        wall=True,
        settings={"KAFKA__CREATE_TOPICS": "true"},
        broker_settings={"transaction.state.log.min.isr": "1", "log.cleaner.enable": "false"},
    )
    with Plant(layout, tmp_path_factory.mktemp("operations")) as plant:
        desk = Desk(plant)
        desk.until(lambda: len(desk.ask("SELECT log FROM gatepulse.progress")) >= 13, "every partition read")
        yield desk


def test_a_worker_that_was_off_for_longer_than_alarm_inputs_are_kept_counts_on(desk: Desk) -> None:
    worker = desk.plant.worker
    desk.send("O03-1", range(1, 21), entrance="N1")
    desk.until_total("N1", 20)
    worker.stop(30.0)
    desk.delete_records(INPUTS, {0: desk.bounds(INPUTS)[0][1]})
    ends = len(worker.ends)
    worker.start()
    desk.send("O03-1", range(21, 31), entrance="N1")
    desk.until_total("N1", 30)
    assert len(worker.ends) == ends


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


def test_so_it_is_while_a_worker_runs_and_until_then_the_wall_is_not_fresh(desk: Desk) -> None:
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


def test_records_that_were_deleted_unread_stop_one_partition_until_their_loss_is_accepted(desk: Desk) -> None:
    desk.send("O04-1", range(1, 21), entrance="M1", partition=1)
    desk.until_total("M1", 20)
    time.sleep(2)  # a checkpoint
    desk.plant.worker.stop(30.0)
    desk.send("O04-1", range(21, 41), entrance="M1", partition=1)
    _, after = desk.bounds(TURNSTILES)[1]
    desk.delete_records(TURNSTILES, {1: after - 10})
    desk.plant.worker.start()
    desk.until(lambda: (TURNSTILES, 1, "records-deleted") in desk.problems(), "the loss")
    desk.send("O04-2", range(1, 6), entrance="M2", partition=2)
    desk.until_total("M2", 5)  # everything else goes on
    assert desk.total("M1") == 20
    desk.until(lambda: desk.wall()["stale"], "a wall that says that it is old")
    desk.until(lambda: f"{TURNSTILES}/1" in desk.alarms("source-unread"), "an alarm")
    advice = desk.advice(TURNSTILES, 1)
    assert f"(offsets {after - 20} to {after - 11})" in advice
    desk.follow(advice, actor="duty", reason="the disk was full")
    desk.until_total("M1", 30)
    desk.until(lambda: not desk.problems(), "no problem any more")
    desk.until(lambda: not desk.wall()["stale"], "a fresh wall")
    losses = desk.ask(
        "SELECT topic, partition, records, actor, reason, kind, to_ts < accepted_at FROM gatepulse.losses"
    )
    assert (TURNSTILES, 1, 10, "duty", "the disk was full", "person", 1) in losses  # gone before the first that is left
    today = desk.ask("SELECT day, lost FROM gatepulse.site_today WHERE kind = 'person' AND lost > 0")
    assert today
    assert {lost for _, lost in today} == {10}
    desk.until(lambda: desk.wall()["today"]["person"]["lost"] == 10, "a wall that says how much its figures lack")
    assert desk.wall()["inside"]["person"]["lost"] == 10
    assert any(
        f"lost 10 records of {today[0][0]}" in note
        for note in json.loads(desk.command("audit", "--json").stdout)["notes"]
    )
    again = desk.command("logs", "accept-loss", TURNSTILES, "1", "--actor", "duty", "--reason", "once more")
    assert again.returncode != 0
    assert "nothing stands in the way of this partition" in again.stderr
    ((missing,),) = desk.ask("SELECT missing FROM gatepulse.completeness WHERE device = 'O04-1'")
    assert missing == 10  # named by the device's own numbers


def test_a_transaction_stops_one_partition_and_is_named_before_an_aborted_passage_counts(desk: Desk) -> None:
    producer = Producer({"bootstrap.servers": desk.plant.bootstrap, "transactional.id": "gateway-1", "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    desk.send("O10-1", range(1, 11), entrance="W1", partition=3, producer=producer)
    producer.abort_transaction(20)
    producer.begin_transaction()
    desk.send("O10-1", range(11, 21), entrance="W1", partition=3, producer=producer)
    producer.commit_transaction(20)
    desk.until(lambda: (TURNSTILES, 3, "offset-gap") in desk.problems(), "the gap")
    assert desk.total("W1") == 0
    advice = desk.advice(TURNSTILES, 3)
    assert "a producer writes in transactions" in advice
    desk.follow(advice, actor="duty", reason="the gateway was set right")
    desk.until_total("W1", 10)
    ends = len(desk.plant.worker.ends)
    desk.until(lambda: (TURNSTILES, 3, "offset-gap") in desk.problems(), "the end of the commit, nothing behind it")
    desk.until(lambda: desk.wall()["stale"], "a wall that is not fresh")
    desk.follow(desk.advice(TURNSTILES, 3), actor="duty", reason="the gateway was set right")
    desk.until(lambda: not desk.problems() and not desk.wall()["stale"], "a fresh wall")
    assert len(desk.plant.worker.ends) == ends + 1  # to take up what was accepted
    desk.send("O10-2", range(1, 6), entrance="W1", partition=3)
    desk.until_total("W1", 15)
    assert not desk.problems()


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
