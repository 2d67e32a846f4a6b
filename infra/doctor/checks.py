"""Runs the checks of `gatepulse doctor`, each with a remedy in case it fails.

`gatepulse doctor` shows, through `render`, what `run_checks` found. No check raises: a failure is its result.
"""

import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from clickhouse_driver import errors as driver_errors
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from packaging.requirements import Requirement
from rich.table import Table

from infra.process.ports import LOOPBACK, accepts, is_free
from infra.process.sandbox import landlock_version
from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import MINIMUM_FREE_BYTES, EmbeddedClickHouse
from infra.servers.kafka import install as kafka
from sinks.clickhouse import StoreAddress, connect
from sinks.rows import migrations
from streams.connections import store_address, views_address
from streams.contract.events import Topic
from streams.logging import loggable_text
from streams.settings import Settings
from streams.site.reader import load_site

_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # no clock that is right can be before this
_FOR_INFORMATION: Final = {"confinement", "kafka", "browser"}
_NUMBER: Final = "SELECT max(number) FROM gatepulse_store.schema_migrations"
_TRESPASSES: Final = (
    "SELECT * FROM gatepulse_store.schema_migrations",
    "SELECT * FROM system.users",
    "CREATE TABLE gatepulse.trespass (a UInt8) ENGINE = Memory",
    "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
)

Finding = tuple[bool, str, str]
"""Whether it is right, what was found, and what to do if it is not."""


@dataclass(frozen=True)
class Check:
    """What was checked, whether it is right, what was found, and what to do if not.

    What is not ``required`` is for information: the platform runs without it.
    """

    name: str
    ok: bool
    detail: str
    remedy: str
    required: bool = True


def run_checks(
    settings: Settings, *, embedded: bool, sources: Mapping[str, Callable[[], Sequence[str]]]
) -> list[Check]:
    """Check everything; takes some seconds.

    `embedded` tries the embedded broker and store; otherwise those of the settings are queried. `sources` return, by
    name of the check, a sentence for each thing that is not as it should be, with what to do.
    """
    zone = load_site(settings.site).time_zone  # checked when a profile is read
    checks: dict[str, Callable[[], Finding]] = {
        "python": lambda: (True, platform.python_version(), ""),  # an older one could not read this program
        "packages": partial(_packages, "gatepulse"),
        "disk": _disk,
        "time zone": lambda: (True, zone, ""),
        "clock": _clock,
        "port wall.port": partial(_wall_port, settings.wall.port),
        "broker": partial(_embedded, EmbeddedBroker) if embedded else partial(_brokers, settings.kafka.brokers, Topic),
        "store": (
            partial(_embedded, EmbeddedClickHouse)
            if embedded
            else lambda: _store(store_address(settings), views_address(settings), migrations()[-1].number)
        ),
        **{name: partial(_source, problems) for name, problems in sources.items()},
        "confinement": _confinement,
        "kafka": _kafka,
        "browser": _browser,
    }
    return [_run(name, check) for name, check in checks.items()]


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


def _run(name: str, check: Callable[[], Finding]) -> Check:
    try:
        found = check()
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, and the others still matter
        found = False, f"{type(error).__name__}: {loggable_text(error)}".rstrip(": "), "see the message"
    return Check(name, *found, required=name not in _FOR_INFORMATION)


def _packages(distribution: str) -> Finding:
    """Compare the installed packages with what a distribution requires; its extras are left out."""
    wrong = []
    for wanted in map(Requirement, metadata.requires(distribution) or ()):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} {wanted.specifier} is not installed")
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            wrong.append(f"{wanted.name} {installed} is installed, {wanted.specifier} is wanted")
    return not wrong, "; ".join(wrong) or "as pinned", "`make clean`, then the same command again"


def _disk() -> Finding:
    place = Path().absolute()
    free = shutil.disk_usage(place).free
    remedy = f"make room: at least {MINIMUM_FREE_BYTES / 1e9:g} GB"
    return free >= MINIMUM_FREE_BYTES, f"{free / 1e9:.1f} GB free in {place}", remedy


