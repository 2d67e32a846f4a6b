"""Runs the comparison with other stream processors: `python -m tests.benchmarks.peers`, or `make bench`.

Prints a table; with --publish it writes the raw results, the table and the plot into `docs/` as well. Exit code 1 if
somebody failed or counted wrong.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.peers import machine, page
from tests.benchmarks.peers.contender import Contender
from tests.benchmarks.peers.judge import Run, summaries
from tests.benchmarks.peers.lineup import LINEUP, REFERENCE
from tests.benchmarks.peers.process import CONTENDER_CORE, SERVERS_CORE
from tests.benchmarks.peers.session import Options, play

_err = Console(stderr=True, highlight=False)


def main() -> int:
    """Run everything, show what came of it, and return the exit code."""
    given = arguments()
    os.sched_setaffinity(0, {SERVERS_CORE})  # and so for all servers that are started from here
    described = machine.describe() if given.publish else None  # it may fail, and better before than after
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        options = Options(
            contenders=given.only, events=given.events, rounds=given.rounds, frames=given.frames,
            patience=given.patience, folder=Path(folder),
        )  # fmt: skip
        runs = watched(options)
    found = summaries(runs, reference=REFERENCE)
    sys.stdout.write(page.table(found, LINEUP))
    if described:
        page.publish(runs, found, LINEUP, described)
    _err.print(f"{len(runs)} runs in {(time.monotonic() - begun) / 60:.1f} minutes")
    return 0 if all(summary.exact for summary in found) else 1


def watched(options: Options) -> list[Run]:
    """Run everything, with a line that says what is being done."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    runs: list[Run] = []
    with Progress(*columns, console=_err) as progress:
        task = progress.add_task("starting", total=options.runs)
        for run in play(options, lambda doing: progress.update(task, description=doing)):
            runs.append(run)
            progress.advance(task)
            progress.console.print(page.line(run), markup=False, soft_wrap=True)
    return runs


def arguments() -> argparse.Namespace:
    """Read the command line; exit code 2 for what does not fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=_positive, default=1_000_000, help="events for a share of 1")
    parser.add_argument("--rounds", type=_positive, default=3)
    parser.add_argument("--frames", type=_numbers, default=[1, 100], help="events to a message, separated by commas")
    parser.add_argument("--only", type=_contenders, default=list(LINEUP), help="names, separated by commas")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for one run")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks.md and docs/benchmarks/")
    if SERVERS_CORE == CONTENDER_CORE:
        parser.error(f"core {SERVERS_CORE} is the only one for this process; contenders and servers need a core each")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return number


def _numbers(text: str) -> list[int]:
    return [_positive(each) for each in text.split(",")]


def _contenders(text: str) -> Sequence[Contender]:
    known = {contender.name: contender for contender in LINEUP}
    unknown = [name for name in text.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not known; expected some of {', '.join(known)}")
    return [known[name] for name in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
