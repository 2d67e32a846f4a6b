"""`gatepulse verify` on the state of a finished demo: equal as it is, different when a row is removed."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from tests.e2e.conftest import Day
from tests.support.demos import command, surroundings


@pytest.fixture(scope="module")
def kept(day: Day) -> Iterator[tuple[EmbeddedClickHouse, Path]]:
    """Start the store of a copy of the day's state, without broker, worker and wall."""
    store = EmbeddedClickHouse(day.copy / "clickhouse")
    store.start()
    try:
        store.wait_ready()
        yield store, day.copy / "ledgers"
    finally:
        store.stop()


def verified(store: EmbeddedClickHouse, ledger: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    address = store.address
    env = surroundings(
        GATEPULSE_STORE__HOST=address.host,
        GATEPULSE_STORE__PORT=str(address.port),
        GATEPULSE_STORE__READER=address.reader.user,
        GATEPULSE_STORE__READER_PASSWORD=address.reader.password,
        COLUMNS="200",
    )
    return subprocess.run(
        command("verify", "--ledger", str(ledger), *words), capture_output=True, text=True, timeout=120, env=env,
        check=False,
    )  # fmt: skip


def test_a_kept_state_is_still_equal_to_its_ledger(kept: tuple[EmbeddedClickHouse, Path], day: Day) -> None:
    done = verified(*kept, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == day.demo.verdict


def test_a_count_that_was_taken_away_is_found_and_named(kept: tuple[EmbeddedClickHouse, Path]) -> None:
    store, ledger = kept
    owner = store.address.owner
    client = Client(store.address.host, port=store.address.port, user=owner.user, password=owner.password)
    key = "window_start, entrance, direction, category, outcome, log, segment"
    ((start, entrance, *_),) = client.execute(
        f"SELECT {key} FROM gatepulse_store.counts_10s WHERE outcome = 'passed' ORDER BY ALL LIMIT 1"
    )
    client.execute(
        f"ALTER TABLE gatepulse_store.counts_10s DELETE WHERE ({key}) IN (SELECT {key} FROM gatepulse_store.counts_10s "
        "WHERE outcome = 'passed' ORDER BY ALL LIMIT 1) SETTINGS mutations_sync = 2"
    )
    client.disconnect()
    done = verified(store, ledger)
    assert done.returncode == 1
    assert "DIFFERENT" in done.stdout
    assert "entrance_counts_10s" in done.stdout
    assert entrance in done.stdout
    assert f"{start:%H:%M}" in done.stdout
    found = json.loads(verified(store, ledger, "--json").stdout)
    assert found["ok"] is False
    assert found["difference"] == 1
    assert {name: view["different"] for name, view in found["views"].items() if view["different"]} == {
        "entrance_counts_10s": 1
    }
