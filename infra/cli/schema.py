"""The commands `gatepulse schema apply|show`; the schema is `sinks/schema/*.sql`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from sinks import schema
from sinks.clickhouse import connect
from streams.connections import store_address
from streams.settings import load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The store's tables and views.")


@app.command()
def apply() -> None:
    """Create or update the store's tables and views; each file is applied once."""
    with _client() as client:
        for migration in schema.apply(client):
            typer.echo(f"applied {migration.number:03} {migration.name}")


@app.command()
def show() -> None:
    """List the schema's files and when each was applied."""
    with _client() as client:
        typer.echo(schema.show(client))


@contextmanager
def _client() -> Iterator[Any]:
    client = connect(store_address(load_settings()))
    try:
        yield client
    finally:
        client.disconnect()
