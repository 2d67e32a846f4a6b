"""The commands `gatepulse alarms list|ack|shelve|unshelve|evaluate`: operate on episodes, and rate the alarms.

What alarms are is in `streams/kernels/alarms`; the labelled incidents are in `simulators/incidents`.
"""

import getpass
import json
import sys
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table as Grid

from dashboards.messages.sentences import Sentences
from infra.cli.options import Json
from simulators.incidents.evaluate import Evaluation, evaluate
from simulators.incidents.labelled import INCIDENTS
from streams import console
from streams.clock import real_now
from streams.connections import views_reader
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import Action, Command
from streams.operations.alarm_commands import AlarmCommandError, await_change, episodes, find, send
from streams.settings import load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site

app = typer.Typer()

_AN_HOUR = 60.0
_COLOURS = {"yellow": "yellow", "orange": "dark_orange", "red": "bold red"}

_Name = Annotated[str, typer.Argument(metavar="EPISODE", help="As `alarms list` names it.")]
_Actor = Annotated[str | None, typer.Option(help="Who does it; your login if left out.")]


@app.command("list")
def alarms_list(
    everything: Annotated[bool, typer.Option("--all", help="The cleared ones, too.")] = False,
    as_json: Json = False,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Of the sentences.")] = "en",
) -> None:
    """List the open episodes, the oldest first; times are the site's."""
    settings = load_settings()
    with closing(views_reader(settings)) as reader:
        found = episodes(reader, also_cleared=everything)
    if as_json:
        typer.echo(json.dumps({"episodes": [asdict(each) for each in found]}, ensure_ascii=False))
        return
    sentences, now_ms = Sentences(load_site(settings.site)), clock_of(settings).now(real_now())
    rows = [_texts(each, sentences, now_ms, language) for each in found]
    console.OUT.print(_table(found, rows) if found else "no alarm is open")


@app.command("ack")
def alarms_ack(episode: _Name, actor: _Actor = None) -> None:
    """Acknowledge an episode: somebody is on it."""
    _do("ack", episode, actor)


@app.command("shelve")
def alarms_shelve(
    episode: _Name,
    minutes: Annotated[
        float, typer.Option(min=1, max=24 * _AN_HOUR, help="For how long, of the site's time.")
    ] = _AN_HOUR,
    actor: _Actor = None,
) -> None:
    """Set an episode aside for a while: its cause is known, and no more messages are sent about it."""
    _do("shelve", episode, actor, minutes=minutes)


@app.command("unshelve")
def alarms_unshelve(episode: _Name, actor: _Actor = None) -> None:
    """Take an episode back before its time."""
    _do("unshelve", episode, actor)


@app.command("evaluate")
def alarms_evaluate(as_json: Json = False) -> None:
    """Play incidents with known alarms; exit 1 if one is missed, or raised for nothing."""
    with console.ERR.status("") as status:
        done = iter(range(1, len(INCIDENTS) + 1))
        result = evaluate(lambda name: status.update(f"incident {next(done)} of {len(INCIDENTS)}: {name} …"))
    if as_json:
        figures = {
            "precision": result.precision,
            "recall": result.recall,
            "delay_p99_s": result.delay_p99_s,
            "alarms_per_10min": result.alarms_per_10min,
            "incidents": {each.incident.name: each.well for each in result.judged},
        }
        typer.echo(json.dumps(figures))
    else:
        _show(result)
    sys.exit(console.result(result.well))


def _show(result: Evaluation) -> None:
    grid = Grid("incident", "expected", "raised", "missed", "wrong", "delay s", "messages")
    for each in result.judged:
        delays = ", ".join(f"{delay:.1f}" for delay in each.delays)
        wrong = ", ".join(f"{episode.rule} {episode.subject}" for episode in each.wrong)
        missed = ", ".join(f"{expected.rule} {expected.subject}" for expected in each.missed)
        grid.add_row(
            each.incident.name, str(len(each.incident.expected)), str(len(each.delays)), missed,
            wrong if each.as_told else f"{wrong} goes on otherwise", delays, str(each.messages),
        )  # fmt: skip
    console.OUT.print(grid)
    console.OUT.print(
        f"precision {result.precision:.3f}, recall {result.recall:.3f}, delay p99 {result.delay_p99_s:.1f} s, "
        f"{result.alarms_per_10min:.2f} messages in 10 min"
    )


def _do(action: Action, name: str, actor: str | None, *, minutes: float = 0) -> None:
    settings = load_settings()
    clock = clock_of(settings)
    now = clock.now(real_now())
    until = now + round(minutes * 60_000) if minutes else 0
    try:
        with closing(views_reader(settings)) as reader:
            before = find(reader, name)
            send(settings.kafka, Command(uuid.uuid4().hex, action, name, actor or getpass.getuser(), now, until))
            after = await_change(reader, before)
    except AlarmCommandError as error:
        console.stop(str(error))
    typer.echo(f"{after.episode}: {after.state}, by {after.actor}")


def _texts(episode: Episode, sentences: Sentences, now_ms: int, language: Literal["zh", "en"]) -> list[str]:
    """Return what, where, whose, how much, since when, and who has acknowledged it."""
    texts = [
        sentences.what(episode), sentences.where(episode), sentences.zone(episode), sentences.how_much(episode),
        sentences.since(episode, now_ms), sentences.acknowledged(episode),
    ]  # fmt: skip
    return [getattr(text, language) for text in texts]


def _table(found: Sequence[Episode], rows: Sequence[Sequence[str]]) -> Grid:
    grid = Grid("episode", "level", "state", "what", "where", "zone", "value", "since", "by")
    for each, row in zip(found, rows, strict=True):
        level = f"[{_COLOURS.get(each.level, 'bold red')}]{each.level}[/]"
        grid.add_row(each.episode, level, each.state, *map(escape, row))
    return grid
