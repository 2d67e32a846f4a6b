"""Whatever people and brokers do to topics, snapshots and tables, a figure is right or visibly incomplete.

One plant for all; each test has an entrance of its own. Read `desk.py` first.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

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
