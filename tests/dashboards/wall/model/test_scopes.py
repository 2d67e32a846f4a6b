"""The scope of each tile, and the layout of areas that is sent to the page."""

from dataclasses import replace

from dashboards.wall.model.card import site_card
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.scopes import Crossings, Scope, areas_of, crossings, scopes_of
from streams.site.model import PlanRectangle
from streams.site.screens import Screen, Tile
from streams.text import Text
from tests.support.wall_site import SITE

OPTIONS = WallOptions()


def test_the_boundary_is_crossed_by_the_entrances_that_lead_outside() -> None:
    assert crossings(Scope("person"), SITE) == Crossings(
        into=(("N1", "in"), ("N2", "in")), out_of=(("N1", "out"), ("N2", "out"))
    )
    assert crossings(Scope("vehicle"), SITE).into == (("P1", "in"),)


def test_an_area_is_entered_from_both_of_its_sides() -> None:
    # outside --N1, N2--> venue --H1--> hall
    assert crossings(Scope("person", "venue"), SITE) == Crossings(
        into=(("N1", "in"), ("N2", "in"), ("H1", "out")), out_of=(("N1", "out"), ("N2", "out"), ("H1", "in"))
    )
    assert crossings(Scope("person", "hall"), SITE) == Crossings(into=(("H1", "in"),), out_of=(("H1", "out"),))


def test_a_scope_has_the_occupancy_of_its_areas() -> None:
    assert areas_of(Scope("person"), SITE) == ("venue", "hall")
    assert areas_of(Scope("person", "hall"), SITE) == ("hall",)


def test_tiles_that_name_no_kind_are_about_their_areas_or_the_sites_first_one() -> None:
    tiles = {"A": Tile("trend"), "B": Tile("trend", area="park"), "C": Tile("trend", "person"), "D": Tile("ranking")}
    site = replace(SITE, screens=(Screen("one", SITE.title, tiles, ("ABCD",), ("ABCD",)),))
    assert scopes_of(site, "trend") == (Scope("person"), Scope("vehicle", "park"))
    (screen,) = site_card(site, OPTIONS, page="")["screens"]
    assert [tile["kind"] for tile in screen["tiles"].values()] == ["person", "vehicle", "person", ""]


def test_areas_without_a_place_stand_below_those_with_one_and_beside_each_other() -> None:
    areas = (replace(SITE.areas[0], place=PlanRectangle(1, 0, 6, 2)), *SITE.areas[1:])
    places = [area["place"] for area in site_card(replace(SITE, areas=areas), OPTIONS, page="")["areas"].values()]
    assert places[0] == (1, 0, 6, 2)
    tops = {place[1] for place in places[1:]}
    assert len(tops) == 1
    assert min(tops) > 2
    assert places[1][0] + places[1][2] <= places[2][0]


def test_without_any_place_no_two_areas_overlap() -> None:
    many = tuple(replace(SITE.areas[0], id=f"A{n}", title=Text("馆", "Hall")) for n in range(11))
    card = site_card(replace(SITE, areas=many, screens=()), OPTIONS, page="")
    corners = {tuple(area["place"][:2]) for area in card["areas"].values()}
    assert len(corners) == 11
