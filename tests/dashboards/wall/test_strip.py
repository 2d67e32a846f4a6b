"""The strip of alarms in a real browser: what it shows, and how an operator uses it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboards.wall.model.options import Language, WallOptions
from dashboards.wall.model.rows import ChangeRow, LogRow, WallRows
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import Command
from streams.kernels.counts.site_clock import SiteClock
from tests.dashboards.wall.looks import SCREENS, cut_off
from tests.dashboards.wall.test_page import PATIENCE_MS, becomes, figure, look
from tests.support.wall_site import alarm, alarm_log, at, forecast, log, reading
from tests.support.wall_sources import HandSource, StoreGoneError, until, wall

WORST = alarm("hall", rule="area-capacity", kind="person", level="red", value=100.4, limit=100.0, unit="%")
SILENT = alarm("N1-L02", rule="silence-lane", level="yellow", value=60.0, limit=60.0, unit="s")
THREE = (WORST, alarm("N1"), SILENT)
# Texts of the strip that have no room; `until` gives the page time to take a new size of screen in.
ELLIPSES = """() => [...document.querySelectorAll(".alarm > *, #strip-keys")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)"""
TWENTY = tuple(alarm(f"G{n}", level=("red", "orange", "yellow")[n % 3]) for n in range(20))


def options(language: Language = "en") -> WallOptions:
    """Return the options of a wall that starts ten seconds after noon."""
    clock = SiteClock(at("12:00:10"), time.time_ns() // 1_000_000)
    return WallOptions(period_s=0.2, trend_period_s=0.5, language=language, clock=clock)


@dataclass
class Alarms(HandSource):
    """A site with these alarms, which operators' commands change as the real ones do."""

    rows: list[Episode] = field(default_factory=list)
    judged_to: Callable[[int], int] = lambda real_ms: real_ms
    taken: list[Command] = field(default_factory=list)
    deaf: bool = False

    def read(self, real_ms: int) -> WallRows:
        """Answer with the figures, and the alarms as they are now."""
        whole = super().read(real_ms)
        logs: list[LogRow] = [log(real_ms - 300), alarm_log(self.judged_to(real_ms))]
        return replace(whole, logs=logs, episodes=list(self.rows))

    def read_changes(self, episode: str) -> list[ChangeRow]:
        """Answer with every change up to the present one, of which only the newest differs."""
        now = next((row for row in self.rows if row.episode == episode), None)
        if now is None:
            return []
        before = [ChangeRow(n, "orange", "raised", "") for n in range(1, now.change)]
        return [*before, ChangeRow(now.change, now.level, now.state, now.actor)]

    def send(self, command: Command) -> None:
        """Do what the alarms do with a command."""
        self.taken.append(command)
        if not self.deaf:
            self.change(command.episode, state="acknowledged", actor=command.actor)

    def change(self, episode: str, **given: Any) -> None:
        """Let an episode change."""
        self.rows = [
            replace(row, change=row.change + 1, **given) if row.episode == episode else row for row in self.rows
        ]


def cells(page: Page) -> Any:
    """Return what each row of the strip says, by the name of its part."""
    return page.locator(".alarm").evaluate_all(
        "all => all.map(row => Object.fromEntries([...row.children].map(part => [part.className, part.textContent])))"
    )


def state(page: Page) -> str:
    return page.locator("#strip").get_attribute("data-state") or ""


def named(page: Page, name: str = "Li Si") -> None:
    """Have the operator's name on this display, as if typed before."""
    page.add_init_script(f"localStorage.setItem('gatepulse.operator', {name!r})")


def chosen(page: Page) -> str:
    return page.locator(".alarm[aria-selected='true'] .where").inner_text()


# What is to be seen.


def test_no_alarm_is_one_calm_line(page: Page) -> None:
    with wall(Alarms(), options()) as running:
        look(page, running.url)
        expect(page.locator("#strip-title")).to_have_text("No alarm")
        assert (state(page), page.locator(".alarm").count(), figure(page, "strip-keys")) == ("calm", 0, "")
        look(page, running.url + "?lang=zh")
        expect(page.locator("#strip-title")).to_have_text("无报警")
        height = page.locator("#strip").evaluate("each => each.clientHeight / innerHeight")
        assert height < 0.05


