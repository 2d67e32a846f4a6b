"""Builds what the page needs once: titles, colours, the layout of the screens, and the plan of the areas; pure."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from math import ceil, sqrt
from typing import Any

from dashboards.messages.alarm_words import LEVEL_NAMES
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import FLOW_MINUTES, MINUTE, SILENT_AFTER_MS
from dashboards.wall.model.scopes import scope_of, site_kinds
from streams.site.model import Area, Site
from streams.site.screens import Screen

GAP = 0.4
"""The gap above the areas without a place in the profile, in the plan's units."""
WIDTH, HEIGHT = 3.0, 2.0
"""The size of such an area, where no other area sets the width of the plan."""


def site_card(site: Site, options: WallOptions, *, page: str, acknowledge: bool = False) -> dict[str, Any]:
    """Return the card; `page` is the version of the page's own files."""
    return {
        "id": site.id,
        "title": site.title,
        "time_zone": site.time_zone,
        "day_starts": f"{site.day_starts // 60:02}:{site.day_starts % 60:02}" if site.day_starts else "",
        "language": options.language,
        "page": page,
        "speed": options.clock.speed,
        "stale_after_ms": options.stale_after_ms,
        "flow_minutes": FLOW_MINUTES,
        "silent_after_min": SILENT_AFTER_MS / MINUTE,
        "acknowledge": acknowledge,
        "levels": LEVEL_NAMES,
        "capacity_levels": site.levels,
        "screens": [_screen(screen, site) for screen in site.screens],
        "areas": {area.id: {"title": area.title, "kinds": area.kinds, "place": place} for area, place in _plan(site)},
        "entrances": {
            each.id: {"title": each.title, "zone": each.zone, "outer": each.outer, "inner": each.inner}
            for each in site.entrances
        },
        "zones": {zone.id: zone.title for zone in site.zones},
        "categories": {
            kind: {each.id: {"title": each.title, "colour": each.colour} for each in site.categories_of(kind)}
            for kind in site_kinds(site)
        },
    }


def _screen(screen: Screen, site: Site) -> dict[str, Any]:
    """Return a screen with the kind of each tile; a ranking and a plan may be of all kinds."""
    tiles = {}
    for letter, tile in screen.tiles.items():
        kind = tile.kind if tile.shows in ("ranking", "plan") else scope_of(tile, site).kind
        tiles[letter] = asdict(tile) | {"kind": kind}
    return {"id": screen.id, "title": screen.title, "tiles": tiles, "layout": screen.layout, "wide": screen.wide}


def _plan(site: Site) -> list[tuple[Area, Sequence[float]]]:
    """Return every area with its left, top, width and height; those without a place are in rows below the others."""
    given = [area.place for area in site.areas if area.place is not None]
    width = max((place.left + place.width for place in given), default=0.0)
    bottom = max((place.top + place.height + GAP for place in given), default=0.0)
    unplaced = [area.id for area in site.areas if area.place is None]
    in_row = max(1, min(len(unplaced), 5) if given else ceil(sqrt(2 * len(unplaced))))
    cell = (width or in_row * WIDTH) / in_row
    found = {
        name: (number % in_row * cell, bottom + number // in_row * HEIGHT, cell, HEIGHT)
        for number, name in enumerate(unplaced)
    }
    return [(area, found[area.id] if area.place is None else astuple(area.place)) for area in site.areas]
