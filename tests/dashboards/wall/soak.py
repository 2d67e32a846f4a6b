"""Measures how much an open page grows after many beats; for `test_leaks.py`, and longer in `make nightly`."""

import time
from typing import Final

from playwright.sync_api import Page

from dashboards.wall.model.options import WallOptions
from tests.dashboards.wall.busy import EXPO, BusyDay, morning_clock
from tests.dashboards.wall.held import Held, Inspector, beats, count_beats
from tests.support.wall_sources import wall

WARM, END = 600, 1800
"""Beats: ten minutes' worth until everything has been shown once and compiled, and half an hour's."""
PACE: Final = 60
PATIENCE: Final = 240.0
SETTLE_MS: Final = 1500
"""Milliseconds until the picture at rest is on the page, its trend included."""
LOOKS: Final = 8
"""The least of so many counts: between collecting and counting, a page writes texts anew and compiles some code."""

HEAP: Final = 120 * (END - WARM)
"""Bytes. A sound page was seen to grow by 15 to 60 kB meanwhile, and by 7 bytes a beat in the end: what the engine
learns of the code. A closure that holds 200 bytes, kept with every beat, is another 260 kB: twice this."""
FEW: Final = 12
"""Nodes off the page, a hundredth of one a beat: some texts are always just being written."""
ANOTHER_FACE: Final = 200
"""Nodes by which what is on the page may differ at rest, since not all pages of the ranking have the same number of
rows: a sixth of a node a beat."""

LEAKS: Final = {
    "loose": 'window.kept.push(document.createElement("i"))',
    "shown": 'document.body.append(document.createElement("template"))',
    "listeners": 'document.addEventListener("gone", () => window.beats)',
    "heap": "window.kept.push(((held) => () => held)(new Array(50).fill(window.beats)))",
}
"""One thing of each sort with every beat; the last is a closure that holds 200 bytes."""


def grown(page: Page, *, leak: str = "", warm: int = WARM, end: int = END) -> Held:
    """Show the beats; return how much more the page holds at rest after the last one than when it was warm."""
    options = WallOptions(period_s=1 / PACE, trend_period_s=0.5, clock=morning_clock())
    day = BusyDay(options)
    count_beats(page, leak=leak)
    with wall(day, options, site=EXPO) as running:
        page.goto(running.url)
        inspector = Inspector(page)
        first, last = (at_rest(page, day, inspector, after=count) for count in (warm, end))
    return Held(*(after - before for before, after in zip(first, last, strict=True)))


def at_rest(page: Page, day: BusyDay, inspector: Inspector, *, after: int) -> Held:
    """Wait for so many beats, let the picture come to rest, and return the least that the page then holds."""
    deadline = time.monotonic() + PATIENCE
    while beats(page) < after:
        assert time.monotonic() < deadline, f"{beats(page)} beats, {after} expected"
        page.wait_for_timeout(100)
    day.resting = True
    page.wait_for_timeout(SETTLE_MS)
    page.wait_for_selector("html[data-fresh='ok']")
    samples = [inspector.look() for _ in range(LOOKS)]
    day.resting = False
    return Held(*map(min, *samples))
