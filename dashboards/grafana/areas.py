"""The dashboard for areas: occupancy now and over time, forecasts and their errors, corrections by hand."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana.frame import chosen, new_dashboard, vitals, with_alarms
from dashboards.grafana.panels import COLOURED_TEXT, COUNT, Look, PanelBuilder, PanelSpec, bars, lines, rows
from dashboards.grafana.sql import BUCKET, END, STEP, among, day_of, literal, titled, today
from dashboards.grafana.theme import COLOURS, colours_at, share_of_capacity
from dashboards.messages.alarm_words import KIND_NAMES
from streams.site.model import Site
from streams.text import KINDS, Kind

_CHOSEN = among("area")
_KIND = titled("kind", KIND_NAMES)
_NOUNS = {"person": ("人数", "Persons"), "vehicle": ("车辆", "Vehicles")}


def areas(site: Site) -> Dashboard:
    """Build the dashboard *Areas and occupancy*."""
    kinds = [kind for kind in KINDS if any(kind in area.kinds for area in site.areas)]
    over_time = [panel for kind in kinds for panel in (_fullest(site, kind), _over_time(site, kind))]
    board = new_dashboard(
        "区域与场内 / Areas and occupancy", "areas",
        about="各区域场内人数与车辆、容量、预测和人工修正。 Inside by area, capacity, forecasts, corrections by hand.",
        site=site, refresh="30s", hours=12,
        panels=[*vitals(site), _now(site), _errors(site), *over_time, _corrections(site)],
    )  # fmt: skip
    board.with_variable(chosen("area", "区域 / Area", site.areas))
    return with_alarms(board, site)


def _now(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "各区域现在 / Areas now",
        "场内为负表示计数漂移；从未收到事件的区域为空；不完整：自上次人工清点以来丢失的记录。 "
        "Below zero it is drift; an area without any event is empty. Incomplete: records lost since it was "
        "last counted by hand.",
        COUNT, 14, 11,
    )  # fmt: skip
    sql = f"""
        SELECT
            {titled("area", site.areas)} AS "区域 / Area",
            {_KIND} AS "类别 / Kind",
            if(as_of IS NULL, NULL, inside) AS "场内 / Inside",
            nullIf(lost, 0) AS "不完整 ± / Incomplete ±",
            capacity AS "核定容量 / Capacity",
            if(as_of IS NULL, NULL, inside * 100 / nullIf(capacity, 0)) AS "占比 / Share",
            as_of AS "最新事件 / Newest event"
        FROM gatepulse.occupancy
        WHERE {_CHOSEN}
        ORDER BY inside * 100 / nullIf(capacity, 0) DESC NULLS LAST, area, kind
    """
    steps = share_of_capacity(site, calm="text").build().to_json()
    yellow = {"mode": "fixed", "fixedColor": COLOURS["yellow"]}
    cells = {
        "占比 / Share": {"unit": "percent", "decimals": 1, "thresholds": steps, **COLOURED_TEXT},
        "不完整 ± / Incomplete ±": {**COLOURED_TEXT, "color": yellow},
    }
    return rows(spec, sql, cells)


def _errors(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "预测误差 / How wrong forecasts were",
        "今日：提前若干分钟的预测的平均绝对误差，以及结果落入 90 % 区间的比例。 "
        "Today: mean absolute error by minutes ahead, and how often the outcome lay within the 90 % interval.",
        COUNT, 10, 11, decimals=1,
    )  # fmt: skip
    sql = f"""
        SELECT
            {titled("area", site.areas)} AS "区域 / Area",
            {_KIND} AS "类别 / Kind",
            lead AS "提前 / Ahead",
            checked AS "已核对 / Checked",
            error AS "平均误差 / Mean error",
            covered * 100 AS "区间命中 / Within interval"
        FROM gatepulse.forecast_errors
        WHERE {_CHOSEN} AND {day_of("at", site)} = {today(site)}
        ORDER BY area, kind, lead
    """
    cells = {
        "提前 / Ahead": {"unit": "m", "decimals": 0},
        "区间命中 / Within interval": {"unit": "percent", "decimals": 0},
    }
    return rows(spec, sql, cells)


def _fullest(site: Site, kind: Kind) -> PanelBuilder:
    (zh, en), colours = _NOUNS[kind], colours_at(site)
    spec = PanelSpec(
        f"{zh}占容量 / {en}, % of capacity",
        f"{colours.zh} Of the approved capacity; {colours.en}",
        "percent", 8, 10,
    )  # fmt: skip
    sql = f"""
        SELECT {titled("area", site.areas)} AS place, inside * 100 / capacity AS share
        FROM gatepulse.occupancy
        WHERE kind = {literal(kind)} AND {_CHOSEN} AND capacity > 0 AND as_of IS NOT NULL
        ORDER BY share DESC, place
    """
    return bars(spec, sql, Look(limits=share_of_capacity(site), most=100))


def _over_time(site: Site, kind: Kind) -> PanelBuilder:
    """Show how many were inside each chosen area; the first point is the newest value from before the range."""
    zh, en = _NOUNS[kind]
    spec = PanelSpec(
        f"场内{zh} / {en} inside",
        "每个时段末的值；没有变动的时段没有点。 At the end of each bucket; a bucket without a change has no point.",
        COUNT, 16, 10,
    )  # fmt: skip
    sql = f"""
        SELECT
            {BUCKET.replace("window_start", "greatest(window_start, $__fromTime)")} AS time,
            {titled("area", site.areas)} AS place,
            argMax(inside, window_start) AS inside
        FROM gatepulse.occupancy_history
        WHERE kind = {literal(kind)} AND {_CHOSEN} AND window_start < toStartOfInterval({END}, {STEP})
        GROUP BY time, place
        ORDER BY time, place
    """
    return lines(spec, sql, named="place")


def _corrections(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "人工修正 / Corrections by hand",
        "所选时段内；修正从其时刻所在的 10 秒窗口末起生效。 "
        "In the range; each takes effect at the end of its 10 s window.",
        COUNT, 24, 7,
    )  # fmt: skip
    sql = f"""
        SELECT
            ts AS "时刻 / At",
            {titled("area", site.areas)} AS "区域 / Area",
            {_KIND} AS "类别 / Kind",
            delta AS "增减 / Change",
            absolute AS "改为 / Set to",
            actor AS "操作人 / By",
            reason AS "原因 / Reason"
        FROM gatepulse.corrections
        WHERE {_CHOSEN} AND $__timeFilter_ms(ts)
        ORDER BY ts DESC
    """
    return rows(spec, sql)
