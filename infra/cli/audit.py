"""The command `gatepulse audit`: compares published counts with the raw passages; how is in `streams/audit`."""

import contextlib
import sys
from typing import Annotated

import typer

from infra.cli.options import Json
from streams import console
from streams.audit.compare import Auditor, AuditResult
from streams.audit.interval import Interval, moment
from streams.audit.pace import PacedReader
from streams.audit.report import show, to_json
from streams.audit.watch import AuditLoop, complete_to, serve, usual
from streams.connections import views_reader
from streams.logging import configure_logging
from streams.settings import load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site

_TIME = "ISO time, of the site's zone unless it has an offset; a date alone is when that day of the site begins."


def audit(
    start: Annotated[str | None, typer.Option("--from", help=_TIME)] = None,
    to: Annotated[str | None, typer.Option("--to", help=f"{_TIME} If left out: up to what is complete.")] = None,
    as_json: Json = False,
    every: Annotated[
        float | None, typer.Option(min=1, help="Repeat for ever, this many seconds apart, on what is new.")
    ] = None,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="For Prometheus, with --every; 0: none.")] = 0,
) -> None:
    """Recompute the published counts from raw passages; list the differences and exit 1 if there are any.

    Without --from it begins with the day before; only whole windows and whole days of the site are compared.
    """
    if every is not None and (start or to):
        raise typer.BadParameter("--every goes on with what is new: leave --from and --to out")
    settings = load_settings()
    site, clock = load_site(settings.site), clock_of(settings)
    reader = PacedReader(views_reader(settings))
    auditor = Auditor(reader, site)
    if every is None:
        end = complete_to(reader, clock) if to is None else moment(to, site.days)
        result = auditor.audit(
            usual(end, site.days) if start is None else Interval(moment(start, site.days), end, site.days)
        )
        if as_json:
            typer.echo(to_json(result))
        else:
            show(result, console.OUT)
        sys.exit(console.result(result.ok))
    configure_logging(settings.log.level)

    def on_result(result: AuditResult) -> None:
        if as_json:
            typer.echo(to_json(result))

    loop = AuditLoop(auditor, clock, on_result)
    serve(loop, metrics_port)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run(every)
