"""The queries of a replay, which select from the public views only, and what runs them. Read next: `history.py`.

`{by}` is the column of the replay's axis: known_at in a replay of what was known at the time, else the event time.
`{changed}` is the same for alarms. Moments are parameters in milliseconds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboards.wall.model.rows import STEP
from dashboards.wall.replay.counts import WINDOW, numbered_names
from dashboards.wall.replay.request import Known
from sinks.clickhouse import ClickHouseReader
from streams.contract.stored_episodes import episode_columns
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

ENTRANCE_AND_DIRECTION = """
    toInt64(transform(toString(entrance), %(entrances)s, %(entrance_numbers)s, -1)) AS number,
    toInt64(direction = 'out') AS out
"""
CATEGORY = "toInt64(transform(toString(category), %(categories)s, %(category_numbers)s, %(unknown)s))"


def moment(name: str) -> str:
    """Return the SQL of the parameter `name` as a DateTime64."""
    return f"fromUnixTimestamp64Milli(toInt64(%({name})s), 'UTC')"


SPAN = """
SELECT
    if(first_ts IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(first_ts))),
    if(last_ts IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(last_ts))),
    toUnixTimestamp64Milli(known_since)
FROM gatepulse.replay_span
"""

CAPACITIES = "SELECT area, kind, capacity FROM gatepulse.occupancy"

TOTALS = f"""
SELECT
    {ENTRANCE_AND_DIRECTION},
    intDiv(toUnixTimestamp64Milli(ts), {WINDOW}) * {WINDOW} AS window,
    toInt64(count()) AS passages,
    toInt64(countIf(identified = 0)) AS anonymous,
    max(toUnixTimestamp64Milli(ts)) AS newest
FROM gatepulse.passages_known
WHERE outcome = 'passed' AND number >= 0
    AND ts >= {moment("start")} AND ts < {moment("end")} AND {{by}} <= {moment("upto")}
GROUP BY number, out, window
"""  # noqa: S608 - built from constants of this module, as all that follow

STEPS = f"""
SELECT
    {ENTRANCE_AND_DIRECTION},
    {CATEGORY} AS class,
    intDiv(toUnixTimestamp64Milli(ts), {STEP}) * {STEP} AS step,
    toInt64(count()) AS passages
FROM gatepulse.passages_known
WHERE outcome = 'passed' AND number >= 0
    AND ts >= {moment("start")} AND ts < {moment("end")} AND {{by}} <= {moment("upto")}
GROUP BY number, out, class, step
"""  # noqa: S608

PASSAGES = f"""
SELECT
    toUnixTimestamp64Milli({{by}}) AS axis,
    toUnixTimestamp64Milli(ts) AS happened,
    {ENTRANCE_AND_DIRECTION},
    {CATEGORY} AS class,
    toInt64(identified = 0) AS anonymous
FROM gatepulse.passages_known
WHERE outcome = 'passed' AND {{by}} > {moment("since")} AND {{by}} <= {moment("upto")}
ORDER BY axis
"""  # noqa: S608

LATE = f"""
SELECT
    toUnixTimestamp64Milli(known_at) AS axis,
    {ENTRANCE_AND_DIRECTION},
    intDiv(toUnixTimestamp64Milli(ts), {WINDOW}) * {WINDOW} AS window,
    toInt64(count()) AS passages
FROM gatepulse.passages_known
WHERE outcome = 'passed' AND known_at > {moment("since")} AND ts < {moment("start")} AND number >= 0
GROUP BY axis, number, out, window
"""  # noqa: S608

EARLIER = f"""
SELECT
    area,
    kind,
    toInt64(sum(entered)) - toInt64(sum(departed)),
    sum(entered) + sum(departed),
    max(toUnixTimestamp64Milli(last_ts))
FROM gatepulse.area_flows_1h
WHERE window_start < {moment("start")}
GROUP BY area, kind
"""  # noqa: S608

EARLIER_SINCE = f"""
SELECT area, kind, sum(net)
FROM
(
    SELECT area, kind, toInt64(entered) - toInt64(departed) AS net
    FROM gatepulse.area_flows_1h
    WHERE window_start >= {moment("hour")} AND window_start < {moment("start")}
    UNION ALL
    SELECT area, kind, toInt64(entered) - toInt64(departed)
    FROM gatepulse.area_flows_10s
    WHERE window_start >= {moment("since")} AND window_start < {moment("hour")}
)
GROUP BY area, kind
"""  # noqa: S608

CORRECTIONS = f"""
SELECT toUnixTimestamp64Milli({{by}}), area, kind, toUnixTimestamp64Milli(ts), id, delta, absolute
FROM gatepulse.corrections_known
WHERE {{by}} <= {moment("upto")}
ORDER BY {{by}}
"""  # noqa: S608

FIRSTS = f"""
SELECT kind, arraySort(groupArray(toUnixTimestamp64Milli(ts)))
FROM gatepulse.first_entries(since = {moment("start")}, until = {moment("end")}, gates = %(boundary)s)
GROUP BY kind
"""  # noqa: S608

FIRSTS_KNOWN = """
SELECT kind, arraySort(groupArray(toUnixTimestamp64Milli(known_at)))
FROM gatepulse.entered_known
WHERE day = toDate(%(day)s)
GROUP BY kind
"""

_RECEIVED = """
    toUnixTimestamp64Milli(known_at) AS axis, device, epoch, log, version, entrance, ranges, last_seq,
    toUnixTimestamp64Milli(last_ts), closed
