"""The live wall's queries to the public views of the store; one round of queries returns one `WallRows`.

Read next: `model/snapshot.py`, which makes a snapshot of the rows, and `feed.py`, which runs the rounds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

from dashboards.wall.model import rows
from dashboards.wall.model.rows import (
    BEFORE_MINUTES,
    FLOW_MINUTES,
    HOUR,
    MINUTE,
    STEP,
    Span,
    Stretch,
    TrendRows,
    WallRows,
)
from dashboards.wall.model.scopes import Scope, areas_of, crossings, scopes_of
from sinks.clickhouse import ClickHouseReader
from streams.contract.stored_episodes import episode_columns
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

log = structlog.get_logger(__name__)

OPTIONAL = ("alarm_episodes", "entrance_queues", "forecasts", "losses", "source_problems", "unsettled")
"""Views that a store with an older schema does not have; the wall does without."""

ACKNOWLEDGEABLE = 50
"""The newest so many cleared episodes can still be acknowledged; the alarms have forgotten older ones."""

QUEUES_MS = 10 * MINUTE
"""Site time: older estimates of a queue are not selected."""

DayRows = tuple[Sequence[rows.StepRow], Sequence[rows.InsideRow]]
"""The steps of one day, and the occupancy at the end of each."""

VIEWS = """
SELECT name
FROM system.tables
WHERE database = 'gatepulse' AND name IN %(views)s
"""

PROGRESS = """
SELECT log, cluster, rejected, toUnixTimestamp64Milli(complete_to)
FROM gatepulse.progress
"""

TODAY = """
SELECT kind, entries, exits, distinct_entered, unidentified{lost}
FROM gatepulse.site_today
WHERE day = toDate(%(day)s)
"""

AREAS = """
SELECT area, kind, if(as_of IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(as_of))), inside, capacity{lost}
FROM gatepulse.occupancy
"""

TOTALS = """
SELECT entrance, direction, sum(passages)
FROM gatepulse.entrance_totals
WHERE day = toDate(%(day)s)
GROUP BY entrance, direction
"""

FLOWS = """
SELECT
    entrance,
    direction,
    sumIf(passages, window_start >= toDateTime(%(minute_start)s, 'UTC')),
    sumIf(passages, window_start >= toDateTime(%(before_start)s, 'UTC')
        AND window_start < toDateTime(%(minute_start)s, 'UTC')),
    sumIf(passages, window_start >= toDateTime(%(flow_start)s, 'UTC')),
    sum(passages),
    toUnixTimestamp(min(window_start)) * 1000
FROM gatepulse.entrance_counts_1m
WHERE window_start >= toDateTime(%(hour_start)s, 'UTC') AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY entrance, direction
"""

DEVICES = """
SELECT device, entrance, missing, toUnixTimestamp64Milli(last_ts)
FROM gatepulse.completeness
"""

# Each open episode is a group of its own; of those that are cleared, the newest ones are one.
EPISODES = f"""
SELECT {episode_columns()}
FROM
(
    SELECT *
    FROM gatepulse.alarm_episodes
    ORDER BY raised_at DESC
    LIMIT %(acknowledgeable)s BY if(cleared_at IS NULL, episode, '')
)
WHERE state != 'cleared'
"""  # noqa: S608

CHANGES = """
SELECT change, level, state, actor
FROM gatepulse.alarm_changes
WHERE episode = %(episode)s
ORDER BY change
"""

FORECASTS = """
SELECT area, kind, level, toUnixTimestamp64Milli(at), minutes, earliest, latest
FROM gatepulse.forecasts
"""

PROBLEMS = "SELECT topic, partition, problem FROM gatepulse.source_problems ORDER BY since"

LOSSES = """
SELECT
    kind, toInt64(records), from_day, to_day, toUnixTimestamp64Milli(site_from), toUnixTimestamp64Milli(site_to),
    toUnixTimestamp64Milli(accepted_at)
