"""The wall's questions to the store, asked of the public views only; one round is one `Reading`.

Read next: `snapshot.py` for what is made of the rows, `feed.py` for when they are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dashboards.wall.reading import (
    AreaRow,
    DeviceRow,
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
        self._boundary = tuple(gate.id for gate in site.entrances if gate.boundary and gate.kind == "person")

    def read(self, real_ms: int) -> Reading:
        """Ask how far storage is first, and then only for what is stored up to there."""
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


def _params(span: Span) -> dict[str, Any]:
    return {
        "day": span.day.isoformat(),
        "flow_start": span.flow_start // 1000,
        "trend_start": span.trend_start // 1000,
        "end": span.end // 1000,
    }
