"""One command brings a venue to life: store, broker, worker and wall on this machine, and a simulated day.

Read `run_demo` first, then `Venue`, the processes.
"""

import datetime as dt
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console

from infra.broker import EmbeddedBroker
from infra.clickhouse import EmbeddedClickHouse
from infra.ports import LOOPBACK, accepts, claim
from infra.service import RestartPolicy, Service
from infra.supervisor import Supervisor
from simulators.closing import close_yesterday
from simulators.distortion import Distortion
from simulators.lag import ConsumerLag
from simulators.ledger import read_ledger
from simulators.plan import Plan, site_time
from simulators.progress import report_on_stderr
from simulators.report import Verdict, sentence, show, to_json
from simulators.run import simulate, stopping_on_signals
from simulators.verify import verify
from sinks import schema
from sinks.clickhouse import Reader, StoreAddress, connect
from streams.clock import SiteClock
from streams.contract import Topic
from streams.settings import Kafka
from streams.site import Site, load_site

_GROUP: Final = "gatepulse"
_PARTITIONS: Final = 4
_SOURCES: Final = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)
_SINGLE: Final = (Topic.REJECTED, Topic.ALARMS)
_DRAIN_SECONDS: Final = 120.0
_DRAIN_AFTER_CTRL_C: Final = 2.0