FROM gatepulse.losses
WHERE records > 0
"""

_SLOW_MS = 2_000

UNSETTLED = "SELECT toInt64(sum(events)) FROM gatepulse.unsettled"

QUEUES = """
SELECT entrance, toUnixTimestamp64Milli(at) AS since, lanes, wait, wait_low, wait_high
FROM gatepulse.entrance_queues
WHERE at > fromUnixTimestamp64Milli(toInt64(%(queues_from)s)) AND at <= fromUnixTimestamp64Milli(toInt64(%(queues_to)s))
ORDER BY at DESC
LIMIT 1 BY entrance
"""

STEPS = """
SELECT
    toUnixTimestamp(toStartOfInterval(window_start, INTERVAL %(step)s SECOND)) * 1000 AS step,
    if((entrance, direction) IN %(into)s, 'in', 'out') AS way,
    category,
    sum(passages)
FROM gatepulse.entrance_counts_1m
WHERE kind = %(kind)s AND (entrance, direction) IN %(crossings)s
  AND window_start >= toDateTime(%(start)s, 'UTC') AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY step, way, category
"""

# One walk over the history for both: steps of the stretch, and in step 0 the newest value from before it.
INSIDE = """
SELECT
    area,
    if(window_start < toDateTime(%(start)s, 'UTC'), 0,
        toUnixTimestamp(toStartOfInterval(window_start, INTERVAL %(step)s SECOND)) * 1000) AS step,
    argMax(inside, window_start)
FROM gatepulse.occupancy_history
WHERE kind = %(kind)s AND area IN %(areas)s AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY area, step
"""


class Source(Protocol):
    """Where the wall's rows come from; its methods may block. One thread reads figures, another reads trends."""

    def read(self, real_ms: int) -> WallRows:
        """Run the round of figures, as of the real time `real_ms`."""

    def read_trend(self, span: Span) -> Sequence[TrendRows]:
        """Run the heavier round, for the span of a round of figures: each scope that a screen has a trend of."""

    def read_changes(self, episode: str) -> Sequence[rows.ChangeRow]:
        """Select all changes of one alarm episode, the oldest first; any thread may call it."""

    def close(self) -> None:
        """Close the connections."""


