"""Starts and ends a demo's processes in order: store, broker, workers, wall, alarms; used by `infra/demo`."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from infra.process.child import gatepulse
from infra.process.ports import LOOPBACK, accepts, claim
from infra.process.supervisor import OFTEN, Service, State, Supervisor
from infra.servers.broker import PROTOCOL, EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.server import KafkaServer
from infra.stack.alarm_delivery import Delivery
from simulators.verify.fates import Limits
from sinks import schema
from sinks.clickhouse import StoreAddress, connect
from streams.contract import topics
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import KafkaSettings

GROUP: Final = "gatepulse"
PARTITIONS: Final = 4
AUDIT_EVERY: Final = 30.0  # seconds
_LONGEST_LAG_MS: Final = 20 * 60_000
BrokerKind = Literal["embedded", "kafka"]
_REAL_SESSION_SECONDS: Final = 6
# The mock cluster reserves a killed worker's partitions for twice the session, and longer if it is a static member.
_MOCK_SESSION_SECONDS: Final = 3


@dataclass
class LocalStack:
    """The processes of a demo, started in order; `clock` shows the simulated day's time."""

    profile: str
    state: Path
    clock: SiteClock
    supervisor: Supervisor
    wall_port: int
    report: Callable[[str], None]
    delivery: Delivery | None
    broker_kind: BrokerKind = "embedded"
    workers: int = 1
    store: EmbeddedClickHouse = field(init=False)
    broker: EmbeddedBroker | KafkaServer = field(init=False)
    metrics_ports: tuple[int, ...] = ()

    def start(self, stop: threading.Event) -> bool:
        """Start everything; each step reports what it does. False when `stop` was set in between."""
        self.wall_port = claim(self.wall_port, "--port")
        self.metrics_ports = tuple(claim(0, "metrics") for _ in range(self.workers))
        for step in (self._store, self._broker, self._commands):
            if stop.is_set():
                return False
            step()
        self.supervisor.wait(until=lambda: stop.is_set() or self._wall_is_up())
        return not stop.is_set()

    def _store(self) -> None:
        self.report("store …")
        self.store = EmbeddedClickHouse(self.state / "clickhouse")
        self.supervisor.start(self.store.service())
        with connect(self.store.address.owner) as client:
            schema.apply(client)

    def _broker(self) -> None:
        self.report("broker …")
        if self.persistent:
            self.broker = KafkaServer(self.state / "kafka")
        else:
            plans = topics.plans(KafkaSettings(group=GROUP, partitions=PARTITIONS))
            self.broker = EmbeddedBroker(self.state / "broker", topics={plan.name: plan.partitions for plan in plans})
        self.supervisor.start(self.broker.service())
        if self.persistent:
            topics.apply(self.kafka)

    def _commands(self) -> None:
        self.report("worker and wall …" if self.workers == 1 else f"{self.workers} workers and wall …")
        for number, port in enumerate(self.metrics_ports, start=1):
            name = f"worker-{number}"
            more = {"GATEPULSE_WORKER__NAME": name, "GATEPULSE_WORKER__METRICS_PORT": str(port)}
            self._start(name, "worker", more=more, restart=OFTEN)
        self._start(
            "wall", "wall", more={"GATEPULSE_WALL__PORT": str(self.wall_port)},
            healthy=lambda: accepts(LOOPBACK, self.wall_port),
        )  # fmt: skip
        self._start("audit", "audit", f"--every={AUDIT_EVERY:g}")
        self._start("foresight", "foresight", restart=OFTEN)
        if self.delivery is not None:
            self.delivery.start(self.supervisor, self.metrics_ports, self._environment())

    def _start(self, name: str, *words: str, more: Mapping[str, str] | None = None, **options: Any) -> None:  # noqa: ANN401 - of Service
        """Start a command of ours, without waiting for it; `more` goes over the environment of all."""
        environment = self._environment() | dict(more or {})
        service = Service(name, gatepulse(*words), self.state / "logs" / f"{name}.log", env=environment, **options)
        self.supervisor.start(service, ready=False)

    def _wall_is_up(self) -> bool:
        return any(each.name == "wall" and each.state is State.RUNNING for each in self.supervisor.services())

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
            **{
                "metrics" if number == 1 else f"metrics-{number}": f"http://{LOOPBACK}:{port}/metrics"
                for number, port in enumerate(self.metrics_ports, start=1)
            },
            **(self.delivery.addresses if self.delivery is not None else {}),
        }

    @property
    def persistent(self) -> bool:
        """Whether what was sent outlives the broker's process."""
        return self.broker_kind == "kafka"

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach the broker, and how its groups work."""
        return KafkaSettings(
            brokers=self.broker.bootstrap,
            cluster=self.broker.cluster,
            group=GROUP,
            partitions=PARTITIONS,
            create_topics=False,
            api_version=None if self.persistent else ".".join(map(str, PROTOCOL)),
            static_membership=self.persistent,
            session_seconds=_REAL_SESSION_SECONDS if self.persistent else _MOCK_SESSION_SECONDS,
        )

    @property
    def limits(self) -> Limits:
        """How late events may come: at a high speed, waiting for this machine is days of the site's time."""
        usual = Limits()
        return replace(usual, horizon_ms=max(usual.horizon_ms, round(_LONGEST_LAG_MS * self.clock.speed)))

    @property
    def reader(self) -> StoreAddress:
        """Where the views are read."""
        return self.store.address.reader

    @property
    def audit_log(self) -> Path:
        """Where the audit writes what it finds."""
        return self.state / "logs" / "audit.log"

    def _environment(self) -> dict[str, str]:
        address, clock = self.store.address, self.clock
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEPULSE_")}
        kafka = self.kafka.model_dump(exclude_none=True)
        return inherited | {
            "GATEPULSE_SITE": self.profile,
            **{f"GATEPULSE_KAFKA__{key.upper()}": str(value) for key, value in kafka.items()},
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
            "GATEPULSE_TIME__SUSPECT_SECONDS": str(self.limits.suspect_ms / 1000),
            "GATEPULSE_TIME__HORIZON_SECONDS": str(self.limits.horizon_ms / 1000),
        }