def test_three_alarms_the_worst_first_with_all_that_an_operator_needs(page: Page) -> None:
    with wall(Alarms(rows=[alarm("N2", state="shelved"), *THREE]), options()) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(3)
        assert cells(page)[0] == {
            "level": "RED", "where": "Hall (persons)", "what": "area capacity", "value": "100.4 %, limit 100",
            "zone": "Zone", "lasting": "11:45, 15 min", "told": "not acknowledged",
        }  # fmt: skip
        assert [row["where"] for row in cells(page)[1:]] == ["North 1", "North 1 N1-L02"]
        assert figure(page, "strip-title") == "Alarms 3"
        assert figure(page, "strip-waiting") == "3 not acknowledged"
        assert figure(page, "strip-counts") == "RED 1 · ORANGE 1 · YELLOW 1 · 1 shelved"
        assert state(page) == "alarm"


def test_the_same_in_chinese(page: Page) -> None:
    with wall(Alarms(rows=[alarm("N2", state="shelved"), *THREE]), options("zh")) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(3)
        assert cells(page)[1] == {
            "level": "橙色", "where": "北一口", "what": "入口超载", "value": "14.2 人/分钟/通道，限值 11",
            "zone": "区", "lasting": "11:45 起 15 分", "told": "未确认",
        }  # fmt: skip
        assert figure(page, "strip-counts") == "红色 1 · 橙色 1 · 黄色 1 · 1 搁置"


def test_what_nobody_is_on_stands_out_and_changes_at_most_once_a_second(page: Page) -> None:
    rows = [WORST, alarm("N1", state="acknowledged", actor="Li Si")]
    with wall(Alarms(rows=rows), options()) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(2)
        styles = page.locator(".alarm .told").evaluate_all(
            "all => all.map(each => { const style = getComputedStyle(each);"
            " return [style.animationName, parseFloat(style.animationDuration), style.animationTimingFunction]; })"
        )
        assert styles[0] == ["wait", 2, "steps(1)"]
        assert styles[1][0] == "none"
        grounds = page.locator(".alarm").evaluate_all("all => all.map(each => getComputedStyle(each).backgroundColor)")
        assert grounds[0] != grounds[1]


def test_one_that_is_over_and_not_acknowledged_stays_and_looks_otherwise(page: Page) -> None:
    over = alarm("N2", state="cleared-unacknowledged", cleared_at=at("11:50:00"))
    with wall(Alarms(rows=[over]), options()) as running:
        look(page, running.url)
        expect(page.locator(".alarm .told")).to_have_text("cleared, not acknowledged")
        assert figure(page, "strip-title") == "No alarm"
        assert (figure(page, "strip-counts"), state(page)) == ("1 cleared", "alarm")
        assert page.locator(".alarm .level").evaluate("each => getComputedStyle(each).borderStyle") == "dashed"


def test_of_twenty_the_worst_are_shown_and_the_others_counted(page: Page) -> None:
    with wall(Alarms(rows=list(TWENTY)), options()) as running:
        look(page, running.url)
        expect(page.locator("#strip-more")).to_have_text("+17 more")
        assert [row["level"] for row in cells(page)] == ["RED"] * 3
        page.set_viewport_size({"width": 3840, "height": 1080})
        expect(page.locator("#strip-more")).to_have_text("+14 more")
        assert page.locator(".alarm").count() == 6


def test_the_last_place_is_for_what_nobody_is_on(page: Page) -> None:
    rows = [alarm(f"G{n}", level="red", state="acknowledged", actor="Li Si") for n in range(4)] + [alarm("N1"), SILENT]
    with wall(Alarms(rows=rows), options()) as running:
        look(page, running.url)
        expect(page.locator("#strip-more")).to_have_text("+3 more")
        assert [row["level"] for row in cells(page)] == ["RED", "RED", "ORANGE"]


# That nothing is shown proves nothing by itself.


def test_a_lost_store_is_never_no_alarm(page: Page) -> None:
    source = Alarms()
    with wall(source, options()) as running:
        look(page, running.url)
        source.failure = StoreGoneError("gone")
        becomes(page, "old", "store_lost")
        assert (state(page), figure(page, "strip-title")) == ("unproven", "Alarms unknown")


def test_neither_is_a_server_that_is_gone(page: Page) -> None:
    with wall(Alarms(rows=list(THREE)), options()) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(3)
    becomes(page, "old", "link_lost")
    assert (state(page), figure(page, "strip-title")) == ("unproven", "Alarms unknown")
    assert page.locator(".alarm").count() == 3


