"""Checks that a ClickHouse server has the users, limits and schema that gatepulse needs; for the doctor."""

from typing import Any

from clickhouse_driver import Client
from clickhouse_driver import errors as driver_errors

from infra.process.ports import accepts
from sinks.clickhouse import StoreAddress

_NUMBER = "SELECT max(number) FROM gatepulse_store.schema_migrations"
_TRESPASSES = (
    "SELECT * FROM gatepulse_store.schema_migrations",
    "SELECT * FROM system.users",
    "CREATE TABLE gatepulse.trespass (a UInt8) ENGINE = Memory",
    "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
)


def check_store(
    host: str, port: int, *, owner: StoreAddress, reader: StoreAddress | None = None, schema_number: int | None = None
) -> tuple[str, str]:
    """Return what was found and what to do about it; nothing to do is an empty string."""
    if not accepts(host, port):
        return f"nothing listens on {host}:{port}", "start ClickHouse, or set store.host and store.port"
    try:
        version = _ask(host, port, owner, "SELECT version()")[0][0]
    except driver_errors.Error as error:
        return f"{owner.user} is refused: {_short(error)}", "set store.user and store.password"
    found = f"ClickHouse {version} on {host}:{port}"
    if schema_number is not None:
        applied = applied_number(host, port, owner)
        if applied != schema_number:
            return f"{found}: schema {applied or 'not there'}, {schema_number} is wanted", "`gatepulse schema apply`"
    if reader is not None and (what := reader_fault(host, port, reader)):
        return f"{found}: {what}", "see the reader's grants in infra/servers/clickhouse.py"
    return found, ""


def applied_number(host: str, port: int, owner: StoreAddress) -> int | None:
    """Return the highest schema file applied on the server, None if there is none."""
    try:
        return int(_ask(host, port, owner, _NUMBER)[0][0]) or None
    except driver_errors.Error:
        return None


def reader_fault(host: str, port: int, reader: StoreAddress) -> str:
    """Return what is wrong with the reader: cannot log in, or may do what it must not; empty if nothing."""
    try:
        _ask(host, port, reader, "SELECT 1")
    except driver_errors.Error as error:
        return f"{reader.user} is refused: {_short(error)}"
    for trespass in _TRESPASSES:
        try:
            _ask(host, port, reader, trespass)
        except driver_errors.Error:
            continue
        return f"{reader.user} may {trespass}"
    return ""


def _ask(host: str, port: int, login: StoreAddress, query: str) -> list[tuple[Any, ...]]:
    with Client(
        host, port=port, user=login.user, password=login.password, connect_timeout=3, send_receive_timeout=10
    ) as client:
        return list(client.execute(query))


def _short(error: Exception) -> str:
    return str(error).split("Stack trace", maxsplit=1)[0].replace("\n", " ").strip()[:200]
