"""Fault scenario: two workers and one worker count the same records; all private tables must be equal."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from infra.servers.clickhouse import Address, EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import connect
from streams.contract import topics
from streams.settings import KafkaSettings
from tests.faults.catalogue import Layout, fault
from tests.faults.lag import Group
from tests.faults.plant import PARTITIONS, SOURCES
from tests.faults.trial import Trial

_GROUP: Final = "again"
_NO_COUNTS: Final = frozenset(
    {"schema_migrations", "source_partitions", "source_readers", "source_problems", "settled_repeats"}
)
"""Tables that say when something was done, seen or looked at, and by whom: none of them holds a count."""
_WHO_AND_WHEN: Final = frozenset({"version", "worker", "complete_to", "loaded_at"})
"""Columns that may differ: who counted, when, and as of which offset a figure was last written."""

_WHEN_KNOWN: Final = "_known"
"""How tables end that say when something was first stored, which replays go by: never the same twice."""

_NOT_ALARMS: Final = "WHERE log NOT LIKE '%/alarm.inputs/%'"
"""The log of alarms holds what workers tell of their counting, moment by moment: other workers tell it otherwise."""

Tables = Mapping[str, tuple[int, str]]
"""Rows and sha256 of each table."""


@fault("T00w", layout=Layout(), runs=2)
def two_workers_equal_one(trial: Trial) -> None:
    """One worker counts; then two count the same records into another store, killed meanwhile: tables are the same."""
    plant = trial.plant
    with trial.load(distortion="duplicates=5%,disorder=2s,malformed=0.5%,late=5%:3h"):
        trial.wait(trial.size(full=120.0, quick=8.0))
    trial.until(lambda: trial.caught_up, "lag 0")
    plant.worker.stop(30.0)
    with _another_store(trial) as address:
        settings = {
            "KAFKA__GROUP": _GROUP,
            "STORE__HOST": address.host,
            "STORE__PORT": str(address.port),
            "STORE__PASSWORD": address.owner.password,
            "STORE__READER_PASSWORD": address.reader.password,
            "WORKER__DATA": str(plant.path / "again-faust"),
        }
        topics.apply(KafkaSettings(brokers=plant.bootstrap, group=_GROUP, partitions=PARTITIONS))
        workers = [plant.add_worker(**settings) for _ in range(2)]
        if trial.quick or trial.run > 0:
            for _ in range(trial.size(full=12, quick=4)):
                trial.wait(trial.random.uniform(0.5, 3.5))
                trial.kill(trial.random.choice(workers))
        _wait_for_all(trial)
        for worker in workers:
            worker.stop(30.0)
        one, two = _tables(plant.clickhouse.address), _tables(address)
    different = {name: (one[name], two.get(name)) for name in one if one[name] != two.get(name)}
    trial.expect("all tables are the same", not different, f"rows and hashes of one and of two: {different}")
    trial.expect("there was much to compare", True if sum(rows for rows, _ in one.values()) > 1000 else None)
    trial.note(f"{len(one)} tables, {sum(rows for rows, _ in one.values()):,} rows")


@contextmanager
def _another_store(trial: Trial) -> Iterator[Address]:
    server = EmbeddedClickHouse(trial.plant.path / "clickhouse-again")
    server.start()
    try:
        server.wait_ready()
        client = _connect(server.address)
        schema.apply(client)
        client.disconnect()
        yield server.address
    finally:
        server.stop()


def _wait_for_all(trial: Trial) -> None:
    places = [(topic, number) for topic in SOURCES for number in range(PARTITIONS)]
    group = Group(trial.plant.bootstrap, _GROUP, places)

    def counted() -> bool:
        position = group.look()
        return position is not None and position.behind == 0

    try:
        trial.until(counted, "lag 0 of the two workers", 120.0)
    finally:
        group.close()


def _tables(address: Address) -> Tables:
    """Hash every private table, as it reads with FINAL, row by row in one order."""
    client = _connect(address)
    try:
        # Behind what the workers have sent: an answer that was lost in a kill may belong to rows still being written.
        time.sleep(1.0)
        names = client.execute(
            "SELECT name FROM system.tables WHERE database = 'gatepulse_store' AND engine LIKE '%MergeTree' ORDER BY 1"
        )
        compared = [name for (name,) in names if name not in _NO_COUNTS and not name.endswith(_WHEN_KNOWN)]
        return {name: _hashed(client, name) for name in compared}
    finally:
        client.disconnect()


def _hashed(client: Any, table: str) -> tuple[int, str]:  # the driver's client has no types
    columns = [name for name, *_ in client.execute(f"DESCRIBE TABLE gatepulse_store.{table}")]
    compared = ", ".join(name for name in columns if name not in _WHO_AND_WHEN)
    rows = f"gatepulse_store.{table} FINAL {_NOT_ALARMS if 'log' in columns else ''}"
    found = client.execute(f"SELECT formatRowNoNewline('TSV', {compared}) AS row FROM {rows} ORDER BY row")
    return len(found), hashlib.sha256("\n".join(row for (row,) in found).encode()).hexdigest()


def _connect(address: Address) -> Any:  # as above
    return connect(address.owner)
