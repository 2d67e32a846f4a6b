"""The SQL of the dashboard for the command centre. Read next: `entrance_queries.py`, `area_queries.py`.

It selects from public views only; `spans.py` explains the time ranges and macros.
"""

from typing import Final

from dashboards.grafana.names import literal, literals, subjects, titled
from dashboards.grafana.spans import (
    BUCKET,
    BUCKETS,
    COMPLETE_TO,
    END,
    FLOW,
    FLOW_MINUTES,
    HAS_DATA,
    JUDGED_TO,
    PER_MINUTE,
    today,
)
from dashboards.messages.alarm_words import KIND_NAMES, RULE_NAMES, STATE_NAMES, UNITS
from streams.site.model import Site
from streams.text import KINDS, Kind

_JUDGED_WITHIN: Final = 30
"""Seconds."""

AS_OF: Final = f"SELECT toUnixTimestamp64Milli({COMPLETE_TO}) AS as_of"
"""Milliseconds since 1970."""

DATA_AGE: Final = f"SELECT dateDiff('millisecond', {COMPLETE_TO}, now64(3)) / 1000 AS age"
"""Seconds."""

MISSING: Final = "SELECT if(count() = 0, NULL, sum(missing)) AS total FROM gatepulse.completeness"
"""Events; NULL while no device has sent any."""

OPEN_ALARMS: Final = f"""
SELECT if(count() = 0 AND ifNull({JUDGED_TO} < now64(3) - INTERVAL {_JUDGED_WITHIN} SECOND, 1), NULL, count()) AS open
FROM gatepulse.alarm_episodes
WHERE cleared_at IS NULL
"""
"""0 only if that is known: alarms must have been judged lately."""

_MARKS_SHOWN: Final = 500


def entered_today(site: Site, kind: Kind, spec: str = "entries") -> str:
    """Select today's passages over the boundary (`entries`, `exits`), or different credentials (`distinct_entered`)."""
    return f"""
SELECT if({HAS_DATA}, sum({spec}), NULL) AS total
FROM gatepulse.site_today
WHERE kind = {literal(kind)} AND day = {today(site)}
"""


def inside_now(kind: Kind) -> str:
    """Select how many are on the site now: the sum over its areas; NULL while none has events."""
    return f"""
SELECT if(countIf(as_of IS NOT NULL) = 0, NULL, sum(inside)) AS inside
FROM gatepulse.occupancy
WHERE kind = {literal(kind)}
"""


def lost(site: Site) -> str:
    """Select how many records are missing for good from the day's figures and from the occupancy.

    An area that was counted by hand since misses none; of each kind the area that misses most is selected.
    """
    return f"""
SELECT
    (SELECT sum(lost) FROM gatepulse.site_today WHERE day = {today(site)}) AS "今日 / Today",
    (SELECT sum(most) FROM (SELECT max(lost) AS most FROM gatepulse.occupancy GROUP BY kind)) AS "场内 / Inside"
"""


def ranking(site: Site, kind: Kind, most: int) -> str:
    """Rank the entrances that lead outside by their flow both ways, per minute."""
    titles = {each.id: each.title for each in site.entrances if each.kind == kind and each.boundary}
    return f"""
SELECT {titled("entrance", titles)} AS entrance_title, sum(passages) / {FLOW_MINUTES} AS flow
FROM gatepulse.entrance_counts_1m
WHERE kind = {literal(kind)} AND entrance IN ({literals(titles)}) AND {FLOW}
GROUP BY entrance_title
ORDER BY flow DESC, entrance_title
LIMIT {most}
"""


def crossings(site: Site, kind: Kind) -> str:
    """Select the flow through the entrances that lead outside, in and out, per minute."""
    boundary = literals(each.id for each in site.entrances if each.kind == kind and each.boundary)
    return f"""
SELECT
    {BUCKET} AS time,
    sumIf(passages, direction = 'in') {PER_MINUTE} AS "进 / In",
    sumIf(passages, direction = 'out') {PER_MINUTE} AS "出 / Out"
FROM gatepulse.entrance_counts_1m
WHERE kind = {literal(kind)} AND entrance IN ({boundary}) AND {BUCKETS}
GROUP BY time
ORDER BY time
"""


def area_shares(site: Site, *kinds: Kind) -> str:
    """Select how full each area with a capacity is, in per cent; the fullest first. `kinds`: all if left out.

    An area for persons and vehicles is named with its kind.
    """
    place = titled("area", {area.id: area.title for area in site.areas})
    mixed = [area.id for area in site.areas if len(area.kinds) > 1]
    if mixed:
        place = f"if(area IN ({literals(mixed)}), concat({place}, ' · ', {titled('kind', KIND_NAMES)}), {place})"
    return f"""
SELECT {place} AS place, inside * 100 / capacity AS share
FROM gatepulse.occupancy
WHERE kind IN ({literals(kinds or KINDS)}) AND capacity > 0 AND as_of IS NOT NULL
ORDER BY share DESC, place
"""


def open_alarms(site: Site, most: int) -> str:
    """List the open alarms, the gravest and newest first."""
    return f"""
SELECT
    level AS "等级 / Level",
    {titled("rule", RULE_NAMES)} AS "报警 / Alarm",
    {titled("subject", subjects(site))} AS "对象 / Where",
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
LIMIT {most}
"""


def alarm_marks(site: Site, level: str) -> str:
    """Return the SQL of the alarms of one level that were on at some time of the range."""
    return f"""
SELECT
    raised_at AS time,
    ifNull(cleared_at, $__toTime_ms) AS timeEnd,
    concat({titled("rule", RULE_NAMES)}, ': ', {titled("subject", subjects(site))}) AS text
FROM gatepulse.alarm_episodes
WHERE level = {literal(level)} AND raised_at <= $__toTime_ms AND (cleared_at IS NULL OR cleared_at >= $__fromTime_ms)
ORDER BY time
LIMIT {_MARKS_SHOWN}
"""


def forecasts(site: Site) -> str:
    """List when areas are expected to reach the site's levels: minutes from each forecast's own moment."""
    titles = {area.id: area.title for area in site.areas}
    levels = ", ".join(map(str, site.levels.values()))
    return f"""
SELECT
    {titled("area", titles)} AS "区域 / Area",
    level AS "水平 / Level",
    minutes AS "预计 / Expected",
    earliest AS "最早 / Earliest",
    latest AS "最晚 / Latest",
    at AS "预测时刻 / Forecast of"
FROM gatepulse.forecasts
WHERE level IN ({levels}) AND minutes IS NOT NULL AND at > {END} - INTERVAL 10 MINUTE
ORDER BY minutes, level
"""
