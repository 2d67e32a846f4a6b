"""Starts or connects the target of a load test: own processes, or those of the settings; next: `sampling.py`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dashboards.wall.http.origin import is_loopback
from infra.loadtest.search import HIGHEST
from infra.process.ports import accepts
from infra.process.supervisor import Supervisor
from infra.servers.kafka.install import missing
from infra.stack.local_stack import BrokerKind, LocalStack
from infra.stack.state import endpoints
from simulators.verify.fates import Limits
from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.connections import cluster_name, views_address
from streams.contract.topics import SOURCES
from streams.kernels.counts.site_clock import SiteClock
from streams.site.reader import load_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from threading import Event

    from streams.settings import KafkaSettings, Settings
    from streams.site.model import Site

Place = Literal["embedded", "kafka", "existing"]

SOURCE_TOPICS: Final = tuple(topic.value for topic in SOURCES)
MOST_SECONDS: Final = 3_600.0
MOST_EVENTS: Final = 20_000_000
MOST_SECONDS_EXISTING: Final = 600.0
MOST_EVENTS_EXISTING: Final = 1_000_000
_STOP_WITHIN: Final = 5.0


class WrongLoadError(ValueError):
    """The options of a load test do not go together; the message names the ones to change."""


class NotOnThisMachineError(ValueError):
    """Brokers or store are not on this machine, and `--really` was not given."""


class StoreHasCountsError(RuntimeError):
    """The store shows counts that no ledger at hand accounts for: nothing could be proven."""


class NotStartedError(RuntimeError):
    """Somebody ended the load test while its servers were being started."""


@dataclass(frozen=True, kw_only=True)
class LoadTarget:
    """Brokers, workers, store and wall that are up: their addresses and processes.

    `pids` gives the processes that are known, by name; `check` raises when one of them has been given up. `wall_url` is
    "" where no wall answers.
    """

    place: Place
    site_name: str
    site: Site
    kafka: KafkaSettings
    cluster: str
    store: StoreAddress
    limits: Limits
    wall_url: str
    workers: int
    pids: Callable[[], Mapping[str, int]]
    check: Callable[[], None]


def usual_broker() -> BrokerKind:
    """Return a real Kafka where this machine can run one, else the one in memory."""
    return "embedded" if missing() else "kafka"


@contextmanager
def embedded(
    profile: str, state: Path, stop: Event, *, broker: BrokerKind, workers: int, report: Callable[[str], None]
) -> Iterator[LoadTarget]:
    """Start brokers, workers, store and wall for the time of a block, as a demo does; the site's time is the present.

    Raises NotStartedError, ServiceError, and what the servers raise.
    """
    if workers > 1 and broker == "embedded":
        raise WrongLoadError(
            f"--workers {workers}: several workers need --broker kafka (the embedded one reserves the partitions "
            "of a worker that is gone)"
        )
    if broker == "kafka" and (lack := missing()):
        raise WrongLoadError(f"--broker kafka: {lack}, or choose --broker embedded")
    with Supervisor(stop_within=_STOP_WITHIN) as supervisor:
        stack = LocalStack(
            profile, state, SiteClock(), supervisor, 0, report, None, broker_kind=broker, workers=workers
        )
        if not stack.start(stop):
            raise NotStartedError("the load test was ended before it began")
        with endpoints(state, stack.addresses):
            yield LoadTarget(
                place=broker, site_name=profile, site=load_site(profile), kafka=stack.kafka,
                cluster=stack.broker.cluster, store=stack.reader, limits=stack.limits, wall_url=stack.wall_url,
                workers=workers, check=supervisor.check,
                pids=lambda: {each.name: each.pid for each in supervisor.services() if each.pid is not None},
            )  # fmt: skip


def existing(settings: Settings, *, really: bool, accounted: bool) -> LoadTarget:
    """Return what the settings name. `accounted`: there are ledgers of all that its store shows.

    Raises NotOnThisMachineError unless all of it is on this machine or `really` is meant, StoreHasCountsError, and what
    the clients raise.
    """
    if not really:
        _require_this_machine("kafka.brokers", settings.kafka.brokers)
        _require_this_machine("store.host", settings.store.host)
    if settings.clock.speed != 1.0 or settings.clock.site_ms != settings.clock.real_ms:
        raise WrongLoadError("clock: events of a load test have the present time; leave out the settings of the clock")
    store = views_address(settings)
    if not accounted:
        _require_empty(store)
    wall = settings.wall
    return LoadTarget(
        place="existing", site_name=settings.site, site=load_site(settings.site), kafka=settings.kafka,
        cluster=cluster_name(settings), store=store, workers=0, pids=dict, check=lambda: None,
        limits=Limits.of(settings.time),
        wall_url=f"http://{wall.host}:{wall.port}/" if accepts(wall.host, wall.port) else "",
    )  # fmt: skip


def require_bounded(place: str, *, events: float, peak: float, seconds: float) -> None:
    """Raise WrongLoadError if a load is larger than may be put on that place; `peak` is events a second."""
    ours = place != "existing"
    most_seconds = MOST_SECONDS if ours else MOST_SECONDS_EXISTING
    most_events = MOST_EVENTS if ours else MOST_EVENTS_EXISTING
    if seconds > most_seconds:
        raise WrongLoadError(f"--for {seconds:g}: at most {most_seconds:g} s {_where(place)}; give a shorter time")
    if events > most_events:
        raise WrongLoadError(
            f"--rate, --times, --for: {events:,.0f} events in all, at most {most_events:,} {_where(place)}; "
            "give less of them"
        )
    if peak > HIGHEST:
        raise WrongLoadError(f"--rate, --times: {peak:,.0f} events/s, at most {HIGHEST:,.0f}; give a lower one")


def _where(place: str) -> str:
    return "on brokers of the settings" if place == "existing" else "in one load test"


def _require_this_machine(setting: str, addresses: str) -> None:
    for address in addresses.split(","):
        host = address.strip().rpartition(":")[0].strip("[]") or address.strip()
        if not is_loopback(host):
            raise NotOnThisMachineError(
                f"{setting}: {host} is not this machine. A load test fills topics and tables there, and they are not "
                "emptied afterwards. Give --really if that is meant"
            )


def _require_empty(store: StoreAddress) -> None:
    reader = ClickHouseReader(store)
    try:
        ((received,),) = reader.query(
            "SELECT sum(received) FROM gatepulse.progress WHERE topic IN %(topics)s", {"topics": SOURCE_TOPICS}
        )
    finally:
        reader.close()
    if received:
        raise StoreHasCountsError(
            f"store.host {store.host}:{store.port}: it shows {received:,} events already, and a load test proves every "
            "figure that is shown. Give it an installation of its own, or with --keep the folder of the load tests "
            "before, if all of them came from these"
        )
