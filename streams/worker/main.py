"""Starts one worker process: `gatepulse worker`, or `faust -A streams.worker worker`; the last module to read."""

import asyncio
import fcntl
import gc
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Any, cast

import faust
import structlog
import uvloop
from prometheus_client import CollectorRegistry, start_http_server

from sinks.clickhouse import ClickHouseReader
from streams.connections import cluster_name, store_address, store_sink, views_reader
from streams.contract import topics
from streams.contract.events import Topic
from streams.kernels.counts.columns import Block
from streams.logging import configure_logging, loggable_text
from streams.settings import Settings
from streams.site.kernel_views import place_of, times_of
from streams.site.model import Site
from streams.site.reader import load_site
from streams.sources.brokers import Brokers
from streams.sources.tables import SiteTime, SourceTables
from streams.worker.app import Parts, create_app
from streams.worker.compiling import compile_kernels
from streams.worker.metrics import WorkerCollector
from streams.worker.process_ends import Ends, ending
from streams.worker.settling import Settling
from streams.worker.source_watch import SourceWatch
from streams.worker.stored_figures import StoredFigures
from streams.worker.takeup import TakeUp
from streams.worker.watchdog import TICK_SECONDS, WorkerStatus, log_ends, start_watchdog, waiting_at

log = structlog.get_logger()
_CPU_SECONDS_PER_SECOND = 2
"""CPU seconds, over all cores, that may pass without a poll of the watchdog, for each second of its patience."""
_FEWER_COLLECTIONS = 50_000
"""New objects after which cycles are looked for: a snapshot makes tens of thousands, and none of them is in one."""
_locks: list[IO[str]] = []  # open for as long as this process lives


def area_rows(site: Site, *, loaded_at: int) -> Block:
    """List the areas of the profile with their capacities."""
    rows = [(area.id, kind, area.capacity.get(kind)) for area in site.areas for kind in area.kinds]
    areas, kinds, capacities = zip(*rows, strict=True)
    return Block(
        "site_areas", {"area": areas, "kind": kinds, "capacity": capacities, "loaded_at": [loaded_at] * len(rows)}
    )


class WorkerRunsError(RuntimeError):
    """Another process has this worker's name: the two would take each other's partitions for ever."""


def _be_the_only_one(settings: Settings) -> None:
    """Hold a lock on this worker's name until the process ends, however it ends. Raises WorkerRunsError."""
    file = settings.worker.data / f"{settings.worker.name}.lock"
    lock = file.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise WorkerRunsError(
            f"worker.name: {settings.worker.name!r} runs already (it holds {file}); "
            "give each worker a name of its own, on all machines"
        ) from error
    _locks.append(lock)


def _note_retry(table: str, error: Exception, attempt: int) -> None:
    log.warning("store refuses for now", table=table, reason=str(error), attempt=attempt)


def started(settings: Settings) -> Parts:
    """Build a worker; where that fails, the end is counted like any other."""
    ends = Ends(settings.worker.data / f"{settings.worker.name}.ends.json")
    with ends.while_starting():
        return _build(settings, ends)


