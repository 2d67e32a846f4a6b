"""The schema is applied once, by any number of processes, and later changes to its files are reported."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import StoreAddress, connect
from sinks.rows import migrations, statements
from tests.support import stores
from tests.support.stores import address_of


@pytest.fixture
def bare(clickhouse: EmbeddedClickHouse) -> StoreAddress:
    """Return the address of a server without our databases."""
    address = address_of(clickhouse)
    with connect(address) as client:
        stores.bare(client)
    return address


def test_files_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_file_is_split_at_its_semicolons_and_comments_are_dropped() -> None:
    text = "-- one; not two\nSELECT 1; -- the first\n\nSELECT\n  2\n;\n-- the end\n"
    assert statements(text) == ["SELECT 1", "SELECT\n  2"]


def test_no_file_has_a_quoted_separator_that_would_be_split() -> None:
    texts = [part for m in migrations() for part in statements(m.text)]
    assert all(part.count("'") % 2 == 0 for part in texts)


def test_every_file_is_applied_once(bare: StoreAddress) -> None:
    with connect(bare) as client:
        assert [status.applied for status in schema.show(client)] == [None] * len(migrations())
        first, second = schema.apply(client), schema.apply(client)
        assert (first, second) == (migrations(), [])
        assert all(status.applied == status.sha256 for status in schema.show(client))


def test_several_processes_may_apply_at_once(bare: StoreAddress) -> None:
    def apply(_: int) -> None:
        with connect(bare) as client:
            schema.apply(client)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(apply, range(4)))
    with connect(bare) as client:
        assert all(status.applied == status.sha256 for status in schema.show(client))


def test_a_file_that_changed_after_it_was_applied_is_an_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = migrations()
    changed = replace(first, text=first.text + "\n-- and one thing more")
    monkeypatch.setattr(schema, "migrations", lambda: [changed, *others])
    with pytest.raises(
        schema.SchemaChanged, match="001 databases: it was applied as .* put the change into a new file"
    ):
        schema.apply(client)
    status = schema.show(client)[0]
    assert status.applied == first.sha256
    assert status.sha256 == changed.sha256


def test_a_file_of_a_newer_version_is_shown_and_left_alone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    *older, newest = migrations()
    monkeypatch.setattr(schema, "migrations", lambda: older)
    assert schema.apply(client) == []
    assert schema.show(client)[-1] == schema.MigrationStatus(newest.number, newest.name, "", newest.sha256)


_PASSAGE = (
    "INSERT INTO gatepulse_store.passages (kind, device, seq, ts, entrance, direction, outcome, category, log, offset)"
    " SELECT 'person', 'lane-1', number, toDateTime64('2025-10-19 12:00:00', 3, 'UTC') + number, 'north', 'in',"
    " 'passed', 'visitor', {}, number FROM numbers({}, {})"
)
_DEVICE = (
    "INSERT INTO gatepulse_store.devices (log, device, entrance, ranges, last_seq, version)"
    " VALUES ({}, 'lane-1', 'north', [({}, {})], {}, 1)"
)


def test_the_passages_that_are_there_become_deliveries_and_what_came_twice_before_stays(
    bare: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, shown = (
        "SELECT count(), min(known_at) FROM gatepulse.passages_known",
        "SELECT seq FROM gatepulse.passages ORDER BY 1",
    )
    with connect(bare) as client:
        everything = migrations()
        monkeypatch.setattr(schema, "migrations", lambda: [each for each in everything if each.number < 12])
        schema.apply(client)
        client.execute(_PASSAGE.format("'a'", 1, 20))
        client.execute(_PASSAGE.format("'b'", 16, 10))
        client.execute(_DEVICE.format("'a'", 1, 20, 20))
        client.execute(_DEVICE.format("'b'", 16, 25, 25))
        before = [client.execute(sql) for sql in (known, shown)]
        monkeypatch.setattr(schema, "migrations", lambda: everything)
        schema.apply(client)
        assert [client.execute(sql) for sql in (known, shown)] == before
        assert client.execute("SELECT * FROM gatepulse.unsettled") == []
        assert client.execute("SELECT repeated, logs FROM gatepulse.completeness") == [(5, 2)]
        client.execute(_PASSAGE.format("'a'", 26, 5))  # by a worker of the version before
        client.execute(_DEVICE.format("'c'", 20, 22, 22))
        assert len(client.execute(shown)) == 30
        assert client.execute("SELECT device, events, logs FROM gatepulse.unsettled") == [("lane-1", 3, 3)]
