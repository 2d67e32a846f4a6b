"""The result of comparing views with expected values, as JSON and as a table; for audit and verification."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class ViewComparison:
    """How many rows of a view were compared, and how many of them differ."""

    compared: int
    different: int


@dataclass(frozen=True)
class DifferenceTable:
    """The first differences as text: what stands above each column, and the rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def plain(views: Mapping[str, ViewComparison]) -> dict[str, dict[str, int]]:
    """Return the comparisons as an object for JSON."""
    return {name: asdict(view) for name, view in views.items()}


def show(
    console: Console,
    views: Mapping[str, ViewComparison],
    differences: DifferenceTable,
    *,
    notes: Iterable[str],
    sentence: str,
    ok: bool,
) -> None:
    """Print the views, the first differences, the notes, and last the sentence."""
    grid = Table("view", box=None, header_style="bold")
    grid.add_column("rows compared", justify="right")
    grid.add_column("different", justify="right")
    for name, view in views.items():
        grid.add_row(name, f"{view.compared:,}", f"{view.different:,}", style="red" if view.different else "")
    console.print(grid)
    if differences.rows:
        grid = Table(*differences.head, box=None, header_style="bold")
        for row in differences.rows:
            grid.add_row(*(Text(cell, overflow="fold") for cell in row))
        console.print(grid)
    for note in notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    console.print(Text(sentence, "green" if ok else "bold red"), soft_wrap=True)
