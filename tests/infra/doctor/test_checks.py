"""The doctor finds what is missing, names the remedy, and never crashes on what it finds."""

import socket
from dataclasses import replace

import pytest
from rich.console import Console

from infra.doctor import checks as doctor
from infra.doctor.checks import Check, all_right, render, run_checks
from infra.process.ports import free_port
from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import StoreAddress, connect
from sinks.rows import migrations
from streams.settings import KafkaSettings, Settings, StoreSettings, WallSettings
from tests.support.stores import address_of

NEWEST = migrations()[-1].number
GUESS = "guess"


def by_name(checks: list[Check]) -> dict[str, Check]:
    """Return the checks under their names."""
    return {check.name: check for check in checks}


def test_on_a_machine_with_everything_all_is_right() -> None:
    checks = run_checks(Settings(wall=WallSettings(port=free_port())), embedded=True, sources={})
    assert all_right(checks), checks
    found = by_name(checks)
    assert found["store"].detail.startswith("the embedded one starts in")
    assert found["broker"].detail.startswith("the embedded one starts in")
    assert found["packages"].detail == "as pinned"
    assert found["time zone"].detail == "Asia/Shanghai"
    assert "UTC" in found["clock"].detail


def test_what_is_wrong_is_named_with_its_remedy(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MINIMUM_FREE_BYTES", 10**18)
    monkeypatch.setattr(doctor, "Topic", ["turnstile.passages.absent"])
    with socket.create_server(("127.0.0.1", 0)) as other:
        wall = WallSettings(port=other.getsockname()[1])
        settings = Settings(wall=wall, kafka=KafkaSettings(brokers=broker), store=StoreSettings(port=1))
        checks = run_checks(settings, embedded=False, sources={"topics": lambda: ["one is compacted"]})
    found = by_name(checks)
    assert not all_right(checks)
    assert "another port" in found["port wall.port"].remedy
    assert "has no topic turnstile.passages.absent" in found["broker"].detail
    assert found["store"].detail == "nothing listens on 127.0.0.1:1"
    assert "make room" in found["disk"].remedy
    assert found["topics"].remedy == "one is compacted"
    assert all(check.ok or check.remedy for check in checks)


def test_a_check_that_breaks_is_a_finding() -> None:
    def broken() -> doctor.Finding:
        raise ConnectionError("no broker")

    check = doctor._run("topics", broken)
    assert not check.ok
    assert check.detail.startswith("ConnectionError")


def test_a_broker_that_is_away_is_named() -> None:
    ok, detail, _ = doctor._brokers("127.0.0.1:1", ())
    assert not ok
    assert detail.startswith("127.0.0.1:1: ")


def test_brokers_with_their_topics_are_right(broker: str) -> None:
    assert doctor._brokers(broker, ())[0]


def test_a_store_is_asked_for_its_schema_and_for_its_readers_limits(
    address: StoreAddress, clickhouse: EmbeddedClickHouse
) -> None:
    reader = address_of(clickhouse, reader=True)
    ok, found, remedy = doctor._store(address, reader, NEWEST)
    assert ok
    assert "ClickHouse 2" in found
    assert remedy == ""
    _, found, remedy = doctor._store(address, reader, 999)
    assert f"schema {NEWEST}, 999 is wanted" in found
    assert "schema apply" in remedy
    _, found, remedy = doctor._store(replace(address, password=GUESS), reader, NEWEST)
    assert "gatepulse is refused" in found
    assert "store.password" in remedy


def test_a_reader_that_may_too_much_is_reported(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> None:
    reader = address_of(clickhouse, reader=True)
    assert doctor._store(address, reader, NEWEST)[0]
    assert "reader is refused" in doctor._store(address, replace(reader, password=GUESS), NEWEST)[1]
    _, found, remedy = doctor._store(address, address, NEWEST)
    with connect(address) as client:
        client.execute("DROP TABLE IF EXISTS gatepulse.trespass")
    assert "gatepulse may " in found
    assert "grants" in remedy


def test_packages_that_are_not_those_that_are_wanted_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "faust-streaming==0.1.0",
        "clickhouse-driver[lz4]>=99",
        "no-such-package>=1",
        "numpy>=2.3,<99",
        'ruff==0.1; extra == "test"',
        'tomli>=99; python_version < "3.11"',
    ]
    monkeypatch.setattr("infra.doctor.checks.metadata.requires", lambda _: wanted)
    ok, found, _ = doctor._packages("gatepulse")
    faust, driver, nothing = found.split("; ")
    assert not ok
    assert faust.startswith("faust-streaming ")
    assert faust.endswith("is installed, ==0.1.0 is wanted")
    assert "clickhouse-driver" in driver
    assert nothing == "no-such-package >=1 is not installed"


def test_the_table_shows_a_remedy_only_where_one_is_needed() -> None:
    checks = [
        Check("python", ok=True, detail="3.11.7", remedy="install another"),
        Check("disk", ok=False, detail="0.1 GB free", remedy="make room"),
        Check("browser", ok=False, detail="no Chromium", remedy="only the tests need one", required=False),
    ]
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(render(checks))
    lines = capture.get().splitlines()
    assert "install another" not in lines[1]
    assert lines[2].startswith("✗  disk")
    assert "make room" in lines[2]
    assert lines[3].startswith("–  browser")
    assert not all_right(checks)
    assert all_right([checks[0], checks[2]])
