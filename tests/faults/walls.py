"""Fault scenarios with many displays, and with walls that are killed."""

import datetime as dt
import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from infra.process.ports import LOOPBACK
from tests.faults.catalogue import Layout, fault
from tests.faults.displays import Displays
from tests.faults.kept import memory_now
from tests.faults.trial import Trial
from tests.support.browser import QUIET

_SLOW, _QUICK = 40, 160
_FRESH: Final = 3.0
"""Seconds: the age of a beat beyond which a page calls its figures old."""
_MORE_MEMORY: Final = 64
"""MB that all displays together may cost the wall."""
_GROWTH: Final = 8
"""MB that the wall may grow from the middle to the end of the time."""
_PATIENCE_MS: Final = 30_000
_FIGURES: Final = ("entries", "distinct", "vehicles", "inside")
_ONLY_UP: Final = ("entries", "distinct", "vehicles")

# Remember every text that the figures ever have, and what the page says of its freshness then.
_WATCH: Final = """(names) => {
    window.seen = [];
    for (const name of names) {
        const figure = document.getElementById(name);
        const note = () => {
            const { fresh, kind } = document.documentElement.dataset;
            window.seen.push([name, figure.textContent, fresh, kind]);
        };
        note();
        new MutationObserver(note).observe(figure, { childList: true, characterData: true, subtree: true });
    }
}"""


@fault("T22", layout=Layout(wall=True))
def many_displays(trial: Trial) -> None:
    """200 displays show the wall, and 40 of them read a byte a second."""
    plant, wall = trial.plant, trial.plant.wall
    assert wall is not None
    with trial.load(rate=500.0):
        trial.until(lambda: _health(plant.wall_port) is not None, "an answer of the wall")
        alone, ages, sizes = memory_now(wall.pid), [], []
        with Displays(plant.wall_port, quick=_QUICK, slow=_SLOW) as displays:
            trial.until(lambda: all(each.age < _FRESH for each in displays.quick), "a beat at every display")
            first = max(each.number for each in displays.quick)
            with trial.fault("displays read a byte a second"):
                for _ in range(trial.size(full=600, quick=56)):
                    trial.wait(0.5)
                    ages.append(max(each.age for each in displays.quick))
                    sizes.append(memory_now(wall.pid))
                displays.hurry()
                caught_up = trial.until(lambda: all(each.age < _FRESH for each in displays.slow), "the newest beat", 15)
        gone = trial.until(lambda: (_health(plant.wall_port) or {}).get("displays") == 0, "displays to be gone", 30)
    more, growth = max(sizes) - alone, max(sizes[len(sizes) // 2 :]) - max(sizes[: len(sizes) // 2])
    skipped = [each.number - first - each.seen for each in displays.slow]
    trial.expect("fresh beats for the others", max(ages) < _FRESH, f"the oldest was {max(ages):.1f} s old")
    trial.expect("slow displays skip to the newest", min(skipped) > 0, f"{min(skipped)} to {max(skipped)} skipped")
    trial.expect("memory of the wall", more <= _MORE_MEMORY, f"{more} MB more than the {alone} MB without displays")
    trial.expect("memory does not grow", growth <= _GROWTH, f"{growth} MB more in the second half")
    trial.expect("no wall ended", not wall.ends, "; ".join(map(str, wall.ends)))
    again = sum(each.connections - 1 for each in displays.slow)
    trial.note(
        f"oldest beat {max(ages):.2f} s, wall {alone} MB and {more} more, slow ones were cut off {again} times, saw the"
        f" newest {caught_up:.1f} s after they hurried; all gone in {gone:.1f} s"
    )


@fault("T23", layout=Layout(wall=True, speed=60.0, start_at=dt.time(10, 0)))
def wall_killed(trial: Trial) -> None:
    """The wall's server is killed (`kill -9`), stays away and comes back: a page resumes alone, with no false zero."""
    plant, wall = trial.plant, trial.plant.wall
    assert wall is not None
    with trial.load(scenario=trial.rush), _browser() as page:
        page.goto(f"http://{LOOPBACK}:{plant.wall_port}/?lang=en")
        _becomes(page, "ok", "ok")
        page.evaluate(_WATCH, list(_FIGURES))
        entered = _number(page.locator("#entries").inner_text())
        with trial.fault("the wall is away"):
            wall.kill()
            trial.until(lambda: wall.ends, "end of the wall")
            wall.stop()
            _becomes(page, "old", "link_lost")
            banner = page.locator("#banner").inner_text()
            trial.wait(trial.size(full=20.0, quick=5.0))
            wall.start()
        _becomes(page, "ok", "ok")
        trial.wait(trial.size(full=20.0, quick=5.0))
        _becomes(page, "ok", "ok")
        later = _number(page.locator("#entries").inner_text())
        seen = page.evaluate("() => window.seen")
    texts = {name: [text for each, text, *_ in seen if each == name] for name in _FIGURES}
    false = [entry for entry in seen if _number(entry[1]) == 0]
    back = [name for name in _ONLY_UP if sorted(map(_number, texts[name])) != [*map(_number, texts[name])]]
    trial.expect("the page says so", banner.startswith("Connection to the wall server lost since"), banner)
    trial.expect("no false zero", not false, f"{len(false)} times, first {false[:1]}")
    trial.expect("no figure of the day goes back", not back, ", ".join(back))
    trial.expect("the page goes on", later > entered > 0, f"{entered} entries before, {later} after")
    trial.note(f"{len(seen)} figures seen on the page")


@contextmanager
def _browser() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            yield browser.new_page(viewport={"width": 1920, "height": 1080})
        finally:
            browser.close()


def _becomes(page: Page, fresh: str, kind: str) -> None:
    page.wait_for_selector(f"html[data-fresh='{fresh}'][data-kind='{kind}']", timeout=_PATIENCE_MS)


def _number(text: str) -> int:
    """Return the number that is shown; a dash is none, and counts as 0."""
    digits = "".join(sign for sign in text if sign.isdigit())
    return int(digits or 0)


def _health(port: int) -> dict[str, Any] | None:
    """Return what the wall says of itself while its figures are fresh, None while they are not or it is away."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
    except OSError:
        return None
    return found
