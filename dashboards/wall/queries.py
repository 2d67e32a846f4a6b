"""The wall's questions to the store, asked of the public views only; one round is one `Reading`.

Read next: `snapshot.py` for what is made of the rows, `feed.py` for when they are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from dashboards.wall.reading import (
    AreaRow,
    ChangeRow,
    DeviceRow,
    EpisodeRow,
    ForecastRow,
    GateRow,
    InsideRow,
    LogRow,
    MinuteRow,
    Reading,
    Span,
    TodayRow,
    TrendReading,
    span_of,
)
from streams.clock import SiteClock
from streams.site import Site

log = structlog.get_logger(__name__)

OPTIONAL = ("alarm_episodes", "forecasts")
"""Views that a store with an older schema does not have; the wall does without."""

ACKNOWLEDGEABLE = 50
"""Cleared episodes that the alarms still know, the newest; an older one cannot be acknowledged any more."""

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
SELECT kind, entries, exits, distinct_entered, unidentified
FROM gatepulse.site_today
WHERE day = toDate(%(day)s)
"""

AREAS = """
SELECT area, kind, if(as_of IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(as_of))), inside, capacity
FROM gatepulse.occupancy
"""

TOTALS = """
SELECT entrance, direction, sum(passages)
FROM gatepulse.entrance_totals
WHERE day = toDate(%(day)s)
GROUP BY entrance, direction
"""

FLOWS = """
SELECT entrance, direction, sum(passages)
FROM gatepulse.entrance_counts_1m
WHERE window_start >= toDateTime(%(flow_start)s, 'UTC') AND window_start < toDateTime(%(end)s, 'UTC')
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

MINUTES = """
SELECT toUnixTimestamp(window_start) * 1000, direction, sum(passages)
FROM gatepulse.entrance_counts_1m
WHERE kind = 'person' AND entrance IN %(boundary)s
  AND window_start >= toDateTime(%(trend_start)s, 'UTC') AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY window_start, direction
"""

# One walk over the history for both: minutes of the span, and in minute 0 the newest value from before it.
INSIDE = """
SELECT
    area,
    if(window_start < toDateTime(%(trend_start)s, 'UTC'), 0, toUnixTimestamp(toStartOfMinute(window_start)) * 1000)
        AS minute,
    argMax(inside, window_start)
FROM gatepulse.occupancy_history
WHERE kind = 'person' AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY area, minute
"""


class Ask(Protocol):
    """Run one query with its parameters and return its rows, in the order of the selected columns."""

    def __call__(self, sql: str, params: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Raise an error of the store when it does not answer."""


class Source(Protocol):
    """Where the wall's figures come from; called from one thread at a time, and may block."""

    def read(self, real_ms: int) -> Reading:
        """Run the round of every second, as of the real time `real_ms`."""

    def read_trend(self, span: Span) -> TrendReading:
        """Run the heavier round, for the span of a reading."""

    def read_changes(self, episode: str) -> Sequence[ChangeRow]:
        """Ask for all changes of one alarm episode, the oldest first; may be called from another thread meanwhile."""

    def close(self) -> None:
        """Let go of the connection."""


class Rounds:
    """The two rounds of queries, asked through any `Ask`."""

    def __init__(
        self,
        ask: Ask,
        site: Site,
        clock: SiteClock,
        *,
        flow_minutes: int,
        trend_minutes: int,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask = ask
        self.close = close
        self._clock = clock
        self._zone = site.time_zone
        self._minutes = {"flow_minutes": flow_minutes, "trend_minutes": trend_minutes}
        self._views: frozenset[str] | None = None
        self._boundary = tuple(gate.id for gate in site.entrances if gate.boundary and gate.kind == "person")

    def read(self, real_ms: int) -> Reading:
        """Ask how far storage is first, and then only for what is stored up to there."""
        views = self._present()
        logs = [LogRow(*row) for row in self._ask(PROGRESS, {})]
        span = span_of(logs, self._clock, real_ms, zone=self._zone, **self._minutes)
        params = _params(span)
        return Reading(
            real_ms=real_ms,
            span=span,
            logs=logs,
            today=[TodayRow(*row) for row in self._ask(TODAY, params)],
            areas=[AreaRow(*row) for row in self._ask(AREAS, {})],
            totals=[GateRow(*row) for row in self._ask(TOTALS, params)],
            flows=[GateRow(*row) for row in self._ask(FLOWS, params)],
            devices=[DeviceRow(*row) for row in self._ask(DEVICES, {})],
            episodes=self._episodes() if "alarm_episodes" in views else None,
            forecasts=[ForecastRow(*row) for row in self._ask(FORECASTS, {})] if "forecasts" in views else (),
        )

    def read_trend(self, span: Span) -> TrendReading:
        """Ask for the minutes of the trend; a site without person gates at its boundary has none."""
        params = _params(span)
        crossings = params | {"boundary": self._boundary}
        return TrendReading(
            span=span,
            minutes=[MinuteRow(*row) for row in self._ask(MINUTES, crossings)] if self._boundary else (),
            inside=[InsideRow(*row) for row in self._ask(INSIDE, params)],
        )

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
    return {
        "day": span.day.isoformat(),
        "flow_start": span.flow_start // 1000,
        "trend_start": span.trend_start // 1000,
        "end": span.end // 1000,
    }
