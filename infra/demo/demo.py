"""Runs the demo: store, broker, worker, wall and alarms on this machine, with a simulated day.

`stack/local_stack.py` has the processes, `stack/state.py` the folder that outlives them.
"""

import contextlib
import datetime as dt
import json
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import typer

from infra.process.supervisor import Supervisor
from infra.stack.alarm_delivery import delivery, read_relay
from infra.stack.local_stack import GROUP, BrokerKind, LocalStack
from infra.stack.state import Run, endpoints, next_run, open_state
from simulators.distortion.distort import check_devices
from simulators.distortion.settings import Distortion
from simulators.scenario.scenario import Scenario
from simulators.sending.corrections import close_yesterday
from simulators.sending.lag import ConsumerLag
from simulators.sending.plan import Plan, site_time
from simulators.sending.run import Summary, simulate, stopping_on_signals
from simulators.verify.report import Verdict, sentence, show, to_json
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader
from streams import console
from streams.clock import real_now
from streams.contract.topics import SOURCES
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import kafka_writes_into
from streams.progress_bar import ProgressBar
from streams.site.model import Site
from streams.site.reader import load_site

_DRAIN_SECONDS: Final = 120.0
_SEND_AFTER_CTRL_C: Final = 2.0
_DRAIN_AFTER_CTRL_C: Final = 2.5
_STOP_WITHIN: Final = 4.5  # with the two above it is less than 10 s from Ctrl-C to the end, whatever hangs

_NICE: Final = 10
"""Of the thread that plays: where processors are few, who counts goes first."""

_QUIET: Final = dt.timedelta(minutes=30)
"""Of the site's time, before the rush: half a minute at the usual speed."""

