"""From a worker's metrics to the robots over real servers: each change once, whatever is killed on the way."""

import sqlite3
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

from infra.alerting.config import Places, alertmanager_config, prometheus_config
from infra.alerting.server import AlertmanagerServer, LoopbackServer, PrometheusServer, RelayServer
from infra.process.ports import lasting_port
from streams.site.reader import load_site
from tests.infra.alerting.exporter import Exporter
from tests.support.alerts import labels, settings
from tests.support.chats import Chat, chatting
from tests.support.processes import alive, eventually, kill, running
from tests.support.prometheus import needs_prometheus

SECONDS = 40.0  # in which a change must have come through, on a slow machine and after a restart


class Way:
    """The whole way of an alarm: exporter, Prometheus, Alertmanager, relay, two chats."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.chats = [Chat("dingtalk"), Chat("wecom")]
        stack.enter_context(chatting(*self.chats))
        self.worker, port = Exporter(), lasting_port()
        stack.enter_context(self.worker.serving())
        places = Places(workers=[self.worker.address], relay=f"127.0.0.1:{port}")
        robots = settings(folder / "relay", {chat.kind: chat.url for chat in self.chats}, port=port)
        self.relay = stack.enter_context(running(RelayServer(folder / "relay", robots, port=port)))
        alertmanager = AlertmanagerServer(folder / "alertmanager", alertmanager_config(load_site("expo"), places))
        self.alertmanager = stack.enter_context(running(alertmanager))
        here = Places(places.workers, places.relay, alertmanager.address)
        self.prometheus = stack.enter_context(running(PrometheusServer(folder / "prometheus", prometheus_config(here))))
        self.expected: Counter[str] = Counter()
        self.took: list[float] = []

    def change(self, number: int, **given: str) -> None:
        """Let the worker show an episode's change."""
        shown = labels(number, **given)
        self.worker.show(shown, 14.2)
        self.expected[f"#{number} {shown['episode']}"] += 1

    def heard(self, chat: Chat) -> Counter[str]:
        """Return which changes a chat has been told of, and how often."""
        return Counter(text.splitlines()[-1] for text in chat.heard)

    def all_heard(self) -> bool:
        """Whether every chat has been told of every change."""
        return all(self.heard(chat) >= self.expected for chat in self.chats)

    def all_noted(self) -> bool:
        """Whether the relay has noted as told whatever a chat has heard."""
        return delivered(self.relay) == sum(len(chat.heard) for chat in self.chats)

    def await_all(self) -> None:
        """Wait for that, and note how long it took."""
        begun = time.monotonic()
        assert eventually(self.all_heard, SECONDS), [chat.heard for chat in self.chats]
        self.took.append(time.monotonic() - begun)


def delivered(relay: RelayServer) -> float:
    """Return how many messages the relay has noted as told since its start."""
    with urllib.request.urlopen(f"http://{relay.address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("gatepulse_relay_delivered_total"))


def killed(server: LoopbackServer) -> None:
    pid = server.pid
    assert pid is not None
    kill(pid)
    assert eventually(lambda: not alive(pid))


def back(server: LoopbackServer) -> None:
    server.start()
    server.wait_ready()


def told_of_the_platform(folder: Path) -> list[tuple[str, str]]:
    """Return what the relay knows of the platform, and what became of it: of silence only if no heartbeat came."""
    with closing(sqlite3.connect(folder / "relay" / "state" / "outbox.sqlite")) as outbox:
        rows = outbox.execute("SELECT alarm, state FROM notices WHERE alarm LIKE 'platform:%'")
        return [(alarm.split(":")[1], state) for alarm, state in rows]


@needs_prometheus
def test_each_change_is_told_once_over_every_kill(tmp_path: Path) -> None:
    with ExitStack() as stack:
        way = Way(tmp_path, stack)
        way.change(1)
        way.await_all()

        for number, server in enumerate((way.alertmanager, way.prometheus), start=2):
            killed(server)
            way.change(number, level="red", state="escalated")
            back(server)
            way.await_all()

        assert eventually(way.all_noted)  # or it would tell again, with a remark, what it has not noted as told
        killed(way.relay)
        way.change(4, level="orange", state="deescalated")
        time.sleep(4)  # Prometheus sees it come and go, and Alertmanager keeps it for the relay
        way.change(5, level="red", state="escalated")
        time.sleep(2)
        back(way.relay)
        way.await_all()

        way.worker.end()  # it is killed: the series is gone, and that is no end of the episode
        time.sleep(10)
        way.worker.begin()
        way.change(1, episode="area-capacity:H3:1762909300000", rule="area-capacity", subject="H3", zone="")
        way.await_all()

        way.change(6, state="cleared", changed_ms=str(1_762_909_200_000 + 3_600_000))
        way.await_all()
        way.worker.series.clear()  # five minutes later
        time.sleep(3)
        for chat in way.chats:
            assert way.heard(chat) == way.expected
            assert sum("已解除" in text for text in chat.heard) == 1
            assert not any("可能已发送过" in text for text in chat.heard)
        way.relay.stop()
        assert told_of_the_platform(tmp_path) == [("heartbeat", "waiting")] * 2
        print("seconds until all had been told:", [round(each, 2) for each in way.took])  # noqa: T201 - pytest -rP
