"""The tables parsed from the schema files equal those of the server."""

import re

import numpy as np
import pytest
from clickhouse_driver import Client

from sinks.rows import TABLES
from streams.kernels.counts.columns import DictColumn

NOTED = ("passages", "entered", "corrections", "devices", "log_progress", "parked_batches", "alarm_changes")
_OURS = "database = 'gatepulse_store' AND {} != 'schema_migrations'"


def test_the_server_has_exactly_our_tables(client: Client) -> None:
    found = client.execute(f"SELECT name FROM system.tables WHERE {_OURS.format('name')} AND engine LIKE '%MergeTree'")
    own = {name for (name,) in found if name.endswith("_known")}  # the server itself writes these: see 011
    facts = {"source_partitions", "source_readers", "source_problems", "losses"}  # stamped by the store: see 013
    assert {name for (name,) in found} - own - facts == {*TABLES, "progress"}  # not written since 008
    assert own == {f"{name}_known" for name in NOTED}


@pytest.mark.parametrize("table", TABLES)
def test_columns_come_in_the_same_order(client: Client, table: str) -> None:
    found = client.execute(
        f"SELECT name FROM system.columns WHERE {_OURS.format('table')} AND table = %(table)s ORDER BY position",
        {"table": table},
    )
    assert tuple(name for (name,) in found) == TABLES[table].columns


@pytest.mark.parametrize("table", TABLES)
def test_what_makes_rows_the_same_is_the_sorting_key(client: Client, table: str) -> None:
    [(key, engine)] = client.execute(
        f"SELECT sorting_key, engine_full FROM system.tables WHERE {_OURS.format('name')} AND name = %(table)s",
        {"table": table},
    )
    version = re.match(r"ReplacingMergeTree(?:\((\w+)\))?", engine)
    assert tuple(key.split(", ")) == TABLES[table].key
    assert version is not None
    assert version[1] == TABLES[table].version


def test_a_coded_column_reads_like_its_texts() -> None:
    column = DictColumn(np.array([1, 0, 1]), ["in", "out"])
    assert column.tolist() == ["out", "in", "out"]
    assert (len(column), column[0], list(column)) == (3, "out", column.tolist())
    assert DictColumn.same("person", 2).tolist() == ["person", "person"]


@pytest.mark.parametrize("code", [-1, 2, 300])
def test_a_code_without_a_name_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match="there are 2 names: give each code its name"):
        DictColumn(np.array([0, code]), ["in", "out"])


@pytest.mark.parametrize("table", TABLES)
def test_the_files_of_the_schema_say_what_types_the_columns_have(client: Client, table: str) -> None:
    found = client.execute(
        f"SELECT name, type FROM system.columns WHERE {_OURS.format('table')} AND table = %(table)s", {"table": table}
    )
    assert dict(TABLES[table].types) == dict(found)
