"""One process that sends its share of a load, with its own ledger: `python -m infra.loadtest.generator FILE`.

FILE holds an `Assignment`. The process makes its events up, writes that it is ready, waits for the time to begin, and
sends each event when it is due. Every generator makes up the whole load and sends the share of its devices, so they
need not communicate. `trial.py` starts it.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from infra.loadtest.load import Load  # noqa: TC001  # msgspec reads annotations when it decodes
from simulators.distortion.distort import Schedule, distort
from simulators.distortion.settings import Distortion
from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.registry import find_scenario
from simulators.sending.plan import Plan
from simulators.sending.run import simulate, stopping_on_signals
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import configure_logging
from streams.site.reader import load_site

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from simulators.scenario.day import Day
    from streams.site.model import Site

READY: Final = "ready"
DUE: Final = "due.npz"
_FEWER_COLLECTIONS: Final = 50_000
"""Objects made until garbage is looked for: a message is several, and none of them is ever in a circle."""
_POLL_SECONDS: Final = 0.01
_AFTER: Final = 0.2
"""Seconds behind the last due event until what is still on its way is sent at once."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One generator's part of a load.

    It sends the events of the devices whose number leaves `part` when divided by `parts`. Everything it writes is below
    `folder`: `ready` when its events are made up. `ledger` is a new folder for the truth. `group` names the workers
    that must not fall behind by more than `max_lag` events; "": nobody is waited for.
    """

    scenario: str
    site: str
    seed: int
    epoch: int
    load: Load
    part: int
    parts: int
    distortion: str
    frame: int
    bootstrap: str
    api_version: tuple[int, ...]
    group: str
    max_lag: int
    folder: Path
    ledger: Path

    @property
    def begin(self) -> Path:
        """Where the time to begin is written (ms since 1970 UTC) by who started it, the same for all parts."""
        return self.folder.parent / "begin"


def write_assignment(file: Path, assignment: Assignment) -> None:
    """Write an assignment for the process that is to carry it out."""
    file.write_bytes(msgspec.json.encode(assignment, enc_hook=str))


def read_assignment(file: Path) -> Assignment:
    """Read an assignment."""
    return msgspec.json.decode(file.read_bytes(), type=Assignment, dec_hook=lambda kind, text: kind(text))


def run(assignment: Assignment, stop: threading.Event) -> None:
    """Carry out an assignment. Raises what the simulator raises."""
    site, distortion = load_site(assignment.site), Distortion.parse(assignment.distortion)
    share = make_share(assignment, site)
    # Arrow loads a part of itself when a ledger is first written, for 0.2 s: here into one that nobody reads.
    with LedgerWriter(assignment.folder / "rehearsal", meta={}) as ledger:
        ledger.passages(share.take(slice(0, 1)).texts())
    (assignment.folder / READY).touch()
    while not assignment.begin.exists():
        if stop.wait(_POLL_SECONDS):
            sys.exit("ended before the load began")
    begins_ms = int(assignment.begin.read_text(encoding="ascii"))
    schedule = make_schedule(share, begins_ms, distortion, [assignment.seed, assignment.part])
    _write_due(assignment.folder / DUE, schedule)
    lasts = begins_ms / 1000 - time.time() + assignment.load.seconds + _AFTER
    plan = Plan(
        find_scenario(assignment.scenario), seed=assignment.seed, epoch=assignment.epoch, clock=SiteClock(),
        for_seconds=max(lasts, _AFTER), frame=assignment.frame, max_lag=assignment.max_lag, distortion=distortion,
    )  # fmt: skip
    once = [schedule]
    simulate(
        plan, site, bootstrap=assignment.bootstrap, ledger=assignment.ledger, stop=stop,
        consumer_group=assignment.group or None, punctual=True,
        kafka={"api_version": assignment.api_version} if assignment.api_version else {},
        next_schedule=lambda _begins: once.pop() if once else None,
    )  # fmt: skip


def make_share(assignment: Assignment, site: Site) -> Day:
    """Make up the events of an assignment: times are milliseconds from the begin of the load.

    Raises NothingToSendError and UnfitSiteError.
    """
    scenario = find_scenario(assignment.scenario)
    whole = assignment.load.make_day(scenario, site, seed=assignment.seed, epoch=assignment.epoch)
    return whole.take(np.flatnonzero(whole.device % assignment.parts == assignment.part))


def make_schedule(share: Day, begins_ms: int, distortion: Distortion, seed: Sequence[int]) -> Schedule:
    """Return when each line is delivered, for a load that begins at `begins_ms` (ms since 1970 UTC)."""
    day = replace(share, true_ts=share.true_ts + begins_ms, ts=share.ts + begins_ms)
    return distort(day, distortion, np.random.default_rng(seed))


def _write_due(file: Path, schedule: Schedule) -> None:
    """Keep when each passage is due at the broker for the first time, by device and number."""
    rows, first = np.unique(schedule.row, return_index=True)  # deliveries are in the order of time
    rows, at = rows[rows >= 0], schedule.at[first][rows >= 0]
    day = schedule.day
    with file.open("wb") as out:
        np.savez(out, device=day.names.devices[day.device[rows]].astype("U64"), seq=day.seq[rows], due_ms=at)


def main() -> None:
    """Read the assignment and carry it out."""
    configure_logging("warning")
    gc.set_threshold(_FEWER_COLLECTIONS)
    assignment = read_assignment(Path(sys.argv[1]))
    with stopping_on_signals() as stop:
        run(assignment, stop)


if __name__ == "__main__":
    main()
