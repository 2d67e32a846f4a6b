"""Screens are drawn in the profile as letters, each a tile; wrong drawings are refused."""

import pytest

from streams.site.model import PlanRectangle
from streams.site.reader import load_site, parse_site
from streams.site.screens import Tile, overview
from streams.text import Text
from tests.streams.site.test_site import SMALL, mistakes

SCREEN = """
[[screen]]
id = "first"
title = { zh = "一", en = "First" }
tiles = { R = "ranking", I = { shows = "inside", area = "venue" } }
layout = \"\"\"
II.
RRR
\"\"\"
"""


def changed(old: str, new: str) -> list[str]:
    assert old in SCREEN
    return mistakes(SMALL + SCREEN.replace(old, new))


def test_a_screen_says_where_each_of_its_tiles_stands() -> None:
    (screen,) = parse_site(SMALL + SCREEN, source="small.toml").screens
    assert (screen.id, screen.title.en) == ("first", "First")
    assert screen.tiles == {"R": Tile("ranking"), "I": Tile("inside", area="venue")}
    assert screen.layout == screen.wide == ("II.", "RRR")


def test_a_wide_display_may_have_a_layout_of_its_own() -> None:
    (screen,) = parse_site(SMALL + SCREEN + 'wide = "IRRR"\n', source="small.toml").screens
    assert (screen.layout, screen.wide) == (("II.", "RRR"), ("IRRR",))


def test_a_profile_without_screens_has_an_overview_of_what_it_counts() -> None:
    (screen,) = parse_site(SMALL, source="small.toml").screens
    assert (screen.id, {tile.shows for tile in screen.tiles.values()}) == (
        "overview",
        {"entered", "inside", "flow", "ranking", "plan", "trend"},
    )
    assert {tile.kind for tile in screen.tiles.values()} == {"person", ""}
    for layout in (screen.layout, screen.wide):
        assert set("".join(layout)) == set(screen.tiles)
        assert len(set(map(len, layout))) == 1


def test_with_few_entrances_the_trend_is_as_wide_as_the_screen_and_with_many_the_ranking_is_long() -> None:
    few, many = (overview(Text("厅", "Hall"), persons=number, vehicles=1) for number in (3, 4))
    assert few.layout[-5:] == ("T" * 18,) * 5
    assert [line.count("R") for line in many.layout[2:]] == [11] * 5
    assert load_site("hall").screens == (overview(load_site("hall").title, persons=2, vehicles=1),)


def test_the_expo_has_a_screen_for_vehicles_one_for_a_hall_and_one_for_a_zone() -> None:
    screens = {screen.id: screen for screen in load_site("expo").screens}
    assert list(screens) == ["overview", "vehicles", "hall3", "north"]
    assert {tile.kind for tile in screens["vehicles"].tiles.values()} == {"vehicle"}
    assert {tile.area for tile in screens["hall3"].tiles.values()} == {"hall3"}
    assert "Z-N" in {tile.zone for tile in screens["north"].tiles.values()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ranking"', '"rank"', "tiles.R: expected one of entered, inside, flow, ranking, plan, trend, found 'rank'"),
        ('"venue"', '"hall"', "tiles.I.area: 'hall' is not an area; areas are venue"),
        ('area = "venue"', 'zone = "Z"', "tiles.I.zone: is not a known key; expected area, kind, shows"),
        ('area = "venue"', 'kind = "bird"', "tiles.I.kind: expected one of 'person', 'vehicle', found 'bird'"),
        ("II.", "II", "layout: line 1 has 2 letters; expected 3 in each line"),
        ("RRR", "RRI", "layout: the cells of 'I' are no rectangle"),
        ("II.", "XX.", "layout: 'X' is no tile; tiles are R, I"),
        ("II.", "...", "layout: tile 'I' is nowhere in it"),
        ("RRR", "R" * 41, "layout: line 1 has 3 letters; expected 41 in each line"),
        ("R = ", "RR = ", "tiles.RR: expected one letter from A to Z, as it stands in the layout"),
    ],
)
def test_what_is_wrong_with_a_screen_is_told(old: str, new: str, message: str) -> None:
    assert any(each.endswith(f"screen[0].{message}") for each in changed(old, new)), changed(old, new)


def test_two_screens_cannot_have_one_name() -> None:
    assert any("id 'first' is already taken" in each for each in mistakes(SMALL + SCREEN + SCREEN))


def test_an_area_has_a_place_on_the_heat_plan() -> None:
    placed = SMALL.replace('id = "venue"\n', 'id = "venue"\nplace = [0, 1.5, 4, 2]\n')
    assert parse_site(placed, source="small.toml").area("venue").place == PlanRectangle(0, 1.5, 4, 2)
    assert parse_site(SMALL, source="small.toml").area("venue").place is None


@pytest.mark.parametrize("place", ["[0, 0, 4]", "[0, 0, 0, 2]", '[0, 0, "4", 2]', "[0, 0, true, 2]", "7"])
def test_a_place_is_four_numbers(place: str) -> None:
    (message,) = mistakes(SMALL.replace('id = "venue"\n', f'id = "venue"\nplace = {place}\n'))
    assert "area[0].place: expected [left, top, width, height]" in message
