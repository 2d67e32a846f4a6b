"""The relay as a process: what it has answered with 200 is told once, also when it is killed."""

import contextlib
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

from infra.alerting.server import RelayServer
from infra.process.ports import lasting_port
from tests.support.alerts import alert, episode_alert, settings, webhook
from tests.support.chats import Chat, chatting
from tests.support.processes import alive, eventually, kill, running


def server_for(folder: Path, *chats: Chat, more: str = "") -> RelayServer:
    port = lasting_port()
    text = more + settings(folder, {chat.kind: chat.url for chat in chats}, port=port)
    return RelayServer(folder, text, port=port)


def post(server: RelayServer, body: bytes, route: str = "Z-N", token: str = "") -> int:
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


def restart(server: RelayServer) -> None:
    server.start()
    server.wait_ready()


@pytest.fixture
def chats() -> Iterator[dict[str, Chat]]:
    """Serve one chat of each kind."""
    each = {kind: Chat(kind) for kind in ("wecom", "dingtalk", "feishu", "webhook")}
    with chatting(*each.values()):
        yield each


def test_an_alarm_reaches_every_kind_of_robot_once(tmp_path: Path, chats: dict[str, Chat]) -> None:
    with running(server_for(tmp_path, *chats.values())) as server:
        for _ in range(3):
            assert post(server, webhook(episode_alert(1))) == 200
        assert post(server, webhook(episode_alert(1, status="resolved"), episode_alert(2))) == 200
        assert eventually(lambda: all(len(chat.heard) == 2 for chat in chats.values()))
        assert post(server, webhook(episode_alert(2, status="resolved"))) == 200
        time.sleep(0.3)  # nothing more comes
        assert [chat.asked for chat in chats.values()] == [2, 2, 2, 2]


def test_it_is_told_once_over_kills_and_repetitions(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    with chatting(chat), running(server_for(tmp_path, chat)) as server:
        post(server, webhook(episode_alert(1)))
        assert eventually(lambda: len(chat.heard) == 1)
        assert eventually(lambda: told(server) == 1)
        kill_9(server)
        restart(server)
        post(server, webhook(episode_alert(1), episode_alert(2)))
        assert eventually(lambda: len(chat.heard) == 2)
        assert "#2 " in chat.heard[1]


def test_what_was_accepted_is_told_by_the_next_process(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    chat.answer_next = ["500"] * 3
    with chatting(chat), running(server_for(tmp_path, chat)) as server:
        assert post(server, webhook(episode_alert(1))) == 200
        kill_9(server)
        restart(server)
        assert eventually(lambda: len(chat.heard) == 1, 30)


def test_killed_between_the_robots_taking_and_our_noting_it_is_told_again_with_a_remark(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    with chatting(chat), running(server_for(tmp_path, chat)) as server:
        pid = server.pid
        assert pid is not None
        chat.on_heard = lambda: kill_9(server) if len(chat.heard) == 1 else None  # before the answer
        with contextlib.suppress(OSError):  # it may be killed before it has answered us
            post(server, webhook(episode_alert(1)))
        assert eventually(lambda: len(chat.heard) == 1 and not alive(pid))
        restart(server)
        assert eventually(lambda: len(chat.heard) == 2)
        assert "可能已发送过" not in chat.heard[0]
        assert "可能已发送过" in chat.heard[1]


def test_killed_again_and_again_in_a_storm_it_loses_nothing_and_repeats_only_with_a_remark(tmp_path: Path) -> None:
    chat, draw = Chat("webhook"), random.Random(7)  # noqa: S311 - moments
    with chatting(chat), running(server_for(tmp_path, chat)) as server:
        for number in range(60):
            if number % 12 == 6:
                kill_9(server)
                restart(server)
            post(server, webhook(episode_alert(1, episode=f"e{number}")))
            time.sleep(draw.random() / 10)
        letters: dict[str, Any] = {}

        def told() -> Counter[str]:
            letters.update(list(chat.letters))
            return Counter(each["alarm"] for letter in letters.values() for each in letter["data"]["notices"])

        assert eventually(lambda: len(told()) == 60, 40)
        assert set(told().values()) == {1}
        seen: set[str] = set()
        for message, content in chat.letters:
            assert content["data"]["doubtful"] or message not in seen
            seen.add(message)


def test_an_alert_that_cannot_be_read_is_told_and_the_others_with_it(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    strange = alert({"alertname": "GatepulseEpisode", "episode": "x"})
    with chatting(chat), running(server_for(tmp_path, chat)) as server:
        assert post(server, webhook(strange, episode_alert(1))) == 200
        assert eventually(lambda: len(chat.heard) == 2)
        assert any("an alarm that cannot be read: label level = ''" in text for text in chat.heard)
        assert "gatepulse_relay_unreadable_total 1.0" in metrics(server)


def test_what_is_no_webhook_or_shows_no_token_is_refused(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    (tmp_path / "token").write_text("let-me-in\n")
    with chatting(chat), running(server_for(tmp_path, chat, more=f'token_file = "{tmp_path}/token"\n')) as server:
        assert post(server, webhook(episode_alert(1))) == 401
        assert post(server, webhook(episode_alert(1)), token="wrong") == 401  # noqa: S106
        assert post(server, b"{}", token="let-me-in") == 400  # noqa: S106
        assert post(server, webhook(episode_alert(1)), token="let-me-in") == 200  # noqa: S106
        assert eventually(lambda: len(chat.heard) == 1)


def test_the_log_names_no_secret(tmp_path: Path, chats: dict[str, Chat]) -> None:
    for chat in chats.values():
        chat.answer_next = ["500", "page" if chat.kind != "webhook" else "500", "silent"]
    with running(server_for(tmp_path, *chats.values())) as server:
        post(server, webhook(episode_alert(1)))
        assert eventually(lambda: all(chat.asked >= 3 for chat in chats.values()), 30)
        said = server.log_path.read_text()
    assert "a robot has not taken a message" in said
    for secret in (
        "wecom-key",
        "dingtalk-token",
        "SECfor-tests",
        "whsec_",
        "sign=",
        *[chat.url for chat in chats.values()],
    ):
        assert secret not in said


def test_wrong_settings_end_it_with_one_sentence(tmp_path: Path) -> None:
    server = RelayServer(tmp_path, '[[robot]]\nname = "x"\n')
    server.start()
    assert eventually(lambda: not server.answers() and not alive(server.pid or 0))
    assert len(server.log_path.read_text().splitlines()) == 1
    assert "gatepulse relay: " in server.log_path.read_text()
    server.stop()


def metrics(server: RelayServer) -> str:
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def told(server: RelayServer) -> float:
    """Return how many messages the relay has noted as taken."""
    line = next(line for line in metrics(server).splitlines() if line.startswith("gatepulse_relay_delivered_total"))
    return float(json.loads(line.rsplit(" ", 1)[1]))
