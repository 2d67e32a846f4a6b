"""The commands `gatepulse parked list|retry`: rows that the store refused for ever, and how to store them later.

What a parked batch is, is in `streams/contract/parked.py`; reading the topic in `streams/operations/parked_rows.py`.
"""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer
from msgspec import structs
from rich.table import Table as Grid

from infra.cli.options import Json
from streams import console
from streams.connections import store_sink
from streams.contract.parked import ParkedBatch
from streams.operations.parked_rows import ParkedTopic, Retried, retry
from streams.progress_bar import ProgressBar
from streams.settings import Settings, load_settings

app = typer.Typer()

_MOST_FOREIGN = 10


@app.command("list")
def parked_list(as_json: Json = False) -> None:
    """List what is parked, why, and what to do about it."""
    with closing(_topic(load_settings())) as topic:
        heads, foreign = topic.heads(), topic.foreign
    if foreign:
        places = ", ".join(f"{partition}/{offset}" for partition, offset in foreign[:_MOST_FOREIGN])
        console.report(
            f"{len(foreign)} records of `parked` are no batches and were passed over (partition/offset: {places}); "
            "no worker writes such: see who else may write to the topic"
        )
    if as_json:
        typer.echo(json.dumps({"parked": [_described(head) for head in heads]}, ensure_ascii=False))
    else:
        console.OUT.print(_table(heads) if heads else "nothing is parked")


@app.command("retry")
def parked_retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Batches, as `parked list` names them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Store parked rows; exit 1 and the reasons if some are still refused. Workers may run meanwhile."""
    if bool(ids) == everything:
        raise typer.BadParameter("name the batches, or give --all")
    settings = load_settings()
    with closing(_topic(settings)) as topic:
        retried = asyncio.run(_retried(settings, topic, ids or []))
    for head, error in retried.refused:
        console.report(f"{head.id} is still refused: {error}")
    typer.echo(f"{len(retried.stored)} batches stored, {len(retried.refused)} refused")
    sys.exit(console.result(not retried.refused))


async def _retried(settings: Settings, topic: ParkedTopic, names: Sequence[str]) -> Retried:
    stored = 0
    with closing(ProgressBar("parked retry")) as bar:

        def advance(count: int) -> None:
            nonlocal stored
            stored += count
            bar.update(stored / len(names) if names else 0.0, f"{stored:,} batches")

        sink = store_sink(settings, lambda _, error, attempt: console.report(f"try {attempt}: {error}"))
        try:
            return await retry(topic, sink, names, done=advance)
        finally:
            await sink.close()


def _topic(settings: Settings) -> ParkedTopic:
    return ParkedTopic(settings.kafka.brokers.split(","), **settings.kafka.client)


def _described(head: ParkedBatch) -> dict[str, Any]:
    described = structs.asdict(head) | {
        "logs": sorted(head.logs),
        "at": dt.datetime.fromtimestamp(head.at / 1000, dt.UTC).isoformat(timespec="milliseconds"),
        "age_seconds": _age(head),
    }
    del described["columns"]
    return described


def _table(heads: Sequence[ParkedBatch]) -> Grid:
    grid = Grid("id", "table", "rows", "logs", "reason", "advice", "age")
    for head in heads:
        age = str(dt.timedelta(seconds=_age(head)))
        grid.add_row(head.id, head.table, f"{head.rows:,}", "\n".join(sorted(head.logs)), head.reason, head.advice, age)
    return grid


def _age(head: ParkedBatch) -> int:
    return max(0, int(time.time() - head.at / 1000))
