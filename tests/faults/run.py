"""Runs fault scenarios and prints the outcome of each: `python -m tests.faults T01 T07 --quick`.

Exit code 0 only if all are PASSED. Every scenario's seed follows from one that is printed; give it with --seed to have
the same moments again.
"""

import argparse
import datetime as dt
import hashlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, cast

from rich.console import Console
from rich.live import Live

from simulators.scenario.registry import SCENARIOS
from streams.logging import kafka_writes_into
from tests.faults import table
from tests.faults.catalogue import Fault, Play, Program, catalogue
from tests.faults.oracle import judge
from tests.faults.outcome import Check, Figures, Outcome, Word, together
from tests.faults.plant import Plant
from tests.faults.trial import Trial

Say = Callable[[str], None]
_WRONG_USAGE: Final = 2
_WIDE: Final = 200
_MINUTES: Final = 60.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_EXITS: Final = "exit code: 0 all PASSED, 1 one FAILED or UNKNOWN, 2 wrong usage"


def run_fault(
    fault: Fault,
    *,
    seed: int,
    quick: bool,
    keep: bool = False,
    minutes: float | None = None,
    scenario: str = "",
    say: Say = lambda _: None,
) -> Outcome:
    """Do a fault, as often as it wants to be done, and judge it; its files are kept unless it passed.

    `scenario` is the made-up day it is done in; "": the usual one.
    """
    if isinstance(fault.play, Program):
        arguments = fault.play.quick if quick else fault.play.full
        return _run_program(fault, arguments, seed=seed, quick=quick, minutes=minutes, say=say)
    runs = fault.quick_runs if quick else fault.runs
    fault = replace(fault, layout=replace(fault.layout, scenario=fault.layout.scenario or scenario))
    outcomes = []
    for run in range(runs):
        step = say if runs == 1 else partial(_say_of_run, say, f"run {run + 1} of {runs}: ")
        outcomes.append(_run_once(fault, seed=seed + run, quick=quick, run=run, keep=keep, minutes=minutes, say=step))
    return together(outcomes)


def _say_of_run(say: Say, which: str, text: str) -> None:
    say(which + text)


def _run_once(
    fault: Fault, *, seed: int, quick: bool, run: int, keep: bool, minutes: float | None, say: Say
) -> Outcome:
    place = Path(tempfile.mkdtemp(prefix=f"gatepulse-{fault.id}-"))
    today = dt.datetime.now(dt.UTC).date()
    outcome = Outcome(fault.id, fault.what, seed, quick, place=str(place), name=fault.name, on=today)
    begun = time.monotonic()
    say("starting the plant")
    try:
        with kafka_writes_into(place / "logs" / "harness.log"), Plant(fault.layout, place) as plant:
            trial = Trial(plant, seed=seed, quick=quick, run=run, say=say, minutes=minutes)
            outcome = _play(fault, trial, outcome)
            say("ending the plant")
    except Exception as error:  # noqa: BLE001 - the other scenarios are still to be run
        outcome = _broken(outcome, error, holds=None)
    except BaseException:  # the run is ended by a signal: nobody will look at this
        shutil.rmtree(place, ignore_errors=True)
        raise
    outcome = replace(outcome, figures=replace(outcome.figures, seconds=time.monotonic() - begun))
    if outcome.word is Word.PASSED and not keep:
        shutil.rmtree(place, ignore_errors=True)
        outcome = replace(outcome, place="")
    return outcome


def _run_program(
    fault: Fault, arguments: Sequence[str], *, seed: int, quick: bool, minutes: float | None, say: Say
) -> Outcome:
    """Run a scenario that is a program; its last line says what came of it, its output is kept unless it passed."""
    place = Path(tempfile.mkdtemp(prefix=f"gatepulse-{fault.id}-"))
    words = [each.format(seed=seed, minutes=minutes or _MINUTES) for each in arguments]
    say("python " + " ".join(words))
    begun = time.monotonic()
    with (place / "said.log").open("wb") as said:
        code = subprocess.run(
            [sys.executable, *words], cwd=_ROOT, stdout=said, stderr=subprocess.STDOUT, check=False
        ).returncode
    lines = [each for each in (place / "said.log").read_text(errors="replace").splitlines() if each.strip()]
    note = lines[-1].strip(" =") if lines else "nothing was said"
    outcome = Outcome(
        fault.id, fault.what, seed, quick, Figures(seconds=time.monotonic() - begun),
        (Check("the program's own verdict", code == 0, f"exit code {code}"),), (note,), str(place), fault.name,
        dt.datetime.now(dt.UTC).date(),
    )  # fmt: skip
    if code == 0:
        shutil.rmtree(place, ignore_errors=True)
        outcome = replace(outcome, place="")
    return outcome


def _play(fault: Fault, trial: Trial, outcome: Outcome) -> Outcome:
    """Play the scenario; what it could not do or expect counts against it."""
    try:
        cast("Play", fault.play)(trial)
        judgement = judge(trial, fault.limits)
    except AssertionError as error:
        return _broken(outcome, error, holds=False)
    return replace(
        outcome,
        figures=judgement.figures,
        checks=(*judgement.checks, *trial.checks),
        notes=(*judgement.notes, *trial.notes),
    )


