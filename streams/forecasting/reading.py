"""The queries of the forecasting process, on public views only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sinks.sink import StoreReader
from streams.forecasting.advice_state import Given
from streams.forecasting.areas import AreaKind, Courses, courses, site_total
from streams.kernels.counts.calendar import MINUTE_MS
from streams.site.model import Site
from streams.sources.tables import live_progress

_OPEN: Final = 0.1
"""Share of the busiest day's entries from which on a day counts as an open one."""

_PASSAGES: Final = """
SELECT toUnixTimestamp(window_start) * 1000 AS minute, entrance, direction, sum(passages) AS passages
FROM gatepulse.entrance_counts_1m
WHERE window_start >= toDateTime(%(start)s, 'UTC') AND window_start < toDateTime(%(end)s, 'UTC')
GROUP BY window_start, entrance, direction
"""

# What has moved since a minute's end is subtracted again: the view knows the newest value alone.
_SINCE: Final = """
SELECT entrance, direction, sum(passages)
FROM gatepulse.entrance_counts_10s
WHERE window_start >= toDateTime(%(end)s, 'UTC')
GROUP BY entrance, direction
"""

_INSIDE: Final = "SELECT area, kind, inside FROM gatepulse.occupancy"

_NEWEST: Final = (
    "SELECT maxOrNull(toUnixTimestamp64Milli(assumeNotNull(as_of))) FROM gatepulse.occupancy WHERE as_of > 0"
)

_ACTIVE_DEVICES: Final = """
SELECT entrance, count() FROM gatepulse.completeness
WHERE last_ts >= fromUnixTimestamp64Milli(%(since)s, 'UTC') GROUP BY entrance
"""

_LANES: Final = """
SELECT toUnixTimestamp64Milli(at), entrance, lanes FROM gatepulse.entrance_queues
WHERE at > fromUnixTimestamp64Milli(%(start)s, 'UTC') AND at <= fromUnixTimestamp64Milli(%(end)s, 'UTC') ORDER BY at
"""

_DAYS: Final = """
SELECT day, sum(passages) FROM gatepulse.entrance_totals
WHERE day >= toDate(%(first)s) AND day < toDate(%(today)s) AND direction = 'in'
GROUP BY day ORDER BY day
"""

_ADVICE: Final = """
SELECT advice, entrance, toUnixTimestamp64Milli(since), lanes_before, lanes_after, wait_before, wait_after, limit,
    zh, en, toUnixTimestamp64Milli(needed_at),
    decision, actor, if(decided_at IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(decided_at))),
    wait_measured, if(over_at IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(over_at)))
FROM gatepulse.advice
"""


@dataclass(frozen=True)
class ForecastReader:
    """A site's store; times are ms of site time."""

    reader: StoreReader
    site: Site

    def complete_to(self) -> int | None:
        """Return the real time (ms) up to which everything is stored, None while nothing is."""
        return min((log.complete_to for log in live_progress(self.reader)), default=None)

    def newest(self) -> int | None:
        """Return the newest event time that is stored (ms), None while there is none."""
        ((newest,),) = self.reader.query(_NEWEST)
        return None if newest is None else int(newest)

    def passages(self, start: int, end: int) -> Courses:
        """Return what passed in each minute of [start, end)."""
        columns = self.reader.columns(_PASSAGES, {"start": start // 1000, "end": end // 1000})
        return courses(columns, start=start, minutes=(end - start) // MINUTE_MS)

    def inside(self, end: int) -> dict[AreaKind, int]:
        """Return what was inside each area, and the site, at the moment `end`."""
        now: dict[AreaKind, int] = {(area, kind): int(count) for area, kind, count in self.reader.query(_INSIDE)}
        entrances = {each.id: each for each in self.site.entrances}
        for name, direction, passages in self.reader.query(_SINCE, {"end": end // 1000}):
            entrance = entrances.get(name)
            if entrance is not None:
                moved = int(passages) if direction == "in" else -int(passages)
                for area, count in ((entrance.inner, moved), (entrance.outer, -moved)):
                    if (area, entrance.kind) in now:
                        now[area, entrance.kind] -= count
        return site_total(self.site, now)

    def active_devices(self, since: int) -> dict[str, int]:
        """Return how many devices of each entrance have sent an event since a moment."""
        return {entrance: int(count) for entrance, count in self.reader.query(_ACTIVE_DEVICES, {"since": since})}

    def lanes(self, start: int, end: int) -> list[tuple[int, str, int]]:
        """Return (end of the minute, entrance, open lanes) as they were said in [start, end), in order of time."""
        return self.reader.query(_LANES, {"start": start, "end": end})

    def days(self, today: dt.date, *, back: int, most: int) -> Sequence[dt.date]:
        """Return the latest `most` open days of the last `back`, in order; fewer than a tenth come on a closed one."""
        params = {"first": (today - dt.timedelta(back)).isoformat(), "today": today.isoformat()}
        came = self.reader.query(_DAYS, params)
        busiest = max((entries for _, entries in came), default=0)
        return [day for day, entries in came if entries >= _OPEN * busiest][-most:]

    def advice(self, *, also_over: bool = False) -> tuple[Given, ...]:
        """Return the advice that stands, the oldest first."""
        condition = "" if also_over else "WHERE over_at IS NULL "
        return tuple(Given(*row) for row in self.reader.query(f"{_ADVICE}{condition}ORDER BY since, advice"))
