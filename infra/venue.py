"""The processes of a demo on this machine: store, broker, worker and wall, started in order. `demo.py` plays in it."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.broker import EmbeddedBroker
from infra.clickhouse import EmbeddedClickHouse
from infra.ports import LOOPBACK, accepts, claim
from infra.service import RestartPolicy, Service
from infra.supervisor import Supervisor
from sinks import schema
from sinks.clickhouse import StoreAddress, connect
from streams.clock import SiteClock
from streams.contract import Topic
from streams.settings import Kafka

GROUP: Final = "gatepulse"
SOURCES: Final = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)
_SINGLE: Final = (Topic.REJECTED, Topic.ALARMS)
_PARTITIONS: Final = 4


@dataclass
class Venue:
    """The processes of a demo, started in order; `clock` shows the simulated day's time."""

    scenario: str
    state: Path
    clock: SiteClock
    supervisor: Supervisor
    wall_port: int
    say: Callable[[str], None]
    store: EmbeddedClickHouse = field(init=False)
    broker: EmbeddedBroker = field(init=False)
    metrics_port: int = 0

    def start(self, stop: threading.Event) -> bool:
        """Start everything; each step says what it does. False when `stop` was set in between."""
        self.wall_port = claim(self.wall_port, "--port")
        self.metrics_port = claim(0, "metrics")
        for step in (self._store, self._broker, self._worker_and_wall):
            if stop.is_set():
                return False
            step()
        return not stop.is_set()

    def _store(self) -> None:
        self.say("store …")
        self.store = EmbeddedClickHouse(self.state / "clickhouse")
        self.supervisor.start(self.store.service())
        self._apply_schema()

    def _broker(self) -> None:
        self.say("broker …")
        self.broker = EmbeddedBroker(self.state / "broker", topics=_topics())
        self.supervisor.start(self.broker.service())

    def _worker_and_wall(self) -> None:
        self.say("worker and wall …")
        self.supervisor.start(self._worker("worker-1"), ready=False)
        self.supervisor.start(self._wall())

    @property
    def wall_url(self) -> str:
        """Where the wall is."""
        return f"http://{LOOPBACK}:{self.wall_port}/"

    @property
    def addresses(self) -> dict[str, str]:
        """Where everything is, for whoever wants to look; the store's passwords are in clickhouse/credentials.json."""
        return {
            "wall": self.wall_url,
            "store": f"{self.store.address.host}:{self.store.address.port}",
            "broker": self.broker.bootstrap,
            "metrics": f"http://{LOOPBACK}:{self.metrics_port}/metrics",
        }

    @property
    def kafka(self) -> Kafka:
        """How to reach the broker."""
        return Kafka(brokers=self.broker.bootstrap)

    @property
    def reader(self) -> StoreAddress:
        """Where the views are read."""
        address = self.store.address
        return StoreAddress(address.host, address.port, address.reader.user, address.reader.password)

    def _apply_schema(self) -> None:
        address = self.store.address
        owner = StoreAddress(address.host, address.port, address.owner.user, address.owner.password)
        client = connect(owner)
        try:
            schema.apply(client)
        finally:
            client.disconnect()

    def _worker(self, name: str) -> Service:
        more = {"GATEPULSE_WORKER__NAME": name, "GATEPULSE_WORKER__METRICS_PORT": str(self.metrics_port)}
        return Service(
            name,
            _command("worker"),
            self.state / "logs" / f"{name}.log",
            env=self._environment() | more,
            restart=RestartPolicy(most=20, within=120.0),
        )

    def _wall(self) -> Service:
        port = self.wall_port
        return Service(
            "wall",
            _command("wall"),
            self.state / "logs" / "wall.log",
            env=self._environment() | {"GATEPULSE_WALL__PORT": str(port)},
            healthy=lambda: accepts(LOOPBACK, port),
        )

    def _environment(self) -> dict[str, str]:
        address, clock = self.store.address, self.clock
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPULSE_")}
        return kept | {
            "GATEPULSE_SITE": self.scenario,
            "GATEPULSE_KAFKA__BROKERS": self.broker.bootstrap,
            "GATEPULSE_KAFKA__CLUSTER": self.broker.cluster,
            "GATEPULSE_KAFKA__GROUP": GROUP,
            "GATEPULSE_KAFKA__PARTITIONS": str(_PARTITIONS),
            "GATEPULSE_KAFKA__CREATE_TOPICS": "false",
            # The mock cluster keeps a killed worker's place for twice the session, and longer if it is a static member.
            "GATEPULSE_KAFKA__SESSION_SECONDS": "3",
            "GATEPULSE_KAFKA__STATIC_MEMBERSHIP": "false",
            "GATEPULSE_STORE__HOST": address.host,
            "GATEPULSE_STORE__PORT": str(address.port),
            "GATEPULSE_STORE__USER": address.owner.user,
            "GATEPULSE_STORE__PASSWORD": address.owner.password,
            "GATEPULSE_STORE__READER": address.reader.user,
            "GATEPULSE_STORE__READER_PASSWORD": address.reader.password,
            "GATEPULSE_WORKER__DATA": str(self.state / "faust"),
            "GATEPULSE_CLOCK__SITE_MS": str(clock.site_ms),
            "GATEPULSE_CLOCK__REAL_MS": str(clock.real_ms),
            "GATEPULSE_CLOCK__SPEED": str(clock.speed),
        }


def _topics() -> dict[str, int]:
    changelogs = [f"{GROUP}-{topic}.snapshots-changelog" for topic in SOURCES]
    several = [*map(str, SOURCES), str(Topic.TOTALS), *changelogs]
    return dict.fromkeys(several, _PARTITIONS) | dict.fromkeys(map(str, _SINGLE), 1)


def _command(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli", name]