_err = Console(stderr=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What to play; see `gatepulse demo --help`."""

    scenario: str = "expo"
    speed: float = 60.0
    for_seconds: float | None = None
    state: Path | None = None
    seed: int = 1
    start_at: dt.time = dt.time(9, 30)
    distortion: str = ""
    wall_port: int = 0
    as_json: bool = False


@dataclass
class Venue:
    """The processes of a demo, started in order; `clock` shows the simulated day's time."""

    options: DemoOptions
    state: Path
    site: Site
    clock: SiteClock
    supervisor: Supervisor
    store: EmbeddedClickHouse = field(init=False)
    broker: EmbeddedBroker = field(init=False)
    wall_url: str = ""

    def start(self) -> None:
        """Start everything; each step says what it does."""
        _say("store …")
        self.store = EmbeddedClickHouse(self.state / "clickhouse")
        self.supervisor.start(self.store.service())
        self._apply_schema()
        _say("broker …")
        self.broker = EmbeddedBroker(self.state / "broker", topics=_topics())
        self.supervisor.start(self.broker.service())
        _say("worker and wall …")
        self.supervisor.start(self._worker("worker-1"), ready=False)
        self.supervisor.start(self._wall())

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
        more = {"GATEPULSE_WORKER__NAME": name, "GATEPULSE_WORKER__METRICS_PORT": str(claim(0, "metrics"))}
        return Service(
            name,
            _command("worker"),
            self.state / "logs" / f"{name}.log",
            env=self._environment() | more,
            restart=RestartPolicy(most=20, within=120.0),
        )

    def _wall(self) -> Service:
        port = claim(self.options.wall_port, "--port")
        self.wall_url = f"http://{LOOPBACK}:{port}/"
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
            "GATEPULSE_SITE": self.options.scenario,
            "GATEPULSE_KAFKA__BROKERS": self.broker.bootstrap,
            "GATEPULSE_KAFKA__CLUSTER": self.broker.cluster,
            "GATEPULSE_KAFKA__GROUP": _GROUP,
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


def run_demo(options: DemoOptions) -> int:
    """Play a day; return the exit code: 0, or 1 when a count does not equal the ledger."""
    site = load_site(options.scenario)
    distortion = Distortion.parse(options.distortion)
    with _state_directory(options.state) as state, stopping_on_signals() as stop, Supervisor() as supervisor:
        run = _next_run(state, site)
        start_at = site_time(site, run.date, options.start_at)
        clock = SiteClock(start_at, int(time.time() * 1000), options.speed)
        venue = Venue(options, state, site, clock, supervisor)
        venue.start()
        _say(f"wall: {venue.wall_url}   (state and logs: {state}; Ctrl-C ends everything)")
        plan = Plan(
            scenario=options.scenario, date=run.date, seed=options.seed + run.number, epoch=run.number, clock=clock,
            for_seconds=options.for_seconds, distortion=distortion,
        )  # fmt: skip
        _play(venue, plan, run, stop)
        return _end(venue, run, stop)


@dataclass(frozen=True)
class Run:
    """One demo on a state; each plays the day after the one before, under its own device epoch."""

    number: int
    date: dt.date
    ledgers: Path

    @property
    def ledger(self) -> Path:
        """Where this run's truth is kept."""
        return self.ledgers / f"{self.number:04}-day"

    @property
    def closing_ledger(self) -> Path:
        """Where the corrections that close the day before are kept."""
        return self.ledgers / f"{self.number:04}-closing"


def _next_run(state: Path, site: Site) -> Run:
    ledgers = state / "ledgers"
    days = sorted(ledgers.glob("*-day"))
    if not days:
        return Run(1, dt.datetime.now(ZoneInfo(site.time_zone)).date(), ledgers)
    last = dt.date.fromisoformat(read_ledger(days[-1]).meta[0]["date"])
    return Run(int(days[-1].name.split("-")[0]) + 1, last + dt.timedelta(days=1), ledgers)


def _play(venue: Venue, plan: Plan, run: Run, stop: threading.Event) -> None:
    settings = Kafka(brokers=venue.broker.bootstrap, api_version=EmbeddedBroker.API_VERSION)
    midnight = site_time(venue.site, run.date, dt.time(0))
    if run.number > 1:
        close_yesterday(Reader(venue.reader), settings, ts=midnight, ledger=run.closing_ledger)
    report = report_on_stderr(venue.site.time_zone)
    try:
        simulate(
            plan, venue.site, bootstrap=settings.brokers, ledger=run.ledger, consumer_group=_GROUP, stop=stop,
            report=report, kafka=settings.client,
        )  # fmt: skip
    finally:
        report.close()


def _end(venue: Venue, run: Run, stop: threading.Event) -> int:
    """Wait until everything is counted, compare with the truth, and say so; without `--for` keep the wall up."""
    drained = _drained(venue, _DRAIN_AFTER_CTRL_C if stop.is_set() else _DRAIN_SECONDS)
    if stop.is_set():
        _say("stopped" if drained else "stopped; what the workers had not read yet is gone with the embedded broker")
        return 0
    verdict = verify(run.ledgers, Reader(venue.reader), venue.site)
    _tell(verdict, as_json=venue.options.as_json)
    if venue.options.for_seconds is None:
        _say(f"the day is over; the wall stays at {venue.wall_url} until Ctrl-C")
        venue.supervisor.wait(until=stop.is_set)
    return 0 if verdict.ok and drained else 1


def _drained(venue: Venue, seconds: float) -> bool:
    settings = Kafka(brokers=venue.broker.bootstrap, api_version=EmbeddedBroker.API_VERSION)
    lag = ConsumerLag(settings.brokers, _GROUP, [topic.value for topic in _SOURCES], **settings.client)
    try:
        return venue.supervisor.wait(seconds, until=lambda: lag() == 0)
    finally:
        lag.close()


def _tell(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(to_json(verdict) + "\n")
        _say(sentence(verdict))
    else:
        show(verdict, Console(highlight=False))


def _topics() -> dict[str, int]:
    changelogs = [f"{_GROUP}-{topic}.snapshots-changelog" for topic in _SOURCES]
    several = [*map(str, _SOURCES), str(Topic.TOTALS), *changelogs]
    return dict.fromkeys(several, _PARTITIONS) | dict.fromkeys(map(str, _SINGLE), 1)


def _command(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli", name]


def _say(text: str) -> None:
    _err.print(text, markup=False, soft_wrap=True)


@contextmanager
def _state_directory(state: Path | None) -> Iterator[Path]:
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        yield state.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="gatepulse-demo-", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)
