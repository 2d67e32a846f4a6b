"""One worker process: `gatepulse worker`, or `faust -A streams.worker worker`; the last module to read."""

import time
from dataclasses import dataclass, field
from typing import Any

import faust
import structlog
import uvloop
from kafka.admin import KafkaAdminClient
from prometheus_client import CollectorRegistry, start_http_server

from sinks.clickhouse import ClickHouseSink, Reader, StoreAddress
from sinks.rows import Block
from sinks.sink import StoreError
from streams.app import Parts, create_app
from streams.logs import configure_logging
from streams.metrics import Occupancy, WorkerCollector
from streams.settings import Settings, load_settings
from streams.site import Site, load_site

log = structlog.get_logger()


def addresses(settings: Settings) -> tuple[StoreAddress, StoreAddress]:
    """Tell where the store is, for writing and for reading the views."""
    store = settings.store
    writer = StoreAddress(store.host, store.port, store.user, store.password.get_secret_value())
    reader = StoreAddress(store.host, store.port, store.reader, store.reader_password.get_secret_value())
    return writer, reader


def cluster_name(settings: Settings) -> str:
    """Name this incarnation of the brokers: as set, or the id that the cluster gives itself."""
    if settings.kafka.cluster:
        return settings.kafka.cluster
    client = KafkaAdminClient(bootstrap_servers=settings.kafka.brokers.split(","), **settings.kafka.client)
    try:
        return str(client.describe_cluster()["cluster_id"])
    finally:
        client.close()


def area_rows(site: Site, *, loaded_at: int) -> Block:
    """List the areas of the profile with their capacities."""
    rows = [(area.id, kind, area.capacity.get(kind)) for area in site.areas for kind in area.kinds]
    areas, kinds, capacities = zip(*rows, strict=True)
    return Block(
        "site_areas", {"area": areas, "kind": kinds, "capacity": capacities, "loaded_at": [loaded_at] * len(rows)}
    )


@dataclass
class StoredOccupancy:
    """Reads the occupancy from the store, at most once a second; nothing while the store cannot be asked."""

    reader: Reader
    _read_at: float = 0.0
    _newest: Occupancy = field(default_factory=lambda: Occupancy({}, {}))

    def __call__(self) -> Occupancy:
        """Return what is inside each area."""
        if time.monotonic() - self._read_at >= 1:
            self._read_at = time.monotonic()
            try:
                rows = self.reader.query("SELECT area, kind, inside, capacity FROM gatepulse.occupancy")
            except StoreError as error:
                log.warning("no occupancy for the metrics", reason=str(error))
                self._newest = Occupancy({}, {})
            else:
                inside = {(area, kind): inside for area, kind, inside, _ in rows}
                capacity = {(area, kind): capacity for area, kind, _, capacity in rows if capacity is not None}
                self._newest = Occupancy(inside, capacity)
        return self._newest


def _note_retry(table: str, error: Exception, attempt: int) -> None:
    log.warning("store refuses for now", table=table, reason=str(error), attempt=attempt)


def build(settings: Settings) -> Parts:
    """Build a worker with its store; nothing is started yet, except that the areas are written once."""
    configure_logging(settings.log.level)
    site = load_site(settings.site)
    writer, reader = addresses(settings)
    sink = ClickHouseSink(writer, on_retry=_note_retry)
    settings.worker.data.mkdir(parents=True, exist_ok=True)
    parts = create_app(settings, site, sink, cluster=cluster_name(settings))

    async def write_areas() -> None:
        await sink.write([area_rows(site, loaded_at=int(time.time() * 1000))])

    parts.app.task(write_areas)
    if settings.worker.metrics_port:
        registry = CollectorRegistry()
        registry.register(
            WorkerCollector(
                logs=lambda: [each for counting in parts.countings.values() for each in counting.logs],
                venue=parts.venue,
                occupancy=StoredOccupancy(Reader(reader)),
                timings=parts.timings,
            )
        )
        start_http_server(settings.worker.metrics_port, addr=settings.worker.metrics_host, registry=registry)
    return parts


def run(settings: Settings) -> None:
    """Run a worker until it is told to stop."""
    uvloop.install()
    worker = faust.Worker(build(settings).app, loglevel=settings.log.level, redirect_stdouts=False)
    worker.execute_from_commandline()


def __getattr__(name: str) -> Any:  # noqa: ANN401  # Faust's command looks for `app` in this module
    if name == "app":
        return build(load_settings()).app
    raise AttributeError(name)
