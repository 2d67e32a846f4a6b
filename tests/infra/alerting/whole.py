"""Starts the whole way of an alarm on real servers: Kafka, ClickHouse, worker, relay, two robots, monitoring.

It is what `gatepulse demo --broker kafka` starts, in real time, without a simulator: passages are handed in here.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from kafka import KafkaProducer

from infra.alerting.server import missing
from infra.process.ports import free_port
from infra.process.supervisor import Supervisor
from infra.relay.options import load_options
from infra.stack.alarm_delivery import Delivery
from infra.stack.local_stack import PARTITIONS, LocalStack
from sinks.clickhouse import ClickHouseReader
from streams.contract.events import Topic
from streams.kernels.counts.site_clock import SiteClock
from tests.infra.alerting.crowds import RULE, ZONES, Lanes
from tests.support.alerts import settings
from tests.support.chats import Chat, chatting
from tests.support.processes import alive, eventually

WORKER: Final = "worker-1"
START_SECONDS: Final = 90.0
"""In which the worker must count, on a slow machine."""
_MADE: Final = "SELECT count() FROM gatepulse.alarm_changes WHERE rule = %(rule)s"
_AT_WORK: Final = "SELECT count() FROM gatepulse.progress"


@dataclass(frozen=True)
class SentChange:
    """One change as a webhook received it; `at` in s UTC, `message` is the webhook's id."""

    at: float
    message: str
    alarm: str
    change: int
    subject: str
    state: str
    changed_ms: int


@dataclass
class Whole:
    """Everything from the topic to the robots; `webhook` receives at once, `wecom` at most 20 times a minute."""

    stack: LocalStack
    producer: Any
    webhook: Chat
    wecom: Chat
    lanes: Lanes = field(default_factory=Lanes)

    def await_work(self) -> None:
        """Return when the worker counts and judges: an overload is to be measured from its beginning."""
        assert eventually(lambda: self._ask(_AT_WORK) >= PARTITIONS, START_SECONDS)
        time.sleep(3.0)

    def pass_in(self, entrance: str, *, lane: int = 1, outcome: str = "passed") -> float:
        """Let somebody through a lane now; return the moment, s UTC."""
        ts_ms = time.time_ns() // 1_000_000
        line = self.lanes.event(entrance, ts_ms, lane=lane, outcome=outcome)
        self.producer.send(Topic.TURNSTILES.value, line, entrance.encode())
        return ts_ms / 1000

    def kill(self, name: str) -> float:
        """`kill -9` a process, which its supervisor starts again; return the moment, s UTC."""
        (pid,) = (each.pid for each in self.stack.supervisor.services() if each.name == name)
        assert pid is not None, f"{name} does not run"
        at = time.time()
        os.kill(pid, 9)
        assert eventually(lambda: not alive(pid))
        return at

    def webhook_changes(self) -> list[SentChange]:
        """Return every change of an overload that the webhook received, in order; sent twice, it is there twice."""
        ahead, chat = time.time() - time.monotonic(), self.webhook
        return [
            SentChange(
                at + ahead,
                message,
                notice["alarm"],
                notice["change"],
                notice["subject"],
                notice["state"],
                notice["changed_ms"],
            )
            for at, (message, content) in zip(list(chat.at), list(chat.letters), strict=False)
            for notice in content["data"]["notices"]
            if notice["rule"] == RULE
        ]

    def made(self) -> int:
        """Return how many changes of overloads the store has."""
        return self._ask(_MADE)

    def _ask(self, sql: str) -> int:
        reader = ClickHouseReader(self.stack.reader)
        try:
            return int(reader.query(sql, {"rule": RULE})[0][0])
        finally:
            reader.close()


@contextmanager
def whole(folder: Path, profile: str, *, say: Callable[[str], None] = print) -> Iterator[Whole]:
    """Start everything for the site of a profile, for the time of a block."""
    site = folder / "site.toml"
    site.write_text(profile, encoding="utf-8")
    webhook, wecom, platform = Chat("webhook", per_minute=1_000_000), Chat("wecom"), Chat("feishu")
    with ExitStack() as ending:
        ending.enter_context(chatting(webhook, wecom, platform))
        relay = folder / "relay.toml"
        relay.write_text(_relay(folder, site, webhook, wecom, platform), encoding="utf-8")
        supervisor = ending.enter_context(Supervisor())
        delivery = Delivery(folder / "alerting", relay, load_options(relay), monitored=not missing())
        stack = LocalStack(str(site), folder, SiteClock(), supervisor, 0, say, delivery, broker_kind="kafka")
        assert stack.start(threading.Event())
        producer = KafkaProducer(bootstrap_servers=stack.kafka.brokers, acks="all")
        ending.callback(producer.close)
        yield Whole(stack, producer, webhook, wecom)


def _relay(folder: Path, site: Path, *chats: Chat) -> str:
    """Return settings of a relay: the first two robots serve the site, the third hears of the platform."""
    text = settings(folder / "robots", {chat.kind: chat.url for chat in chats}, port=free_port())
    text = text.replace('site = "expo"', f'site = "{site}"')
    text = text.replace('type = "webhook"', 'type = "webhook"\nper_minute = 600')
    return text.replace('["*"]', json.dumps([*ZONES, "site"]), 2).replace('["*"]', '["platform"]')


class Background:
    """Lets people be granted the way all the time, who then do not pass: work for the platform, and no overload."""

    def __init__(self, whole: Whole, entrances: list[str], *, a_second: int) -> None:
        self._whole, self._entrances, self._pause = whole, entrances, 1 / a_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._over.wait(self._pause):
            self._whole.pass_in(self._entrances[number % len(self._entrances)], outcome="granted")
            number += 1
