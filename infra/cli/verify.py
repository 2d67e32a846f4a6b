"""The command `gatepulse verify`; how it compares is in `simulators/verify`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import Json, site_name
from simulators.ledger.ledger import site_of
from simulators.verify.fates import Limits
from simulators.verify.verify import run_verify
from streams.connections import views_reader
from streams.settings import load_settings
from streams.site.reader import load_site


def verify(
    ledger: Annotated[Path, typer.Option(help="A ledger, or a folder of several.")], as_json: Json = False
) -> None:
    """Compare every published count with the ledger; exit 1 and the differences if there are any."""
    settings = load_settings()
    site, limits = load_site(site_name(settings, site_of(ledger))), Limits.of(settings.time)
    sys.exit(run_verify(ledger, views_reader(settings), site, limits=limits, as_json=as_json))
