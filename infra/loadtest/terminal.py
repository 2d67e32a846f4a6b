"""Draws the result of a load test on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from infra.loadtest import words
from infra.loadtest.latency import PERCENTILES
from infra.loadtest.report import cells
from simulators.verify.report import sentence

if TYPE_CHECKING:
    from rich.console import Console

    from infra.loadtest.report import LoadResult


def show(result: LoadResult, console: Console) -> None:
    """Print what was tried, how long it took, who used what, and last the verdict."""
    console.print(words.setup(result.setup).en, markup=False, soft_wrap=True)
    console.print(_waits(result))
    if len(result.trials) > 1:
        console.print(_trials(result))
    console.print(_processes(result))
    shown = result.shown
    console.print(
        f"the generators can send {result.ceiling:,.0f}/s; at most {shown.most_waiting:,} events waited in Kafka; "
        f"alarms raised: {_alarms(result)}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for note in (words.HOW.en, *result.notes):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if result.limit:
        limit = words.limit(result.limit)
        console.print(f"{limit.en}\n{limit.zh}", markup=False, soft_wrap=True)
    console.print(Text(sentence(result.verdict)), soft_wrap=True)
    verdict = words.verdict(result)
    console.print(Text(f"{verdict.en}\n{verdict.zh}", "green" if result.ok else "bold red"), soft_wrap=True)


def _waits(result: LoadResult) -> Table:
    table = Table("from due, ms", box=None, header_style="bold")
    for name in (*PERCENTILES, "max"):
        table.add_column(name, justify="right")
    table.add_column("events", justify="right")
    shown = result.shown
    for name, found in (("at the broker", shown.sent_late), ("stored", shown.stored), ("on the wall", shown.wall)):
        table.add_row(name, *cells(found))
    return table


def _trials(result: LoadResult) -> Table:
    names = ("target/s", "delivered/s", "p99 stored, ms", "most waiting", "at its limit")
    table = Table(*names, box=None, header_style="bold")
    for each in result.trials:
        p99 = f"{each.stored.p99:,}" if each.stored else "–"
        table.add_row(
            f"{each.target:,.0f}", f"{each.rate:,.0f}", p99, f"{each.most_waiting:,}", words.cause(each.cause).en
        )
    return table


def _processes(result: LoadResult) -> Table:
    table = Table("process", box=None, header_style="bold")
    for name in ("cores", "at most", "memory MB"):
        table.add_column(name, justify="right")
    for use in result.shown.uses:
        table.add_row(use.name, f"{use.cores:.2f}", f"{use.most_cores:.2f}", f"{use.memory_mb:,}")
    share = result.shown.machine_share
    table.add_row("whole machine", f"{share * result.setup.cores:.2f}", f"of {result.setup.cores}", "")
    return table


def _alarms(result: LoadResult) -> str:
    return ", ".join(f"{rule} {count}" for rule, count in result.alarms.items()) or "none"
