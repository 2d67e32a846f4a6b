"""The command `gatepulse verify`; how it compares is in `simulators/verify`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import Json, site_name
from simulators.ledger.ledger import site_of
from simulators.verify.fates import Limits
from simulators.verify.report import show, to_json
from simulators.verify.verify import verify as compare
from streams import console
from streams.connections import views_reader
from streams.settings import load_settings
from streams.site.reader import load_site


def verify(
    ledger: Annotated[Path, typer.Option(help="A ledger, or a folder of several.")], as_json: Json = False
) -> None:
    """Compare every published count with the ledger; list the differences and exit 1 if there are any."""
    settings = load_settings()
    site = load_site(site_name(settings, site_of(ledger)))
    verdict = compare(ledger, views_reader(settings), site, Limits.of(settings.time))
    if as_json:
        typer.echo(to_json(verdict))
    else:
        show(verdict, console.OUT)
    sys.exit(console.result(verdict.ok))
