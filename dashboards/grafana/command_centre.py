"""The dashboard for the command centre's wall: figures of the day, flows, areas, alarms and forecasts."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import ThresholdsMode

from dashboards.grafana import queries as ask
from dashboards.grafana.frame import WALL_UID, entrances_for, main_kind, new_dashboard, vitals, with_alarms, with_panels
from dashboards.grafana.panels import (
    COUNT,
    PER_MINUTE,
    Look,
    PanelBuilder,
    PanelSpec,
    bars,
    cell,
    columns,
    number,
    rows,
)
from dashboards.grafana.spans import FLOW_MINUTES
from dashboards.grafana.theme import colours_at, fixed, level_mapping, share_of_capacity
from streams.site.model import Site
from streams.text import Kind

_ALARMS_SHOWN = 12
_ENTRANCES_SHOWN = 12


def command_centre(site: Site) -> Dashboard:
    """Build the dashboard *Command centre wall*, for `?kiosk` on 1920 × 1080."""
    board = new_dashboard(
        "指挥中心大屏 / Command centre wall", WALL_UID,
        about="单日进场、场内实时、流量排行和报警。 Entries today, inside now, ranking by flow, alarms.",
        site=site, refresh="5s", hours=2,
    )  # fmt: skip
    panels = [*vitals(site), *_day(site), _ranking(site), _flow(site), _areas(site), _alarms(site), _forecasts(site)]
    return with_alarms(with_panels(board, panels), site)


def _day(site: Site) -> Iterator[PanelBuilder]:
    """Four figures on a site with entrances for persons and for vehicles; three on a site with one kind."""
    kind = main_kind(site)
    mixed = kind == "person" and bool(entrances_for(site, "vehicle"))
    width = 6 if mixed else 8
    noun = ("人员", "persons") if kind == "person" else ("车辆", "vehicles")
    yield _entries(site, kind, *noun, width)
    yield _distinct(site, kind, *noun, width)
    if mixed:
        yield _entries(site, "vehicle", "车辆", "vehicles", width)
    yield inside(site, kind, width)


def _entries(site: Site, kind: Kind, zh: str, en: str, width: int) -> PanelBuilder:
    spec = PanelSpec(
        f"单日进场{zh} / {en.capitalize()} entered today",
        f"今日从外围进场的{zh}次数，再次进场再计。 "
        f"Entries of {en} from outside, on the site's day; who comes twice counts twice.",
        COUNT, width, 5,
    )  # fmt: skip
    return number(spec, ask.entered_today(site, kind), Look(colour=fixed("in")))


def _distinct(site: Site, kind: Kind, zh: str, en: str, width: int) -> PanelBuilder:
    spec = PanelSpec(
        f"单日进场{zh}（去重） / Different {en} today",
        f"今日进场的不同证件或车牌数，不含没有证件的。 "
        f"Different credentials or plates; {en} without one are not in it.",
        COUNT, width, 5,
    )  # fmt: skip
    return number(spec, ask.entered_today(site, kind, "distinct_entered"), Look(colour=fixed("in")))


def inside(site: Site, kind: Kind, width: int, height: int = 5) -> PanelBuilder:
    """Show who is on the site now, coloured by the site's capacity where there is one."""
    zh, en = ("人数", "Persons") if kind == "person" else ("车辆", "Vehicles")
    capacity, colours = capacity_of(site, kind), colours_at(site)
    spec = PanelSpec(
        f"场内{zh} / {en} inside now",
        f"各区域之和，负数表示计数漂移。核定容量 {capacity or '–'}，{colours.zh} "
        f"The sum over all areas; below zero it is drift. Capacity {capacity or '–'}; {colours.en}",
        COUNT, width, height,
    )  # fmt: skip
    limits = share_of_capacity(site, mode=ThresholdsMode.PERCENTAGE)
    look = Look(limits=limits, most=capacity) if capacity else Look(colour=fixed("in"))
    return number(spec, ask.inside_now(kind), look)


def capacity_of(site: Site, kind: Kind) -> int | None:
    """Return the site's own capacity, or the sum over its areas if all have one, or None."""
    areas = [area.capacity.get(kind) for area in site.areas if kind in area.kinds]
    known = [each for each in areas if each is not None]
    return site.capacity.get(kind) or (sum(known) if known and len(known) == len(areas) else None)


def _ranking(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "各出入口流量排行 / Entrances by flow",
        f"外围出入口近 {FLOW_MINUTES} 分钟进出合计，每分钟。 "
        f"Both ways through the entrances from outside, mean of the last {FLOW_MINUTES} full minutes.",
        PER_MINUTE, 8, 10, decimals=1,
    )  # fmt: skip
    return bars(spec, ask.ranking(site, main_kind(site), _ENTRANCES_SHOWN), Look(colour=fixed("in")))


def _flow(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "进出流量 / Flow in and out",
        "外围出入口每分钟进出；只显示已完整收到的时段。 "
        "Through the entrances from outside, per minute; spans that are not complete yet are left out.",
        PER_MINUTE, 9, 10, decimals=1,
    )  # fmt: skip
    return columns(spec, ask.crossings(site, main_kind(site)))


def _areas(site: Site) -> PanelBuilder:
    colours = colours_at(site)
    spec = PanelSpec(
        "各区域占容量 / Areas, % of capacity",
        f"场内人数或车辆占核定容量；{colours.zh} Inside now of the approved capacity; {colours.en}",
        "percent", 7, 10,
    )  # fmt: skip
    return bars(spec, ask.area_shares(site), Look(limits=share_of_capacity(site), most=100))


def _alarms(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "未解除报警 / Open alarms",
        "最严重和最新的在前。 The gravest and newest first.",
        "none", 16, 8,
    )  # fmt: skip
    level = [cell("mappings", level_mapping()), cell("custom.cellOptions", {"type": "color-background"})]
    value = [cell("decimals", 1)]
    return rows(spec, ask.open_alarms(site, _ALARMS_SHOWN), **{"等级 / Level": level, "数值 / Value": value})


def _forecasts(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "预计达到容量 / Expected to reach capacity",
        "从预测时刻起的分钟数，含最早与最晚；两小时内达不到的不列。 "
        "Minutes from the forecast's moment, with its earliest and latest; what is not within two hours is not listed.",
        "m", 8, 8,
    )  # fmt: skip
    level = [cell("unit", "percent")]
    return rows(spec, ask.forecasts(site), **{"水平 / Level": level})
