"""One process that sends its share of a load, with its own ledger: `python -m infra.loadtest.generator FILE`.

FILE holds an `assignment.Assignment`. The process makes its events up, writes that it is ready, waits for the time to
begin, sends each event when it is due, and writes what it sent. `trial.py` starts it.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from infra.loadtest.assignment import DONE, DUE, READY, read_assignment, write_atomically
from infra.loadtest.load_events import Share, make_share
from simulators.distortion.distort import check_devices
from simulators.distortion.settings import Distortion
from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.registry import find_scenario
from simulators.sending.plan import Plan
from simulators.sending.run import Summary, simulate, stopping_on_signals
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import configure_logging
from streams.site.reader import load_site

if TYPE_CHECKING:
    import threading

    from infra.loadtest.assignment import Assignment
    from simulators.distortion.distort import Schedule
    from streams.site.model import Site

_FEWER_COLLECTIONS: Final = 50_000
"""Objects made until garbage is looked for: a message is several, and none of them is ever in a circle."""
_POLL_SECONDS: Final = 0.01
_AFTER: Final = 0.2
"""Seconds behind the last due event until what is still on its way is sent at once."""


def run(assignment: Assignment, stop: threading.Event) -> None:
    """Carry out an assignment. Raises what the simulator raises."""
    site, distortion = load_site(assignment.site), Distortion.parse(assignment.distortion)
    check_devices(distortion, site)
    share = make_share(assignment, site)
    _rehearse(assignment, share)
    write_atomically(assignment.folder / READY, b"")
    begins_ms = _wait_for_begin(assignment.begin, stop)
    if begins_ms is None:
        return
    schedule = share.schedule(begins_ms, distortion, [assignment.seed, assignment.part])
    _write_due(assignment.folder / DUE, schedule)
    sent = _play(assignment, site, share, schedule, begins_ms=begins_ms, stop=stop)
    write_atomically(assignment.folder / DONE, msgspec.json.encode(sent))


def _rehearse(assignment: Assignment, share: Share) -> None:
    """Write one event into a ledger that nobody reads: Arrow loads a part of itself the first time, for 0.2 s."""
    with LedgerWriter(assignment.folder / "rehearsal", meta={}) as ledger:
        ledger.passages(share.day.take(slice(0, 1)).texts())


def _play(
    assignment: Assignment, site: Site, share: Share, schedule: Schedule, *, begins_ms: int, stop: threading.Event
) -> Summary:
    lasts = (begins_ms - time.time() * 1000 + share.load_ms) / 1000 + _AFTER
    plan = Plan(
        find_scenario(assignment.scenario), seed=assignment.seed, epoch=assignment.epoch, clock=SiteClock(),
        for_seconds=max(lasts, _AFTER), frame=assignment.frame, max_lag=assignment.max_lag,
        distortion=Distortion.parse(assignment.distortion),
    )  # fmt: skip
    kafka = {"api_version": assignment.api_version} if assignment.api_version else {}
    once = [schedule]
    return simulate(
        plan, site, bootstrap=assignment.bootstrap, ledger=assignment.ledger, stop=stop,
        consumer_group=assignment.group or None, kafka=kafka, punctual=True,
        next_schedule=lambda _begins: once.pop() if once else None,
    )  # fmt: skip


def _wait_for_begin(file: Path, stop: threading.Event) -> int | None:
    """Return the time to begin (ms since 1970 UTC) once it is written; None if it is not to begin at all."""
    while not file.exists():
        if stop.wait(_POLL_SECONDS):
            return None
    return int(file.read_text(encoding="ascii"))


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
