"""Renders the result of an audit: JSON for programs, a table for people. Next: `pace.py`."""

import json
from dataclasses import asdict

from rich.console import Console

from streams import comparison
from streams.audit.compare import AuditResult, RowDifference
from streams.comparison import DifferenceTable


def to_json(result: AuditResult) -> str:
    """Return the object of the contract: ok, from, to, per view compared and different, the first differences."""
    interval = result.interval
    return json.dumps(
        {
            "ok": result.ok,
            "from": interval.text(interval.start),
            "to": interval.text(interval.end),
            "views": comparison.plain(result.views),
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
    records = sum(each.records for each in result.lost)
    return _judged(result) + (f" INCOMPLETE: {records:,} records are lost for good." if records else "")


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
    rows = [
        (each.view, " ".join(each.key.values()), _value(each.published), _value(each.recomputed))
        for each in result.differences
    ]
    differences = DifferenceTable(("view", "key", "published", "recomputed"), rows)
    comparison.show(console, result.views, differences, notes=result.notes, sentence=sentence(result), ok=result.ok)


def _value(value: int | None) -> str:
    return "no row" if value is None else str(value)
