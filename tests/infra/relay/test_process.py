"""The relay as a process: each change in the topic of alarms is sent once, also when it is killed."""

import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.process.ports import free_port
from infra.servers.broker import EmbeddedBroker
from tests.support.alarms_topic import AlarmsTopic, await_follows
from tests.support.alerts import alert, notice, settings, webhook
from tests.support.chats import Chat, chatting
from tests.support.processes import Server, alive, eventually, kill, running
from tests.support.relay_server import RelayServer

LAG = alert({"alertname": "GatepulseLag"})
EPISODE = notice().episode.episode
SECONDS = 40.0  # in which a message must have come through, on a slow machine


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """Run a broker for all tests; each clears what it has raised."""
    with running(EmbeddedBroker(tmp_path_factory.mktemp("broker"), topics={"alarms": 1})) as broker:
        yield broker


@pytest.fixture
def topic(broker: EmbeddedBroker) -> Iterator[AlarmsTopic]:
    """Write into the topic of alarms."""
    with AlarmsTopic.of_mock(broker) as topic:
        yield topic


@pytest.fixture
def chats() -> Iterator[dict[str, Chat]]:
    """Serve one chat of each kind."""
    each = {kind: Chat(kind) for kind in ("wecom", "dingtalk", "feishu", "webhook")}
    with chatting(*each.values()):
        yield each


def server_for(folder: Path, topic: AlarmsTopic, *chats: Chat, more: str = "") -> RelayServer:
    port = free_port()
    text = more + settings(folder, {chat.kind: chat.url for chat in chats}, port=port)
    server = RelayServer(folder, text, port=port)
    server.env = topic.environment
    return server


