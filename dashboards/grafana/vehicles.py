"""The dashboard for vehicles: their entrances, their classes, and the car parks."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana import queries as ask
from dashboards.grafana.command_centre import inside
from dashboards.grafana.entrances import by_category, categories, devices, flow, passages, totals
from dashboards.grafana.frame import (
    VEHICLES_UID,
    chosen,
    entrances_for,
    new_dashboard,
    vitals,
    with_alarms,
    with_panels,
)
from dashboards.grafana.panels import Look, PanelBuilder, PanelSpec, bars
from dashboards.grafana.theme import colours_at, share_of_capacity
from streams.site.model import Site


def vehicles(site: Site) -> Dashboard:
    """Build the dashboard *Vehicles*."""
    board = new_dashboard(
        "车辆 / Vehicles", VEHICLES_UID,
        about="车辆出入口、车型与停车场。 Vehicles through the entrances, their classes, and car parks.",
        site=site, refresh="10s", hours=3,
    )  # fmt: skip
    board.with_variable(chosen("entrance", "出入口 / Entrance", entrances_for(site, "vehicle")))
    board.with_variable(chosen("category", "车型 / Class", site.vehicle_classes))
    today = [passages(site, "vehicle", "in", 8), passages(site, "vehicle", "out", 8), inside(site, "vehicle", 8, 4)]
    flows = [flow(site, "vehicle", "in"), flow(site, "vehicle", "out")]
    who = [categories(site, "vehicle"), by_category(site, "vehicle"), _parks(site)]
    panels = [*vitals(site), *today, *flows, *who, totals(site, "vehicle", 12), devices(site, 12)]
    return with_alarms(with_panels(board, panels), site)


def _parks(site: Site) -> PanelBuilder:
    colours = colours_at(site)
    spec = PanelSpec(
        "停车场占容量 / Car parks, % of capacity",
        f"全部停车区域；{colours.zh} All areas for vehicles; {colours.en}",
        "percent", 8, 8,
    )  # fmt: skip
    return bars(spec, ask.area_shares(site, "vehicle"), Look(limits=share_of_capacity(site), most=100))
