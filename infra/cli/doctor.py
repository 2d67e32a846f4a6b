"""The command `gatepulse doctor`; what it checks is in `infra/doctor`."""

import sys
from functools import partial
from typing import Annotated

import typer

from infra.cli.logs import differences, problems
from infra.doctor.checks import all_right, render, run_checks
from streams import console
from streams.settings import load_settings


def doctor(
    embedded: Annotated[bool, typer.Option(help="Try the embedded servers instead of the configured ones.")] = False,
) -> None:
    """Check versions, ports, broker, store, schema and clock."""
    settings = load_settings()
    sources = {"topics": partial(differences, settings), "partitions": partial(problems, settings)}
    checks = run_checks(settings, embedded=embedded, sources={} if embedded else sources)
    console.OUT.print(render(checks))
    sys.exit(console.result(all_right(checks)))
