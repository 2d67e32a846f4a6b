"""The wall is legible from eight metres, has enough contrast, and cuts nothing off on any screen."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest
from playwright.sync_api import Page

from dashboards.wall.model.options import Language, WallOptions
from dashboards.wall.model.rows import WallRows
from streams.site.model import Site
from streams.site.reader import load_site
from tests.dashboards.wall.busy import EXPO, BusyDay, morning_clock
from tests.dashboards.wall.looks import SCREENS, contrasts, cut_off, letters, overlaps
from tests.support.size import NIGHTLY
from tests.support.wall_sources import wall

DISTANCE: Final = 8.0
"""Metres from which an operator looks."""
LEAST_ARC_MINUTES: Final = 16.0
"""Characters at the farthest viewer (NUREG-0700)."""

LEAST_CONTRAST: Final = 4.5
"""WCAG 2.2, success criterion 1.4.3; from 24 px on it asks for 3 only."""

HEADLINE: Final = (".entered h2 .title", ".tile .main", ".line .second", ".dial .share", ".flow .arrow")
RANKING: Final = tuple(
    f".rows .row .{part}"
    for part in ("rank", "name .title", "minute-in", "minute-out", "flow", "change", "lanes", "wait", "age")
)


def arc_minutes(pixels: float, screen_width: int, metres: float) -> float:
    """Return under which angle so many of a screen's pixels are seen from eight metres, if it is `metres` wide."""
    return math.degrees(math.atan(pixels * metres / screen_width / DISTANCE)) * 60


def test_an_angle_is_what_it_should_be() -> None:
    assert arc_minutes(1920 * 0.037234 / 2.4, 1920, 2.4) == pytest.approx(16.0, abs=0.001)  # 8 m × tan 16′


class LossyDay(BusyDay):
    """The same day with holes in every figure."""

    def __init__(self, options: WallOptions, lost: int, site: Site) -> None:
        super().__init__(options, site)
        self._lost = lost

    def read(self, real_ms: int) -> WallRows:
        """Answer with the next step of the day, and what it lacks."""
        whole = super().read(real_ms)
        today = [row._replace(lost=self._lost) for row in whole.today]
        areas = [row._replace(lost=self._lost) for row in whole.areas]
        return replace(whole, today=today, areas=areas, lost=2 * self._lost)


@contextmanager
def busy_wall(page: Page, language: Language, address: str = "", *, site: Site = EXPO, lost: int = 0) -> Iterator[None]:
    """Show a site with everything on it: alarms, forecasts, queues, lanes that are silent."""
    options = WallOptions(trend_period_s=2.0, clock=morning_clock(), language=language)
    with wall(LossyDay(options, lost, site) if lost else BusyDay(options, site), options, site=site) as running:
        page.goto(running.url + address)
        page.wait_for_selector("html[data-fresh='ok'] .rows .row", timeout=20_000)
        yield


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("size", "metres"), [((1920, 1080), 2.4), ((3840, 2160), 2.4), ((3840, 1080), 4.8)])
def test_headline_and_ranking_can_be_read_from_eight_metres(
    page: Page, language: Language, size: tuple[int, int], metres: float
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    with busy_wall(page, language):
        found = letters(page, *HEADLINE, *RANKING)
    angles = {(name, text): arc_minutes(pixels, size[0], metres) for name, text, pixels in found}
    assert {name for name, _ in angles} == {*HEADLINE, *RANKING}
    assert {each: angle for each, angle in angles.items() if angle < LEAST_ARC_MINUTES} == {}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("size", "metres"), [((1920, 1080), 2.4), ((3840, 1080), 4.8)])
def test_the_size_of_a_hole_is_read_from_where_its_figure_is(
    page: Page, language: Language, size: tuple[int, int], metres: float
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    with busy_wall(page, language, lost=12_345):
        found = letters(page, *HEADLINE, ".marked .lost .size", ".line .lost .size")
    angles = {(name, text): arc_minutes(pixels, size[0], metres) for name, text, pixels in found}
    assert {text for name, text in angles if name.endswith(".size")} == {"−12,345", "±12,345"}
    assert {each: angle for each, angle in angles.items() if angle < LEAST_ARC_MINUTES} == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_text_stands_out_from_the_ground_behind_it(page: Page, language: Language) -> None:
    with busy_wall(page, language, lost=1_200):
        found = contrasts(page)
    assert len(found) > 100
    assert sorted({(name, text, round(ratio, 2)) for name, text, ratio, _ in found if ratio < LEAST_CONTRAST}) == []


@pytest.mark.parametrize("lost", [0, 1_200, 12_345_678] if NIGHTLY else [0, 12_345_678])
@pytest.mark.parametrize("screen", [screen.id for screen in EXPO.screens])
def test_nothing_is_cut_off_on_any_screen_of_the_expo(page: Page, screen: str, lost: int) -> None:
    for language in ("zh", "en"):
        with busy_wall(page, language, f"?screen={screen}", lost=lost):
            for width, height in SCREENS:
                page.set_viewport_size({"width": width, "height": height})
                assert (language, width, height, cut_off(page)) == (language, width, height, [])
                assert (language, width, height, overlaps(page, ".marked .lost", ".dial, .main, .line")) == (
                    language, width, height, [],
                )  # fmt: skip


@pytest.mark.parametrize("lost", [0, 1_200])
def test_nothing_is_cut_off_on_the_screen_of_a_small_site_that_names_none(page: Page, lost: int) -> None:
    for language in ("zh", "en"):
        with busy_wall(page, language, site=load_site("hall"), lost=lost):
            for width, height in SCREENS:
                page.set_viewport_size({"width": width, "height": height})
                assert (language, width, height, cut_off(page)) == (language, width, height, [])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_day_that_begins_later_says_so_where_there_is_room(page: Page, language: Language) -> None:
    words = {"zh": "04:00 起", "en": "from 04:00"}[language]
    with busy_wall(page, language, site=replace(EXPO, day_starts=240)):
        for width, height in SCREENS:
            page.set_viewport_size({"width": width, "height": height})
            assert (width, height, cut_off(page)) == (width, height, [])
        assert page.locator(".entered h2").filter(has_text=words).count() == 2
    with busy_wall(page, language):
        assert page.locator(".entered h2 small").filter(has_text=words).count() == 0
