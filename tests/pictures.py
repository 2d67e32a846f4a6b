"""Takes the pictures of the documents from a running demo: `python -m tests.pictures` (about a minute)."""

import re
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent.parent / "docs"
SECONDS = 60
"""The demo plays so long; the pictures are taken when the morning's peak is on the wall."""
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Play the expo's morning and photograph the wall in both languages."""
    argv = [sys.executable, "-P", "-m", "infra.cli", "demo", "--for", str(SECONDS), "--start-at", "10:00", "--json"]
    demo = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert demo.stderr is not None
    for line in demo.stderr:
        if found := re.search(r"wall: (http://\S+)", line):
            photograph(found[1])
            break
    demo.communicate()


def photograph(url: str) -> None:
    """Wait for the peak and save the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        for language in ("zh", "en"):
            page.goto(f"{url}?lang={language}", wait_until="domcontentloaded")
            time.sleep(SECONDS * 0.6 if language == "zh" else 5)
            page.screenshot(path=DOCS / f"wall-{language}.png")
        browser.close()


if __name__ == "__main__":
    main()
