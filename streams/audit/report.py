"""How an audit is written down: an object for programs, a table for people. Next: `watch.py`."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.audit.compare import AuditResult, RowDifference


def to_json(result: AuditResult) -> str:
    """Return the object of the contract: ok, from, to, per view compared and different, the first differences."""
    interval = result.interval
    return json.dumps(
        {
            "ok": result.ok,
            "from": interval.text(interval.start),
            "to": interval.text(interval.end),
            "views": {name: {"compared": v.compared, "different": v.different} for name, v in result.views.items()},
            "differences": [
                {"view": each.view, **each.key, "published": each.published, "recomputed": each.recomputed}
                for each in result.differences
            ],
            "notes": result.notes,
            "unsettled": result.unsettled,
            "lost": [asdict(each) for each in result.lost],
        }
    )


def sentence(result: AuditResult) -> str:
    """Say it in one line."""
    return _judged(result) + _without(result)


def _without(result: AuditResult) -> str:
    """Say what the judgement is without."""
    records = sum(each.records for each in result.lost)
    return f" INCOMPLETE: {records:,} records are lost for good." if records else ""


def _judged(result: AuditResult) -> str:
    if not result.compared:
        return f"NOTHING TO COMPARE: {result.interval.label()} holds no passages and no counts."
    if result.unsettled:
        warning = f"{result.unsettled:,} events came through several logs and may be counted twice until then"
        return f"NOT SETTLED YET: {result.interval.label()}, {warning}."
    word = "EQUAL" if result.ok else "DIFFERENT"
    rest = f", {result.different:,} differ from the passages." if result.different else "."
    return f"{word}: {result.interval.label()}, {len(result.views)} views, {result.compared:,} rows compared{rest}"


def difference_line(difference: RowDifference) -> str:
    """Say a difference in one line."""
    key = " ".join(difference.key.values())
    return (
        f"{difference.view} {key}: published {_value(difference.published)}, recomputed {_value(difference.recomputed)}"
    )


def show(result: AuditResult, console: Console) -> None:
    """Print the views, the first differences, the notes, and last the sentence."""
    console.print(_views(result))
    if result.differences:
        console.print(_differences(result))
    for note in result.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    console.print(Text(sentence(result), "green" if result.ok else "bold red"), soft_wrap=True)


def _views(result: AuditResult) -> Table:
    grid = Table("view", box=None, header_style="bold")
    grid.add_column("rows compared", justify="right")
    grid.add_column("different", justify="right")
    for name, view in result.views.items():
        grid.add_row(name, f"{view.compared:,}", f"{view.different:,}", style="red" if view.different else "")
    return grid


def _differences(result: AuditResult) -> Table:
    grid = Table("view", "key", "published", "recomputed", box=None, header_style="bold")
    for each in result.differences:
        cells = (each.view, " ".join(each.key.values()), _value(each.published), _value(each.recomputed))
        grid.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return grid


def _value(value: int | None) -> str:
    return "no row" if value is None else str(value)
