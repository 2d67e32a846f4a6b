"""Extracts queries and choices from the dashboards' JSON as Grafana does, and has sites to build them for."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dashboards.grafana.files import dashboards_of
from dashboards.grafana.panels import PLUGIN
from streams.site.model import Site
from streams.site.reader import load_site, parse_site
from tests.support.small_site import PROFILE, SITE
from tests.support.wall_site import SITE as NASTY_SITE


def without(*tables: str) -> Site:
    """Return the small site without some of its areas, entrances and classes."""
    kept = [
        part for part in re.split(r"(?m)^(?=\[\[)", PROFILE) if not any(f'id = "{each}"' in part for each in tables)
    ]
    return parse_site("".join(kept), source="part.toml")


PERSONS_ONLY, VEHICLES_ONLY = without("P1", "park", "car"), without("N1", "H1", "venue", "hall", "visitor", "staff")


EXPO = load_site("expo")
SITES = {"small": SITE, "nasty": NASTY_SITE, "expo": EXPO, "persons": PERSONS_ONLY, "vehicles": VEHICLES_ONLY}


class Query(NamedTuple):
    """One query, and where it is: dashboard, panel or annotation."""

    board: str
    panel: str
    target: dict[str, Any]

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.board}: {self.panel}"


def panel_queries(site: Site, datasource: str = PLUGIN) -> Iterator[Query]:
    """List all queries to one kind of data source, those of annotations too."""
    for board in dashboards_of(site):
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == datasource:
                    yield Query(board["uid"], panel["title"], target)
        for marks in board.get("annotations", {}).get("list", []):
            if marks["datasource"]["type"] == datasource:
                yield Query(board["uid"], marks["name"], marks["target"])


def sql_of(title: str, board: str = "wall", *, site: Site = SITE, place: int = 0) -> str:
    """Return the SQL of the panel, or of marks, with an English title; `place`: if several have it."""
    on_board = [query for query in panel_queries(site) if query.board == f"gatepulse-{board}"]
    return str([query.target["rawSql"] for query in on_board if query.panel.endswith(f"/ {title}")][place])


def everything(site: Site) -> dict[str, list[str]]:
    """Choose all of everything in the variables."""
    return {
        "entrance": [each.id for each in site.entrances],
        "category": [each.id for each in (*site.categories, *site.vehicle_classes)],
        "area": [area.id for area in site.areas],
    }
