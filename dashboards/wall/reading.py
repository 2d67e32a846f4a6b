"""What one round of queries brings: rows of the public views, and the spans of site time they were asked for.

Times are integer milliseconds since 1970-01-01 UTC. Read next: `snapshot.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from dashboards.wall.hours import local
from streams.clock import SiteClock
from streams.contract import Topic

MINUTE = 60_000


class LogRow(NamedTuple):
    """One log of `progress`: all that was in it at the real time `complete_to` is stored."""

    log: str
    cluster: str
    rejected: int
    complete_to: int

    @property
    def of_alarms(self) -> bool:
        """Whether alarms are judged from it; no figure is."""
        return f"/{Topic.ALARM_INPUTS.value}/" in self.log


class TodayRow(NamedTuple):
    """One kind of `site_today`."""

    kind: str
    entries: int
    exits: int
    distinct: int
    unidentified: int


class AreaRow(NamedTuple):
    """One area and kind of `occupancy`; `as_of` is None while nothing was heard."""

    area: str
    kind: str
    as_of: int | None
    inside: int
    capacity: int | None


class GateRow(NamedTuple):
    """Passages of one entrance and direction in some span of time."""

    entrance: str
    direction: str
    passages: int


class DeviceRow(NamedTuple):
    """One device of `completeness`; `last_ts` is site time."""

    device: str
    entrance: str
    missing: int
    last_ts: int


class MinuteRow(NamedTuple):
    """Passages over the boundary of the site in one minute."""

    minute: int
    direction: str
    passages: int


class InsideRow(NamedTuple):
    """The occupancy of an area at the end of one minute; one from before the span has minute 0."""

    area: str
    minute: int
    inside: int


class EpisodeRow(NamedTuple):
    """One alarm of `alarm_episodes` as of its newest change; times are site time."""

    episode: str
    rule: str
    subject: str
    kind: str
    zone: str
    level: str
    state: str
    change: int
    value: float
    limit: float
    unit: str
    raised_at: int
    cleared_at: int | None
    actor: str


class ChangeRow(NamedTuple):
    """One change of an episode."""

    change: int
    level: str
    state: str
    actor: str


class ForecastRow(NamedTuple):
    """One level (per cent of the capacity) of `forecasts`; `at` is site time, minutes are counted from there.

    `minutes` 0: reached already; None: not within two hours. `latest` None: perhaps never.
    """

    area: str
    kind: str
    level: int
    at: int
    minutes: int | None
    earliest: int | None
    latest: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """What to ask for: the site's calendar day, and the full minutes of flow and trend, which end at `end`."""

    day: date
    flow_start: int
    trend_start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All rows of one round; `real_ms` is when it began.

    `episodes` is None where the store has no such view: then nothing is known of alarms.
    """

    real_ms: int
    span: Span
    logs: Sequence[LogRow] = ()
    today: Sequence[TodayRow] = ()
    areas: Sequence[AreaRow] = ()
    totals: Sequence[GateRow] = ()
    flows: Sequence[GateRow] = ()
    devices: Sequence[DeviceRow] = ()
    episodes: Sequence[EpisodeRow] | None = None
    forecasts: Sequence[ForecastRow] = ()


@dataclass(frozen=True, slots=True)
class TrendReading:
    """Rows of the trend."""

    span: Span
    minutes: Sequence[MinuteRow] = ()
    inside: Sequence[InsideRow] = ()


def live_logs(logs: Sequence[LogRow]) -> Sequence[LogRow]:
    """Pick the logs of the live cluster, the one with the newest `complete_to`; older ones will never move again."""
    if not logs:
        return ()
    cluster = max(logs, key=lambda row: row.complete_to).cluster
    return [row for row in logs if row.cluster == cluster]


def complete_to(logs: Sequence[LogRow]) -> int | None:
    """Return the real time up to which every figure is stored, None while no log has been heard from."""
    return min((row.complete_to for row in live_logs(logs) if not row.of_alarms), default=None)


def judged_to(logs: Sequence[LogRow]) -> int | None:
    """Return the real time up to which alarms are judged and stored, None while nobody has judged any."""
    return min((row.complete_to for row in live_logs(logs) if row.of_alarms), default=None)


def span_of(
    logs: Sequence[LogRow],
    clock: SiteClock,
    real_ms: int,
    *,
    zone: str,
    flow_minutes: int,
    trend_minutes: int,
) -> Span:
    """Choose the spans by what is stored, not by what time it is.

    If storage is two minutes behind, the newest full minutes are two minutes old: a minute that has not been stored
    would show as a minute without people. For the same reason a day begins when its first moment is stored.
    """
    stored = complete_to(logs)
    at = clock.now(real_ms if stored is None else stored)
    end = at - at % MINUTE
    return Span(
        day=local(at, zone).date(),
        flow_start=end - flow_minutes * MINUTE,
        trend_start=end - trend_minutes * MINUTE,
        end=end,
    )
