"""The wall page in a real browser shows the snapshot's figures, in either language."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import DeviceRow, TodayRow, WallRows
from streams.kernels.counts.site_clock import SiteClock
from tests.dashboards.wall.looks import SCREENS, cut_off
from tests.support.wall_site import NASTY, at, log, queue, reading
from tests.support.wall_sources import HandSource, StoreGoneError, until, wall

OPTIONS = WallOptions(period_s=0.2, trend_period_s=0.5, language="en")
PATIENCE_MS = 20_000
ENTRIES = "[data-figure='person.entries']"


# Remember every text that the headline figure ever has.
WATCH = """() => {
    const entries = document.querySelector("[data-figure='person.entries']");
    window.seen = new Set();
    new MutationObserver(() => window.seen.add(entries.textContent))
        .observe(entries, { childList: true, characterData: true, subtree: true });
}"""


def look(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("html[data-fresh='ok']", timeout=PATIENCE_MS)


def figure(page: Page, name: str) -> str:
    """Read a figure by its name, `person.entries`, or an element by its id."""
    return page.locator(f"[data-figure='{name}']" if "." in name else f"#{name}").inner_text()


def headline(page: Page) -> dict[str, str]:
    """Read the numbers at the top of the wall."""
    names = ("person.entries", "person.distinct", "vehicle.entries", "person.inside", "person.share")
    return {name: figure(page, name) for name in names}


def row(page: Page, entrance: str) -> list[str]:
    return page.locator(f".row[data-entrance='{entrance}'] > span").all_inner_texts()


def becomes(page: Page, fresh: str, kind: str) -> None:
    page.wait_for_selector(f"html[data-fresh='{fresh}'][data-kind='{kind}']", timeout=PATIENCE_MS)


def test_the_figures_are_those_of_the_snapshot(page: Page) -> None:
    with wall(HandSource(lambda real_ms: reading(real_ms, queues=[queue("N1", 4.5, at=real_ms)])), OPTIONS) as running:
        look(page, running.url)
        assert headline(page) == {
            "person.entries": "900", "person.distinct": "700", "vehicle.entries": "40", "person.inside": "600",
            "person.share": "50%",
        }  # fmt: skip
        assert (figure(page, "person.entered"), figure(page, "person.departed")) == ("30", "2")
        assert figure(page, "title") == "Small hall"
        *north_2, age = row(page, "N2")
        #                   rank   name     in   out  5 min  to 1 h  (wide)  lanes  wait
        assert north_2 == ["1", "North 2", "20", "0", "20", "+0%", "", "", "2/2", "–"]
        assert row(page, "N1")[:-1] == ["2", "North 1", "10", "2", "12", "+0%", "", "", "2/3", "5"]
        assert age in {"2 s", "3 s", "4 s", "5 s"}  # it was 2 s old when it was made, and the browser takes its time
        assert page.locator(".chart rect.in").count() > 0
        assert page.locator(".cell[data-area='park']").inner_text().split("\n")[:2] == ["Park", "20 left"]


def test_known_missing_events_show_at_their_entrance_and_in_the_total(page: Page) -> None:
    def draw(real_ms: int) -> WallRows:
        whole = reading(real_ms)
        return replace(whole, devices=[*whole.devices[1:], DeviceRow("N1-L01", "N1", 37, real_ms)])

    with wall(HandSource(draw), OPTIONS) as running:
        look(page, running.url)
        assert "37 missing" in row(page, "N1")[1]
        assert figure(page, "complete") == "37 known missing"
        assert "North 1 N1-L01: 37" in figure(page, "health-missing")


def test_what_may_be_counted_twice_is_said_beside_the_clock(page: Page) -> None:
    with wall(HandSource(lambda real_ms: replace(reading(real_ms), unsettled=5)), OPTIONS) as running:
        look(page, running.url)
        assert figure(page, "complete") == "5 passages may be counted twice, being corrected"
        assert page.locator("#complete-pill").get_attribute("data-state") == "bad"


MARK = ".tile.{tile} .marked .lost"


@pytest.mark.parametrize(("language", "word"), [("zh", "不完整"), ("en", "incomplete")])
def test_figures_that_lack_records_say_so_beside_the_number_until_they_no_longer_do(
    page: Page, language: str, word: str
) -> None:
    lost = {"today": 1_200, "hall": 1_200}

    def draw(real_ms: int) -> WallRows:
        whole = reading(real_ms)
        today = [row._replace(lost=lost["today"] if row.kind == "person" else 0) for row in whole.today]
        areas = [row._replace(lost=lost["hall"] if row.area == "hall" else 0) for row in whole.areas]
        return replace(whole, today=today, areas=areas, lost=lost["today"])

    with wall(HandSource(draw), OPTIONS) as running:
        look(page, f"{running.url}?lang={language}")
        entered, inside = (page.locator(MARK.format(tile=tile)).first for tile in ("entered", "inside"))
        expect(entered).to_have_text(f"{word}−1,200")
        expect(inside).to_have_text(f"{word}±1,200")
        assert (figure(page, "person.entries"), figure(page, "person.inside")) == ("900", "600")
        expect(page.locator(".tile.plan h2 .lost")).to_have_text(f"{word}±1,200")
        expect(page.locator(".tile.trend h2 .lost")).to_have_text(f"{word}−1,200")
        expect(page.locator(".cell[data-area='hall'] .inside")).to_have_text("≈120")
        expect(page.locator(".cell[data-area='venue'] .inside")).to_have_text("480")
        expect(page.locator(".tile.entered .lost:visible")).to_have_count(1)  # no vehicle is lost
        lost["today"] = 0  # the next day: who is inside is as uncertain as before
        expect(entered).to_be_hidden()
        expect(inside).to_be_visible()
        expect(page.locator(".tile.trend h2 .lost")).to_have_text(f"{word}±1,200")
        lost["hall"] = 0  # counted by hand
        expect(inside).to_be_hidden()
        expect(page.locator(".lost:visible")).to_have_count(0)


def test_what_was_never_heard_is_a_dash_and_not_a_zero(page: Page) -> None:
    def draw(real_ms: int) -> WallRows:
        return WallRows(real_ms, reading(real_ms).span)

    with wall(HandSource(draw), OPTIONS) as running:
        page.goto(running.url)
        becomes(page, "none", "no_data")
        assert set(headline(page).values()) == {"–"}
        assert set(row(page, "N1")[2:6] + row(page, "N1")[9:]) == {"–"}
        assert figure(page, "banner") == "No data received yet"


def test_the_language_is_the_servers_until_someone_chooses_and_then_stays(page: Page) -> None:
    with wall(HandSource(), replace(OPTIONS, language="zh")) as running:
        look(page, running.url)
        assert page.locator(".tile h2 .title").first.inner_text() == "单日进场人员"
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        page.click("#language")
        assert page.locator(".tile h2 .title").first.inner_text() == "Entered today"
        page.reload()
        page.wait_for_selector("html[data-fresh='ok']")
        assert page.locator(".tile h2 .title").first.inner_text() == "Entered today"
        look(page, running.url + "?lang=zh")
        assert figure(page, "title") == "小展馆"


def test_no_word_is_left_without_a_translation(page: Page) -> None:
    with wall(HandSource(), OPTIONS) as running:
        look(page, running.url)
        words = page.evaluate("async () => (await import('/static/words.js')).WORDS")
        assert words["zh"].keys() == words["en"].keys()
        used = set(page.locator("[data-word]").evaluate_all("all => all.map(each => each.dataset.word)"))
        assert used <= words["zh"].keys()


def test_a_title_with_markup_in_it_is_shown_as_text(page: Page) -> None:
    with wall(HandSource(), OPTIONS) as running:
        look(page, running.url + "?lang=zh")
        assert row(page, "N2")[1] == NASTY
        assert page.locator("img").count() == 0


def test_nothing_is_asked_of_another_origin(new_page: Page) -> None:
    asked: list[Request] = []
    new_page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - playwright takes functions only
    with wall(HandSource(), OPTIONS) as running:
        look(new_page, running.url)
        assert {urlsplit(request.url).port for request in asked} == {running.port}
        assert {urlsplit(request.url).path for request in asked} >= {"/", "/events", "/static/wall.js"}


def test_figures_go_grey_when_the_data_stops_and_come_back_with_it(page: Page) -> None:
    source = HandSource()
    with wall(source, replace(OPTIONS, stale_after_ms=1500)) as running:
        look(page, running.url)
        bright = page.locator(ENTRIES).evaluate("each => getComputedStyle(each).color")
        stopped = time.time_ns() // 1_000_000
        source.draw = lambda real_ms: replace(reading(real_ms), logs=[log(stopped)])
        becomes(page, "old", "stale")
        assert figure(page, "person.entries") == "900"
        assert figure(page, "banner").startswith("Stale since ")
        assert page.locator(ENTRIES).evaluate("each => getComputedStyle(each).color") != bright
        source.draw = reading
        becomes(page, "ok", "ok")
        assert not page.locator("#banner").is_visible()


def test_a_lost_store_is_told_with_the_last_figures_kept(page: Page) -> None:
    source = HandSource()
    with wall(source, OPTIONS) as running:
        look(page, running.url)
        source.failure = StoreGoneError("gone")
        becomes(page, "old", "store_lost")
        assert figure(page, "banner").startswith("Connection to the store lost since ")
        assert figure(page, "person.entries") == "900"


def test_a_server_that_dies_greys_the_page_and_one_that_returns_revives_it_without_a_false_zero(page: Page) -> None:
    with wall(HandSource(), OPTIONS) as running:
        look(page, running.url)
        page.evaluate(WATCH)
    becomes(page, "old", "link_lost")
    assert figure(page, "person.entries") == "900"
    assert figure(page, "banner").startswith("Connection to the wall server lost since ")

    # The server is back before its store is: for a moment it knows nothing, and says so.
    source = HandSource(failure=StoreGoneError("still starting"))
    with wall(source, OPTIONS, port=running.port):
        becomes(page, "old", "store_lost")
        source.failure = None
        becomes(page, "ok", "ok")
        assert figure(page, "person.entries") == "900"
        assert set(page.evaluate("() => [...window.seen]")) <= {"900", "–"}


def test_the_page_survives_answers_of_503(new_page: Page) -> None:
    refusals = [503, 503]

    def answer(route: Route) -> None:
        if refusals:
            route.fulfill(status=refusals.pop())
        else:
            route.continue_()

    new_page.route("**/events", answer)
    with wall(HandSource(), OPTIONS) as running:
        look(new_page, running.url)
    assert refusals == []


def test_a_frozen_server_greys_the_page_by_the_pages_own_clock(page: Page) -> None:
    with wall(HandSource(), OPTIONS) as running:
        look(page, running.url)
        until(lambda: running.feed.newest.beat.number > 3)
        running.feed._publish = lambda *_: None  # type: ignore[method-assign]  # it goes silent and stays connected
        becomes(page, "old", "link_lost")


@pytest.mark.parametrize("server_answers", [True, False])
def test_the_page_reloads_itself_at_the_quiet_hour_if_the_server_answers(new_page: Page, server_answers: bool) -> None:  # noqa: FBT001 - a column of the table above
    now = time.time_ns() // 1_000_000
    clock = SiteClock(at("02:30:00"), now)
    new_page.clock.install()
    with wall(HandSource(), replace(OPTIONS, clock=clock)) as running:
        new_page.goto(running.url)
        new_page.clock.run_for(3000)
        new_page.wait_for_function(
            f"() => document.querySelector({ENTRIES!r})?.textContent === '900'", timeout=PATIENCE_MS
        )
        new_page.evaluate("() => { window.old = true }")
        new_page.clock.run_for(10_000)
        assert new_page.evaluate("() => window.old")
        if not server_answers:
            new_page.route(running.url, lambda route: route.abort())
        new_page.clock.fast_forward("01:45:00")  # 04:15 on the site's clock, later than the latest reload
        new_page.clock.run_for(11_000)
        if server_answers:
            new_page.wait_for_function("() => !window.old", timeout=PATIENCE_MS)
        else:
            assert new_page.evaluate("() => window.old")


@pytest.mark.parametrize("times", [1, 250])
def test_nothing_is_cut_off_on_any_screen_in_any_language(page: Page, times: int) -> None:
    def draw(real_ms: int) -> WallRows:
        whole = reading(real_ms)
        today = [TodayRow(kind, *(times * each for each in counts)) for kind, *counts in whole.today]
        areas = [area._replace(inside=area.inside * times, capacity=500 * times) for area in whole.areas]
        return replace(whole, today=today, areas=areas)

    with wall(HandSource(draw), OPTIONS) as running:
        for language in ("zh", "en"):
            look(page, f"{running.url}?lang={language}")
            for width, height in SCREENS:
                page.set_viewport_size({"width": width, "height": height})
                expect(page.locator(".row.head").first).to_be_visible()
                assert cut_off(page) == []
