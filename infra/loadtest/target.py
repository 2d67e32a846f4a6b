"""Starts or connects the target of a load test: own processes, or those of the settings; next: `sampling.py`."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dashboards.wall.http.origin import is_loopback
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
_STOP_WITHIN: Final = 5.0


class WrongLoadError(ValueError):
    """The options of a load test do not go together, or do not fit its target; the message names what to change."""


class StoreHasCountsError(RuntimeError):
    """The store shows counts that no ledger at hand accounts for: nothing could be proven."""


class StoppedError(RuntimeError):
    """The load test was ended from outside: nothing is proven."""


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
    pids: Callable[[], Mapping[str, int]]
    check: Callable[[], None]


@contextmanager
def embedded(
    profile: str, state: Path, stop: Event, *, broker: BrokerKind, workers: int, report: Callable[[str], None]
) -> Iterator[LoadTarget]:
    """Start brokers, workers, store and wall for the time of a block, as a demo does; the site's time is the present.

    Raises StoppedError, ServiceError, and what the servers raise.
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
            raise StoppedError("the load test was ended before it began")
        with endpoints(state, stack.addresses):
            yield LoadTarget(
                place=broker, site_name=profile, site=load_site(profile), kafka=stack.kafka,
                cluster=stack.broker.cluster, store=stack.reader, limits=stack.limits, wall_url=stack.wall_url,
                check=supervisor.check,
                pids=lambda: {each.name: each.pid for each in supervisor.services() if each.pid is not None},
            )  # fmt: skip


def existing(settings: Settings, *, really: bool, accounted: bool) -> LoadTarget:
    """Return what the settings name. `accounted`: there are ledgers of all that its store shows.

    Raises WrongLoadError unless all of it is on this machine or `really` is meant, StoreHasCountsError, and what
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
        cluster=cluster_name(settings), store=store, pids=dict, check=lambda: None,
        limits=Limits.of(settings.time),
        wall_url=f"http://{wall.host}:{wall.port}/" if accepts(wall.host, wall.port) else "",
    )  # fmt: skip


def _require_this_machine(setting: str, addresses: str) -> None:
    for address in addresses.split(","):
        host = address.strip().rpartition(":")[0].strip("[]") or address.strip()
        if not is_loopback(host):
            raise WrongLoadError(
                f"{setting}: {host} is not this machine. A load test fills topics and tables there, and they are not "
                "emptied afterwards. Give --really if that is meant"
            )


def _require_empty(store: StoreAddress) -> None:
    with closing(ClickHouseReader(store)) as reader:
        ((received,),) = reader.query(
            "SELECT sum(received) FROM gatepulse.progress WHERE topic IN %(topics)s", {"topics": SOURCE_TOPICS}
        )
    if received:
        raise StoreHasCountsError(
            f"store.host {store.host}:{store.port}: it shows {received:,} events already, and a load test proves every "
            "figure that is shown. Give it an installation of its own, or with --keep the folder of the load tests "
            "before, if all of them came from these"
        )
