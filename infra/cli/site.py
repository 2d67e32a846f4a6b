"""The command `gatepulse site check`; the keys of a profile are in `streams/site/model.py`."""

from pathlib import Path

import typer

from streams.site.reader import describe_site, load_site

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def site() -> None:
    """Check site profiles."""


@app.command()
def check(file: Path) -> None:
    """Name every mistake of a site profile by line and key."""
    typer.echo(describe_site(load_site(file)))
