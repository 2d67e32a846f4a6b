"""The wall's questions to the store, asked of the public views only; one round is one `Reading`.

Read next: `snapshot.py` for what is made of the rows, `feed.py` for when they are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from dashboards.wall.model.reading import (
    BEFORE_MINUTES,
    HOUR,
    MINUTE,
    STEP,
    AreaRow,
    ChangeRow,
    DeviceRow,
    EpisodeRow,
    FlowRow,
    ForecastRow,
    GateRow,
    InsideRow,
    LogRow,
    LossRow,
    ProblemRow,
    QueueRow,
    Reading,
    Span,
    StepRow,
    Stretch,
    TodayRow,
    TrendReading,
    lost_on,
    span_of,
)
from dashboards.wall.model.scopes import Scope, areas_of, crossings, scopes_of
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

log = structlog.get_logger(__name__)

OPTIONAL = ("alarm_episodes", "entrance_queues", "forecasts", "losses", "source_problems", "unsettled")
"""Views that a store with an older schema does not have; the wall does without."""

ACKNOWLEDGEABLE = 50
"""Cleared episodes that the alarms still know, the newest; an older one cannot be acknowledged any more."""

QUEUES_MS = 10 * MINUTE
"""Site time: older reckonings of a queue are not asked for."""

Day = tuple[Sequence[StepRow], Sequence[InsideRow]]
"""The steps of one day, and who was inside."""

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
EPISODES = """
SELECT
    episode, rule, subject, kind, zone, level, state, change, value, limit, unit, toUnixTimestamp64Milli(raised_at),
    if(cleared_at IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(cleared_at))), actor
FROM
(
    SELECT *
    FROM gatepulse.alarm_episodes
    ORDER BY raised_at DESC
    LIMIT %(acknowledgeable)s BY if(cleared_at IS NULL, episode, '')
)
WHERE state != 'cleared'
"""

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

_CAVEATS_MS = 2_000

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


class Ask(Protocol):
    """Run one query with its parameters and return its rows, in the order of the selected columns."""

    def __call__(self, sql: str, params: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Raise an error of the store when it does not answer."""