def _build(settings: Settings, ends: Ends) -> Parts:
    """Build a worker with its store; nothing is started yet, except that the areas are written once."""
    configure_logging(settings.log.level)
    log.info("kernels ready", seconds=round(compile_kernels(), 1))
    site = load_site(settings.site)
    sink = store_sink(settings, _note_retry)
    settings.worker.data.mkdir(parents=True, exist_ok=True)
    _be_the_only_one(settings)
    if settings.kafka.create_topics:
        topics.apply(settings.kafka)
    stored = StoredFigures(partial(views_reader, settings))
    settling = Settling(
        ClickHouseReader(store_address(settings)), store_sink(settings, _note_retry), place_of(site, times_of(settings))
    )
    cluster = cluster_name(settings)
    notes = SourceTables(
        store_address(settings), cluster, settings.worker.name, SiteTime(site.days, times_of(settings).clock)
    )
    take_up = TakeUp(Brokers(settings.kafka), notes, cluster)
    parts = create_app(settings, site, sink, end=ends.end, take_up=take_up, stored=stored, settling=settling)

    async def write_areas() -> None:
        with ending(ends.end):  # Faust would end without an entry in the count of ends
            await sink.write([area_rows(site, loaded_at=int(time.time() * 1000))])

    parts.app.task(write_areas)
    sources = SourceWatch(
        Brokers(settings.kafka), notes, parts.countings, take_up, ends.end, rejoin=partial(_rejoin, parts.app)
    )
    sources.start()
    stall = settings.worker.stall_seconds
    start_watchdog(
        _status_source(parts, settings), seconds=stall, end=parts.end, before_poll=partial(_arm_cpu_timer, stall),
        waiting_tasks=lambda: waiting_at(parts.app.loop),
    )  # fmt: skip
    if settings.worker.metrics_port:
        registry = CollectorRegistry()
        registry.register(ends)
        registry.register(
            WorkerCollector(
                logs=lambda: [each for topic in topics.SOURCES for each in parts.countings[topic].partitions],
                venue=parts.site_totals,
                stored=stored,
                timings=parts.flusher.timings,
                store_waiting=parts.flusher.store_waiting,
                alarms=lambda: [
                    each for log in parts.countings[Topic.ALARM_INPUTS].partitions for each in log.open_episodes()
                ],
                problems=sources.problems,
                unreadable=lambda: parts.unreadable.counts,
            )
        )
        start_http_server(settings.worker.metrics_port, addr=settings.worker.metrics_host, registry=registry)
    return parts


def _rejoin(app: faust.App) -> None:
    """Let the group rebalance; not before its first assignment, when there is no consumer yet that could."""
    if app.rebalancing_count:
        cast("Any", app.consumer).rejoin()


def _arm_cpu_timer(seconds: float) -> None:
    """Let the system end this process after so much CPU time, unless this is called again.

    Native code that hangs lets no thread of Python run. A process that was suspended used no CPU time meanwhile.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds * _CPU_SECONDS_PER_SECOND)


def _status_source(parts: Parts, settings: Settings) -> Callable[[], WorkerStatus]:
    app, loop_turns = parts.app, 0
    brokers, sources = Brokers(settings.kafka), [parts.countings[topic] for topic in topics.SOURCES]

    async def turn() -> None:
        nonlocal loop_turns
        while True:
            loop_turns += 1
            await asyncio.sleep(TICK_SECONDS / 4)

    app.task(turn)

    def status() -> WorkerStatus:
        assigned = app.rebalancing_count > 0 and not app.rebalancing
        return WorkerStatus(
            turns=loop_turns,
            recovering=None if assigned else (app.rebalancing_count, recovered(app)),
            storing=parts.flusher.waiting_for_store_since is not None,
            counted={place: at for each in sources for place, at in each.next_offsets().items()},
            checkpointed={(tp.topic, tp.partition): at for tp, at in list(parts.offsets.start.items())},
            end=log_ends(brokers),
            rehearsals=sum(each.caution.rehearsals for each in parts.countings.values()),
        )

    return status


def recovered(app: faust.App) -> int:
    """Return a number that grows while tables recover; any thread may call.

    Faust makes the service that recovers when `tables.recovery` is read first, and binds it to the loop of that thread:
    a worker whose watchdog was first never got any partitions.
    """
    recovery = cast("Any", app.tables)._recovery  # noqa: SLF001  # there is no public way to see whether it exists yet
    return sum(list(recovery.active_offsets.values())) if recovery else 0


class StoppableWorker(faust.Worker):
    """A worker whose exit code is 0 if it was stopped by a signal, whatever fails on the way down.

    Faust's client of the broker may raise then, and Faust says nothing of it. It changes no figure: what is not in a
    checkpoint is counted again.
    """

    def stop_and_shutdown(self) -> None:
        """Stop all services. Raises what they raise, unless a signal caused the stop."""
        try:
            super().stop_and_shutdown()
        except Exception as error:
            if self._signal_stop_time is None:
                raise
            log.warning(
                "an error while stopping", reason=loggable_text(error), kind=type(error).__name__, exc_info=error
            )


def run(settings: Settings) -> None:
    """Run a worker until it is stopped."""
    uvloop.install()
    gc.set_threshold(_FEWER_COLLECTIONS)
    worker = StoppableWorker(started(settings).app, loglevel=settings.log.level, redirect_stdouts=False)
    worker.execute_from_commandline()
