"""The doctor finds what is missing, names the remedy, and never crashes on what it finds."""

import socket
from pathlib import Path

import pytest
from clickhouse_driver import Client
from rich.console import Console

from infra.doctor import checks as doctor
from infra.doctor.checks import Check, StorePlace, all_right, render, run_checks
from infra.doctor.store_check import check_store, reader_fault
from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import StoreAddress


def by_name(checks: list[Check]) -> dict[str, Check]:
    """Return the checks under their names."""
    return {check.name: check for check in checks}


def test_on_a_machine_with_everything_all_is_right(tmp_path: Path) -> None:
    checks = run_checks(directory=tmp_path / "not" / "yet", ports={"wall.port": 0}, time_zone="Asia/Shanghai")
    assert all_right(checks), checks
    found = by_name(checks)
    assert found["store"].detail.startswith("the embedded one starts in")
    assert found["broker"].detail.startswith("the embedded one starts in")
    assert "UTC" in found["clock"].detail


def test_what_is_wrong_is_named_with_its_remedy(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MINIMUM_FREE_BYTES", 10**18)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        checks = run_checks(
            ports={"wall.port": port},
            time_zone="Mars/Olympus",
            brokers=broker,
            topics=["turnstile.passages.absent"],
            store=StorePlace("127.0.0.1", 1, StoreAddress("127.0.0.1", 1, "gatepulse", "")),
        )
    found = by_name(checks)
    assert not all_right(checks)
    assert "another port" in found["port wall.port"].remedy
    assert "Mars/Olympus" in found["time zone"].detail
    assert "has no topic turnstile.passages.absent" in found["broker"].detail
    assert found["store"].detail == "nothing listens on 127.0.0.1:1"
    assert "make room" in found["disk"].remedy
    assert all(check.ok or check.remedy for check in checks)


def test_a_broker_that_is_away_is_named() -> None:
    check = doctor._brokers("127.0.0.1:1", ())
    assert not check.ok
    assert check.detail.startswith("127.0.0.1:1: ")


def test_brokers_with_their_topics_are_right(broker: str) -> None:
    assert doctor._brokers(broker, ()).ok


def test_a_store_is_asked_for_its_schema_and_for_its_readers_limits(clickhouse: EmbeddedClickHouse) -> None:
    address = clickhouse.address
    found, remedy = check_store(address.host, address.port, owner=address.owner, reader=address.reader)
    assert "ClickHouse 2" in found
    assert remedy == ""
    found, remedy = check_store(address.host, address.port, owner=address.owner, schema_number=999)
    assert "999 is wanted" in found
    assert "schema apply" in remedy
    wrong = StoreAddress(address.host, address.port, "gatepulse", "guess")
    found, remedy = check_store(address.host, address.port, owner=wrong)
    assert "gatepulse is refused" in found
    assert "store.password" in remedy


def test_a_reader_that_may_too_much_is_reported(clickhouse: EmbeddedClickHouse) -> None:
    address = clickhouse.address
    with Client(address.host, port=address.port, user="gatepulse", password=address.owner.password) as client:
        client.execute("CREATE DATABASE IF NOT EXISTS gatepulse")
    assert reader_fault(address.host, address.port, address.reader) == ""
    wrong = StoreAddress(address.host, address.port, "reader", "guess")
    assert "reader is refused" in reader_fault(address.host, address.port, wrong)
    fault = reader_fault(address.host, address.port, address.owner)
    with Client(address.host, port=address.port, user="gatepulse", password=address.owner.password) as client:
        client.execute("DROP TABLE IF EXISTS gatepulse.trespass")
    assert fault.startswith("gatepulse may ")


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
