"""The command `gatepulse site check`; the keys of a profile are in `streams/site/model.py`."""

from pathlib import Path

import typer

from streams.site.reader import describe_site, load_site

app = typer.Typer()


@app.command()
def check(file: Path) -> None:
    """Name every mistake of a site profile by line and key."""
    typer.echo(describe_site(load_site(file)))
