"""The commands `gatepulse logs show|accept-loss`: how far source topics are read, and which partitions are blocked.

Why a partition may not be read is in `streams/kernels/counts/takeup.py`;
what to do about it in `streams/sources/problem_words.py`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli.options import Json
from streams import console
from streams.clock import real_now
from streams.connections import cluster_name, store_address
from streams.contract import topics
from streams.kernels.counts.calendar import days_named
from streams.operations.losses import accept, await_reading
from streams.settings import Settings, load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site
from streams.sources.brokers import Brokers
from streams.sources.problem_words import sentence
from streams.sources.tables import SiteTime, SourceTables

app = typer.Typer()

_READ_WITHIN = 30.0
_SHOWN = (
    "topic", "partition", "log", "worker", "log_begin", "next_offset", "log_end", "received", "lost", "age_seconds",
)  # fmt: skip


@app.command("show")
def show(as_json: Json = False) -> None:
    """Show who reads which partition, how far, and what blocks it; exit 1 if anything does."""
    with _notes(load_settings()) as notes:
        partitions, sentences, losses = notes.overview(), _sentences(notes), notes.losses()
    if as_json:
        found = {"partitions": partitions, "problems": sentences, "losses": losses}
        typer.echo(json.dumps(found, ensure_ascii=False, default=str))
    else:
        console.OUT.print(_table(partitions))
        for loss in losses:
            typer.echo(
                f"lost: {loss['topic']} {loss['partition']}, offsets {loss['first']} to {loss['after'] - 1} "
                f"({loss['records']} records, {loss['problem']}), of {days_named(loss['from_day'], loss['to_day'])}, "
                f"accepted by {loss['actor']}: {loss['reason']}"
                + (f"; {loss['recovered']} more were counted after all" if loss["recovered"] else "")
            )
        for each in sentences:
            console.report(each)
    sys.exit(console.result(not sentences))


@app.command("accept-loss")
def accept_loss(
    topic: Annotated[str, typer.Argument(help="As `gatepulse logs show` names it.")],
    partition: Annotated[int, typer.Argument(min=0)],
    actor: Annotated[str, typer.Option(help="Who decides this.")],
    reason: Annotated[str, typer.Option(help="Why; it is stored with the loss.")],
    as_json: Json = False,
) -> None:
    """Accept that records of a partition are lost, and read on behind them; figures are marked as lacking them."""
    settings = load_settings()
    with _notes(settings) as notes:
        loss = accept(notes, Brokers(settings.kafka), (topic, partition), actor=actor, reason=reason, now=real_now())
        is_read = await_reading(notes, loss, seconds=_READ_WITHIN)
    if as_json:
        typer.echo(json.dumps({"id": loss.id, "records": loss.records, "read": is_read}))
    else:
        typer.echo(f"accepted: {topic} {partition} without the offsets {loss.first} to {loss.after - 1}")
    if not is_read:
        console.stop(f"{topic} {partition} is not read yet: see whether the workers run, and `gatepulse logs show`")


def differences(settings: Settings) -> list[str]:
    """Return for each topic that is not as it should be what differs, and what to do."""
    return topics.inspect_topics(settings.kafka)[1]


def problems(settings: Settings) -> list[str]:
    """Return for each partition that is not read why, and what to do."""
    with _notes(settings) as notes:
        return _sentences(notes)


def _sentences(notes: SourceTables) -> list[str]:
    return [sentence(each.problem, each.topic, each.partition, each.first, each.after) for each in notes.problems()]


def _notes(settings: Settings) -> SourceTables:
    site_time = SiteTime(load_site(settings.site).days, clock_of(settings))
    return SourceTables(store_address(settings), cluster_name(settings), "operator", site_time)


def _table(partitions: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(*_SHOWN, box=None, pad_edge=False)
    for each in partitions:
        table.add_row(*(str(each[name]) for name in _SHOWN))
    return table
