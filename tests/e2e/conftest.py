"""Fixtures: demos that several tests inspect, one with crashes, and states that are resumed."""

import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from simulators.ledger.ledger import read_ledger
from tests.support.browser import QUIET
from tests.support.demos import PATIENCE, Demo, Row, running
from tests.support.processes import alive

LEAKY, SKIPPED = "N1-L03", 37
UNRELIABLE = "duplicates=5%,disorder=5m,late=1%:2h,malformed=0.5%"
DISTORTION = f"{UNRELIABLE},skip={LEAKY}:{SKIPPED}"
HALL = ("--scenario", "hall")
"""For what needs no crowd: a day of two thousand passages is made in no time."""
SECONDS, KILLS = 30, 3
FIGURES = ("person.entries", "person.distinct", "vehicle.entries", "person.inside")
TODAY = "SELECT toString(day), kind, entries, exits, distinct_entered, unidentified FROM gatepulse.site_today"
INSIDE = "SELECT area, kind, inside FROM gatepulse.occupancy WHERE as_of IS NOT NULL"


@dataclass
class Day:
    """A demo of one day, seen from outside while it ran and at its end."""

    demo: Demo
    seed: int
    copy: Path
    """Its state as it was at the end."""
    killed: list[int] = field(default_factory=list)
    course: list[dict[str, Any]] = field(default_factory=list)
    """What the wall showed, twice a second."""
    wall: dict[str, Any] = field(default_factory=dict)
    """What the wall showed when all was counted; the next four are of the same moment."""
    page: dict[str, str] = field(default_factory=dict)
    today: list[Row] = field(default_factory=list)
    inside: list[Row] = field(default_factory=list)
    incomplete: list[Row] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    modes: int = 0
    code: int = -1
    left: list[int] = field(default_factory=list)


@contextmanager
def held(demo: Demo) -> Iterator[None]:
    """Stop the demo's own process, so that nothing more is sent and nothing is ended; its servers go on."""
    demo.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        demo.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Play half an hour of a day on a bad line, while the worker is killed three times at random moments."""
    seed = int(os.environ.get("E2E_SEED") or secrets.randbelow(10**6))
    print(f"E2E_SEED={seed}")  # noqa: T201 - shown when a test fails, to have the same moments again
    state = tmp_path_factory.mktemp("day") / "state"
    with running("--for", str(SECONDS), "--distort", DISTORTION, state=state) as demo:
        day = Day(demo, seed, state.with_name("copy"))
        demo.says("wall: ")
        watch = threading.Thread(target=_watch, args=(day,), daemon=True)
        watch.start()
        _kill(day, Random(seed))  # noqa: S311 - no secret
        demo.says("counting what is still on its way")
        with held(demo):
            _look(day)
        day.code = demo.ends()
        day.left = demo.processes()
        watch.join(PATIENCE)
        shutil.copytree(state, day.copy, symlinks=True)
        yield day


def _watch(day: Day) -> None:
    while not day.wall and day.demo.process.poll() is None:
        day.course.append(day.demo.wall())
        time.sleep(0.5)


def _kill(day: Day, random: Random) -> None:
    """Kill the worker at a random moment in each third of the time."""
    share, begun = (SECONDS - 3) / KILLS, time.monotonic()
    for number in range(KILLS):
        moment = begun + (number + random.random()) * share
        day.demo.until(lambda moment=moment: time.monotonic() >= moment, "moment to kill the worker")  # type: ignore[misc]  # a closure of this round
        day.demo.until(day.demo.worker, "worker to kill")
        pid = day.demo.worker()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        day.killed.append(pid)
        day.demo.until(lambda pid=pid: not alive(pid), "end of the worker")  # type: ignore[misc]  # as above


def _look(day: Day) -> None:
    """Wait until the wall says that it shows everything that was sent, and write down what all of them say."""
    demo = day.demo
    sent = int(read_ledger(demo.state / "ledgers").attempts["at_ms"].max())
    demo.until(lambda: (demo.wall()["complete_to_ms"] or 0) > sent, "complete wall")
    wall = demo.wall()
    day.page = _page(demo.endpoints["wall"])
    day.today, day.inside = demo.ask(TODAY), demo.ask(INSIDE)
    day.incomplete = demo.ask("SELECT device, missing FROM gatepulse.completeness WHERE missing > 0")
    day.addresses, day.modes = demo.endpoints, (demo.state / "endpoints.json").stat().st_mode & 0o777
    day.wall = wall


def _page(url: str) -> dict[str, str]:
    """Read the figures off the wall in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(url + "?lang=en")
        page.wait_for_selector("html[data-fresh='ok']", timeout=20_000)
        shown = {name: page.locator(f"[data-figure='{name}']").inner_text() for name in FIGURES}
        shown["complete"] = page.locator("#complete").inner_text()
        browser.close()
    return shown


@dataclass
class Interrupted:
    """A day that was ended by Ctrl-C while it caught up with the morning."""

    demo: Demo
    today: list[Row]
    code: int
    seconds: float
    begun: list[int]
    left: list[int]
    intruder: Demo
    intruder_code: int


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    """Begin a day, try to begin another on the same state, and press Ctrl-C."""
    with running(*HALL, "--distort", UNRELIABLE, state=tmp_path_factory.mktemp("interrupted") / "state") as demo:
        demo.says("wall: ")
        intruder = Demo(*HALL, state=demo.state)
        intruder_code = intruder.ends()
        demo.until(lambda: demo.entries() > 0, "somebody on the wall")
        today, processes = demo.ask(TODAY), demo.processes()
        begun = time.monotonic()
        demo.press_ctrl_c()
        code, seconds = demo.ends(), time.monotonic() - begun
        yield Interrupted(demo, today, code, seconds, processes, demo.processes(), intruder, intruder_code)


@dataclass
class Again:
    """A demo on a state that had been used before."""

    demo: Demo
    code: int
    today: list[Row]
    inside_at_midnight: list[Row]
    corrections: list[Row]


@pytest.fixture(scope="session")
def again(day: Day, interrupted: Interrupted) -> Iterator[dict[str, Again]]:
    """Take up both states again, side by side."""
    with (
        running("--for", "6", "--distort", DISTORTION, state=day.demo.state) as first,
        running(*HALL, "--for", "6", state=interrupted.demo.state) as second,
        ThreadPoolExecutor(2) as threads,
    ):
        yield dict(zip(("day", "interrupted"), threads.map(_follow, (first, second)), strict=True))


def _follow(demo: Demo) -> Again:
    demo.says("counting what is still on its way")
    with held(demo):
        today = demo.ask(TODAY)
        corrections = demo.ask("SELECT area, kind, absolute, actor FROM gatepulse.corrections")
        midnight = demo.ask(
            "SELECT area, kind, inside FROM gatepulse.occupancy_history WHERE window_start IN "
            "(SELECT toStartOfInterval(max(ts), INTERVAL 10 SECOND) FROM gatepulse.corrections)"
        )
    return Again(demo, demo.ends(), today, midnight, corrections)
