"""Defines the scope of a figure: the whole site or one area, and the entrances that lead in and out; pure."""

from typing import NamedTuple

from streams.contract.events import Direction
from streams.site.model import Site
from streams.site.screens import Shows, Tile
from streams.text import Kind

DirectedEntrance = tuple[str, Direction]
"""An entrance, and one of the two directions through it."""


class Scope(NamedTuple):
    """Persons or vehicles, in one area or ("") on the whole site."""

    kind: Kind
    area: str = ""


class Crossings(NamedTuple):
    """The ways into a scope and those out of it."""

    into: tuple[DirectedEntrance, ...]
    out_of: tuple[DirectedEntrance, ...]


def scope_of(tile: Tile, site: Site) -> Scope:
    """Return the scope of a tile; a tile that names no kind has the first kind of its area, or of the site."""
    kinds = site.area(tile.area).kinds if tile.area else site_kinds(site)
    return Scope(tile.kind or kinds[0], tile.area)


def scopes_of(site: Site, shows: Shows) -> tuple[Scope, ...]:
    """Return the scopes of the tiles that show one thing, on all screens of the site."""
    tiles = [tile for screen in site.screens for tile in screen.tiles.values() if tile.shows == shows]
    return tuple(dict.fromkeys(scope_of(tile, site) for tile in tiles))


def crossings(scope: Scope, site: Site) -> Crossings:
    """Return the crossings that lead into a scope and out of it."""
    entrances = [each for each in site.entrances if each.kind == scope.kind]
    inner = [each.id for each in entrances if (each.inner == scope.area if scope.area else each.boundary)]
    outer = [each.id for each in entrances if scope.area and each.outer == scope.area]
    into: list[DirectedEntrance] = [*((name, "in") for name in inner), *((name, "out") for name in outer)]
    out_of: list[DirectedEntrance] = [*((name, "out") for name in inner), *((name, "in") for name in outer)]
    return Crossings(tuple(into), tuple(out_of))


def areas_of(scope: Scope, site: Site) -> tuple[str, ...]:
    """Return the areas whose occupancies add up to the scope's."""
    if scope.area:
        return (scope.area,)
    return tuple(area.id for area in site.areas if scope.kind in area.kinds)


def site_kinds(site: Site) -> list[Kind]:
    """Return what passes through the site's entrances, persons first."""
    return sorted({entrance.kind for entrance in site.entrances})
