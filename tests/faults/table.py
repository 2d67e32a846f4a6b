"""Renders outcomes as a terminal table, as JSON, and as a page of the documentation."""

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from tests.faults.outcome import Outcome, Word

_STYLE: Final = {Word.PASSED: "green", Word.FAILED: "bold red", Word.UNKNOWN: "bold yellow"}
COLUMNS: Final = (
    "id", "fault", "verdict", "sent", "lost", "phantom", "duplicated", "kills / restarts", "recovery", "worker", "time",
    "note",
)  # fmt: skip
PAGE_COLUMNS: Final = (
    "id", "fault", "how", "verdict", "sent", "lost", "phantom", "duplicated", "kills / restarts", "recovery",
    "peak memory", "seconds", "size", "date", "note",
)  # fmt: skip
_ROW: Final = re.compile(r"\| ([OT]\S+) \|.*\|")
DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "faults.md"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Write an outcome in a row; seconds and MB with their units."""
    figures = outcome.figures
    recovery = "" if figures.recovery is None else f"{figures.recovery:.1f} s"
    return (
        outcome.id, outcome.what, outcome.word.value, f"{figures.sent:,}", f"{figures.lost:,}",
        f"{figures.phantom:,}", f"{figures.duplicated:,}", f"{figures.kills} / {figures.restarts}", recovery,
        f"{figures.memory} MB", f"{figures.seconds:.0f} s{' (quick)' if outcome.quick else ''}", outcome.note,
    )  # fmt: skip


def row(outcome: Outcome) -> str:
    """Write an outcome as a row of the page."""
    what, verdict, *numbers, _, note = cells(outcome)[1:]
    size, day = "quick" if outcome.quick else "full", outcome.on.isoformat() if outcome.on else ""
    written = (
        outcome.id, outcome.name, what, verdict, *numbers, f"{outcome.figures.seconds:.0f}", size, day, note,
    )  # fmt: skip
    return _row(written)


def _row(written: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in written)} |"


def grid(outcomes: Iterable[Outcome], running: tuple[str, str, float] | None = None) -> Table:
    """Return the table; `running` is the scenario under way: id, what it is doing, seconds so far."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in {"id", "fault", "verdict", "note"} else "right")
    for outcome in outcomes:
        words = [Text(cell) for cell in cells(outcome)]
        words[2].stylize(_STYLE[outcome.word])
        table.add_row(*words)
    if running is not None:
        name, step, seconds = running
        table.add_row(name, f"… {step}", *[""] * 8, f"{seconds:.0f} s", style="dim")
    return table


def line(outcome: Outcome) -> str:
    """Write an outcome in a line of text."""
    return "  ".join(f"{name}: {cell}" for name, cell in zip(COLUMNS, cells(outcome), strict=True) if cell)


def as_object(outcome: Outcome) -> Mapping[str, Any]:
    """Return an outcome for JSON."""
    return {"verdict": outcome.word.value} | asdict(outcome)


def page(outcomes: Iterable[Outcome], command: str, known: str = "") -> str:
    """Return the page of the documentation: these outcomes, and the rows of `known` for scenarios not run now."""
    width = len(PAGE_COLUMNS)
    before = [found for found in map(_ROW.match, known.splitlines()) if found and found[0].count(" | ") == width - 1]
    rows = {found[1]: found[0] for found in before}
    rows |= {each.id: row(each) for each in outcomes}
    head = [_row(PAGE_COLUMNS), f"|{'---|' * width}"]
    return "\n".join([*_INTRODUCTION, *head, *(rows[id_] for id_ in sorted(rows)), "", _ran(command), ""])


_INTRODUCTION: Final = (
    "# Fault injection: scenarios and results",
    "",
    "`python -m tests.faults --write-docs` writes this page. Each row is the newest run of its scenario, on real",
    "processes on one machine (Kafka, ClickHouse, workers, simulator).",
    "",
    "A scenario is PASSED only if every row of every view equals the simulator's ledger, the identity received =",
    "counted + duplicate + late + rejected held at every scrape, everything was committed in time, and progress was",
    "seen during and after the fault. UNKNOWN is not PASSED: the proof was not seen.",
    "",
    "- *sent*, *lost*, *phantom* and *duplicated* are passages by identity.",
    "- *recovery*: from the end of the fault until everything is committed that was in Kafka then.",
    "- *peak memory*: the largest resident memory of a worker.",
    "- *size*: a quick run does the same, but shorter or less often.",
    "- Rows that sent nothing are played by tests of the suite, or by a program with its own ground truth. Their note",
    "  has the result.",
    "",
)


def _ran(command: str) -> str:
    return f"Last: `{command}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores."
