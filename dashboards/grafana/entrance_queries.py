"""The SQL of the dashboards for entrances and vehicles; `${entrance}` and `${category}` are the reader's choice."""

from dashboards.grafana.names import among, literal, titled
from dashboards.grafana.spans import BUCKET, BUCKETS, END, HAS_DATA, PER_MINUTE, today
from streams.site.model import Site
from streams.text import Kind


def _chosen(kind: Kind) -> str:
    return f"kind = {literal(kind)} AND {among('entrance', 'entrance')} AND {among('category', 'category')}"


def _titles(site: Site) -> str:
    return titled("entrance", {each.id: each.title for each in site.entrances})


def _categories(site: Site, kind: Kind) -> str:
    return titled("category", {each.id: each.title for each in site.categories_of(kind)})


def passages_today(site: Site, kind: Kind, direction: str) -> str:
    """Select how often the chosen entrances were passed today, one way."""
    return f"""
SELECT if({HAS_DATA}, sum(passages), NULL) AS total
FROM gatepulse.entrance_totals
WHERE {_chosen(kind)} AND direction = {literal(direction)} AND day = {today(site)}
"""


def refusals_share(kind: Kind) -> str:
    """Select what share of all who tried in the range was refused, in per cent; NULL if nobody tried."""
    return f"""
SELECT sumIf(events, outcome = 'denied') * 100 / nullIf(sum(events), 0) AS share
FROM gatepulse.entrance_outcomes_1m
WHERE {_chosen(kind)} AND outcome IN ('passed', 'denied') AND {BUCKETS}
"""


def flow_by_entrance(site: Site, kind: Kind, direction: str) -> str:
    """Select the flow one way through each chosen entrance, per minute."""
    return f"""
SELECT {BUCKET} AS time, {_titles(site)} AS entrance_title, sum(passages) {PER_MINUTE} AS flow
FROM gatepulse.entrance_counts_1m
WHERE {_chosen(kind)} AND direction = {literal(direction)} AND {BUCKETS}
GROUP BY time, entrance_title
ORDER BY time, entrance_title
"""


def flow_by_category(site: Site, kind: Kind) -> str:
    """Select the flow in through the chosen entrances by category, per minute."""
    return f"""
SELECT {BUCKET} AS time, {_categories(site, kind)} AS type, sum(passages) {PER_MINUTE} AS flow
FROM gatepulse.entrance_counts_1m
WHERE {_chosen(kind)} AND direction = 'in' AND {BUCKETS}
GROUP BY time, type
ORDER BY time, type
"""


def totals(site: Site, kind: Kind) -> str:
    """List the chosen entrances with today's passages both ways, the busiest first."""
    return f"""
SELECT
    {_titles(site)} AS "出入口 / Entrance",
    sumIf(passages, direction = 'in') AS "今日进 / In today",
    sumIf(passages, direction = 'out') AS "今日出 / Out today"
FROM gatepulse.entrance_totals
WHERE {_chosen(kind)} AND day = {today(site)}
GROUP BY entrance
ORDER BY sum(passages) DESC, entrance
"""


def categories_today(site: Site, kind: Kind) -> str:
    """Select who came in through the chosen entrances today, by category."""
    return f"""
SELECT {_categories(site, kind)} AS type, sum(passages) AS passages
FROM gatepulse.entrance_totals
WHERE {_chosen(kind)} AND direction = 'in' AND day = {today(site)}
GROUP BY type
ORDER BY passages DESC, type
"""


def refusals_by_reason(kind: Kind) -> str:
    """Select refusals by reason, per minute."""
    return f"""
SELECT {BUCKET} AS time, if(reason = '', '–', toString(reason)) AS why, sum(refusals) {PER_MINUTE} AS refused
FROM gatepulse.entrance_refusals_1m
WHERE {_chosen(kind)} AND {BUCKETS}
GROUP BY time, why
ORDER BY time, why
"""


def queues(site: Site) -> str:
    """List the newest estimate of the queue at each chosen entrance, not older than ten minutes; waits in minutes."""
    return f"""
SELECT
    {_titles(site)} AS "出入口 / Entrance",
    argMax(lanes, at) AS "开放通道 / Open lanes",
    argMax(tuple(waiting), at).1 AS "排队 / Waiting",
    argMax(tuple(wait), at).1 AS "等候 / Wait",
    argMax(tuple(to_clear), at).1 AS "清空 / To clear",
    max(q.at) AS "推算时刻 / Estimated at"
FROM gatepulse.entrance_queues AS q
WHERE {among("entrance", "entrance")} AND at > {END} - INTERVAL 10 MINUTE AND at <= $__toTime
GROUP BY entrance
ORDER BY argMax(tuple(wait), at).1 DESC NULLS LAST, entrance
"""


def lanes(site: Site) -> str:
    """List the devices of the chosen entrances: events known to be missing, and the newest event of each."""
    return f"""
SELECT
    device AS "设备 / Device",
    {_titles(site)} AS "出入口 / Entrance",
    missing AS "缺失 / Missing",
    last_ts AS "最新事件 / Newest event"
FROM gatepulse.completeness
WHERE {among("entrance", "entrance")}
ORDER BY missing DESC, last_ts, device
"""
