"""What a figure is about: all that crosses the site's boundary, or one area; pure. Read next: `reading.py`."""

from typing import NamedTuple

from streams.contract.events import Direction
from streams.site.model import Site
from streams.site.screens import Shows, Tile
from streams.text import Kind

Crossing = tuple[str, Direction]
"""An entrance, and one of the two directions through it."""


class Scope(NamedTuple):
    """Persons or vehicles, in one area or ("") on the whole site."""

    kind: Kind
    area: str = ""


class Crossings(NamedTuple):
    """The ways into a scope and those out of it."""

    into: tuple[Crossing, ...]
    out_of: tuple[Crossing, ...]


def scope_of(tile: Tile, site: Site) -> Scope:
    """Return what a tile is about; a tile that names no kind is about the area's, or the site's, first one."""
    kinds = site.area(tile.area).kinds if tile.area else site_kinds(site)
    return Scope(tile.kind or kinds[0], tile.area)


def scopes_of(site: Site, shows: Shows) -> tuple[Scope, ...]:
    """Return what the tiles of one sort are about, on all screens of the site."""
    tiles = [tile for screen in site.screens for tile in screen.tiles.values() if tile.shows == shows]
    return tuple(dict.fromkeys(scope_of(tile, site) for tile in tiles))


def crossings(scope: Scope, site: Site) -> Crossings:
    """Return how one gets into a scope and out of it."""
    gates = [gate for gate in site.entrances if gate.kind == scope.kind]
    inner = [gate.id for gate in gates if (gate.inner == scope.area if scope.area else gate.boundary)]
    outer = [gate.id for gate in gates if scope.area and gate.outer == scope.area]
    into: list[Crossing] = [*((gate, "in") for gate in inner), *((gate, "out") for gate in outer)]
    out_of: list[Crossing] = [*((gate, "out") for gate in inner), *((gate, "in") for gate in outer)]
    return Crossings(tuple(into), tuple(out_of))


def areas_of(scope: Scope, site: Site) -> tuple[str, ...]:
    """Return the areas whose occupancies add up to the scope's."""
    if scope.area:
        return (scope.area,)
    return tuple(area.id for area in site.areas if scope.kind in area.kinds)


def site_kinds(site: Site) -> list[Kind]:
    """Return what passes through the site's entrances, persons first."""
    return sorted({entrance.kind for entrance in site.entrances})