class Source(Protocol):
    """Where the wall's figures come from; may block. Figures are asked for from one thread, trends from another."""

    def read(self, real_ms: int) -> Reading:
        """Run the round of figures, as of the real time `real_ms`."""

    def read_trend(self, span: Span) -> Sequence[TrendReading]:
        """Run the heavier round, for the span of a reading: each scope that a screen has a trend of."""

    def read_changes(self, episode: str) -> Sequence[ChangeRow]:
        """Ask for all changes of one alarm episode, the oldest first; may be called from another thread meanwhile."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True)
class Caveats:
    """What limits the figures for long: losses, and what stands in the way of sources."""

    losses: Sequence[LossRow]
    problems: Sequence[ProblemRow]


class Rounds:
    """The two rounds of queries, asked through any `Ask`: trends through one of their own, as they take longer."""

    def __init__(
        self,
        ask: Ask,
        site: Site,
        clock: SiteClock,
        *,
        flow_minutes: int,
        ask_trend: Ask | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask = ask
        self._ask_trend = ask_trend or ask
        self.close = close
        self._site = site
        self._clock = clock
        self._flow_minutes = flow_minutes
        self._views: frozenset[str] | None = None
        self._scopes = scopes_of(site, "trend")
        self._before: Mapping[Scope, Day] = {}
        self._before_of: tuple[Stretch, int] | None = None
        self._newest_caveats: tuple[int, Caveats | None] = (0, None)

    def read(self, real_ms: int) -> Reading:
        """Ask how far storage is first, and then only for what is stored up to there."""
        views = self._present()
        logs = [LogRow(*row) for row in self._ask(PROGRESS, {})]
        span = span_of(logs, self._clock, real_ms, self._site, flow_minutes=self._flow_minutes)
        params = _params(span)
        caveats = self._caveats(real_ms)
        losses = caveats.losses
        today, areas = (sql.format(lost=", lost" if losses else "") for sql in (TODAY, AREAS))
        return Reading(
            real_ms=real_ms,
            span=span,
            logs=logs,
            today=[TodayRow(*row) for row in self._ask(today, params)],
            areas=[AreaRow(*row) for row in self._ask(areas, {})],
            totals=[GateRow(*row) for row in self._ask(TOTALS, params)],
            flows=[FlowRow(*row) for row in self._ask(FLOWS, params)],
            devices=[DeviceRow(*row) for row in self._ask(DEVICES, {})],
            episodes=self._episodes() if "alarm_episodes" in views else None,
            queues=[QueueRow(*row) for row in self._ask(QUEUES, params)] if "entrance_queues" in views else (),
            forecasts=[ForecastRow(*row) for row in self._ask(FORECASTS, {})] if "forecasts" in views else (),
            problems=caveats.problems,
            lost=lost_on(span.day, losses),
            unsettled=sum(row[0] for row in self._ask(UNSETTLED, {})) if "unsettled" in views else 0,
        )

    def _caveats(self, real_ms: int) -> Caveats:
        """Ask every two seconds what limits the figures; their age does not depend on it."""
        polled_at, newest = self._newest_caveats
        if newest is None or not 0 <= real_ms - polled_at < _CAVEATS_MS:
            views = self._present()
            newest = Caveats(
                losses=self.losses(),
                problems=[ProblemRow(*row) for row in self._ask(PROBLEMS, {})] if "source_problems" in views else (),
            )
            self._newest_caveats = real_ms, newest
        return newest

    def losses(self) -> Sequence[LossRow]:
        """Ask for every loss of which the size is known."""
        return [LossRow(*row) for row in self._ask(LOSSES, {})] if "losses" in self._present() else ()

    def read_trend(self, span: Span) -> Sequence[TrendReading]:
        """Ask for the day so far, and for the day before."""
        so_far = Stretch(span.trend.start, min(span.end, span.trend.end))
        before = self.read_before(span)
        return [TrendReading(span, scope, *self._day(scope, so_far), *before[scope]) for scope in self._scopes]

    def read_before(self, span: Span) -> Mapping[Scope, Day]:
        """Ask for the day before of each scope, once an hour: it is over."""
        key = (span.before, span.end // HOUR)
        if key != self._before_of:
            self._before = {scope: self._day(scope, span.before) for scope in self._scopes}
            self._before_of = key
        return self._before

    def _day(self, scope: Scope, stretch: Stretch) -> Day:
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
        steps = [StepRow(*row) for row in self._ask_trend(STEPS, params)] if into else []
        return steps, [InsideRow(*row) for row in self._ask_trend(INSIDE, params)]

    def read_changes(self, episode: str) -> Sequence[ChangeRow]:
        """Ask for all changes of one alarm episode, the oldest first."""
        return [ChangeRow(*row) for row in self._ask(CHANGES, {"episode": episode})]

    def _episodes(self) -> Sequence[EpisodeRow]:
        return [EpisodeRow(*row) for row in self._ask(EPISODES, {"acknowledgeable": ACKNOWLEDGEABLE})]

    def _present(self) -> frozenset[str]:
        """Tell which of the optional views there are; those that are missing may come with the next schema."""
        known = self._views
        if known is not None and len(known) == len(OPTIONAL):
            return known
        found = frozenset(row[0] for row in self._ask(VIEWS, {"views": OPTIONAL}))
        if found != known and len(found) < len(OPTIONAL):
            missing = sorted(set(OPTIONAL) - found)
            log.warning("wall_views_missing", views=missing, advice="run `gatepulse schema apply` with this version")
        self._views = found
        return found


def _params(span: Span) -> dict[str, Any]:
    """Return the parameters of the round of figures: seconds, but for the queues milliseconds."""
    return {
        "day": span.day.isoformat(),
        "minute_start": span.minute_start // 1000,
        "before_start": (span.minute_start - BEFORE_MINUTES * MINUTE) // 1000,
        "flow_start": span.flow_start // 1000,
        "hour_start": span.hour_start // 1000,
        "end": span.end // 1000,
        "queues_from": span.end - QUEUES_MS,
        "queues_to": span.end + QUEUES_MS,
    }