class Rounds:
    """The two rounds of queries; trends have a connection of their own (`trends`), as they take longer."""

    def __init__(
        self, store: ClickHouseReader, site: Site, clock: SiteClock, *, trends: ClickHouseReader | None = None
    ) -> None:
        self._store = store
        self._trends = trends or store
        self._site = site
        self._clock = clock
        self._views: frozenset[str] | None = None
        self._scopes = scopes_of(site, "trend")
        self._before: Mapping[Scope, DayRows] = {}
        self._before_of: tuple[Stretch, int] | None = None
        self._slow: tuple[Sequence[rows.LossRow], Sequence[rows.SourceProblemRow]] = ((), ())
        self._slow_at: int | None = None

    def close(self) -> None:
        """Close the connections."""
        self._store.close()
        self._trends.close()

    def read(self, real_ms: int) -> WallRows:
        """Select how far storage is first, and then only what is stored up to there."""
        query, views = self._store.query, self._present()
        logs = [rows.LogRow(*row) for row in query(PROGRESS)]
        span = rows.span_of(logs, self._clock, real_ms, self._site)
        params = _params(span)
        losses, problems = self._losses_and_problems(real_ms)
        episodes = query(EPISODES, {"acknowledgeable": ACKNOWLEDGEABLE}) if "alarm_episodes" in views else None
        today, areas = (sql.format(lost=", lost" if losses else "") for sql in (TODAY, AREAS))
        return WallRows(
            real_ms=real_ms,
            span=span,
            logs=logs,
            today=[rows.TodayRow(*row) for row in query(today, params)],
            areas=[rows.AreaRow(*row) for row in query(areas)],
            totals=[rows.EntranceTotalRow(*row) for row in query(TOTALS, params)],
            flows=[rows.FlowRow(*row) for row in query(FLOWS, params)],
            devices=[rows.DeviceRow(*row) for row in query(DEVICES)],
            episodes=None if episodes is None else [Episode(*row) for row in episodes],
            queues=[rows.QueueRow(*row) for row in query(QUEUES, params)] if "entrance_queues" in views else (),
            forecasts=[rows.ForecastRow(*row) for row in query(FORECASTS)] if "forecasts" in views else (),
            problems=problems,
            lost=rows.lost_on(span.day, losses),
            unsettled=sum(row[0] for row in query(UNSETTLED)) if "unsettled" in views else 0,
        )

    def _losses_and_problems(self, real_ms: int) -> tuple[Sequence[rows.LossRow], Sequence[rows.SourceProblemRow]]:
        """Select every two seconds what changes rarely; the age of the figures does not depend on it."""
        if self._slow_at is None or not 0 <= real_ms - self._slow_at < _SLOW_MS:
            problems = self._store.query(PROBLEMS) if "source_problems" in self._present() else ()
            self._slow = self.losses(), [rows.SourceProblemRow(*row) for row in problems]
            self._slow_at = real_ms
        return self._slow

    def losses(self) -> Sequence[rows.LossRow]:
        """Select every loss of which the size is known."""
        return [rows.LossRow(*row) for row in self._store.query(LOSSES)] if "losses" in self._present() else ()

    def read_trend(self, span: Span) -> Sequence[TrendRows]:
        """Select the day so far, and the day before."""
        so_far = Stretch(span.trend.start, min(span.end, span.trend.end))
        before = self.read_before(span)
        return [TrendRows(span, scope, *self._day(scope, so_far), *before[scope]) for scope in self._scopes]

    def read_before(self, span: Span) -> Mapping[Scope, DayRows]:
        """Select the day before of each scope, once an hour: it changes no more."""
        key = (span.before, span.end // HOUR)
        if key != self._before_of:
            self._before = {scope: self._day(scope, span.before) for scope in self._scopes}
            self._before_of = key
        return self._before

    def _day(self, scope: Scope, stretch: Stretch) -> DayRows:
        into, out_of = crossings(scope, self._site)
        params: dict[str, Any] = {
            "kind": scope.kind,
            "step": STEP // 1000,
            "start": stretch.start // 1000,
            "end": stretch.end // 1000,
            "into": into,
            "crossings": into + out_of,
            "areas": areas_of(scope, self._site),
        }
        steps = [rows.StepRow(*row) for row in self._trends.query(STEPS, params)] if into else []
        return steps, [rows.InsideRow(*row) for row in self._trends.query(INSIDE, params)]

    def read_changes(self, episode: str) -> Sequence[rows.ChangeRow]:
        """Select all changes of one alarm episode, the oldest first."""
        return [rows.ChangeRow(*row) for row in self._store.query(CHANGES, {"episode": episode})]

    def _present(self) -> frozenset[str]:
        """Return the optional views that exist; missing ones are looked for again, as a new schema may bring them."""
        if self._views is None or len(self._views) < len(OPTIONAL):
            found = frozenset(row[0] for row in self._store.query(VIEWS, {"views": OPTIONAL}))
            if found != self._views and len(found) < len(OPTIONAL):
                missing = sorted(set(OPTIONAL) - found)
                log.warning(
                    "wall_views_missing", views=missing, advice="run `gatepulse schema apply` with this version"
                )
            self._views = found
        return self._views


def _params(span: Span) -> dict[str, Any]:
    """Return the parameters of the round of figures: in seconds, those of the queues in milliseconds."""
    return {
        "day": span.day.isoformat(),
        "minute_start": (span.end - MINUTE) // 1000,
        "before_start": (span.end - MINUTE - BEFORE_MINUTES * MINUTE) // 1000,
        "flow_start": (span.end - FLOW_MINUTES * MINUTE) // 1000,
        "hour_start": (span.end - HOUR) // 1000,
        "end": span.end // 1000,
        "queues_from": span.end - QUEUES_MS,
        "queues_to": span.end + QUEUES_MS,
    }
