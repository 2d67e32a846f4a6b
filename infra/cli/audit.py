"""The command `gatepulse audit`: compares published counts with the raw passages; how is in `streams/audit`."""

import contextlib
import sys
from typing import Annotated

import typer

from infra.cli.options import Json
from sinks.clickhouse import ClickHouseReader
from streams import console
from streams.audit.compare import Auditor, AuditResult
from streams.audit.interval import Interval, moment
from streams.audit.report import show, to_json
from streams.audit.watch import AuditCollector, AuditLoop, complete_to, serve, usual
from streams.connections import views_reader
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import configure_logging
from streams.settings import Settings, load_settings
from streams.site.kernel_views import clock_of
from streams.site.model import Site
from streams.site.reader import load_site

_TIME = "ISO time, of the site's zone unless it has an offset; a date alone is when that day of the site begins."


app = typer.Typer(add_completion=False)


@app.command()
def audit(
    start: Annotated[str | None, typer.Option("--from", help=_TIME)] = None,
    to: Annotated[str | None, typer.Option("--to", help=f"{_TIME} If left out: up to what is complete.")] = None,
    as_json: Json = False,
    every: Annotated[
        float | None, typer.Option(min=1, help="Repeat for ever, this many seconds apart, on what is new.")
    ] = None,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="For Prometheus, with --every; 0: none.")] = 0,
) -> None:
    """Recompute the published counts from the raw passages; exit 1 and the differences if there are any.

    Without --from it begins with the day before; only whole windows and whole days of the site are compared.
    """
    if every is not None and (start or to):
        raise typer.BadParameter("--every goes on with what is new: leave --from and --to out")
    settings = load_settings()
    site, clock = load_site(settings.site), clock_of(settings)
    reader = views_reader(settings)
    auditor = Auditor(reader, site)
    if every is None:
        result = auditor.audit(_interval(start, to, reader, site, clock))
        _print(result, as_json=as_json)
        sys.exit(console.result(result.ok))
    _repeat(auditor, clock, settings, every=every, metrics_port=metrics_port, as_json=as_json)


def _interval(start: str | None, to: str | None, reader: ClickHouseReader, site: Site, clock: "SiteClock") -> Interval:

    days = site.days
    end = complete_to(reader, clock) if to is None else moment(to, days)
    return usual(end, days) if start is None else Interval(moment(start, days), end, days)


def _print(result: AuditResult, *, as_json: bool) -> None:

    if as_json:
        typer.echo(to_json(result))
    else:
        show(result, console.OUT)


def _repeat(
    auditor: Auditor, clock: SiteClock, settings: Settings, *, every: float, metrics_port: int, as_json: bool
) -> None:

    configure_logging(settings.log.level)
    collector = AuditCollector()
    serve(collector, metrics_port)

    def on_result(result: AuditResult) -> None:
        collector.note(result)
        if as_json:
            _print(result, as_json=True)

    with contextlib.suppress(KeyboardInterrupt):
        AuditLoop(auditor, clock, on_result).run(every)