def test_alarms_that_are_judged_late_say_so_beside_fresh_figures(page: Page) -> None:
    stopped = time.time_ns() // 1_000_000 - 60_000
    source = Alarms(judged_to=lambda _: stopped)
    with wall(source, options()) as running:
        look(page, running.url)
        expect(page.locator("#strip-title")).to_contain_text("Alarms judged up to ")
        assert (state(page), page.locator("html").get_attribute("data-fresh")) == ("unproven", "ok")
        source.judged_to = lambda real_ms: real_ms
        expect(page.locator("#strip-title")).to_have_text("No alarm")


def test_before_anything_was_heard_there_is_no_calm_line(page: Page) -> None:
    with wall(HandSource(lambda real_ms: WallRows(real_ms, reading(real_ms).span)), options()) as running:
        page.goto(running.url)
        becomes(page, "none", "no_data")
        assert (state(page), figure(page, "strip-title")) == ("unproven", "Alarms: waiting for the first figures")


# The keyboard.


def test_enter_acknowledges_what_is_chosen_in_the_operators_name(page: Page) -> None:
    source = Alarms(rows=list(THREE))
    with wall(source, options(), send=source.send) as running:
        look(page, running.url)
        expect(page.locator("#strip-keys")).to_have_text("↑↓ choose · Enter acknowledge")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert chosen(page) == "North 1"
        page.keyboard.press("Enter")
        expect(page.locator("#operator")).to_be_visible()
        page.keyboard.type("  张三 ")
        page.keyboard.press("Enter")
        expect(page.locator(f".alarm[data-episode='{alarm('N1').episode}'] .told")).to_have_text("张三, acknowledged")
        assert [(each.action, each.episode, each.actor) for each in source.taken] == [
            ("ack", alarm("N1").episode, "张三")
        ]
        page.reload()
        expect(page.locator(".alarm")).to_have_count(3)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")  # the name is known
        expect(page.locator(".alarm .told").first).to_have_text("张三, acknowledged")


def test_escape_and_tab_leave_and_a_name_is_not_taken_unless_it_is_one(page: Page) -> None:
    source = Alarms(rows=list(THREE))
    with wall(source, options(), send=source.send) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(3)
        page.keyboard.press("Tab")
        assert chosen(page) == "Hall (persons)"
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator("#operator-wrong")).to_have_text("1 to 64 characters · Enter saves · Esc cancels")
        page.keyboard.press("Escape")
        expect(page.locator("#operator")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.locator(".alarm[aria-selected='true']")).to_have_count(0)
        for _ in range(3):
            page.keyboard.press("Tab")
        assert chosen(page) == "North 1 N1-L02"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "past-open"
        expect(page.locator(".alarm[aria-selected='true']")).to_have_count(0)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "language"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")  # now it is the button's
        expect(page.locator("#past")).to_be_visible()
    assert source.taken == []


