"""Takes the pictures of the documents from a running demo: `python -m tests.pictures` (about three minutes).

The wall as it is at the morning's peak: on the design's own size, on 4K and on a 32:9 wall, in both languages; a second
screen; and a replay of what was just seen.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import QUIET

DOCS: Final = Path(__file__).parent.parent / "docs"
SECONDS: Final = 150
"""The demo plays so long, at a speed that leaves a machine of two cores room for a browser."""
PEAK_AFTER: Final = 60
"""Seconds until the queues of the morning's peak are on the wall."""


class Picture(NamedTuple):
    """One picture: its name, the size of the display, and what the page is asked for."""

    name: str
    size: tuple[int, int]
    query: dict[str, str]


SIZES: Final = {"": (1920, 1080), "-4k": (3840, 2160), "-wide": (3840, 1080)}
PICTURES: Final = (
    *(
        Picture(f"wall{ending}-{language}", size, {"lang": language})
        for ending, size in SIZES.items()
        for language in ("zh", "en")
    ),
    Picture("wall-vehicles-en", SIZES[""], {"lang": "en", "screen": "vehicles"}),
    Picture("wall-hall-zh", SIZES[""], {"lang": "zh", "screen": "hall3"}),
)


def main() -> None:
    """Play the expo's morning and photograph the wall."""
    argv = [
        sys.executable,
        "-P",
        "-m",
        "infra.cli.main",
        "demo",
        "--for",
        str(SECONDS),
        "--start-at",
        "10:15",
        "--json",
    ]
    demo = subprocess.Popen([*argv, "--speed", "20"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert demo.stderr is not None
    for line in demo.stderr:
        if found := re.search(r"wall: (http://\S+)", line):
            photograph(found[1])
            break
    demo.communicate()


def photograph(url: str) -> None:
    """Wait for the peak and save the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        time.sleep(PEAK_AFTER)
        for picture in PICTURES:
            take(browser, url, picture)
        minutes = [moment(browser, url, ago) for ago in (16, 6)]
        asked = {"lang": "en", "from": minutes[0], "to": minutes[1], "speed": "10", "known": "then"}
        take(browser, url, Picture("wall-replay-en", SIZES[""], asked))
        browser.close()


def take(browser: Browser, url: str, picture: Picture) -> None:
    """Save one picture, once its figures and its trend are there."""
    width, height = picture.size
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{url}?{urlencode(picture.query)}", wait_until="domcontentloaded")
    page.wait_for_selector("html[data-fresh='ok'] .chart rect.in", state="attached", timeout=30_000)
    time.sleep(1.5)
    page.screenshot(path=DOCS / f"{picture.name}.png")
    page.close()


def moment(browser: Browser, url: str, minutes_ago: int) -> str:
    """Return what the site's clock showed some minutes ago, in milliseconds."""
    page = browser.new_page()
    site_ms: int = page.request.get(f"{url}snapshot.json").json()["beat"]["snapshot"]["site_ms"]
    page.close()
    return str(site_ms - minutes_ago * 60_000)


if __name__ == "__main__":
    main()
