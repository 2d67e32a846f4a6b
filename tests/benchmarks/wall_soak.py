"""Measures whether a long-running wall page grows: `python -m tests.benchmarks.wall_soak --minutes 30`.

A wall in a process of its own shows a busy day at the usual pace, a beat a second, in a real Chromium. Every ten
seconds the page's garbage is collected, and what is left is measured. Prints one JSON object: for each size its value
at the end of the warm-up (the first half), at the end, the least and the most between, and how much it grows in an
hour: the slope of a line through the second half by least squares, with its standard error. Exit code 1 if the page
was stale or stood still at any look.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from tests.dashboards.wall.apart import Apart, apart, resident
from tests.dashboards.wall.held import Inspector, beats, count_beats, renderer_memory
from tests.support.browser import QUIET

EVERY: Final = 10.0
"""Seconds between two samples."""
HOUR: Final = 3600.0
_PATIENCE_MS: Final = 20_000

Look = Mapping[str, float]
"""Sizes at one moment: `at` in seconds since the start, memory in bytes, the rest are numbers of things."""


def soak(folder: Path, minutes: float) -> dict[str, Any]:
    """Let a wall stand for so long, and work out what grew."""
    with apart(folder) as wall, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        count_beats(page)
        page.goto(wall.url)
        page.wait_for_selector("html[data-fresh='ok']", timeout=_PATIENCE_MS)
        samples = []
        for sample in watch(page, wall, minutes * 60):
            samples.append(sample)
            print(json.dumps(sample), file=sys.stderr, flush=True)  # noqa: T201 - a script's progress
        browser.close()
    names = [name for name in samples[0] if name not in ("at", "beats", "fresh")]
    return {
        "minutes": minutes,
        "looks": len(samples),
        "beats": samples[-1]["beats"],
        "stale_looks": sum(not sample["fresh"] for sample in samples),
        "looks_without_a_new_beat": sum(later["beats"] <= sample["beats"] for sample, later in pairwise(samples)),
        **{name: course([(sample["at"], sample[name]) for sample in samples]) for name in names},
    }


def watch(page: Page, wall: Apart, seconds: float) -> Iterator[Look]:
    """Look at page and server every `EVERY` seconds."""
    inspector, begun = Inspector(page), time.monotonic()
    browser = page.context.browser
    assert browser is not None
    while (at := time.monotonic() - begun) < seconds:
        yield {
            "at": round(at, 1),
            "beats": beats(page),
            "fresh": page.locator("html").get_attribute("data-fresh") == "ok",
            **inspector.look()._asdict(),
            "renderer": renderer_memory(browser),
            "server": resident(wall.pid),
        }
        time.sleep(max(0.0, EVERY - (time.monotonic() - begun - at)))


def course(samples: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Say how one size went in the second half of the time: its values, and its growth in an hour."""
    at, sizes = np.array(samples[len(samples) // 2 :], np.float64).T
    growth, error = slope(at, sizes)
    figures = {"warm": sizes[0], "end": sizes[-1], "least": sizes.min(), "most": sizes.max()}
    figures |= {"growth_an_hour": growth, "error": error}
    return {name: round(float(value), 1) for name, value in figures.items()}


def slope(at: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope of a line by least squares, per hour, and its standard error."""
    if len(at) < 3:
        return 0.0, float("inf")
    (rise, _), covariance = np.polyfit(at, sizes, 1, cov=True) if np.ptp(sizes) else ((0.0, 0.0), np.zeros((2, 2)))
    return float(rise) * HOUR, float(np.sqrt(covariance[0, 0])) * HOUR


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = soak(Path(scratch), given.minutes)
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")
    sys.exit(bool(result["stale_looks"] or result["looks_without_a_new_beat"]))
