"""Acknowledging over HTTP: which requests are accepted and sent on, and which are refused."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from dashboards.wall.http.acknowledge import MOST_BYTES, PER_MINUTE, SendCommand
from dashboards.wall.http.server import HEADERS
from dashboards.wall.model.options import Acknowledge, WallOptions
from dashboards.wall.model.rows import ChangeRow, WallRows
from infra.servers.broker import PROTOCOL
from sinks.sink import StoreUnavailable
from streams.contract.events import Topic
from streams.kernels.alarms.inputs import AlarmInput, Command
from streams.kernels.counts.site_clock import SiteClock
from streams.operations.alarm_commands import send
from streams.settings import KafkaSettings
from tests.dashboards.wall.http.test_server import get_json
from tests.support.wall_site import alarm, at, reading
from tests.support.wall_sources import HandSource, Wall, until, wall

FAST = WallOptions(period_s=0.05, trend_period_s=100)
EPISODE = alarm().episode


def draw(real_ms: int) -> WallRows:
    return replace(reading(real_ms), episodes=[alarm()])


class Brokers:
    """Takes commands, or fails."""

    def __init__(self) -> None:
        self.taken: list[Command] = []
        self.failure: Exception | None = None

    def __call__(self, command: Command) -> None:
        """Take one."""
        if self.failure is not None:
            raise self.failure
        self.taken.append(command)


@contextmanager
def acknowledging_wall(brokers: SendCommand, options: WallOptions = FAST) -> Iterator[tuple[Wall, HandSource]]:
    source = HandSource(draw, changes={EPISODE: [ChangeRow(1, "orange", "raised", "")]})
    with wall(source, options, send=brokers) as running:
        until(lambda: running.feed.newest.beat.snapshot.strip.alarms)
        yield running, source


def post(running: Wall, body: Any = None, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Post as the page does, unless the test says otherwise."""
    if body is None:
        body = {"episode": EPISODE, "change": 1, "actor": "张三"}
    usual = {"Origin": running.url.rstrip("/"), "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", "/alarms/ack", content, usual | {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read()), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return found


def test_an_acknowledgement_goes_to_the_alarms_with_operator_and_site_time() -> None:
    brokers = Brokers()
    clock = SiteClock(site_ms=at("12:00:00"), real_ms=0, speed=1e-9)
    with acknowledging_wall(brokers, replace(FAST, clock=clock)) as (running, _):
        assert post(running)[:2] == (202, {"sent": True})
    (command,) = brokers.taken
    assert (command.action, command.episode, command.actor) == ("ack", EPISODE, "张三")
    assert abs(command.at - at("12:00:00")) < 10_000
    assert len(command.id) == 32


def test_it_reaches_the_topic_of_the_alarms_on_a_broker(broker: str) -> None:
    kafka = KafkaSettings(brokers=broker, api_version=".".join(map(str, PROTOCOL)))
    with acknowledging_wall(partial(send, kafka)) as (running, _):
        assert post(running)[0] == 202
    place = TopicPartition(Topic.ALARM_INPUTS.value, 0)
    reader = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", api_version=PROTOCOL)
    reader.assign([place])
    records = [record for found in reader.poll(20_000).values() for record in found]
    reader.close()
    (command,) = msgspec.json.decode(records[-1].value, type=AlarmInput).commands
    assert (command.action, command.episode, command.actor) == ("ack", EPISODE, "张三")


def test_one_that_became_worse_is_refused_in_both_languages() -> None:
    brokers = Brokers()
    with acknowledging_wall(brokers) as (running, source):
        source.changes[EPISODE].append(ChangeRow(2, "red", "raised", ""))
        status, said, _ = post(running)
    assert (status, "红色" in said["zh"], "RED" in said["en"], brokers.taken) == (409, True, True, [])


def test_another_site_is_refused_before_anything_is_read() -> None:
    brokers = Brokers()
    with acknowledging_wall(brokers) as (running, _):
        assert post(running, Origin="http://evil.example")[0] == 403
        assert post(running, Sec_Fetch_Site="cross-site")[0] == 403
        assert (
            post(running, Host=f"evil.example:{running.port}", Origin=f"http://evil.example:{running.port}")[0] == 421
        )
        assert post(running, Content_Type="text/plain")[0] == 415
    assert brokers.taken == []


def test_a_form_of_another_page_cannot_be_posted() -> None:
    brokers = Brokers()
    with acknowledging_wall(brokers) as (running, _):
        assert post(running, b"episode=e&change=1", Content_Type="application/x-www-form-urlencoded")[0] == 415
    assert "form-action 'none'" in HEADERS["Content-Security-Policy"]


def test_a_long_body_is_cut_off() -> None:
    with acknowledging_wall(Brokers()) as (running, _):
        assert post(running, b"x" * (MOST_BYTES + 1))[0] == 413
        assert post(running, b"x" * MOST_BYTES)[0] == 400


def test_a_key_that_sticks_does_not_flood_the_brokers() -> None:
    brokers = Brokers()
    with acknowledging_wall(brokers) as (running, _):
        found = [post(running) for _ in range(PER_MINUTE + 5)]
    assert [status for status, _, _ in found] == [202] * PER_MINUTE + [429] * 5
    assert 0 < int(found[-1][2]["retry-after"]) <= 60
    assert len(brokers.taken) == PER_MINUTE


def test_brokers_that_do_not_answer_are_told_and_the_figures_go_on() -> None:
    brokers = Brokers()
    brokers.failure = ConnectionError("no broker")
    with acknowledging_wall(brokers) as (running, _):
        status, said, _ = post(running)
        assert (status, "Kafka" in said["zh"], "Kafka" in said["en"]) == (503, True, True)
        before = running.feed.newest.beat.number
        until(lambda: running.feed.newest.beat.number > before + 3)


def test_a_store_that_is_away_is_no_ground_for_an_acknowledgement() -> None:
    brokers = Brokers()
    with acknowledging_wall(brokers) as (running, source):
        source.failure = StoreUnavailable("store", "gone.", "Wait.")
        until(lambda: running.feed.newest.beat.snapshot.store == "lost")
        assert post(running)[0] == 503
    assert brokers.taken == []


@pytest.mark.parametrize(("setting", "allowed"), [("auto", True), ("on", True), ("off", False)])
def test_the_page_knows_whether_it_may_acknowledge(setting: Acknowledge, allowed: bool) -> None:  # noqa: FBT001 - a column of the table above
    with acknowledging_wall(Brokers(), replace(FAST, acknowledge=setting)) as (running, _):
        assert get_json(running.url + "snapshot.json")["site"]["acknowledge"] is allowed


@pytest.mark.parametrize("send", [None, Brokers()])
def test_a_wall_that_takes_none_says_what_else_to_do(send: Brokers | None) -> None:
    with wall(HandSource(draw), replace(FAST, acknowledge="off" if send else "on"), send=send) as running:
        status, said, _ = post(running)
        assert (status, "gatepulse alarms ack" in said["zh"], "gatepulse alarms ack" in said["en"]) == (403, True, True)


def test_it_is_asked_by_post_alone_and_answers_with_the_same_headers() -> None:
    with acknowledging_wall(Brokers()) as (running, _):
        _, _, headers = post(running)
        assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request("GET", "/alarms/ack")
        assert connection.getresponse().status == 405
        connection.close()
