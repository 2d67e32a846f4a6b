"""The dashboard for areas: occupancy now and over time, forecasts and their errors, corrections by hand."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana import area_queries as ask
from dashboards.grafana.frame import AREAS_UID, chosen, new_dashboard, vitals, with_alarms, with_panels
from dashboards.grafana.panels import COUNT, Look, PanelBuilder, PanelSpec, bars, cell, lines, rows
from dashboards.grafana.theme import COLOURS, colours_at, share_of_capacity
from streams.site.model import Site
from streams.text import KINDS, Kind

_YELLOW = {"mode": "fixed", "fixedColor": COLOURS["yellow"]}
_NOUNS = {"person": ("人数", "Persons"), "vehicle": ("车辆", "Vehicles")}


def areas(site: Site) -> Dashboard:
    """Build the dashboard *Areas and occupancy*."""
    board = new_dashboard(
        "区域与场内 / Areas and occupancy", AREAS_UID,
        about="各区域场内人数与车辆、容量、预测和人工修正。 Inside by area, capacity, forecasts, corrections by hand.",
        site=site, refresh="30s", hours=12,
    )  # fmt: skip
    board.with_variable(chosen("area", "区域 / Area", site.areas))
    kinds = [kind for kind in KINDS if any(kind in area.kinds for area in site.areas)]
    over_time = [panel for kind in kinds for panel in (_fullest(site, kind), _over_time(site, kind))]
    panels = [*vitals(site), _now(site), _errors(site), *over_time, _corrections(site)]
    return with_alarms(with_panels(board, panels), site)


def _now(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "各区域现在 / Areas now",
        "场内为负表示计数漂移；从未收到事件的区域为空；不完整：自上次人工清点以来丢失的记录。 "
        "Below zero it is drift; an area without any event is empty. Incomplete: records lost since it was "
        "last counted by hand.",
        COUNT, 14, 11,
    )  # fmt: skip
    steps = share_of_capacity(site, calm="text").build().to_json()
    share = [
        cell("unit", "percent"), cell("decimals", 1), cell("thresholds", steps),
        cell("custom.cellOptions", {"type": "color-text"}),
    ]  # fmt: skip
    incomplete = [cell("custom.cellOptions", {"type": "color-text"}), cell("color", _YELLOW)]
    return rows(spec, ask.areas_now(site), **{"占比 / Share": share, "不完整 ± / Incomplete ±": incomplete})


def _errors(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "预测误差 / How wrong forecasts were",
        "今日：提前若干分钟的预测的平均绝对误差，以及结果落入 90 % 区间的比例。 "
        "Today: mean absolute error by minutes ahead, and how often the outcome lay within the 90 % interval.",
        COUNT, 10, 11, decimals=1,
    )  # fmt: skip
    whole, covered = [cell("unit", "m"), cell("decimals", 0)], [cell("unit", "percent"), cell("decimals", 0)]
    return rows(spec, ask.forecast_errors(site), **{"提前 / Ahead": whole, "区间命中 / Within interval": covered})


def _fullest(site: Site, kind: Kind) -> PanelBuilder:
    (zh, en), colours = _NOUNS[kind], colours_at(site)
    spec = PanelSpec(
        f"{zh}占容量 / {en}, % of capacity",
        f"{colours.zh} Of the approved capacity; {colours.en}",
        "percent", 8, 10,
    )  # fmt: skip
    return bars(spec, ask.fullest(site, kind), Look(limits=share_of_capacity(site), most=100))


def _over_time(site: Site, kind: Kind) -> PanelBuilder:
    zh, en = _NOUNS[kind]
    spec = PanelSpec(
        f"场内{zh} / {en} inside",
        "每个时段末的值；没有变动的时段没有点。 At the end of each bucket; a bucket without a change has no point.",
        COUNT, 16, 10,
    )  # fmt: skip
    return lines(spec, ask.inside_over_time(site, kind), named="place")


def _corrections(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "人工修正 / Corrections by hand",
        "所选时段内；修正从其时刻所在的 10 秒窗口末起生效。 "
        "In the range; each takes effect at the end of its 10 s window.",
        COUNT, 24, 7,
    )  # fmt: skip
    return rows(spec, ask.corrections(site))