def _clock() -> Finding:
    now = datetime.now(UTC)
    detail = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if shutil.which("timedatectl"):
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - fixed
        state = {"yes": "synchronised", "no": "not synchronised"}.get(done.stdout.strip(), "synchronisation unknown")
        detail += f", {state}"
    return now > _BUILT, detail, "set the system clock: times of events are compared with it"


def _wall_port(port: int) -> Finding:
    free = is_free(port)
    detail = f"{LOOPBACK}:{port} is {'free' if free else 'in use'}"
    return free, detail, "end the program that has it, or set wall.port to another port"


def _embedded(server_in: Callable[[Path], EmbeddedBroker | EmbeddedClickHouse]) -> Finding:
    with tempfile.TemporaryDirectory(prefix="gatepulse-doctor-") as folder:
        server = server_in(Path(folder))
        began = time.monotonic()
        try:
            server.start()
            server.wait_ready(20)
        finally:
            server.stop()
    return True, f"the embedded one starts in {time.monotonic() - began:.1f} s", ""


def _brokers(brokers: str, topics: Iterable[str]) -> Finding:
    quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None}
    client = AdminClient({"bootstrap.servers": brokers} | quiet)
    try:
        known = client.list_topics(timeout=5).topics
    except KafkaException as error:
        return False, f"{brokers}: {error.args[0].str()}", "start it, or set kafka.brokers"
    absent = [str(topic) for topic in topics if topic not in known]
    if absent:
        return False, f"{brokers} has no topic {', '.join(absent)}", "`gatepulse topics apply` creates them"
    return True, f"{brokers}: {len(known)} topics", ""


def _store(owner: StoreAddress, reader: StoreAddress, schema_number: int) -> Finding:
    """Look at a server's users, their rights, and its schema: `schema_number` is that of its last file."""
    where = f"{owner.host}:{owner.port}"
    if not accepts(owner.host, owner.port):
        return False, f"nothing listens on {where}", "start ClickHouse, or set store.host and store.port"
    try:
        version = _query(owner, "SELECT version()")[0][0]
    except driver_errors.Error as error:
        return False, f"{owner.user} is refused: {_short(error)}", "set store.user and store.password"
    found = f"ClickHouse {version} on {where}"
    try:
        applied = int(_query(owner, _NUMBER)[0][0])
    except driver_errors.Error:
        applied = 0
    if applied != schema_number:
        detail = f"{found}: schema {applied or 'not there'}, {schema_number} is wanted"
        return False, detail, "`gatepulse schema apply`"
    if fault := _reader_fault(reader):
        return False, f"{found}: {fault}", "see the reader's grants in infra/servers/clickhouse.py"
    return True, found, ""


def _reader_fault(reader: StoreAddress) -> str:
    """Return what is wrong with the reader: cannot log in, or may do what it must not; empty if nothing."""
    try:
        _query(reader, "SELECT 1")
    except driver_errors.Error as error:
        return f"{reader.user} is refused: {_short(error)}"
    for trespass in _TRESPASSES:
        try:
            _query(reader, trespass)
        except driver_errors.Error:
            continue
        return f"{reader.user} may {trespass}"
    return ""


def _query(address: StoreAddress, query: str) -> list[tuple[Any, ...]]:
    with connect(address, seconds=10) as client:
        return list(client.execute(query))


def _short(error: Exception) -> str:
    return str(error).split("Stack trace", maxsplit=1)[0].replace("\n", " ").strip()[:200]


def _source(problems: Callable[[], Sequence[str]]) -> Finding:
    sentences = problems()
    return not sentences, "not as it should be" if sentences else "as it should be", "\n".join(sentences)


def _confinement() -> Finding:
    version = landlock_version()
    detail = f"Landlock {version}" if version else "this kernel has no Landlock"
    remedy = "the embedded store can read what you can read: use it on this machine only, and no secrets beside it"
    return version > 0, detail, remedy


def _kafka() -> Finding:
    lack = kafka.missing()
    detail = lack or f"Apache Kafka {kafka.VERSION} can run on this machine"
    return not lack, detail, "only `gatepulse demo --broker kafka` and the tests on a real broker need it"


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return found is not None, found or "no Chromium", "only the tests need one"
