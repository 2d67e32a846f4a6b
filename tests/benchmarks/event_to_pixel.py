"""Measures the time from a turnstile to the pixels of a wall: `python -m tests.benchmarks.event_to_pixel`.

A real Kafka, ClickHouse, worker and wall, and the wall in a real Chromium; `gatepulse simulate` sends 1,000 passages a
second (--rate) with the present time. An entry is on the wall when the first frame is done that shows at least its
number: the k-th entry of the day, by time of passage, by the first frame with at least k. Only entries after the start
has settled count, over --seconds.

Prints one JSON object in milliseconds: the whole way, and its steps, for all entries and (their means) for the slowest
hundredth. Exit code 1 if an entry in a hundred took longer than 1.5 s, or not every entry was shown in the end.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from infra.loadtest.measure import is_entry
from infra.process.ports import LOOPBACK, accepts
from simulators.ledger.ledger import Ledger, read_ledger
from sinks.clickhouse import ClickHouseReader
from streams.site.model import Site
from tests.faults.catalogue import Layout
from tests.faults.plant import Plant
from tests.faults.watch import Samples
from tests.support.browser import QUIET
from tests.support.processes import eventually

Integers = NDArray[np.int64]

LIMIT_MS: Final = 1500
SETTLING: Final = 25.0
"""Seconds after the first event: the worker has its partitions, and everything runs evenly."""
_PATIENCE: Final = 60.0
_POLL: Final = 0.25
"""Seconds; more often costs the store so much that everything gets slower."""
_QUANTILES: Final = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_TIMINGS: Final = ("store_insert", "checkpoint", "end_to_end")

ENTRIES: Final = "[data-figure='person.entries']"

# Notes each beat of the stream when it has come, and each number of entries when the frame that shows it is done: that
# is at the latest when the next one begins. Times are milliseconds since 1970 by the browser's clock.
NOTE: Final = """
window.noted = { beats: [], frames: [] };
const now = () => performance.timeOrigin + performance.now();
const Plain = window.EventSource;
window.EventSource = class extends Plain {
    constructor(...given) {
        super(...given);
        this.addEventListener("beat", ({ data }) => {
            const came = now();
            const { sent_ms, snapshot } = JSON.parse(data);
            window.noted.beats.push([snapshot.today.person?.entries ?? 0, snapshot.real_ms, sent_ms, came]);
        });
    }
};
let last = -1;
const note = () => {
    const entries = document.querySelector(ENTRIES);
    const shown = Number(entries?.textContent.replace(/\\D/g, "") || 0);
    if (shown === last) return;
    last = shown;
    const { fresh } = document.documentElement.dataset;
    requestAnimationFrame(() => requestAnimationFrame(() => window.noted.frames.push([shown, now(), fresh])));
};
new MutationObserver(note).observe(document, { childList: true, characterData: true, subtree: true });
"""

STORED: Final = """
SELECT toUnixTimestamp64Milli(min(complete_to))
FROM gatepulse.progress
WHERE log LIKE '%/turnstile.passages/%'
"""


@dataclass
class Noted:
    """What was seen on the way. Columns in order of time, all times in real ms.

    `beats`: entries, when the figures were asked for, sent, and come. `frames`: entries shown, and when.
    `stored`: up to when all was stored, and when that was seen.
    """

    beats: Integers
    frames: Integers
    stored: Integers
    stale: int


@dataclass
class Storage:
    """Looks all the time up to when everything is stored."""

    reader: ClickHouseReader
    seen: list[tuple[int, int]] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Look for the time of a block."""
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
            self.reader.close()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(_POLL):
            rows = self.reader.query(STORED)
            self.seen.append((int(rows[0][0]), time.time_ns() // 1_000_000))


def run(folder: Path, *, rate: float, seconds: float) -> dict[str, Any]:
    """Play, watch, and compare."""
    with Plant(Layout(wall=True), folder) as plant, Storage(plant.reader()).watched() as storage, screen(plant) as page:
        load = os.getloadavg()[0]
        simulator = start_simulator(plant, folder / "ledger", rate=rate, seconds=SETTLING + seconds)
        summary, _ = simulator.communicate()
        assert simulator.returncode == 0, f"the simulator ended with {simulator.returncode}"
        ledger = read_ledger(folder / "ledger")
        happened = entry_times(ledger, plant.site)
        all_shown = await_number(page, len(happened))
        noted, worker = collect(page, storage.seen), means(plant.metrics(plant.worker))
    settled = happened[0] + SETTLING * 1000
    return judge(noted, happened, since=settled) | {
        "sent_a_second": round(json.loads(summary)["events"] / (SETTLING + seconds)),
        "all_shown": all_shown,
        "stale_frames": noted.stale,
        "worker_means": worker,
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


@contextmanager
def screen(plant: Plant) -> Iterator[Page]:
    """Show the wall in a browser for the time of a block, from its first fresh figures on."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.add_init_script(NOTE.replace("ENTRIES", json.dumps(ENTRIES)))
        eventually(lambda: accepts(LOOPBACK, plant.wall_port), _PATIENCE)
        page.goto(f"http://{LOOPBACK}:{plant.wall_port}/")
        page.wait_for_selector("html[data-fresh='ok']", timeout=_PATIENCE * 1000)
        yield page
        browser.close()


def start_simulator(plant: Plant, ledger: Path, *, rate: float, seconds: float) -> "subprocess.Popen[str]":
    """Start `gatepulse simulate` in a process of its own."""
    words = ["simulate", "expo", "--rate", str(rate), "--for", str(seconds), "--ledger", str(ledger)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "infra.cli.main", *words], env=plant.worker.env, stdout=subprocess.PIPE, text=True
    )


def await_number(page: Page, entries: int) -> bool:
    """Wait until the wall shows so many entries; whether it does."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if int(re.sub(r"\D", "", page.locator(ENTRIES).first.inner_text()) or 0) >= entries:
            page.wait_for_timeout(500)  # until the frame is noted
            return True
        page.wait_for_timeout(100)
    return False


def collect(page: Page, stored: Sequence[tuple[int, int]]) -> Noted:
    """Take what was noted; the server's monotonic clock becomes real time."""
    recorded = page.evaluate("window.noted")
    ahead = time.time_ns() // 1_000_000 - time.monotonic_ns() // 1_000_000
    beats = np.array([(entries, requested, sent + ahead, came) for entries, requested, sent, came in recorded["beats"]])
    frames = np.array([(shown, at) for shown, at, _ in recorded["frames"]])
    return Noted(beats, frames, np.array(stored), sum(fresh != "ok" for *_, fresh in recorded["frames"]))


def means(samples: Samples) -> dict[str, int]:
    """Return what a worker says on average (ms, since its start) of the parts of its way."""
    sums = {name: samples[f"gatepulse_{name}_seconds_sum"][0][1] for name in _TIMINGS}
    counts = {name: samples[f"gatepulse_{name}_seconds_count"][0][1] for name in _TIMINGS}
    return {name: round(1000 * sums[name] / max(counts[name], 1.0)) for name in _TIMINGS}


def entry_times(ledger: Ledger, site: Site) -> Integers:
    """Return when persons entered (event times in ms, in order)."""
    return np.sort(np.asarray(ledger.passages["ts"])[is_entry(ledger, site)])


def first_looks(shown: Integers, entries: int) -> Integers:
    """Return for each entry the index of the first look that shows it; len(shown) if none does."""
    return np.searchsorted(shown, np.arange(1, entries + 1), side="left")


def quantiles(milliseconds: Integers) -> dict[str, int]:
    """Return number, median, p90, p99 and maximum, as whole milliseconds."""
    if not len(milliseconds):
        return {"n": 0}
    return {"n": len(milliseconds)} | {
        name: round(float(np.quantile(milliseconds, at))) for name, at in _QUANTILES.items()
    }


def judge(noted: Noted, happened: Integers, *, since: float) -> dict[str, Any]:
    """Return the whole way and its steps, for all entries since a moment and for the slowest hundredth."""
    frames, beats = first_looks(noted.frames[:, 0], len(happened)), first_looks(noted.beats[:, 0], len(happened))
    stored = np.searchsorted(noted.stored[:, 0], happened, side="left")
    counted = (happened >= since) & (frames < len(noted.frames)) & (stored < len(noted.stored))
    _, requested, sent, came = noted.beats[beats[counted]].T
    moments = {
        "stored": noted.stored[stored[counted], 1],
        "asked_for": requested,
        "sent": sent,
        "came": came,
        "drawn": noted.frames[frames[counted], 1],
    }
    begun = happened[counted]
    whole = moments["drawn"] - begun
    steps = np.diff([begun, *moments.values()], axis=0)
    slowest = whole >= np.quantile(whole, 0.99)
    return {
        "event_to_pixel": quantiles(whole),
        "steps": {name: quantiles(took) for name, took in zip(moments, steps, strict=True)},
        "slowest_hundredth": {name: round(took[slowest].mean()) for name, took in zip(moments, steps, strict=True)},
    }


def failed(result: Mapping[str, Any]) -> bool:
    """Whether the wall was too slow, or lacked an entry."""
    return result["event_to_pixel"]["p99"] > LIMIT_MS or not result["all_shown"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = run(Path(scratch), rate=given.rate, seconds=given.seconds)
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")
    sys.exit(failed(result))
