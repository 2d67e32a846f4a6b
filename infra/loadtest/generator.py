"""One process that sends its share of a load, with its own ledger: `python -m infra.loadtest.generator ORDER`.

ORDER is a file with an `order.Order`. It makes its events up, says that it is ready, waits for the time to begin, sends
each event when it is due, and says what came of it. `trial.py` starts it.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from infra.loadtest.order import DONE, DUE, READY, read_order, write_whole
from infra.loadtest.programme import LoadProgramme, Share, make_share
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

    from infra.loadtest.order import Order
    from simulators.distortion.distort import Schedule
    from streams.site.model import Site

_FEWER_COLLECTIONS: Final = 50_000
"""Objects made until garbage is looked for: a message is several, and none of them is ever in a circle."""
_POLL_SECONDS: Final = 0.01
_AFTER: Final = 0.2
"""Seconds behind the last due event until what is still on its way is sent at once."""


def run(order: Order, stop: threading.Event) -> None:
    """Do what `order` says. Raises what the simulator raises."""
    site, distortion = load_site(order.site), Distortion.parse(order.distortion)
    check_devices(distortion, site)
    share = make_share(order, site)
    _rehearse(order, share)
    write_whole(order.folder / READY, b"")
    begins_ms = _wait_for_begin(order.begin, stop)
    if begins_ms is None:
        return
    schedule = share.schedule(begins_ms, distortion, [order.seed, order.part])
    _write_due(order.folder / DUE, schedule)
    sent = _play(order, site, share, schedule, begins_ms=begins_ms, stop=stop)
    write_whole(order.folder / DONE, msgspec.json.encode(sent))


def _rehearse(order: Order, share: Share) -> None:
    """Write one event into a ledger that nobody reads: Arrow loads a part of itself the first time, for 0.2 s."""
    with LedgerWriter(order.folder / "rehearsal", meta={}) as ledger:
        ledger.passages(share.day.take(slice(0, 1)).texts())


def _play(
    order: Order, site: Site, share: Share, schedule: Schedule, *, begins_ms: int, stop: threading.Event
) -> Summary:
    lasts = (begins_ms - time.time() * 1000 + share.load_ms) / 1000 + _AFTER
    plan = Plan(
        find_scenario(order.scenario), seed=order.seed, epoch=order.epoch, clock=SiteClock(),
        for_seconds=max(lasts, _AFTER), frame=order.frame, max_lag=order.max_lag,
        distortion=Distortion.parse(order.distortion),
    )  # fmt: skip
    kafka = {"api_version": order.api_version} if order.api_version else {}
    return simulate(
        plan, site, bootstrap=order.bootstrap, ledger=order.ledger, consumer_group=order.group or None, stop=stop,
        kafka=kafka, programme=LoadProgramme(plan, schedule), punctual=True,
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
    """Read the order and carry it out."""
    configure_logging("warning")
    gc.set_threshold(_FEWER_COLLECTIONS)
    order = read_order(Path(sys.argv[1]))
    with stopping_on_signals() as stop:
        run(order, stop)


if __name__ == "__main__":
    main()
