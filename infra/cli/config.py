"""The command `gatepulse config show`; the settings are in `streams/settings.py`."""

import typer

from streams.settings import load_settings

app = typer.Typer()


@app.command()
def show() -> None:
    """Print the settings in force, secrets hidden."""
    typer.echo(load_settings().model_dump_json(indent=2))
