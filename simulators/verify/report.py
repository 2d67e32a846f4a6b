"""The verdict of a verification, as JSON for programs and as a table for people."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console

from simulators.verify.compare import Difference
from streams import comparison
from streams.comparison import DifferenceTable, ViewComparison

MAX_LISTED = 20
"""Differences that are listed; the number of all of them is in the table above."""


@dataclass(frozen=True)
class Verdict:
    """What came of it. `ok` only if something was sent and no row of any view differs.

    `sent`: passages delivered, each identity once; `counted`: identities in the view `passages`. Of those sent, `late`
    had to be counted separately, and `refused` to be rejected for their time. `difference`
    is the number of passages that are lost, phantom or duplicated; if there are none, the number of rows that
    differ otherwise: so it is 0 exactly when everything is equal. `altered`: passages with other content than
    was sent. `differences`: the first of them, `notes`: what else a reader of the verdict should know.
    """

    ok: bool
    sent: int
    counted: int
    late: int
    refused: int
    difference: int
    views: Mapping[str, ViewComparison]
    lost: int
    phantom: int
    duplicated: int
    altered: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def to_json(verdict: Verdict) -> str:
    """Return the object of the contract; `late` and `refused` were sent and had to be left out of the counts."""
    names = ("ok", "sent", "counted", "difference", "views", "late", "refused")
    return json.dumps({name: getattr(verdict, name) for name in names} | {"views": comparison.plain(verdict.views)})


def sentence(verdict: Verdict) -> str:
    """Return it as one line."""
    rows = sum(view.compared for view in verdict.views.values())
    different = sum(view.different for view in verdict.views.values())
    apart = f"{verdict.late:,} late, {verdict.refused:,} refused, " if verdict.late or verdict.refused else ""
    word = "EQUAL" if verdict.ok else "DIFFERENT" if verdict.difference else "UNKNOWN (nothing was sent)"
    return (
        f"{word}: {verdict.sent:,} sent, {verdict.counted:,} counted, {apart}{verdict.lost:,} lost, "
        f"{verdict.phantom:,} phantom, {verdict.duplicated:,} duplicated; "
        f"{len(verdict.views)} views, {rows:,} rows compared" + (f", {different:,} differ." if different else ".")
    )


def show(verdict: Verdict, console: Console) -> None:
    """Print the views, the first differences, the notes, and last the sentence."""
    head = ("view", "key", "column", "expected", "stored")
    differences = DifferenceTable(head, _first(verdict.differences))
    comparison.show(
        console, verdict.views, differences, notes=verdict.notes, sentence=sentence(verdict), ok=verdict.ok
    )  # fmt: skip


def _first(differences: Iterable[Difference]) -> list[tuple[str, ...]]:
    """List the first differences, taking turns among the views so that none hides the others."""
    turns: dict[str, int] = {}
    listed = []
    for each in differences:
        turns[each.view] = turns.get(each.view, 0) + 1
        listed.append((turns[each.view], len(turns), each))
    chosen = sorted(listed, key=lambda entry: entry[:2])[:MAX_LISTED]
    in_turn = sorted(chosen, key=lambda entry: (list(turns).index(entry[2].view), entry[0]))
    return [(each.view, each.key, each.column, each.expected, each.stored) for _, _, each in in_turn]
