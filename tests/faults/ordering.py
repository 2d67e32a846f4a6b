"""Measures how often missing offsets stop a worker, with and without our remedies for Faust's order of recovery.

    python -m tests.faults.ordering --runs 4

Each run is scenario T02b's, on a plant of its own. No count may be wrong in any of them: a hole costs a restart. One
that has not caught up within its time is FAILED as well: with holes at every start a worker does not get on.
"""

import argparse
import json
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.faults.catalogue import Fault, Limits
from tests.faults.outcome import Outcome, Word
from tests.faults.recovery import BACKLOG, LATENCIES, take_up_a_backlog
from tests.faults.run import run_fault
from tests.faults.trial import Trial

_PATIENCE: Final = 240.0
"""Seconds to recover: here it is counted how often it starts anew, and not judged how long that takes."""


@dataclass
class Cell:
    """What came of the runs in one setting."""

    worker: str
    latency: float
    runs: int = 0
    holes: int = 0
    runs_with_holes: int = 0
    restarts: int = 0
    equal: int = 0
    slowest: float = 0.0

    @property
    def order(self) -> str:
        """Whose order of recovery it is."""
        return "Faust's" if self.worker else "ours"

    def add(self, outcome: Outcome, holes: int) -> None:
        """Add one run."""
        self.runs += 1
        self.holes += holes
        self.runs_with_holes += holes > 0
        self.restarts += outcome.figures.restarts - outcome.figures.kills
        self.equal += outcome.word is Word.PASSED
        self.slowest = max(self.slowest, outcome.figures.recovery or 0.0)


def _holes(trial: Trial) -> int:
    """Add up what the workers have noted of their own ends."""
    files = trial.plant.path.glob("faust/*.ends.json")
    return sum(json.loads(file.read_text()).get("hole", 0) for file in files)


def measure(cell: Cell, *, seed: int) -> Outcome:
    """Run the scenario once more in this setting, and add what came of it."""
    met: list[int] = []

    def play(trial: Trial) -> None:
        try:
            take_up_a_backlog(trial, cell.latency, patience=_PATIENCE)
        finally:
            met.append(_holes(trial))

    layout = replace(BACKLOG, worker=cell.worker)
    fault = Fault("order", "order", "", play, layout, Limits(recovery=_PATIENCE), runs=1, quick_runs=1)
    outcome = run_fault(fault, seed=seed, quick=True)
    cell.add(outcome, sum(met))
    return outcome


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m tests.faults.ordering", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=4, help="in each setting")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console(width=140)
    cells = [Cell(worker, latency) for worker, latency in product(("", "stock_order.py"), LATENCIES)]
    for run in range(options.runs):
        for cell in cells:
            outcome = measure(cell, seed=options.seed + run)
            if outcome.word is not Word.PASSED:
                console.print(f"{cell.order}, {cell.latency} s: {outcome.word}: {outcome.note} {outcome.place}")
        console.print(table(cells))


def table(cells: list[Cell]) -> Table:
    """Show what was found so far."""
    grid = Table("order", "latency", "runs", "with holes", "holes", "restarts by itself", "passed", "slowest recovery")
    for cell in cells:
        grid.add_row(
            cell.order, f"{cell.latency * 1000:.0f} ms", str(cell.runs), str(cell.runs_with_holes), str(cell.holes),
            str(cell.restarts), str(cell.equal), f"{cell.slowest:.1f} s",
        )  # fmt: skip
    return grid


if __name__ == "__main__":
    main()
