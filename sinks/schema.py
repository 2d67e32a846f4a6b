"""Applies the numbered DDL files of `schema/` to a server, each once, and shows which are applied.

Read them next, in their order.
"""

from dataclasses import dataclass
from typing import Any

from clickhouse_driver import Client

from sinks.failures import failure
from sinks.rows import Migration, migrations, statements
from sinks.sink import StoreRefused

DATABASES = ("gatepulse", "gatepulse_store")
"""What readers see, and the private tables behind it."""

_RECORD = "INSERT INTO gatepulse_store.schema_migrations (number, name, sha256) VALUES"
_RECORDS = "SELECT number, name, sha256 FROM gatepulse_store.schema_migrations FINAL ORDER BY number"


class SchemaChanged(StoreRefused):
    """A schema file differs from what was applied: applied files never change, changes come as a new file."""


@dataclass(frozen=True)
class MigrationStatus:
    """Where one file of the schema stands on a server; `applied` is the hash recorded there, None if it is not."""

    number: int
    name: str
    sha256: str
    applied: str | None


def show(client: Client) -> list[MigrationStatus]:
    """Return the status of every file, and of files applied by a newer version than this one."""
    applied = _applied(client)
    known = {m.number: MigrationStatus(m.number, m.name, m.sha256, None) for m in migrations()}
    for number, (name, sha256) in applied.items():
        mine = known.get(number)
        known[number] = MigrationStatus(number, name, "" if mine is None else mine.sha256, sha256)
    return [known[number] for number in sorted(known)]


def apply(client: Client) -> list[Migration]:
    """Apply the files that are not applied yet and return them.

    Two processes may do this at once: every statement can be repeated. Raises SchemaChanged, before anything is
    done, when an applied file is no longer the same.
    """
    applied = _applied(client)
    for migration in migrations():
        name, sha256 = applied.get(migration.number, (migration.name, migration.sha256))
        if sha256 != migration.sha256:
            reason = f"it was applied as {name} with sha256 {sha256[:12]}, and is {migration.sha256[:12]} now."
            advice = "Restore it and put the change into a new file."
            raise SchemaChanged(f"schema file {migration.number:03} {migration.name}", reason, advice)
    missing = [migration for migration in migrations() if migration.number not in applied]
    for migration in missing:
        for statement in statements(migration.text):
            _run(client, statement)
        _run(client, _RECORD, [(migration.number, migration.name, migration.sha256)])
    return missing


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    """Return name and hash of the files recorded on the server, by number."""
    if not _run(client, "EXISTS TABLE gatepulse_store.schema_migrations")[0][0]:
        return {}
    return {number: (name, sha256) for number, name, sha256 in _run(client, _RECORDS)}


def _run(client: Client, statement: str, rows: list[tuple[Any, ...]] | None = None) -> Any:  # noqa: ANN401 - the driver's
    try:
        return client.execute(statement, rows)
    except Exception as error:
        raise failure(f"schema, at {' '.join(statement.split())[:80]!r}", error) from error
