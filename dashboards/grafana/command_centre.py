"""The dashboard for the command centre's wall: figures of the day, flows, areas, alarms and forecasts."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import ThresholdsMode

from dashboards.grafana.frame import entrances_for, main_kind, new_dashboard, vitals, with_alarms
from dashboards.grafana.panels import (
    COUNT,
    PER_MINUTE,
    Cells,
    Look,
    PanelBuilder,
    PanelSpec,
    bars,
    columns,
    number,
    rows,
)
from dashboards.grafana.sql import (
    AS_RATE,
    BUCKET,
    BUCKETS,
    END,
    FLOW,
    FLOW_MINUTES,
    HAS_DATA,
    literal,
    literals,
    titled,
    today,
)
from dashboards.grafana.theme import colours_at, fixed, level_mapping, share_of_capacity
from dashboards.messages.alarm_words import KIND_NAMES, RULE_NAMES, STATE_NAMES, UNITS, place_titles
from streams.site.model import Entrance, Site
from streams.text import KINDS, Kind

_ALARMS_SHOWN = 12
_ENTRANCES_SHOWN = 12


def command_centre(site: Site) -> Dashboard:
    """Build the dashboard *Command centre wall*, for `?kiosk` on 1920 × 1080."""
    board = new_dashboard(
        "指挥中心大屏 / Command centre wall", "wall",
        about="单日进场、场内实时、流量排行和报警。 Entries today, inside now, ranking by flow, alarms.",
        site=site, refresh="5s", hours=2,
        panels=[
            *vitals(site), *_day(site), _ranking(site), _flow(site), _areas(site), _alarms(site), _forecasts(site)
        ],
    )  # fmt: skip
    return with_alarms(board, site)


def _day(site: Site) -> Iterator[PanelBuilder]:
    """Four figures on a site with entrances for persons and for vehicles; three on a site with one kind."""
    kind = main_kind(site)
    mixed = kind == "person" and bool(entrances_for(site, "vehicle"))
    width = 6 if mixed else 8
    noun = KIND_NAMES[kind].zh, KIND_NAMES[kind].en
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
    return number(spec, _today(site, kind, "entries"), Look(colour=fixed("in")))


def _distinct(site: Site, kind: Kind, zh: str, en: str, width: int) -> PanelBuilder:
    spec = PanelSpec(
        f"单日进场{zh}（去重） / Different {en} today",
        f"今日进场的不同证件或车牌数，不含没有证件的。 "
        f"Different credentials or plates; {en} without one are not in it.",
        COUNT, width, 5,
    )  # fmt: skip
    return number(spec, _today(site, kind, "distinct_entered"), Look(colour=fixed("in")))


def _today(site: Site, kind: Kind, column: str) -> str:
    return f"""
        SELECT if({HAS_DATA}, sum({column}), NULL) AS total
        FROM gatepulse.site_today
        WHERE kind = {literal(kind)} AND day = {today(site)}
    """


def inside(site: Site, kind: Kind, width: int, height: int = 5) -> PanelBuilder:
    """Show who is on the site now, coloured by its capacity where there is one; NULL while no area has events."""
    zh, en = ("人数", "Persons") if kind == "person" else ("车辆", "Vehicles")
    capacity, colours = _capacity_of(site, kind), colours_at(site)
    spec = PanelSpec(
        f"场内{zh} / {en} inside now",
        f"各区域之和，负数表示计数漂移。核定容量 {capacity or '–'}，{colours.zh} "
        f"The sum over all areas; below zero it is drift. Capacity {capacity or '–'}; {colours.en}",
        COUNT, width, height,
    )  # fmt: skip
    sql = f"""
        SELECT if(countIf(as_of IS NOT NULL) = 0, NULL, sum(inside)) AS inside
        FROM gatepulse.occupancy
        WHERE kind = {literal(kind)}
    """
    limits = share_of_capacity(site, mode=ThresholdsMode.PERCENTAGE)
    return number(spec, sql, Look(limits=limits, most=capacity) if capacity else Look(colour=fixed("in")))


def _capacity_of(site: Site, kind: Kind) -> int | None:
    """Return the site's own capacity, or the sum over its areas if all have one, or None."""
    areas = [area.capacity.get(kind) for area in site.areas if kind in area.kinds]
    known = [each for each in areas if each is not None]
    return site.capacity.get(kind) or (sum(known) if known and len(known) == len(areas) else None)


def _outside(site: Site) -> list[Entrance]:
    """Return the entrances that lead outside, of the site's main kind."""
    return [each for each in entrances_for(site, main_kind(site)) if each.boundary]


