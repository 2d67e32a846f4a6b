"""An overload goes from the turnstiles to an operator's acknowledgement, with a worker killed in between."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.incidents.labelled import PROFILE
from simulators.sending.producer import Answer, make_producer
from sinks import schema
from sinks.clickhouse import connect
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from streams.operations.alarm_commands import episodes
from tests.support.local_plant import TOPICS, LocalPlant, eventually
from tests.support.processes import running

_SITE = {"SITE": str(PROFILE)}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlant]:
    """Start a store and a broker for the site of the rehearsals, whose clock runs sixty times as fast."""
    with (
        running(EmbeddedClickHouse(tmp_path / "store")) as store,
        running(EmbeddedBroker(tmp_path / "broker", topics=TOPICS)) as broker,
    ):
        client = connect(store.address.owner)
        schema.apply(client)
        client.disconnect()
        yield LocalPlant(store, broker, tmp_path)


@contextmanager
def crowd(place: LocalPlant, *, a_minute: int) -> Iterator[None]:
    """Let so many persons a minute of the site's time into one entrance with ten lanes, for the time of a block.

    A minute of the site's time is a second. Whoever could not be sent in time, on a busy machine, is sent at once.
    """
    over = threading.Event()

    def come() -> None:
        producer = make_producer(place.broker.bootstrap)
        number, begun, answers = 0, time.monotonic(), list[Answer]()
        while not over.is_set():
            while number < (time.monotonic() - begun) * a_minute:
                number += 1
                lane, seq = number % 10 + 1, number // 10 + 1
                producer.send(
                    Topic.TURNSTILES.value, passage(place, f"P3-L{lane:02}", seq), b"P3",
                    timestamp_ms=round(time.time() * 1000), on_answer=answers.append,
                )  # fmt: skip
            over.wait(0.1)
        producer.close()

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def passage(place: LocalPlant, device: str, seq: int) -> bytes:
    event: dict[str, Any] = {
        "device": device, "seq": seq, "ts": place.clock.now(int(time.time() * 1000)), "entrance": "P3",
        "direction": "in", "outcome": "passed", "category": "visitor", "epoch": 1,
    }  # fmt: skip
    return json.dumps(event).encode()


def newest_episodes(place: LocalPlant) -> dict[str, Episode]:
    """Return what the view shows of overloads, by id."""
    with place.reader() as reader:
        found = episodes(reader, also_cleared=True)
    return {each.episode: each for each in found if each.rule == "entrance-overload"}


def alarms(place: LocalPlant, *words: str) -> str:
    command = [sys.executable, "-P", "-m", "infra.cli.main", "alarms", *words]
    env = place.environment(_SITE)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(place: LocalPlant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(alarms(place, "list", "--json"))["episodes"]
    return found


def test_an_overload_is_one_episode_from_raise_to_clear_with_a_worker_killed_and_an_operator(place: LocalPlant) -> None:
    with crowd(place, a_minute=150):
        with place.worker(**_SITE) as worker:
            eventually(lambda: newest_episodes(place), worker, seconds=40)
            (name,) = newest_episodes(place)
            os.kill(worker.pid or 0, 9)
            worker.stop()
        with place.worker(**_SITE) as worker:
            place.wait_until_at_work(worker, seconds=40)
            eventually(lambda: _shown(place, name), worker, seconds=20)
            assert alarms(place, "ack", name, "--actor", "duty officer") == f"{name}: acknowledged, by duty officer\n"
            (shown,) = (each for each in listed(place) if each["episode"] == name)
            assert (shown["state"], shown["actor"]) == ("acknowledged", "duty officer")
            assert shown["value"] > shown["limit"] == 11
    with place.worker(**_SITE) as worker:
        eventually(lambda: newest_episodes(place)[name].state == "cleared", worker, seconds=60)
        worker.stop(30)
    assert set(newest_episodes(place)) == {name}
    _check_topic(place, name)


def _shown(place: LocalPlant, name: str) -> bool:
    """Whether Prometheus would see the episode."""
    samples = place.metrics().get("gatepulse_alarm_episode", [])
    rule, subject, _ = name.split(":")
    return any((labels["rule"], labels["subject"]) == (rule, subject) for labels, _ in samples)


def _check_topic(place: LocalPlant, name: str) -> None:
    """Check that the topic has each change, however often, and that the last one is the newest."""
    values = [json.loads(each.value) for each in place.messages(Topic.ALARMS.value) if each.key == name.encode()]
    told_at = {each["change"]: each["what"] for each in values}
    assert list(told_at) == list(range(1, len(told_at) + 1))
    assert [what for what in told_at.values() if what != "repeated"] == ["raised", "acknowledged", "cleared"]
    assert values[-1]["what"] == "cleared"
