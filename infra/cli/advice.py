"""The commands `gatepulse advice list|accept|decline|opening`; advice is computed in `streams/forecasting`."""

import asyncio
import datetime as dt
import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table as Grid

from infra.cli.options import Json
from streams import console
from streams.clock import real_now
from streams.connections import store_sink, views_reader
from streams.forecasting.advice_state import Decision, DecisionError, Given, decide, find
from streams.forecasting.queues import shortfalls
from streams.forecasting.reading import ForecastReader
from streams.settings import Settings, load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site

app = typer.Typer()

_Name = Annotated[str, typer.Argument(metavar="ADVICE", help="As `advice list` names it.")]
_Actor = Annotated[str | None, typer.Option(help="Who decides; your login if left out.")]
_Reason = Annotated[str, typer.Option(help="Why, for those who read it later.")]


@app.command("list")
def advice_list(
    everything: Annotated[bool, typer.Option("--all", help="What is over, too.")] = False,
    as_json: Json = False,
) -> None:
    """List the current advice, the oldest first, and what came of it; times are the site's."""
    with _stored(load_settings()) as stored:
        found = stored.advice(also_over=everything)
        zone = ZoneInfo(stored.site.time_zone)
    if as_json:
        typer.echo(json.dumps({"advice": [asdict(each) for each in found]}, ensure_ascii=False))
    else:
        console.OUT.print(_table(found, zone) if found else "there is no advice")


@app.command("accept")
def advice_accept(advice: _Name, actor: _Actor = None, reason: _Reason = "") -> None:
    """Accept advice: it is being done, and its effect will be measured."""
    _decide(advice, "accepted", actor, reason)


@app.command("decline")
def advice_decline(advice: _Name, actor: _Actor = None, reason: _Reason = "") -> None:
    """Decline advice: it is not given again while its cause lasts."""
    _decide(advice, "declined", actor, reason)


@app.command("opening")
def advice_opening(
    site: Annotated[Path | None, typer.Argument(help="A site profile; the one that is set if left out.")] = None,
    date: Annotated[str | None, typer.Option(help="A day like 2026-11-05; today if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Check before opening whether the planned lanes admit the people who are expected; exit 1 if not."""
    profile = load_site(site or load_settings().site)
    try:
        day = dt.date.fromisoformat(date) if date else profile.days.day(real_now())
    except ValueError as error:
        raise typer.BadParameter(f"--date {date}: expected a day like 2026-11-05") from error
    found = shortfalls(profile, day)
    if as_json:
        short = [asdict(each) | {"zh": each.text_zh(), "en": each.text()} for each in found]
        typer.echo(json.dumps({"date": day.isoformat(), "short": short}))
    else:
        for each in found:
            typer.echo(f"{each.text_zh()}\n{each.text()}")
        planned = sum(bool(each.plan.expected) for each in profile.entrances)
        if not planned:
            typer.echo("no entrance of the profile has an expected number of persons: set `expected`", err=True)
        elif not found:
            typer.echo(f"{day}: the planned lanes of {planned} entrances keep every wait within the limit")
    sys.exit(console.result(not found))


def _decide(name: str, decision: Decision, actor: str | None, reason: str) -> None:
    settings = load_settings()
    at = clock_of(settings).now(real_now())

    async def write(given: Given) -> None:
        sink = store_sink(settings)
        try:
            await decide(sink, given, decision, actor=actor or getpass.getuser(), reason=reason, at=at)
        finally:
            await sink.close()

    try:
        with _stored(settings) as stored:
            given = find(stored.advice(also_over=True), name)
        asyncio.run(write(given))
    except DecisionError as error:
        console.stop(str(error))
    typer.echo(f"{name}: {decision}")


@contextmanager
def _stored(settings: Settings) -> Iterator[ForecastReader]:
    with closing(views_reader(settings)) as reader:
        yield ForecastReader(reader, load_site(settings.site))


def _table(found: Sequence[Given], zone: ZoneInfo) -> Grid:
    grid = Grid("advice", "since", "what", "decided", "by", "expected", "measured")
    for each in found:
        since = dt.datetime.fromtimestamp(each.since / 1000, zone).strftime("%m-%d %H:%M")
        expected = f"{each.wait_before:.0f} → {each.wait_after:.0f} min"
        measured = "" if each.wait_measured is None else f"{each.wait_measured:.0f} min"
        decided = each.decision or ("over" if each.over_at else "open")
        grid.add_row(each.id, since, f"{each.zh}\n{each.en}", decided, each.actor, expected, measured)
    return grid
