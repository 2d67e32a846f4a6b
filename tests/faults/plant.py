"""A whole plant of real processes on this machine: Kafka, ClickHouse, workers and, if wanted, a wall.

Everything in it dies with this process. Next: `kept.py` and `servers.py`, what can be done to the processes.
"""

import datetime as dt
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from infra.process.ports import LOOPBACK, free_port
from infra.servers.clickhouse import EmbeddedClickHouse
from infra.servers.kafka.server import KafkaServer
from simulators.scenario.registry import find_scenario
from simulators.sending.plan import site_time
from simulators.verify.fates import Limits
from sinks import schema
from sinks.clickhouse import ClickHouseReader, connect
from streams.contract import topics
from streams.contract.events import Topic
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import KafkaSettings, TimeSettings
from streams.site.reader import load_site
from tests.faults.catalogue import Layout
from tests.faults.host import Disk, HostClock
from tests.faults.kept import Kept
from tests.faults.lag import Group
from tests.faults.proxy import Proxy
from tests.faults.servers import Server
from tests.faults.watch import Samples, Watch, scrape
from tests.support.kafka_cluster import KafkaCluster, ProxiedKafka

if TYPE_CHECKING:
    from streams.site.model import Site

USUAL: Final = "expo"
"""The scenario that faults are done in, if none is asked for."""
GROUP: Final = "gatepulse"
PARTITIONS: Final = 4
SOURCES: Final = (Topic.TURNSTILES.value, Topic.VEHICLES.value, Topic.CORRECTIONS.value)
SESSION_SECONDS: Final = 6
_BEFORE_RUSH: Final = dt.timedelta(minutes=30)