def test_keys_within_the_dialog_of_replays_are_not_the_alarms(page: Page) -> None:
    source = Alarms(rows=list(THREE))
    with wall(source, options(), send=source.send) as running:
        look(page, running.url)
        page.keyboard.press("ArrowDown")
        page.locator("#past-open").click()
        expect(page.locator("#past")).to_be_visible()
        before = chosen(page)
        for key in ("ArrowDown", "ArrowUp", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#operator")).to_be_hidden()
        assert chosen(page) == before
    assert source.taken == []


def test_the_arrows_reach_the_alarms_for_which_there_was_no_room(page: Page) -> None:
    with wall(Alarms(rows=list(TWENTY)), options()) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(3)
        page.keyboard.press("ArrowUp")
        assert [row["level"] for row in cells(page)] == ["YELLOW"] * 3
        assert page.locator(".alarm").nth(2).get_attribute("aria-selected") == "true"


def test_until_the_alarm_itself_has_changed_it_is_only_being_sent(new_page: Page) -> None:
    free = threading.Event()
    source = Alarms(rows=[WORST])
    named(new_page)

    def slow(command: Command) -> None:
        free.wait(20)
        source.send(command)

    with wall(source, options(), send=slow) as running:
        look(new_page, running.url)
        expect(new_page.locator(".alarm")).to_have_count(1)
        new_page.keyboard.press("ArrowDown")
        new_page.keyboard.press("Enter")
        expect(new_page.locator(".alarm .told")).to_have_text("sending …")
        new_page.keyboard.press("Enter")  # again, and it is not sent again
        free.set()
        expect(new_page.locator(".alarm .told")).to_have_text("Li Si, acknowledged")
        assert len(source.taken) == 1


def test_a_command_without_effect_is_told_after_a_while(new_page: Page) -> None:
    source = Alarms(rows=[WORST], deaf=True)
    named(new_page)
    new_page.clock.install()
    with wall(source, options(), send=source.send) as running:
        new_page.goto(running.url)
        new_page.clock.run_for(2000)
        new_page.wait_for_function("() => document.querySelectorAll('.alarm').length === 1", timeout=PATIENCE_MS)
        new_page.keyboard.press("ArrowDown")
        new_page.keyboard.press("Enter")
        until(lambda: source.taken)
        new_page.wait_for_timeout(300)
        for _ in range(22):
            new_page.clock.run_for(1000)
            new_page.wait_for_timeout(30)
        assert "has not changed in 20 s" in new_page.locator("#strip-note").text_content()  # type: ignore[operator]


def test_what_became_worse_after_it_was_chosen_is_not_acknowledged_unseen(new_page: Page) -> None:
    source = Alarms(rows=[alarm("N1")])
    named(new_page)
    with wall(source, options(), send=source.send) as running:
        look(new_page, running.url)
        expect(new_page.locator(".alarm")).to_have_count(1)
        new_page.keyboard.press("ArrowDown")
        source.change(alarm("N1").episode, level="red")
        expect(new_page.locator(".alarm .level")).to_have_text("RED")
        new_page.keyboard.press("Enter")
        expect(new_page.locator("#strip-note")).to_contain_text("it has become RED meanwhile")
        assert source.taken == []
        new_page.keyboard.press("Enter")  # seen
        expect(new_page.locator(".alarm .told")).to_have_text("Li Si, acknowledged")


def test_brokers_that_are_away_are_told_in_the_displays_language(new_page: Page) -> None:
    def fail(_: Command) -> None:
        raise ConnectionError("no broker")

    named(new_page)
    with wall(Alarms(rows=[WORST]), options("zh"), send=fail) as running:
        look(new_page, running.url)
        expect(new_page.locator(".alarm")).to_have_count(1)
        new_page.keyboard.press("ArrowDown")
        new_page.keyboard.press("Enter")
        expect(new_page.locator("#strip-note")).to_contain_text("请检查 Kafka 是否运行")
        expect(new_page.locator(".alarm .told")).to_have_text("未确认")


def test_a_wall_that_takes_none_offers_none(page: Page) -> None:
    with wall(Alarms(rows=list(THREE)), options()) as running:
        look(page, running.url)
        expect(page.locator("#strip-keys")).to_have_text("↑↓ look · Esc leave")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#strip-note")).to_contain_text("gatepulse alarms ack")
        expect(page.locator("#operator")).to_be_hidden()


def test_enter_that_ends_a_chinese_word_saves_no_name(page: Page) -> None:
    source = Alarms(rows=[WORST])
    with wall(source, options(), send=source.send) as running:
        look(page, running.url)
        expect(page.locator(".alarm")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("n")
        page.locator("#operator-name").fill("zhang")
        page.locator("#operator-name").evaluate(
            "each => each.dispatchEvent("
            "new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }))"
        )
        expect(page.locator("#operator")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#operator")).to_be_hidden()
        expect(page.locator("#strip-keys")).to_contain_text("N operator zhang")
    assert source.taken == []


# What is ahead.


def test_the_next_level_is_told_at_its_area_and_for_the_site(page: Page) -> None:
    given = options()

    def draw(real_ms: int) -> WallRows:
        now = given.clock.now(real_ms) - 20_000
        rows = [forecast("hall", 80, 25, at=now), forecast("small", 90, 40, at=now, earliest=18, latest=None)]
        return replace(reading(real_ms), forecasts=rows)

    with wall(Alarms(draw=draw), given) as running:
        look(page, running.url)
        expect(page.locator("[data-figure='person.ahead']")).to_have_text("90% ≈40 min (18–…)")
        assert page.locator(".cell .soon").all_inner_texts() == ["", "80% ≈25 min", "30 in"]
        look(page, running.url + "?lang=zh")
        expect(page.locator("[data-figure='person.ahead']")).to_have_text("90% ≈40 分 (18–…)")


# The layout.


@pytest.mark.parametrize("rows", [(), THREE, TWENTY])
def test_nothing_is_cut_off_however_many_alarms_there_are(page: Page, rows: tuple[Episode, ...]) -> None:
    with wall(Alarms(rows=list(rows)), options()) as running:
        for language in ("zh", "en"):
            look(page, f"{running.url}?lang={language}")
            for width, height in SCREENS:
                page.set_viewport_size({"width": width, "height": height})
                expect(page.locator(".row.head").first).to_be_visible()
                assert cut_off(page) == []
                until(lambda: page.evaluate(ELLIPSES) == [])
