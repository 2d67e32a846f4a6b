"""No program prints or logs a value of an event, whatever fails around it.

A table: each program, under each kind of failure, on one plant whose store and topics are full of canaries. What a
program says goes into a file of the plant, and at the end every file of the plant is looked through. What operators
type themselves has another mark: it may be shown to them, and is looked for in the files of the processes that run on.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec
import pytest

from infra.process.ports import free_port
from streams.contract.events import Topic
from tests.faults import failing_command
from tests.faults.catalogue import Layout
from tests.faults.plant import Plant
from tests.faults.test_set_aside import TURNSTILES, ask, fit_lines, found_in, send, unfit_lines, until
from tests.support.alerts import alert, notice, settings, webhook

pytestmark = pytest.mark.timeout(400)

TYPED: Final = "typed-4711"
ONCE: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": ("audit",),
    "logs": ("logs", "show"),
    "loss": ("logs", "accept-loss", TURNSTILES, "0", "--actor", TYPED, "--reason", TYPED),
    "parked": ("parked", "list"),
    "retry": ("parked", "retry", "--all"),
    "alarms": ("alarms", "list", "--all"),
    "ack": ("alarms", "ack", "none:such", "--actor", TYPED),
    "advice": ("advice", "list", "--all"),
    "decline": ("advice", "decline", "none-such", "--actor", TYPED, "--reason", TYPED),
    "doctor": ("doctor",),
    "topics": ("topics", "show"),
}
RUNNING: Final[Mapping[str, tuple[str, ...]]] = {
    "foresight": ("foresight",),
    "watch": ("audit", "--every", "1"),
    "simulate": ("simulate", "expo", "--rate", "20"),
}
OF_BROKERS: Final = ("parked", "topics", "doctor", "simulate")
OF_STORE: Final = ("audit", "logs", "alarms", "decline", "foresight", "watch")
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_AT_ONCE: Final = 3
_RUN_SECONDS: Final = 6
_LONGEST: Final = 40


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Start a plant, and fill store and topics with canaries."""
    with Plant(Layout(wall=True), tmp_path_factory.mktemp("canaries")) as running:
        until(True, lambda: ask(running, "SELECT count() >= 4 FROM gatepulse.progress"))
        send(running, TURNSTILES, *unfit_lines(), *fit_lines())
        until(True, lambda: ask(running, "SELECT count() >= 3 FROM gatepulse.passages"))
        yield running


def say(
    plant: Plant, kind: str, programs: Sequence[str], *, defect: bool = False, other: Mapping[str, str] = NOTHING
) -> None:
    """Run programs, some at once; what each says is in a file of the plant, and no file has a canary then."""
    folder = plant.path / "programs" / kind
    folder.mkdir(parents=True)
    env = plant.worker.env | {"GATEPULSE_WALL__PORT": str(free_port()), "GATEPULSE_LOG__LEVEL": "debug"}
    env |= {f"GATEPULSE_{key}": value for key, value in other.items()}
    way = [str(Path(failing_command.__file__))] if defect else ["-m", "infra.cli.main"]

    def run(name: str) -> None:
        words = [*way, *(ONCE.get(name) or RUNNING[name])]
        with (folder / f"{name}.log").open("wb") as file:
            done = subprocess.Popen([sys.executable, "-P", *words], env=env, cwd=folder, stdout=file, stderr=file)
            try:
                with suppress(subprocess.TimeoutExpired):
                    done.wait(_LONGEST if name in ONCE else _RUN_SECONDS)
                done.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    done.wait(_RUN_SECONDS)
            finally:
                done.kill()
                done.wait()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(run, programs))
    said = {name: (folder / f"{name}.log").read_text() for name in programs}
    assert any(said.values())
    assert not any(TYPED in said[name] for name in RUNNING if name in said)
    assert found_in(plant.path) == []


def test_when_all_is_well(plant: Plant) -> None:
    say(plant, "well", [*ONCE, *RUNNING])


def test_without_brokers(plant: Plant) -> None:
    say(plant, "no-brokers", OF_BROKERS, other={"KAFKA__BROKERS": "127.0.0.1:9"})


def test_without_a_store(plant: Plant) -> None:
    say(plant, "no-store", OF_STORE, other={"STORE__PORT": "9"})


def test_when_the_store_refuses_the_user(plant: Plant) -> None:
    passwords = ("STORE__PASSWORD", "STORE__READER_PASSWORD")
    say(plant, "refused", ["audit", "doctor", "foresight"], other=dict.fromkeys(passwords, "canary-password"))


def test_when_the_code_itself_fails(plant: Plant) -> None:
    say(plant, "defect", OF_STORE, defect=True)


def test_when_every_topic_has_records_that_nobody_can_read(plant: Plant) -> None:
    for topic in Topic:
        for key in ("0", "canary-key", "venue"):
            send(plant, topic.value, b"canary", b"\0" * 8 + b"canary", b'{"canary": "canary"}', b"\xffcanary", key=key)
    say(plant, "garbage", ["parked", "retry"])


