"""The dashboards for the entrances for persons and for vehicles: who comes in where, who is refused, queues, devices.

The reader chooses entrances and categories. Vehicles have their car parks in place of refusals and queues.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana.command_centre import area_shares, inside
from dashboards.grafana.frame import chosen, entrances_for, new_dashboard, vitals, with_alarms
from dashboards.grafana.panels import (
    COLOURED_TEXT,
    COUNT,
    PER_MINUTE,
    Look,
    PanelBuilder,
    PanelSpec,
    bars,
    columns,
    number,
    rows,
)
from dashboards.grafana.sql import AS_RATE, BUCKET, BUCKETS, END, HAS_DATA, among, literal, titled, today
from dashboards.grafana.theme import ANY, colours_at, fixed, thresholds
from streams.site.model import Site
from streams.text import Kind

_REFUSALS = ((10, "yellow"), (25, "orange"))
"""Per cent of all who tried; the limits of the alarm `refusals`."""


def entrances(site: Site) -> Dashboard:
    """Build the dashboard *Entrances*."""
    figures = [_passages(site, "person", "in"), _passages(site, "person", "out"), _refused()]
    flows = [_flow(site, "person", "in"), _flow(site, "person", "out")]
    who = [_categories(site, "person"), _by_category(site, "person"), _reasons()]
    board = new_dashboard(
        "出入口 / Entrances", "entrances",
        about="人员出入口的进出、拒绝、排队与设备。 Persons through the entrances: flows, refusals, queues, devices.",
        site=site, refresh="10s", hours=3,
        panels=[
            *vitals(site), *figures, *flows, *who, _totals(site, "person", 8), _queues(site), _devices(site, 8)
        ],
    )  # fmt: skip
    board.with_variable(chosen("entrance", "出入口 / Entrance", entrances_for(site, "person")))
    board.with_variable(chosen("category", "证件类型 / Category", site.categories))
    return with_alarms(board, site)


def vehicles(site: Site) -> Dashboard:
    """Build the dashboard *Vehicles*."""
    figures = [_passages(site, "vehicle", "in"), _passages(site, "vehicle", "out"), inside(site, "vehicle", 8, 4)]
    flows = [_flow(site, "vehicle", "in"), _flow(site, "vehicle", "out")]
    who = [_categories(site, "vehicle"), _by_category(site, "vehicle"), _parks(site)]
    board = new_dashboard(
        "车辆 / Vehicles", "vehicles",
        about="车辆出入口、车型与停车场。 Vehicles through the entrances, their classes, and car parks.",
        site=site, refresh="10s", hours=3,
        panels=[*vitals(site), *figures, *flows, *who, _totals(site, "vehicle", 12), _devices(site, 12)],
    )  # fmt: skip
    board.with_variable(chosen("entrance", "出入口 / Entrance", entrances_for(site, "vehicle")))
    board.with_variable(chosen("category", "车型 / Class", site.vehicle_classes))
    return with_alarms(board, site)


def _chosen(kind: Kind) -> str:
    return f"kind = {literal(kind)} AND {among('entrance')} AND {among('category')}"


def _passages(site: Site, kind: Kind, direction: str) -> PanelBuilder:
    zh, en = ("进", "In") if direction == "in" else ("出", "Out")
    spec = PanelSpec(
        f"今日{zh} / {en} today",
        "所选出入口与类型，按场地时区的一天。 Through the chosen entrances, chosen categories, on the site's day.",
        COUNT, 8, 4,
    )  # fmt: skip
    sql = f"""
        SELECT if({HAS_DATA}, sum(passages), NULL) AS total
        FROM gatepulse.entrance_totals
        WHERE {_chosen(kind)} AND direction = {literal(direction)} AND day = {today(site)}
    """
    return number(spec, sql, Look(colour=fixed(direction)))


def _refused() -> PanelBuilder:
    spec = PanelSpec(
        "拒绝率 / Refused",
        "所选时段内被拒绝的占比；10 % 黄色，25 % 橙色。 "
        "Of all who tried in the range; yellow from 10 %, orange from 25 %.",
        "percent", 8, 4, decimals=1,
    )  # fmt: skip
    sql = f"""
        SELECT sumIf(events, outcome = 'denied') * 100 / nullIf(sum(events), 0) AS share
        FROM gatepulse.entrance_outcomes_1m
        WHERE {_chosen("person")} AND outcome IN ('passed', 'denied') AND {BUCKETS}
    """
    return number(spec, sql, Look(limits=thresholds(_REFUSALS, calm="good")))


def _flow(site: Site, kind: Kind, direction: str) -> PanelBuilder:
    zh, en = ("进", "In") if direction == "in" else ("出", "Out")
    title, entrance = f"各出入口{zh}流量 / {en} by entrance", titled("entrance", site.entrances)
    return _flow_by(title, entrance, "entrance_title", kind, direction, width=12, height=9)


def _by_category(site: Site, kind: Kind) -> PanelBuilder:
    title, category = "进场流量按类型 / Flow in by category", titled("category", site.categories_of(kind))
    return _flow_by(title, category, "type", kind, "in", width=8, height=8)


def _flow_by(
    title: str, series: str, name: str, kind: Kind, direction: str, *, width: int, height: int
) -> PanelBuilder:
    spec = PanelSpec(
        title,
        "每分钟；只显示已完整收到的时段。 Per minute; spans that are not complete yet are left out.",
        PER_MINUTE, width, height, decimals=1,
    )  # fmt: skip
    sql = f"""
        SELECT {BUCKET} AS time, {series} AS {name}, sum(passages) {AS_RATE} AS flow
        FROM gatepulse.entrance_counts_1m
        WHERE {_chosen(kind)} AND direction = {literal(direction)} AND {BUCKETS}
        GROUP BY time, {name}
        ORDER BY time, {name}
    """
    return columns(spec, sql, named=name)


def _categories(site: Site, kind: Kind) -> PanelBuilder:
    spec = PanelSpec("今日进场按类型 / In today by category", "所选出入口。 Through the chosen entrances.", COUNT, 8, 8)
    sql = f"""
        SELECT {titled("category", site.categories_of(kind))} AS type, sum(passages) AS passages
        FROM gatepulse.entrance_totals
        WHERE {_chosen(kind)} AND direction = 'in' AND day = {today(site)}
        GROUP BY type
        ORDER BY passages DESC, type
    """
    return bars(spec, sql, Look(colour=fixed("in")))


def _reasons() -> PanelBuilder:
    spec = PanelSpec("拒绝原因 / Refusals by reason", "每分钟。 Per minute.", PER_MINUTE, 8, 8, decimals=1)
    sql = f"""
        SELECT {BUCKET} AS time, if(reason = '', '–', toString(reason)) AS why, sum(refusals) {AS_RATE} AS refused
        FROM gatepulse.entrance_refusals_1m
        WHERE {_chosen("person")} AND {BUCKETS}
        GROUP BY time, why
        ORDER BY time, why
    """
    return columns(spec, sql, named="why")


def _parks(site: Site) -> PanelBuilder:
    colours = colours_at(site)
    spec = PanelSpec(
        "停车场占容量 / Car parks, % of capacity",
        f"全部停车区域；{colours.zh} All areas for vehicles; {colours.en}",
        "percent", 8, 8,
    )  # fmt: skip
    return area_shares(site, spec, "vehicle")


def _totals(site: Site, kind: Kind, width: int) -> PanelBuilder:
    spec = PanelSpec("今日各出入口 / Entrances today", "按进出合计排序。 The busiest first.", COUNT, width, 10)
    sql = f"""
        SELECT
            {titled("entrance", site.entrances)} AS "出入口 / Entrance",
            sumIf(passages, direction = 'in') AS "今日进 / In today",
            sumIf(passages, direction = 'out') AS "今日出 / Out today"
        FROM gatepulse.entrance_totals
        WHERE {_chosen(kind)} AND day = {today(site)}
        GROUP BY entrance
        ORDER BY sum(passages) DESC, entrance
    """
    return rows(spec, sql)


def _queues(site: Site) -> PanelBuilder:
    """List the newest estimate of each chosen entrance, not older than ten minutes."""
    spec = PanelSpec(
        "排队推算 / Queues, estimated",
        "等候与清空以分钟计；为推算值，仅凭通行数无法判断时为空。 "
        "Minutes to wait and until the queue is gone; estimated, and empty where passages alone cannot tell.",
        "m", 8, 10, decimals=1,
    )  # fmt: skip
    sql = f"""
        SELECT
            {titled("entrance", site.entrances)} AS "出入口 / Entrance",
            argMax(lanes, at) AS "开放通道 / Open lanes",
            argMax(tuple(waiting), at).1 AS "排队 / Waiting",
            argMax(tuple(wait), at).1 AS "等候 / Wait",
            argMax(tuple(to_clear), at).1 AS "清空 / To clear",
            max(q.at) AS "推算时刻 / Estimated at"
        FROM gatepulse.entrance_queues AS q
        WHERE {among("entrance")} AND at > {END} - INTERVAL 10 MINUTE AND at <= $__toTime
        GROUP BY entrance
        ORDER BY argMax(tuple(wait), at).1 DESC NULLS LAST, entrance
    """
    cells = {
        "排队 / Waiting": {"unit": COUNT, "decimals": 0},
        "开放通道 / Open lanes": {"unit": "none", "decimals": 0},
    }
    return rows(spec, sql, cells)


def _devices(site: Site, width: int) -> PanelBuilder:
    spec = PanelSpec(
        "设备 / Devices",
        "缺失为设备已编号而未收到的事件。 Missing: events that the device has numbered and that have not come.",
        COUNT, width, 10,
    )  # fmt: skip
    sql = f"""
        SELECT
            device AS "设备 / Device",
            {titled("entrance", site.entrances)} AS "出入口 / Entrance",
            missing AS "缺失 / Missing",
            last_ts AS "最新事件 / Newest event"
        FROM gatepulse.completeness
        WHERE {among("entrance")}
        ORDER BY missing DESC, last_ts, device
    """
    steps = thresholds(ANY, calm="text").build().to_json()
    return rows(spec, sql, {"缺失 / Missing": {"thresholds": steps, **COLOURED_TEXT}})
