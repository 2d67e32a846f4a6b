"""Measures in the browser how much memory an open page holds; next: `soak.py`, and `tests/benchmarks/wall_soak.py`."""

from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page

from tests.dashboards.wall.apart import resident

# Counts the beats that the page gets; whatever stands in place of LEAK is done with each.
_COUNT: Final = """
window.beats = 0;
window.kept = [];
const Plain = window.EventSource;
window.EventSource = class extends Plain {
    constructor(...given) {
        super(...given);
        this.addEventListener("beat", () => {
            window.beats += 1;
            LEAK;
        });
    }
};
"""

_ON_THE_PAGE: Final = """() => {
    const nodes = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
    let count = 1;
    while (nodes.nextNode()) count += 1;
    return count;
}"""


class Held(NamedTuple):
    """What a page holds after a garbage collection: bytes of JavaScript heap, DOM nodes, listeners, documents.

    Of the nodes so many are `shown`, on the page; the `loose` ones are held by something else, a few by the browser.
    """

    heap: int
    shown: int
    loose: int
    listeners: int
    documents: int


def count_beats(page: Page, *, leak: str = "") -> None:
    """Let `beats` count them on whatever the page opens from now on; `leak` is JavaScript that is run with each."""
    page.add_init_script(_COUNT.replace("LEAK", leak))


def beats(page: Page) -> int:
    """Return how many beats the page has got."""
    count: int = page.evaluate("window.beats")
    return count


class Inspector:
    """Looks into one page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def look(self) -> Held:
        """Collect garbage (twice: what the first run has let go of may have held more), then count."""
        for _ in range(2):
            self._session.send("HeapProfiler.collectGarbage")
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        found = {each["name"]: round(each["value"]) for each in metrics}
        shown: int = self._page.evaluate(_ON_THE_PAGE)
        loose = found["Nodes"] - shown
        return Held(found["JSHeapUsedSize"], shown, loose, found["JSEventListeners"], found["Documents"])


def renderer_memory(browser: Browser) -> int:
    """Return the resident memory (bytes) of the largest renderer, which is the one that shows the page."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return max(resident(each["id"]) for each in processes if each["type"] == "renderer")