def _broken(outcome: Outcome, error: BaseException, *, holds: bool | None) -> Outcome:
    """Say of a scenario that it was not played to its end, and why."""
    where = Path(outcome.place, "logs", "error.txt")
    with suppress(OSError):
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text("".join(traceback.format_exception(error)))
    check = Check("played to its end", holds, f"{type(error).__name__}: {error}")
    return replace(outcome, checks=(*outcome.checks, check))


def seed_of(fault: Fault, seed: int) -> int:
    """Return a scenario's own seed: the same whichever others are run beside it."""
    return int.from_bytes(hashlib.sha256(f"{seed} {fault.id}".encode()).digest()[:4])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; Ctrl-C and SIGTERM end it with all that it has started, a second one at once."""
    known = catalogue()
    options = _parser(known.values()).parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    unknown = [name for name in options.ids if name not in known]
    if unknown:
        sys.stderr.write(f"not in the catalogue: {', '.join(unknown)}; there are {', '.join(known)}\n")
        sys.exit(_WRONG_USAGE)
    chosen = [known[name] for name in options.ids] or list(known.values())
    bound = [fault for fault in chosen if options.scenario and not _fits(fault, options.scenario)]
    if options.ids and bound:
        bound_ids = ", ".join(fault.id for fault in bound)
        sys.stderr.write(f"--scenario {options.scenario}: {bound_ids} cannot be done in it; leave it out for these\n")
        sys.exit(_WRONG_USAGE)
    chosen = [fault for fault in chosen if fault not in bound]
    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)
    console.print(f"seed {options.seed}")
    outcomes = _run_all(chosen, options, console)
    console.print(table.grid(outcomes))
    for outcome in outcomes:
        if outcome.place:
            console.print(f"{outcome.id}: seed {outcome.seed}, files in {outcome.place}", soft_wrap=True)
    if not options.json:
        sys.stdout.write(_as_json(outcomes, options.seed))
    sys.exit(0 if all(outcome.word is Word.PASSED for outcome in outcomes) else 1)


def _fits(fault: Fault, scenario: str) -> bool:
    """Whether a fault can be done in a scenario: it is no program of its own, and names no devices of another one."""
    return not isinstance(fault.play, Program) and fault.layout.scenario in {"", scenario}


def _end(number: int, _frame: FrameType | None) -> None:
    """Unwind: every block that started something ends it. A second signal does what it usually does."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)


def _parser(known: Iterable[Fault]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.faults",
        description="Do faults on purpose to a plant of real processes, and compare every count with what was sent.",
        epilog="\n".join(["scenarios:", *(f"  {each.id:5} {each.what}" for each in known), "", _EXITS]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ids", nargs="*", metavar="T01", help="scenarios; all if left out")
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--scenario", choices=names, default="", help="the made-up day; expo if left out")
    parser.add_argument("--quick", action="store_true", help="their small sizes")
    parser.add_argument("--minutes", type=float, metavar="N", help="how long T28 (8 h) and O13 (1 h) go on")
    parser.add_argument(
        "--seed", type=int, metavar="N", default=secrets.randbelow(10**6), help="to have the same moments again"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there, not to stdout")
    parser.add_argument("--keep", action="store_true", help="keep the files of scenarios that passed, too")
    parser.add_argument("--write-docs", action="store_true", help=f"enter the outcomes in {table.DOCUMENT.name}")
    return parser


def _run_all(chosen: Sequence[Fault], options: argparse.Namespace, console: Console) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for fault in chosen:
            show = _Show(live, outcomes, fault.id)
            with show:
                seed = seed_of(fault, options.seed)
                size = {"quick": options.quick, "minutes": options.minutes, "scenario": options.scenario}
                outcomes.append(run_fault(fault, seed=seed, **size, keep=options.keep, say=show.say))
            _write(outcomes, options)
            if not console.is_terminal:
                console.print(table.line(outcomes[-1]), soft_wrap=True)
    return outcomes


class _Show:
    """Draws the table anew every half second while a scenario runs."""

    def __init__(self, live: Live, outcomes: list[Outcome], name: str) -> None:
        self._live, self._outcomes, self._name = live, outcomes, name
        self._step, self._begun = "", time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def say(self, step: str) -> None:
        """Show this step from now on."""
        self._step = step

    def __enter__(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Draw no more."""
        self._over.set()
        self._thread.join()

    def _draw(self) -> None:
        while not self._over.wait(0.5):
            running = (self._name, self._step, time.monotonic() - self._begun)
            self._live.update(table.grid([*self._outcomes], running), refresh=True)


def _write(outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    """Write what is known so far: a run of all scenarios takes hours, and may be ended before its time."""
    if options.json:
        options.json.write_text(_as_json(outcomes, options.seed))
    if options.write_docs:
        known = table.DOCUMENT.read_text() if table.DOCUMENT.exists() else ""
        words = ["--quick"] if options.quick else []
        words += ["--scenario", options.scenario] if options.scenario else []
        table.DOCUMENT.write_text(table.page(outcomes, " ".join(["python -m tests.faults", *words]), known))


def _as_json(outcomes: Sequence[Outcome], seed: int) -> str:
    found = {"seed": seed, "outcomes": [*map(table.as_object, outcomes)]}
    return json.dumps(found, indent=1, default=str) + "\n"
