"""Draws the result of a load test on a terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from infra.loadtest import words
from simulators.verify.report import sentence

if TYPE_CHECKING:
    from rich.console import Console

    from infra.loadtest.report import LoadResult


def show(result: LoadResult, console: Console) -> None:
    """Print what was tried, how long it took, who used what, and last the verdict."""
    say = partial(console.print, markup=False, soft_wrap=True)
    say(words.setup(result).en)
    console.print(_table(words.waits(result.shown)))
    if len(result.trials) > 1:
        console.print(_table(words.trials(result.trials)))
    console.print(_table(words.processes(result)))
    say(words.summary(result).en)
    for note in (words.HOW.en, *result.notes):
        say(f"note: {note}")
    if result.limit:
        limit = words.limit(result.limit)
        say(f"{limit.en}\n{limit.zh}")
    say(Text(sentence(result.verdict)))
    verdict = words.verdict(result)
    say(Text(f"{verdict.en}\n{verdict.zh}", "green" if result.ok else "bold red"))


def _table(given: words.TextTable) -> Table:
    """Lay a table out, numbers to the right."""
    table = Table(box=None, header_style="bold")
    for title, cell in zip(given.head, given.rows[0], strict=True):
        table.add_column(title.en, justify="left" if cell.en[:1].isalpha() else "right")
    for row in given.rows:
        table.add_row(*(cell.en for cell in row))
    return table
