"""The schema is applied once, by any number of processes, and notices changes after the fact."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from clickhouse_driver import Client

from infra.clickhouse import EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import StoreAddress, connect
from tests.sinks.conftest import address_of


@pytest.fixture
def bare(clickhouse: EmbeddedClickHouse) -> StoreAddress:
    """Return the address of a server without our databases."""
    address = address_of(clickhouse)
    with connect(address) as client:
        for database in schema.DATABASES:
            client.execute(f"DROP DATABASE IF EXISTS {database} SYNC")
    return address


def test_files_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in schema.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_file_is_split_at_its_semicolons_and_comments_are_dropped() -> None:
    text = "-- one; not two\nSELECT 1; -- the first\n\nSELECT\n  2\n;\n-- the end\n"
    assert schema.statements(text) == ["SELECT 1", "SELECT\n  2"]


def test_no_file_has_a_quoted_separator_that_would_be_split() -> None:
    texts = [part for m in schema.migrations() for part in schema.statements(m.text)]
    assert all(part.count("'") % 2 == 0 for part in texts)


def test_every_file_is_applied_once(bare: StoreAddress) -> None:
    with connect(bare) as client:
        assert [status.applied for status in schema.show(client)] == [None] * len(schema.migrations())
        first, second = schema.apply(client), schema.apply(client)
        assert (first, second) == (schema.migrations(), [])
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
    first, *others = schema.migrations()
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
    *older, newest = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: older)
    assert schema.apply(client) == []
    assert schema.show(client)[-1] == schema.Status(newest.number, newest.name, "", newest.sha256)
