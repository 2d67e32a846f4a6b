"""Runs the checks of `gatepulse doctor`, each with a remedy in case it fails.

`gatepulse doctor` shows, through `render`, what `run_checks` found. No check raises: a failure is its result.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from rich.table import Table

from infra.doctor import versions
from infra.doctor.check_python import NEEDED
from infra.doctor.store_check import check_store
from infra.process.ports import LOOPBACK, is_free
from infra.process.sandbox import landlock_version
from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import MINIMUM_FREE_BYTES, EmbeddedClickHouse
from infra.servers.kafka import install as kafka
from sinks.clickhouse import StoreAddress
from streams.logging import loggable_text

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)  # no clock that is right can be before this


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is right, what was found, and what to do if not.

    What is not ``required`` is for information: the platform runs without it.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


@dataclass(frozen=True)
class StorePlace:
    """A ClickHouse server to be looked at."""

    host: str
    port: int
    owner: StoreAddress
    reader: StoreAddress | None = None


def run_checks(
    *,
    directory: Path = Path(),
    ports: Mapping[str, int] | None = None,
    time_zone: str = "UTC",
    brokers: str | None = None,
    topics: Iterable[str] = (),
    store: StorePlace | None = None,
    schema_number: int | None = None,
    sources: Mapping[str, Callable[[], Sequence[str]]] | None = None,
) -> list[Check]:
    """Look at everything; takes some seconds.

    ``directory`` is where state will be stored; ``ports`` (setting name to number) must be free.  Without ``brokers``
    or ``store`` the embedded ones are tried; with them these are queried, for ``topics`` and ``schema_number``.
    ``sources`` return, by name of the check, a sentence for each thing that is not as it should be, with what to do.
    """
    looks: list[tuple[str, Callable[[], Check]]] = [
        ("python", _python),
        ("packages", _packages),
        ("disk", lambda: _disk(directory)),
        ("time zone", lambda: _time_zone(time_zone)),
        ("clock", _clock),
        *((f"port {name}", lambda name=name, port=port: _port(name, port)) for name, port in (ports or {}).items()),
        (
            "broker",
            (lambda: _brokers(brokers, tuple(topics))) if brokers else lambda: _embedded("broker", EmbeddedBroker),
        ),
        ("store", (lambda: _store(store, schema_number)) if store else lambda: _embedded("store", EmbeddedClickHouse)),
        *((name, lambda name=name, look=look: _sources(name, look())) for name, look in (sources or {}).items()),
        ("confinement", _confinement),
        ("kafka", _kafka),
        ("browser", _browser),
    ]
    return [_looked(name, look) for name, look in looks]


def all_right(checks: Iterable[Check]) -> bool:
    """Whether everything that is required is in place."""
    return all(check.ok or not check.required for check in checks)


def render(checks: Sequence[Check]) -> Table:
    """Lay the checks out as a table for rich: what, whether, found, to do."""
    table = Table("", "check", "found", "what to do", title=None, box=None, pad_edge=False)
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]" if check.required else "[yellow]–[/]"
        table.add_row(mark, check.name, check.detail, "" if check.ok else check.remedy)
    return table


def _looked(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and the others still matter
        detail = f"{type(error).__name__}: {loggable_text(error)}".rstrip(": ")
        return Check(name, ok=False, detail=detail, remedy="see the message")


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, NEEDED))
    return Check(
        "python", sys.version_info >= NEEDED, found, f"install Python {wanted} or newer, then `make clean demo`"
    )


def _packages() -> Check:
    wrong = versions.misfits("gatepulse")
    detail = "; ".join(wrong) or "as pinned"
    return Check("packages", not wrong, detail, "`make clean`, then the same command again")


def _disk(directory: Path) -> Check:
    place = next(folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    needed = MINIMUM_FREE_BYTES
    detail = f"{free / 1e9:.1f} GB free in {place}"
    return Check("disk", free >= needed, detail, f"make room: at least {needed / 1e9:g} GB")


def _time_zone(name: str) -> Check:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return Check(
            "time zone", ok=False, detail=f"{name} is no time zone that this machine knows",
            remedy="name one of the IANA database, such as Asia/Shanghai",
        )  # fmt: skip
    return Check("time zone", ok=True, detail=name)


def _clock() -> Check:
    now = datetime.now(UTC)
    detail, right = f"{now:%Y-%m-%d %H:%M:%S} UTC", now > _BUILT
    if shutil.which("timedatectl"):
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - fixed
        state = {"yes": "synchronised", "no": "not synchronised"}.get(done.stdout.strip(), "synchronisation unknown")
        detail += f", {state}"
    return Check("clock", right, detail, "set the system clock: times of events are compared with it")


def _port(name: str, port: int) -> Check:
    free = port == 0 or is_free(port)
    detail = f"{LOOPBACK}:{port} is {'free' if free else 'in use'}"
    return Check(f"port {name}", free, detail, f"end the program that has it, or set {name} to another port")


def _embedded(name: str, server_in: Callable[[Path], EmbeddedBroker | EmbeddedClickHouse]) -> Check:
    with tempfile.TemporaryDirectory(prefix="gatepulse-doctor-") as folder:
        server = server_in(Path(folder))
        began = time.monotonic()
        try:
            server.start()
            server.wait_ready(20)
        finally:
            server.stop()
    return Check(name, ok=True, detail=f"the embedded one starts in {time.monotonic() - began:.1f} s")


def _brokers(brokers: str, topics: Sequence[str]) -> Check:
    quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None}
    client = AdminClient({"bootstrap.servers": brokers} | quiet)
    try:
        known = client.list_topics(timeout=5).topics
    except KafkaException as error:
        return Check(
            "broker", ok=False, detail=f"{brokers}: {error.args[0].str()}", remedy="start it, or set kafka.brokers"
        )
    absent = [topic for topic in topics if topic not in known]
    if absent:
        remedy = "`gatepulse topics apply` creates them"
        return Check("broker", ok=False, detail=f"{brokers} has no topic {', '.join(absent)}", remedy=remedy)
    return Check("broker", ok=True, detail=f"{brokers}: {len(known)} topics")


def _store(place: StorePlace, schema_number: int | None) -> Check:
    found, remedy = check_store(
        place.host, place.port, owner=place.owner, reader=place.reader, schema_number=schema_number
    )
    return Check("store", not remedy, found, remedy)


def _sources(name: str, sentences: Sequence[str]) -> Check:
    return Check(
        name, not sentences, "as it should be" if not sentences else "not as it should be", "\n".join(sentences)
    )


def _confinement() -> Check:
    version = landlock_version()
    detail = f"Landlock {version}" if version else "this kernel has no Landlock"
    remedy = "the embedded store can read what you can read: use it on this machine only, and no secrets beside it"
    return Check("confinement", version > 0, detail, remedy, required=False)


def _kafka() -> Check:
    lack = kafka.missing()
    detail = lack or f"Apache Kafka {kafka.VERSION} can run on this machine"
    remedy = "only `gatepulse demo --broker kafka` and the tests on a real broker need it"
    return Check("kafka", not lack, detail, remedy, required=False)


def _browser() -> Check:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return Check("browser", found is not None, found or "no Chromium", "only the tests need one", required=False)
