"""The commands `gatepulse schema apply|show`; the schema is `sinks/schema/*.sql`."""

import typer

from sinks import schema
from sinks.clickhouse import connect
from streams.connections import store_address
from streams.settings import load_settings

app = typer.Typer()


@app.command()
def apply() -> None:
    """Create or update the store's tables and views; each file is applied once."""
    with connect(store_address(load_settings())) as client:
        for migration in schema.apply(client):
            typer.echo(f"applied {migration.number:03} {migration.name}")


@app.command()
def show() -> None:
    """List the schema's files and when each was applied."""
    with connect(store_address(load_settings())) as client:
        typer.echo(schema.show(client))