class Plant:
    """The processes of one scenario: running inside a `with` block, ended at its end whatever happens."""

    def __init__(self, layout: Layout, path: Path) -> None:
        self.layout, self.path = layout, path
        self.scenario = find_scenario(layout.scenario or USUAL)
        self.site: Site = load_site(layout.settings.get("SITE", self.scenario.profile))
        self.clock = SiteClock()
        self.workers: list[Kept] = []
        self.wall: Kept | None = None
        self.wall_port = 0
        self._ports: dict[str, int] = {}
        self._ending = ExitStack()
        self._broker_port, self._store_port = free_port(), free_port()
        self.broker_proxy = Proxy(self._broker_port)
        self.store_proxy = Proxy(self._store_port)
        self.disks = {name: Disk(path / name, megabytes) for name, megabytes in layout.small_disks.items()}
        self.host_clock = HostClock(path / "host-clock")
        if layout.clock_of_workers:
            self.host_clock.set(layout.workers_ahead)

    def __enter__(self) -> Self:
        """Start everything; workers may still be taking up their partitions when this returns."""
        with ExitStack() as ending:
            for disk in self.disks.values():
                ending.enter_context(disk)
            self._start_servers(ending)
            self._start_workers(ending)
            self.watch = Watch(lambda: self._ports, self.pids, self._group())
            ending.enter_context(self.watch.looking())
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything: readers first, then workers, then servers."""
        self._ending.close()

    # -- what a scenario acts on ---------------------------------------------------------------------------------------

    @property
    def worker(self) -> Kept:
        """The first worker, in most scenarios the only one."""
        return self.workers[0]

    @property
    def broker(self) -> Server:
        """The first broker, in most scenarios the only one."""
        return self.brokers[0]

    @property
    def start_at(self) -> dt.time:
        """What the site's clock shows when it begins to run fast."""
        rush = dt.datetime.combine(dt.date.min, self.scenario.rush)
        return self.layout.start_at or (rush - _BEFORE_RUSH).time()

    def add_worker(self, **settings: str) -> Kept:
        """Start one more worker, under a name that no other had; `settings` as in Layout."""
        name = f"worker-{len(self._ports) + 1}"
        self._ports[name] = free_port()
        environment = self._environment(name) | {f"GATEPULSE_{key}": value for key, value in settings.items()}
        worker = Kept(name, worker_command(self.layout.worker), self.path / "logs" / f"{name}.log", environment)
        worker.start()
        self.workers.append(worker)
        return worker

    def metrics(self, worker: Kept) -> Samples:
        """Return a worker's metrics by name. Raises OSError or HTTPException."""
        return scrape(self._ports[worker.name])

    def command(self, *words: str) -> str:
        """Run a command of gatepulse with the workers' settings; return what it says. Raises CalledProcessError."""
        command = [*_command(words[0]), *words[1:]]
        done = subprocess.run(command, env=self.worker.env, capture_output=True, text=True, check=True)
        return done.stdout

    def owner(self) -> Any:  # the driver's client has no types
        """Return a connection for the owner of the tables, past any proxy."""
        return connect(self.clickhouse.address.owner)

    def reader(self) -> ClickHouseReader:
        """Return a connection for the user who sees the views only, past any proxy."""
        return ClickHouseReader(self.clickhouse.address.reader)

    @property
    def time_limits(self) -> Limits:
        """Which event times the workers believe, and how late an event may come to be counted."""
        times = {key.removeprefix("TIME__").lower(): value for key, value in self.layout.settings.items()}
        limits = TimeSettings.model_validate({key: times[key] for key in TimeSettings.model_fields if key in times})
        return Limits.of(limits)

    @property
    def bootstrap(self) -> str:
        """Where the broker is reached past any proxy."""
        kafka = self.kafka
        return kafka.direct if isinstance(kafka, ProxiedKafka) else kafka.bootstrap

    # -- the parts -----------------------------------------------------------------------------------------------------

    def _start_servers(self, ending: ExitStack) -> None:
        layout, advertised = self.layout, None
        if layout.broker_proxy:
            advertised = f"{LOOPBACK}:{ending.enter_context(self.broker_proxy).port}"
        if layout.store_proxy:
            ending.enter_context(self.store_proxy)
        self.kafka, self.brokers = self._kafka(advertised)
        self.clickhouse = EmbeddedClickHouse(self.path / "clickhouse", tcp_port=self._store_port)
        self.store = Server("ClickHouse", self.clickhouse)
        for server in (self.kafka, self.clickhouse):
            ending.callback(server.stop)
            server.start()
        self.clickhouse.wait_ready()
        self._apply_schema()
        self.kafka.wait_ready()
        topics.apply(KafkaSettings(brokers=self.bootstrap, group=GROUP, partitions=PARTITIONS))

    def _kafka(self, advertised: str | None) -> tuple[KafkaServer | KafkaCluster, list[Server]]:
        layout, folder = self.layout, self.path / "kafka"
        if layout.brokers == 1:
            port = self._broker_port
            alone = ProxiedKafka(folder, advertised, port=port) if advertised else KafkaServer(folder, port=port)
            alone.settings |= layout.broker_settings
            return alone, [Server("Kafka", alone)]
        several = KafkaCluster(folder, brokers=layout.brokers, settings=layout.broker_settings)
        return several, [Server(f"Kafka {node}", each) for node, each in enumerate(several.brokers, start=1)]

    def _start_workers(self, ending: ExitStack) -> None:
        if self.layout.speed is not None:
            first = site_time(self.site, self.scenario.date, self.start_at)
            self.clock = SiteClock(first, int(time.time() * 1000), self.layout.speed)
        ending.callback(self._stop_workers)
        for _ in range(self.layout.workers):
            self.add_worker()
        if self.layout.wall:
            self.wall_port = free_port()
            environment = self._environment("wall") | {"GATEPULSE_WALL__PORT": str(self.wall_port)}
            self.wall = Kept("wall", _command("wall"), self.path / "logs" / "wall.log", environment)
            ending.callback(self.wall.stop)
            self.wall.start()

    def _stop_workers(self) -> None:
        for worker in self.workers:
            worker.stop(3.0)

    def _apply_schema(self) -> None:
        client = self.owner()
        try:
            schema.apply(client)
        finally:
            client.disconnect()

    def _group(self) -> Group:
        return Group(self.bootstrap, GROUP, [(topic, number) for topic in SOURCES for number in range(PARTITIONS)])

    def pids(self) -> dict[str, int]:
        """Return the process ids of all that runs, by name."""
        kept = [*self.workers, *([self.wall] if self.wall else [])]
        pids = {each.name: each.pid for each in kept if each.running}
        return pids | {server.name: server.pid for server in (*self.brokers, self.store)}

    def _environment(self, name: str) -> dict[str, str]:
        address, layout = self.clickhouse.address, self.layout
        ours = {
            "SITE": self.scenario.profile,
            "KAFKA__BROKERS": self.kafka.bootstrap,
            "KAFKA__GROUP": GROUP,
            "KAFKA__PARTITIONS": str(PARTITIONS),
            "KAFKA__CREATE_TOPICS": "false",
            "KAFKA__SESSION_SECONDS": str(SESSION_SECONDS),
            "STORE__HOST": address.host,
            "STORE__PORT": str(self.store_proxy.port if layout.store_proxy else address.port),
            "STORE__USER": address.owner.user,
            "STORE__PASSWORD": address.owner.password,
            "STORE__READER": address.reader.user,
            "STORE__READER_PASSWORD": address.reader.password,
            "WORKER__NAME": name,
            "WORKER__DATA": str(self.path / "faust"),
            "WORKER__METRICS_PORT": str(self._ports.get(name, 0)),
            "CLOCK__SITE_MS": str(self.clock.site_ms),
            "CLOCK__REAL_MS": str(self.clock.real_ms),
            "CLOCK__SPEED": str(self.clock.speed),
        }
        kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("GATEPULSE_")}
        kept |= self.host_clock.environment() if layout.clock_of_workers else {}
        return kept | {f"GATEPULSE_{key}": value for key, value in (ours | dict(layout.settings)).items()}


def worker_command(file: str = "") -> list[str]:
    """Return the command of a worker; of another one if a file of this folder is named."""
    return [sys.executable, "-P", str(Path(__file__).with_name(file))] if file else _command("worker")


def _command(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli.main", name]
