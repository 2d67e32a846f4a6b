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
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from streams.operations.alarm_commands import episodes
from tests.support.local_plant import TOPICS, LocalPlant, eventually
from tests.support.processes import running

_SITE = {"SITE": str(PROFILE)}
SPEED = 20
"""An overload is over a minute of the site after its crowd: longer than a busy machine makes the crowd halt."""
_PAUSE = 0.1  # s


@pytest.fixture
def place(empty_clickhouse: EmbeddedClickHouse, tmp_path: Path) -> Iterator[LocalPlant]:
    """Start a broker for the site of the rehearsals, whose clock runs fast."""
    with running(EmbeddedBroker(tmp_path / "broker", topics=TOPICS)) as broker:
        yield LocalPlant(empty_clickhouse, broker, tmp_path, speed=SPEED)


@contextmanager
def crowd(place: LocalPlant, *, a_minute: int) -> Iterator[None]:
    """Let so many persons a minute of the site's time into one entrance with ten lanes, for the time of a block."""
    over, a_second = threading.Event(), a_minute * SPEED / 60

    def come() -> None:
        producer = make_producer(place.broker.bootstrap)
        number, answers, begun = 0, list[Answer](), time.time()
        while not over.is_set():
            now = time.time()
            while number < (now - begun) * a_second:  # also those who should have come while this thread did not run
                number += 1
                lane, seq = number % 10 + 1, number // 10 + 1
                producer.send(
                    Topic.TURNSTILES.value, passage(place, f"P3-L{lane:02}", seq, at=begun + number / a_second), b"P3",
                    timestamp_ms=round(now * 1000), on_answer=answers.append,
                )  # fmt: skip
            over.wait(_PAUSE)
        producer.close()

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def passage(place: LocalPlant, device: str, seq: int, *, at: float) -> bytes:
    event: dict[str, Any] = {
        "device": device, "seq": seq, "ts": place.clock.now(int(at * 1000)), "entrance": "P3",
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