"""

RECEIVED = f"""
SELECT {_RECEIVED}
FROM gatepulse.devices_known
WHERE known_at > {moment("since")} AND known_at <= {moment("upto")}
ORDER BY axis, version
"""  # noqa: S608

RECEIVED_BY = f"""
SELECT {_RECEIVED}
FROM gatepulse.devices_known
WHERE (device, epoch, log, version) IN
(
    SELECT device, epoch, log, max(version)
    FROM gatepulse.devices_known
    WHERE known_at <= {moment("upto")}
    GROUP BY device, epoch, log
)
ORDER BY axis
LIMIT 1 BY device, epoch, log
"""  # noqa: S608

EVENTS = f"""
SELECT toUnixTimestamp64Milli(ts) AS axis, device
FROM gatepulse.passages_known
WHERE ts > {moment("since")} AND ts <= {moment("upto")}
ORDER BY axis
"""  # noqa: S608

EVENTS_BY = f"""
SELECT max(toUnixTimestamp64Milli(ts)) AS axis, device
FROM gatepulse.passages_known
WHERE ts <= {moment("upto")}
GROUP BY device
"""  # noqa: S608

DEVICES = "SELECT device, entrance, missing, toUnixTimestamp64Milli(last_ts) FROM gatepulse.completeness"

RANGES = """
SELECT device, epoch, groupArrayArray(newest), sum(newest_closed)
FROM
(
    SELECT device, epoch, log, argMax(ranges, version) AS newest, argMax(closed, version) AS newest_closed
    FROM gatepulse.devices_known
    WHERE device IN %(devices)s
    GROUP BY device, epoch, log
)
GROUP BY device, epoch
"""

TIMES = """
SELECT device, epoch, seq, toUnixTimestamp64Milli(ts)
FROM gatepulse.passages
WHERE (device, epoch, seq) IN %(events)s
"""

PROGRESS = f"""
SELECT
    toUnixTimestamp64Milli(known_at) AS axis, log, cluster, next_offset, toUnixTimestamp64Milli(complete_to), rejected
FROM gatepulse.progress_known
WHERE known_at > {moment("since")} AND known_at <= {moment("upto")}
ORDER BY axis, next_offset
"""  # noqa: S608

PROGRESS_BY = f"""
SELECT
    toUnixTimestamp64Milli((argMax((known_at, cluster, complete_to, rejected), (next_offset, p.known_at)) AS newest).1),
    log, newest.2, max(next_offset), toUnixTimestamp64Milli(newest.3), newest.4
FROM gatepulse.progress_known AS p
WHERE known_at <= {moment("upto")} AND known_at > {moment("oldest")} AND log NOT IN %(found)s
GROUP BY log
"""  # noqa: S608

PARKED = """
SELECT
    log,
    toUnixTimestamp64Milli(known_at),
    if(resolved_at IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(resolved_at))),
    toUnixTimestamp64Milli(complete_to)
FROM gatepulse.parked_known
"""

REJECTED_BY = f"SELECT count() FROM gatepulse.rejections WHERE at <= {moment('upto')}"  # noqa: S608

REJECTED = f"""
SELECT toUnixTimestamp64Milli(at) AS axis
FROM gatepulse.rejections
WHERE at > {moment("since")} AND at <= {moment("upto")}
ORDER BY axis
"""  # noqa: S608

_EPISODE = f"""
    toUnixTimestamp64Milli({{changed}}) AS axis,
    {episode_columns(missing=("acknowledged_at", "detail"))}
"""

EPISODES = f"""
SELECT {_EPISODE}
FROM gatepulse.alarm_changes_known
WHERE {{changed}} > {moment("since")} AND {{changed}} <= {moment("upto")}
ORDER BY axis, change
"""  # noqa: S608

EPISODES_BY = f"""
SELECT {_EPISODE}
FROM
(
    SELECT *
    FROM
    (
        SELECT *
        FROM gatepulse.alarm_changes_known
        WHERE {{changed}} <= {moment("upto")}
        ORDER BY episode, change DESC
        LIMIT 1 BY episode
    )
    ORDER BY raised_at DESC
    LIMIT %(acknowledgeable)s BY if(cleared_at IS NULL, episode, '')
)
ORDER BY axis, change
"""  # noqa: S608

QUEUES = f"""
SELECT toUnixTimestamp64Milli(at) AS axis, entrance, axis, lanes, wait, wait_low, wait_high
FROM gatepulse.entrance_queues
WHERE at > {moment("since")} AND at <= {moment("upto")}
ORDER BY axis
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ReplayStore:
    """The store as one replay reads it: a site up to `end` (site time, ms), by one knowledge."""

    connection: ClickHouseReader
    site: Site
    clock: SiteClock
    end: int
    known: Known

    def rows(self, sql: str, **params: object) -> list[Any]:
        """Return the rows of a query."""
        return self.connection.query(self._on_axis(sql), params)

    def columns(self, sql: str, **params: object) -> Ints:
        """Return the columns of a query, all of them integers, as the rows of one array."""
        entrances, categories = numbered_names(self.site)
        names = {
            "entrances": list(entrances),
            "entrance_numbers": list(range(len(entrances))),
            "categories": list(categories),
            "category_numbers": list(range(len(categories))),
            "unknown": len(categories),
        }
        found = self.connection.columns(self._on_axis(sql), names | params)
        return np.array(list(found.values()), np.int64)

    def _on_axis(self, sql: str) -> str:
        """Fill in the columns of the replay's axis."""
        by, changed = ("known_at", "known_at") if self.known == "then" else ("ts", "changed_at")
        return sql.replace("{by}", by).replace("{changed}", changed)