def post(server: RelayServer, body: bytes, route: str = "platform", token: str = "") -> int:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    asked = urllib.request.Request(f"http://{server.address}/alerts/{route}", body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def kill_9(server: RelayServer) -> None:
    pid = server.pid
    assert pid is not None
    kill(pid)
    assert eventually(lambda: not alive(pid))


def restart(server: Server) -> None:
    server.start()
    server.wait_ready()


def sent(chat: Chat) -> list[tuple[str, int]]:
    """Return which changes a webhook has got, in order."""
    return [(each["alarm"], each["change"]) for _, content in chat.letters for each in content["data"]["notices"]]


def test_an_alarm_reaches_every_kind_of_robot_once(tmp_path: Path, topic: AlarmsTopic, chats: dict[str, Chat]) -> None:
    with running(server_for(tmp_path, topic, *chats.values())) as server:
        await_follows(server)
        for change in (1, 1, 1, 2, 2):
            topic.write(notice(change))
        assert eventually(lambda: all(len(chat.texts) == 2 for chat in chats.values()), SECONDS)
        time.sleep(0.3)  # nothing more comes
        assert [chat.asked for chat in chats.values()] == [2, 2, 2, 2]


def test_what_alertmanager_brings_of_episodes_is_not_sent_a_second_time(tmp_path: Path, topic: AlarmsTopic) -> None:
    chat = Chat("webhook")
    labels = {"alertname": "GatepulseEpisode", "rule": "silence", "subject": "N3", "level": "orange", "zone": "Z-N"}
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        await_follows(server)
        topic.write(notice(1))
        for route in ("platform", "Z-N"):  # as settings of this version and of the one before send it
            assert post(server, webhook(alert(labels)), route) == 200
        assert post(server, webhook(LAG)) == 200
        assert eventually(lambda: len(sent(chat)) == 2, SECONDS)
        time.sleep(0.3)
        assert {(name.partition(":")[0], change) for name, change in sent(chat)} == {
            ("entrance-overload", 1), ("platform", 1)
        }  # fmt: skip
        assert len(sent(chat)) == chat.asked == 2


def test_each_change_is_sent_once_over_kills_of_the_relay(tmp_path: Path, topic: AlarmsTopic) -> None:
    chat = Chat("webhook")
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        await_follows(server)
        topic.write(notice(1))
        assert eventually(lambda: delivered(server) == 1, SECONDS)
        kill_9(server)
        topic.write(notice(2), notice(3))  # while nobody reads
        restart(server)
        topic.write(notice(3), notice(4, what="cleared"))
        assert eventually(lambda: len(sent(chat)) == 4, SECONDS)
        time.sleep(0.3)
        assert sent(chat) == [(EPISODE, change) for change in (1, 2, 3, 4)]


def test_a_new_relay_announces_what_is_open_and_not_the_history(tmp_path: Path, topic: AlarmsTopic) -> None:
    chat = Chat("webhook")
    for number in range(5):
        topic.write(notice(1, episode=f"over-{number}"), notice(2, episode=f"over-{number}", what="cleared"))
    topic.write(notice(1, episode="other"), notice(1, episode="grave"))
    topic.write(notice(2, episode="grave", what="escalated", level="red"))
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        assert eventually(lambda: len(sent(chat)) == 2, SECONDS)
        topic.write(notice(3, episode="grave"))
        assert eventually(lambda: delivered(server) == 3, SECONDS)
        kill_9(server)
        restart(server)
        await_follows(server)
        time.sleep(0.5)
        assert sent(chat) == [("other", 1), ("grave", 2), ("grave", 3)]


def test_of_a_topic_that_was_replaced_only_what_is_open_and_new_is_sent(tmp_path: Path, topic: AlarmsTopic) -> None:
    chat = Chat("webhook")
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        await_follows(server)
        topic.write(notice(1), notice(1, episode="ends"), notice(1, episode="goes-on"))
        assert eventually(lambda: delivered(server) == 3, SECONDS)
        kill_9(server)
        other = EmbeddedBroker(tmp_path / "other", topics={"alarms": 1})
        with running(other), AlarmsTopic.of_mock(other) as anew:
            anew.write(notice(1, episode="unknown"), notice(2, episode="unknown", what="cleared"))
            anew.write(notice(2, episode="ends", what="cleared"), notice(1, episode="goes-on"), notice(2))
            server.env = anew.environment
            restart(server)
            assert eventually(lambda: len(sent(chat)) == 5, SECONDS)
            anew.write(notice(3))
            assert eventually(lambda: delivered(server) == 3, SECONDS)
        assert set(sent(chat)[3:5]) == {("ends", 2), (EPISODE, 2)}
        assert sent(chat)[5:] == [(EPISODE, 3)]


def test_killed_between_the_robots_taking_and_our_noting_it_is_sent_again_with_a_remark(
    tmp_path: Path, topic: AlarmsTopic
) -> None:
    chat = Chat("dingtalk")
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        pid = server.pid
        assert pid is not None
        chat.on_text = lambda: kill_9(server) if len(chat.texts) == 1 else None  # before the answer
        await_follows(server)
        topic.write(notice(1))
        assert eventually(lambda: len(chat.texts) == 1 and not alive(pid), SECONDS)
        restart(server)
        assert eventually(lambda: len(chat.texts) == 2, SECONDS)
        assert ["可能已发送过" in text for text in chat.texts] == [False, True]


def test_killed_in_a_storm_it_loses_nothing_and_repeats_only_with_a_remark(tmp_path: Path, topic: AlarmsTopic) -> None:
    chat, draw = Chat("webhook"), random.Random(7)  # noqa: S311 - moments
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        await_follows(server)
        for number in range(60):
            if number % 25 == 12:
                kill_9(server)
                restart(server)
            topic.write(notice(1, episode=f"e{number}"))
            time.sleep(draw.random() / 10)
        contents: dict[str, Any] = {}

        def once() -> Counter[str]:
            contents.update(list(chat.letters))
            return Counter(each["alarm"] for content in contents.values() for each in content["data"]["notices"])

        assert eventually(lambda: len(once()) == 60, SECONDS)
        assert set(once().values()) == {1}
        seen: set[str] = set()
        for message, content in chat.letters:
            assert content["data"]["doubtful"] or message not in seen
            seen.add(message)


def test_a_change_that_cannot_be_read_is_sent_as_such_and_the_others_with_it(
    tmp_path: Path, topic: AlarmsTopic
) -> None:
    chat = Chat("dingtalk")
    with chatting(chat), running(server_for(tmp_path, topic, chat)) as server:
        await_follows(server)
        topic.write_raw(b'{"episode": 7}')
        topic.write(notice(1))
        assert eventually(lambda: len(chat.texts) == 2, SECONDS)
        assert any("a change of an alarm cannot be read (alarms, offset" in text for text in chat.texts)
        assert "gatepulse_relay_unreadable_total 1.0" in metrics(server)


def test_what_is_no_webhook_or_shows_no_token_is_refused_and_the_log_names_no_secret(
    tmp_path: Path, topic: AlarmsTopic, chats: dict[str, Chat]
) -> None:
    for chat in chats.values():
        chat.answer_next = ["500", "page" if chat.kind != "webhook" else "500", "silent"]
    (tmp_path / "token").write_text("let-me-in\n")
    more = f'token_file = "{tmp_path}/token"\n'
    with running(server_for(tmp_path, topic, *chats.values(), more=more)) as server:
        assert post(server, webhook(LAG)) == 401
        assert post(server, webhook(LAG), token="wrong") == 401  # noqa: S106
        assert post(server, b"{}", token="let-me-in") == 400  # noqa: S106
        assert post(server, webhook(LAG), token="let-me-in") == 200  # noqa: S106
        assert eventually(lambda: all(chat.asked >= 3 for chat in chats.values()), SECONDS)
        said = server.log_path.read_text()
    assert "a robot has not accepted a message" in said
    urls = [chat.url for chat in chats.values()]
    for secret in ("wecom-key", "dingtalk-token", "SECfor-tests", "whsec_", "sign=", "let-me-in", *urls):
        assert secret not in said


def test_wrong_settings_end_it_with_one_sentence(tmp_path: Path) -> None:
    server = RelayServer(tmp_path, '[[robot]]\nname = "x"\n')
    server.start()
    assert eventually(lambda: not server.answers() and not alive(server.pid or 0))
    assert len(server.log_path.read_text().splitlines()) == 1
    assert "gatepulse: " in server.log_path.read_text()
    server.stop()


def metrics(server: RelayServer) -> str:
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def delivered(server: RelayServer) -> float:
    """Return how many messages the relay has noted as taken since its start."""
    line = next(line for line in metrics(server).splitlines() if line.startswith("gatepulse_relay_delivered_total"))
    return float(json.loads(line.rsplit(" ", 1)[1]))
