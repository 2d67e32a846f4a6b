"""The screens of a site profile in a real browser: each shows its tiles at their places."""

from dataclasses import replace

from playwright.sync_api import Page, expect

from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import WallRows
from streams.site.model import Site
from streams.site.reader import parse_site
from tests.dashboards.wall.test_page import figure, look
from tests.support.wall_site import PROFILE, reading
from tests.support.wall_sources import HandSource, until, wall

OPTIONS = WallOptions(period_s=0.2, trend_period_s=0.5, language="en")

SCREENS = """
[[screen]]
id = "all"
title = { zh = "总", en = "All" }
tiles = { E = "entered", R = "ranking" }
layout = "ERR"
wide = "RRE"

[[screen]]
id = "hall"
title = { zh = "馆", en = "The hall" }
layout = "IF RR"
[screen.tiles]
I = { shows = "inside", area = "hall" }
F = { shows = "flow", area = "hall" }
R = { shows = "ranking", area = "hall" }

[[screen]]
id = "cars"
title = { zh = "车", en = "Cars" }
layout = "EMR"
[screen.tiles]
E = { shows = "entered", kind = "vehicle" }
R = { shows = "ranking", kind = "vehicle" }
M = { shows = "plan", kind = "vehicle" }
"""


def site() -> Site:
    return parse_site(PROFILE + SCREENS, source="small.toml")


def shown(page: Page) -> list[str]:
    """Name the tiles line by line, from left to right."""
    places = "all => all.map(({ dataset, offsetTop, offsetLeft }) => [offsetTop, offsetLeft, dataset.shows])"
    return [name for _, _, name in sorted(page.locator(".tile").evaluate_all(places))]


def ranked(page: Page) -> list[str | None]:
    return [row.get_attribute("data-entrance") for row in page.locator(".rows .row").all()]


def test_a_display_shows_the_screen_that_its_address_names_else_the_first(page: Page) -> None:
    with wall(HandSource(), OPTIONS, site=site()) as running:
        look(page, running.url)
        assert (figure(page, "title"), shown(page)) == ("All", ["entered", "ranking"])
        look(page, running.url + "?screen=hall")
        assert (figure(page, "title"), shown(page)) == ("The hall", ["inside", "flow", "ranking"])
        look(page, running.url + "?screen=none")
        assert figure(page, "title") == "All"


def test_the_number_keys_change_the_screen_and_it_stays_after_a_reload(page: Page) -> None:
    with wall(HandSource(), OPTIONS, site=site()) as running:
        look(page, running.url)
        page.keyboard.press("3")
        expect(page.locator("#title")).to_have_text("Cars")
        page.reload()
        page.wait_for_selector("html[data-fresh='ok']")
        assert figure(page, "title") == "Cars"
        page.keyboard.press("9")
        assert figure(page, "title") == "Cars"


def test_tiles_of_an_area_show_that_area_and_the_entrances_on_both_of_its_sides(page: Page) -> None:
    with wall(HandSource(), OPTIONS, site=site()) as running:
        look(page, running.url + "?screen=hall")
        assert page.locator(".tile.inside .title").inner_text() == "Hall · Inside now"
        assert (figure(page, "hall.inside"), figure(page, "hall.share")) == ("120", "60%")
        assert (figure(page, "hall.entered"), figure(page, "hall.departed")) == ("0", "0")
        assert ranked(page) == ["H1"]


def test_tiles_of_a_kind_show_that_kind_only(page: Page) -> None:
    with wall(HandSource(), OPTIONS, site=site()) as running:
        look(page, running.url + "?screen=cars")
        assert (figure(page, "vehicle.entries"), figure(page, "vehicle.inside")) == ("40", "30")
        assert ranked(page) == ["P1"]
        assert [cell.get_attribute("data-area") for cell in page.locator(".cell").all()] == ["park"]


def test_a_very_wide_display_has_the_layout_that_is_made_for_it(page: Page) -> None:
    with wall(HandSource(), OPTIONS, site=site()) as running:
        look(page, running.url)
        page.set_viewport_size({"width": 3840, "height": 1080})
        expect(page.locator(".tile.ranking")).to_be_visible()
        until(lambda: shown(page) == ["ranking", "entered"])  # it is drawn anew a moment after its size has changed


def test_an_area_that_is_too_full_takes_the_colour_of_its_level(page: Page) -> None:
    def draw(real_ms: int) -> WallRows:
        whole = reading(real_ms)
        areas = [area._replace(inside=190) if area.area == "hall" else area for area in whole.areas]
        return replace(whole, areas=areas)

    with wall(HandSource(draw), OPTIONS) as running:
        look(page, running.url)
        ground = "each => getComputedStyle(each).backgroundColor"
        level = page.evaluate("() => getComputedStyle(document.documentElement).getPropertyValue('--orange')")
        assert level == "#ff9838"
        assert page.locator(".cell[data-area='hall']").evaluate(ground) == "rgb(255, 152, 56)"
        assert page.locator(".cell[data-area='venue']").evaluate(ground) != "rgb(255, 152, 56)"


def test_the_ring_has_an_arc_from_each_level_of_the_profile_on(page: Page) -> None:
    profile = PROFILE + SCREENS + "[alarms.area-capacity]\nlimits = { yellow = 70, orange = 85, red = 95 }\n"
    with wall(HandSource(), OPTIONS, site=parse_site(profile, source="small.toml")) as running:
        page.goto(f"{running.url}?screen=hall")
        arcs = page.locator(".ring circle")
        expect(arcs).to_have_count(5)
        assert [each.get_attribute("class") for each in arcs.all()] == [
            "track", "track yellow", "track orange", "track red", "filled",
        ]  # fmt: skip
        assert [each.get_attribute("stroke-dashoffset") for each in arcs.all()[1:4]] == ["-70.3", "-85.3", "-95.3"]
        assert arcs.first.get_attribute("stroke-dasharray") == "70 100"