def _ranking(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "各出入口流量排行 / Entrances by flow",
        f"外围出入口近 {FLOW_MINUTES} 分钟进出合计，每分钟。 "
        f"Both ways through the entrances from outside, mean of the last {FLOW_MINUTES} full minutes.",
        PER_MINUTE, 8, 10, decimals=1,
    )  # fmt: skip
    outside = _outside(site)
    ids = literals(each.id for each in outside)
    sql = f"""
        SELECT {titled("entrance", outside)} AS entrance_title, sum(passages) / {FLOW_MINUTES} AS flow
        FROM gatepulse.entrance_counts_1m
        WHERE kind = {literal(main_kind(site))} AND entrance IN ({ids}) AND {FLOW}
        GROUP BY entrance_title
        ORDER BY flow DESC, entrance_title
        LIMIT {_ENTRANCES_SHOWN}
    """
    return bars(spec, sql, Look(colour=fixed("in")))


def _flow(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "进出流量 / Flow in and out",
        "外围出入口每分钟进出；只显示已完整收到的时段。 "
        "Through the entrances from outside, per minute; spans that are not complete yet are left out.",
        PER_MINUTE, 9, 10, decimals=1,
    )  # fmt: skip
    ids = literals(each.id for each in _outside(site))
    sql = f"""
        SELECT
            {BUCKET} AS time,
            sumIf(passages, direction = 'in') {AS_RATE} AS "进 / In",
            sumIf(passages, direction = 'out') {AS_RATE} AS "出 / Out"
        FROM gatepulse.entrance_counts_1m
        WHERE kind = {literal(main_kind(site))} AND entrance IN ({ids}) AND {BUCKETS}
        GROUP BY time
        ORDER BY time
    """
    return columns(spec, sql)


def _areas(site: Site) -> PanelBuilder:
    colours = colours_at(site)
    spec = PanelSpec(
        "各区域占容量 / Areas, % of capacity",
        f"场内人数或车辆占核定容量；{colours.zh} Inside now of the approved capacity; {colours.en}",
        "percent", 7, 10,
    )  # fmt: skip
    return area_shares(site, spec, *KINDS)


def area_shares(site: Site, spec: PanelSpec, *kinds: Kind) -> PanelBuilder:
    """Show how full each area with a capacity is, the fullest first; one for both kinds is named with its kind."""
    place = titled("area", site.areas)
    mixed = [area.id for area in site.areas if len(area.kinds) > 1]
    if mixed:
        place = f"if(area IN ({literals(mixed)}), concat({place}, ' · ', {titled('kind', KIND_NAMES)}), {place})"
    sql = f"""
        SELECT {place} AS place, inside * 100 / capacity AS share
        FROM gatepulse.occupancy
        WHERE kind IN ({literals(kinds)}) AND capacity > 0 AND as_of IS NOT NULL
        ORDER BY share DESC, place
    """
    return bars(spec, sql, Look(limits=share_of_capacity(site), most=100))


def _alarms(site: Site) -> PanelBuilder:
    spec = PanelSpec("未解除报警 / Open alarms", "最严重和最新的在前。 The gravest and newest first.", "none", 16, 8)
    sql = f"""
        SELECT
            level AS "等级 / Level",
            {titled("rule", RULE_NAMES)} AS "报警 / Alarm",
            {titled("subject", place_titles(site))} AS "对象 / Where",
            {titled("zone", {zone.id: zone.team for zone in site.zones})} AS "处置组 / Team",
            round(value, 1) AS "数值 / Value",
            limit AS "限值 / Limit",
            {titled("unit", UNITS)} AS "单位 / Unit",
            raised_at AS "开始 / Since",
            {titled("state", STATE_NAMES)} AS "状态 / State",
            actor AS "处理人 / By"
        FROM gatepulse.alarm_episodes
        WHERE cleared_at IS NULL
        ORDER BY indexOf(['red', 'orange', 'yellow'], level), raised_at DESC
        LIMIT {_ALARMS_SHOWN}
    """
    cells: dict[str, Cells] = {
        "等级 / Level": {"mappings": level_mapping(), "custom.cellOptions": {"type": "color-background"}},
        "数值 / Value": {"decimals": 1},
    }
    return rows(spec, sql, cells)


def _forecasts(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "预计达到容量 / Expected to reach capacity",
        "从预测时刻起的分钟数，含最早与最晚；两小时内达不到的不列。 "
        "Minutes from the forecast's moment, with its earliest and latest; what is not within two hours is not listed.",
        "m", 8, 8,
    )  # fmt: skip
    levels = ", ".join(map(str, site.levels.values()))
    sql = f"""
        SELECT
            {titled("area", site.areas)} AS "区域 / Area",
            level AS "水平 / Level",
            minutes AS "预计 / Expected",
            earliest AS "最早 / Earliest",
            latest AS "最晚 / Latest",
            at AS "预测时刻 / Forecast of"
        FROM gatepulse.forecasts
        WHERE level IN ({levels}) AND minutes IS NOT NULL AND at > {END} - INTERVAL 10 MINUTE
        ORDER BY minutes, level
    """
    return rows(spec, sql, {"水平 / Level": {"unit": "percent"}})
