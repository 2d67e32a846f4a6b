"""The SQL of the dashboard for areas; `${area}` is the reader's choice."""

from dashboards.grafana.names import among, literal, titled
from dashboards.grafana.spans import BUCKET, END, day_of, today
from dashboards.messages.alarm_words import KIND_NAMES
from streams.site.model import Site
from streams.text import Kind

_AREA = among("area", "area")
_STEP = "INTERVAL $__interval_s SECOND"


def _places(site: Site) -> str:
    return titled("area", {area.id: area.title for area in site.areas})


def areas_now(site: Site) -> str:
    """List the chosen areas: inside and by how much it may be off, capacity, share in per cent, the newest event."""
    return f"""
SELECT
    {_places(site)} AS "区域 / Area",
    {titled("kind", KIND_NAMES)} AS "类别 / Kind",
    if(as_of IS NULL, NULL, inside) AS "场内 / Inside",
    nullIf(lost, 0) AS "不完整 ± / Incomplete ±",
    capacity AS "核定容量 / Capacity",
    if(as_of IS NULL, NULL, inside * 100 / nullIf(capacity, 0)) AS "占比 / Share",
    as_of AS "最新事件 / Newest event"
FROM gatepulse.occupancy
WHERE {_AREA}
ORDER BY inside * 100 / nullIf(capacity, 0) DESC NULLS LAST, area, kind
"""


def inside_over_time(site: Site, kind: Kind) -> str:
    """Select how many were inside each chosen area; the first point is the newest value from before the range."""
    return f"""
SELECT
    {BUCKET.replace("window_start", "greatest(window_start, $__fromTime)")} AS time,
    {_places(site)} AS place,
    argMax(inside, window_start) AS inside
FROM gatepulse.occupancy_history
WHERE kind = {literal(kind)} AND {_AREA} AND window_start < toStartOfInterval({END}, {_STEP})
GROUP BY time, place
ORDER BY time, place
"""


def corrections(site: Site) -> str:
    """List the range's corrections by hand, the newest first."""
    return f"""
SELECT
    ts AS "时刻 / At",
    {_places(site)} AS "区域 / Area",
    {titled("kind", KIND_NAMES)} AS "类别 / Kind",
    delta AS "增减 / Change",
    absolute AS "改为 / Set to",
    actor AS "操作人 / By",
    reason AS "原因 / Reason"
FROM gatepulse.corrections
WHERE {_AREA} AND $__timeFilter_ms(ts)
ORDER BY ts DESC
"""


def forecast_errors(site: Site) -> str:
    """List how wrong forecasts have been today: mean absolute error by minutes ahead."""
    return f"""
SELECT
    {_places(site)} AS "区域 / Area",
    {titled("kind", KIND_NAMES)} AS "类别 / Kind",
    lead AS "提前 / Ahead",
    checked AS "已核对 / Checked",
    error AS "平均误差 / Mean error",
    covered * 100 AS "区间命中 / Within interval"
FROM gatepulse.forecast_errors
WHERE {_AREA} AND {day_of("at", site)} = {today(site)}
ORDER BY area, kind, lead
"""


def fullest(site: Site, kind: Kind) -> str:
    """Select how full the chosen areas with a capacity are, in per cent; the fullest first."""
    return f"""
SELECT {_places(site)} AS place, inside * 100 / capacity AS share
FROM gatepulse.occupancy
WHERE kind = {literal(kind)} AND {_AREA} AND capacity > 0 AND as_of IS NOT NULL
ORDER BY share DESC, place
"""