@contextmanager
def views(plant: Plant, changed: Callable[[str], str]) -> Iterator[None]:
    """Put other views in the place of all."""
    owner = plant.owner()
    known = owner.execute("SELECT name, as_select FROM system.tables WHERE database = 'gatepulse' AND engine = 'View'")

    def put(name: str, select: str) -> None:
        owner.execute(f"CREATE OR REPLACE VIEW gatepulse.{name} SQL SECURITY DEFINER AS {select}")

    try:
        for name, select in known:
            put(name, changed(select))
        yield
    finally:
        for name, select in known:
            put(name, select)
        owner.disconnect()


def quoting(select: str) -> str:
    """Let a view fail in the middle of an answer, with a value in the server's words."""
    bad = "SELECT toUInt8(concat('canary-stored-', toString(number))) AS bad FROM numbers(3)"
    return f"SELECT * EXCEPT (bad) FROM ({select}) AS a CROSS JOIN ({bad}) AS b WHERE bad >= 0"


@pytest.mark.parametrize("change", [quoting, lambda _: "SELECT 'canary-stored' AS nothing"])
def test_when_the_store_quotes_what_it_has(plant: Plant, change: Callable[[str], str]) -> None:
    with views(plant, change):
        time.sleep(2)  # wall and worker ask, too
        acknowledge(plant, {"episode": "canary-episode", "change": 1, "actor": "canary-actor"})
        say(plant, f"store-{change('').count('canary-stored-')}", OF_STORE)


# -- processes that are asked ------------------------------------------------------------------------------------------


def acknowledge(plant: Plant, body: Any, **headers: str) -> int:
    where = f"http://127.0.0.1:{plant.wall_port}"
    sent = {"Content-Type": "application/json", "Origin": where} | headers
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return post(f"{where}/alarms/ack", data, sent)


def post(url: str, data: bytes, headers: Mapping[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, dict(headers)), timeout=30) as answer:  # noqa: S310  # ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_is_asked_of_the_wall_is_in_no_log(plant: Plant) -> None:
    good = {"episode": "canary-episode", "change": 1, "actor": "canary-actor"}
    asked: list[Any] = [
        good,
        good | {"canary-field": 1},
        good | {"change": "canary"},
        good | {"actor": "canary" * 40},
        good | {"actor": "canary\u0000"},
        good | {"actor": "canary'); DROP TABLE x; --"},
        good | {"episode": "canary' OR '1'='1"},
        good | {"episode": "canary" * 1000},
        b"canary",
        b'{"canary',
        b"\xffcanary",
        b"[" * 4000,
    ]
    assert {acknowledge(plant, each) for each in asked} <= {400, 409, 413, 429, 503}
    assert acknowledge(plant, good, **{"Content-Type": "canary/canary"}) == 415
    assert acknowledge(plant, good, Origin="http://canary.example") == 403
    assert acknowledge(plant, good, Host="canary.example") == 421
    for path in ("/canary", "/replay?from=canary", "/replay?canary=canary", "/static/../canary", "/%ffcanary"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{plant.wall_port}{path}", timeout=10)
        refused.value.close()
    plant.store.stop()
    try:
        assert acknowledge(plant, good) in {429, 503}
    finally:
        plant.store.start()
    assert plant.wall is not None
    for end in (signal.SIGTERM, signal.SIGKILL):
        plant.wall.signal(end)
        until(True, lambda: plant.wall is not None and plant.wall.running)
    assert found_in(plant.path) == []


def test_what_the_relay_is_told_is_in_no_log(plant: Plant) -> None:
    folder, port = plant.path / "relay", free_port()
    chats = dict.fromkeys(("wecom", "dingtalk", "feishu", "webhook"), "http://127.0.0.1:9/canary-token")
    config = folder / "relay.toml"
    config.parent.mkdir()
    config.write_text(settings(plant.path / "clickhouse" / "relay", chats, port=port))  # where secrets are
    alerts = [
        webhook(alert({"alertname": "canary", "canary": "canary"}, summary_en="canary", todo_en="canary")),
        webhook({"canary": "canary"}),
        b'{"version": "canary"}',
        b"canary",
        b"\xffcanary",
        b"[" * 100_000,
    ]
    change = notice(1, subject="canary-subject", zone="canary-zone", episode="canary-episode").episode
    changes = [
        msgspec.json.encode(change),
        msgspec.json.encode(replace(change, state=cast("Any", "canary"))),
        b"canary",
    ]
    with (folder / "relay.log").open("wb") as file:
        command = [sys.executable, "-P", "-m", "infra.cli.main", "relay", str(config)]
        for end in (signal.SIGTERM, signal.SIGKILL):
            relay = subprocess.Popen(command, env=plant.worker.env, stdout=file, stderr=subprocess.STDOUT)
            try:
                until(200, lambda: get(f"http://127.0.0.1:{port}/healthy"))
                answers = [post(f"http://127.0.0.1:{port}/alerts/canary-route", each, {}) for each in alerts]
                assert set(answers) == {200, 400}
                send(plant, Topic.ALARMS.value, *changes)
                until(True, lambda: "cannot be read" in (folder / "relay.log").read_text())
                time.sleep(1)
            finally:
                os.kill(relay.pid, end)
                relay.wait(30)
    assert found_in(plant.path) == []


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # ours
            return int(answer.status)
    except OSError:
        return 0