_POLL_SECONDS: Final = 0.1  # how often it is looked whether to go on
_AUDIT_POLL_SECONDS: Final = 1.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What to play; see `gatepulse demo --help`.

    `date` None: today, or the day after the last one of `state`. `start_at` None: soon before the day's rush.
    """

    scenario: Scenario
    speed: float = 60.0
    for_seconds: float | None = None
    state: Path | None = None
    seed: int = 1
    date: dt.date | None = None
    start_at: dt.time | None = None
    distortion: str = ""
    wall_port: int = 0
    as_json: bool = False
    broker: BrokerKind = "embedded"
    workers: int = 1
    relay: Path | None = None


class WrongDemoError(ValueError):
    """The options of a demo do not go together; the message names the ones to change."""


def run_demo(options: DemoOptions) -> int:
    """Play a day; return the exit code: 0, or 1 when a count does not equal the ledger."""
    if options.workers > 1 and options.broker != "kafka":
        raise WrongDemoError(
            f"--workers {options.workers}: several workers need a real broker, add --broker kafka (the embedded one "
            "reserves the partitions of a worker that is gone)"
        )
    profile = options.scenario.profile
    site = load_site(profile)
    distortion = Distortion.parse(options.distortion)
    check_devices(distortion, site)
    relay = read_relay(options.relay, site)
    with (
        open_state(options.state) as state,
        kafka_writes_into(state / "logs" / "demo.log"),
        delivery(state / "alerting", profile, console.report, relay=relay) as alarms,
        stopping_on_signals() as stop,
        Supervisor(stop_within=_STOP_WITHIN) as supervisor,
    ):
        run = next_run(state, site, broker=options.broker, date=options.date)
        begins = options.start_at or (dt.datetime.combine(dt.date.min, options.scenario.rush) - _QUIET).time()
        start_at = site_time(site, run.date, begins)
        clock = SiteClock(start_at, real_now(), options.speed)
        plan = Plan(
            options.scenario, date=run.date, seed=options.seed + run.number, epoch=run.number, clock=clock,
            for_seconds=options.for_seconds, distortion=distortion,
        )  # fmt: skip
        stack = LocalStack(
            profile, state, clock, supervisor, options.wall_port, console.report, alarms,
            broker_kind=options.broker, workers=options.workers,
        )  # fmt: skip
        if not stack.start(stop):
            return 0
        with endpoints(state, stack.addresses):
            console.report(f"wall: {stack.wall_url}   (state and logs: {state}; Ctrl-C ends everything)")
            threading.Thread(target=repeat_alarms, args=(stack.audit_log, console.report, stop), daemon=True).start()
            return Demo(options, site, stack, run, stop).play(plan)


def repeat_alarms(
    log: Path, report: Callable[[str], None], stop: threading.Event, *, poll: float = _AUDIT_POLL_SECONDS
) -> None:
    """Pass the alarms that a running audit writes into its log to `report`, every `poll` seconds until `stop`."""
    seen = 0
    while not stop.wait(poll):
        if not log.exists():
            continue
        with log.open("rb") as file:
            file.seek(seen)
            lines = file.readlines()
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        seen += sum(map(len, lines))
        for line in lines:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("level") == "error":
                    first, different = "; ".join(entry.get("first", [])), entry.get("different")
                    report(f"AUDIT: {entry.get('event')}: {different} rows of {entry.get('interval')}: {first}")


@dataclass(frozen=True)
class Demo:
    """One run on a stack that is up; `stop` is set by Ctrl-C."""

    options: DemoOptions
    site: Site
    stack: LocalStack
    run: Run
    stop: threading.Event

    def play(self, plan: Plan) -> int:
        """Send the day, wait until it is counted, compare; return the exit code."""
        sent = self._watched(lambda: self._send(plan), patience=_SEND_AFTER_CTRL_C)
        if not self.stop.is_set():
            console.report("counting what is still on its way …")
        drained = sent is not None and self._drained()
        self.run.end(drained=drained)
        if not self.stop.is_set():
            console.report("comparing every view with the ledger …")
            reader = ClickHouseReader(self.stack.reader)
            verdict = self._watched(
                lambda: verify(self.run.ledgers, reader, self.site, self.stack.limits), patience=0.0
            )
            if verdict is not None:
                return self._conclude(verdict, drained=drained)
        console.report("stopped" if drained else f"stopped; what the workers had not read yet {self._unread()}")
        return 0

    def _unread(self) -> str:
        if not self.stack.persistent:
            return "is gone with the embedded broker"
        if self.options.state is None:
            return "is gone with this demo's temporary files"
        return "is counted when this state is used again"

    def _send(self, plan: Plan) -> Summary:
        os.nice(_NICE)  # of this thread alone, and of those that it starts
        kafka, run, zone = self.stack.kafka, self.run, self.site.days.zone
        if run.number > 1:
            if self.stack.persistent:  # what a former run has left on its way belongs to its day
                self._drained()
            close_yesterday(
                ClickHouseReader(self.stack.reader), kafka, ts=self.site.days.begin(run.date),
                ledger=run.closing_ledger, clock=self.stack.clock,
            )  # fmt: skip
        with contextlib.closing(ProgressBar("simulate")) as bar:
            return simulate(
                plan, self.site, bootstrap=kafka.brokers, ledger=run.ledger, consumer_group=GROUP, stop=self.stop,
                report=lambda progress: bar.update(progress.share, progress.text(zone)), kafka=kafka.client,
            )  # fmt: skip

    def _watched(self, work: Callable[[], T], *, patience: float) -> T | None:
        """Return what `work` returns, or None if it has not ended `patience` seconds after Ctrl-C.

        Raises what it raises, and ServiceError when a process is given up: work that waits for it would never end.
        """
        done: Future[T] = Future()
        threading.Thread(target=_fulfil, args=(done, work), daemon=True).start()
        until = math.inf
        while not done.done() and time.monotonic() < until:
            wait([done], timeout=_POLL_SECONDS)
            self.stack.supervisor.check()
            if self.stop.is_set():
                until = min(until, time.monotonic() + patience)
        return done.result() if done.done() else None

    def _drained(self) -> bool:
        """Wait until the workers have stored everything, not for long after Ctrl-C; return whether they have."""
        kafka, begun = self.stack.kafka, time.monotonic()
        lag = ConsumerLag(kafka.brokers, GROUP, [topic.value for topic in SOURCES], **kafka.client)
        try:
            while lag() != 0:
                self.stack.supervisor.check()
                if time.monotonic() - begun > (_DRAIN_AFTER_CTRL_C if self.stop.is_set() else _DRAIN_SECONDS):
                    return False
                time.sleep(_POLL_SECONDS)
        finally:
            lag.close()
        return True

    def _conclude(self, verdict: Verdict, *, drained: bool) -> int:
        """Report the verdict; without `--for` keep the wall up until Ctrl-C."""
        if self.options.as_json:
            typer.echo(to_json(verdict))
            console.report(sentence(verdict))
        else:
            show(verdict, console.OUT)
        if not drained:
            console.report(
                f"after {_DRAIN_SECONDS:g} s the worker had not read everything: see {self.stack.state / 'logs'}"
            )
        if self.options.for_seconds is None:
            console.report(f"the day is over; the wall stays at {self.stack.wall_url} until Ctrl-C")
            self.stack.supervisor.wait(until=self.stop.is_set)
        return console.result(verdict.ok and drained)


def _fulfil(done: "Future[T]", work: Callable[[], T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed to who waits for it
        done.set_exception(error)
