"""The replay's controls and figures in a real browser, on a real store."""

from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.dashboards.wall.replay.stage import Stage
from tests.dashboards.wall.replay.test_http import FEW_MINUTES, seed, wall
from tests.dashboards.wall.test_page import ENTRIES, PATIENCE_MS
from tests.support.wall_site import at


def address(port: int, **given: str) -> str:
    return f"http://127.0.0.1:{port}/?{urlencode({'lang': 'en', **given})}"


def test_the_past_is_shown_as_the_past_and_stays_on_its_last_picture(stage: Stage, page: Page) -> None:
    seed(stage)
    with wall(stage) as port:
        page.goto(address(port, **FEW_MINUTES))
        expect(page.locator("#replay-state")).to_have_text("ended", timeout=PATIENCE_MS)
        assert page.locator(ENTRIES).inner_text() == "2"
        assert page.locator("#clock").inner_text() == "00:13:00"
        assert page.locator("html").get_attribute("data-replay") == "corrected"
        assert page.locator("#replay-title").inner_text() == "REPLAY · not now"
        assert page.locator("#age").inner_text() == "Corrected later"
        assert [page.locator(f"#replay-{end}").inner_text() for end in ("from", "to")] == ["00:10", "00:13"]
        assert not page.locator("#past-open").is_visible()
        page.wait_for_timeout(3500)  # longer than the page waits for a live server
        assert page.locator("html").get_attribute("data-fresh") == "ok"


def test_it_can_be_stopped_moved_and_let_go_on(stage: Stage, page: Page) -> None:
    seed(stage)
    with wall(stage) as port:
        page.goto(address(port, **FEW_MINUTES | {"speed": "5"}))
        expect(page.locator(ENTRIES)).not_to_have_text("–", timeout=PATIENCE_MS)
        page.keyboard.press(" ")
        expect(page.locator("#replay-state")).to_have_text("paused")
        stopped = page.locator("#clock").inner_text()
        page.wait_for_timeout(1000)
        assert page.locator("#clock").inner_text() == stopped
        page.locator("#replay-at").fill(str(at("00:12:40")))
        expect(page.locator(ENTRIES)).to_have_text("2", timeout=PATIENCE_MS)
        assert page.locator("#clock").inner_text() >= "00:12:40"


def test_what_was_known_then_and_what_is_known_today_are_a_switch_apart(stage: Stage, page: Page) -> None:
    seed(stage)
    with wall(stage) as port:
        page.goto(address(port, **FEW_MINUTES))
        expect(page.locator("#replay-known")).to_have_text("as corrected later", timeout=PATIENCE_MS)
        page.click("#replay-known")
        # The store was fed ten minutes later by the site's clock: then, nothing of this was known.
        expect(page.locator("#banner")).to_contain_text("what was known then is recorded from", timeout=PATIENCE_MS)
        assert "known=then" in page.url
        page.click("#language")
        expect(page.locator("#banner")).to_contain_text("“当时所知”自")
        page.click("#replay-known")
        expect(page.locator("#banner")).to_be_hidden(timeout=PATIENCE_MS)


def test_an_interval_is_chosen_from_what_there_is(stage: Stage, page: Page) -> None:
    seed(stage)
    with wall(stage) as port:
        page.goto(address(port))
        page.wait_for_selector("html[data-fresh='ok']", timeout=PATIENCE_MS)
        page.click("#past-open")
        expect(page.locator("#past-from")).not_to_have_value("", timeout=PATIENCE_MS)
        assert page.locator("#past-to").input_value() == "2026-11-07T00:12"
        page.fill("#past-from", "2026-11-07T00:10")
        page.check("#past-corrected")
        page.select_option("#past-speed", "60")
        page.click("#past-start")
        expect(page.locator("#replay-state")).to_have_text("ended", timeout=PATIENCE_MS)
        assert page.locator(ENTRIES).inner_text() == "1"
        page.click("#replay-live")
        page.wait_for_selector("html[data-fresh='ok']:not([data-replay])", timeout=PATIENCE_MS)
        assert "from=" not in page.url
