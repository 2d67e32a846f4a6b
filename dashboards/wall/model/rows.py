"""The rows that one round of queries returns from the public views, and the spans of site time that it selects.

Times are integer milliseconds since 1970-01-01 UTC. Read next: `snapshot.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from dashboards.wall.model.scopes import Scope
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

MINUTE = 60_000
HOUR = 60 * MINUTE
STEP = 5 * MINUTE
"""The width of one step of a trend."""
FLOW_MINUTES = 5
"""The entrances are ranked by their flow in so many full minutes."""
BEFORE_MINUTES = 5
"""The flow of the newest full minute is compared with that of so many minutes before it."""
SILENT_AFTER_MS = 15 * MINUTE
"""Site time after which a lane without events counts as silent."""


class LogRow(NamedTuple):
    """One log of `progress`: everything that it held at the real time `complete_to` is stored."""

    log: str
    cluster: str
    rejected: int
    complete_to: int

    @property
    def of_alarms(self) -> bool:
        """Whether it is the log of the alarms' inputs, which no figure is counted from."""
        return f"/{Topic.ALARM_INPUTS.value}/" in self.log


class SourceProblemRow(NamedTuple):
    """A problem that keeps a source topic from being read; partition -1: all its partitions."""

    topic: str
    partition: int
    problem: str


class TodayRow(NamedTuple):
    """One kind of `site_today`; `lost`: records that will never be counted, and may belong to the day."""

    kind: str
    entries: int
    exits: int
    distinct: int
    unidentified: int
    lost: int = 0


class AreaRow(NamedTuple):
    """One area and kind of `occupancy`; `as_of` is None without any event; `lost` since it was last counted."""

    area: str
    kind: str
    as_of: int | None
    inside: int
    capacity: int | None
    lost: int = 0


class LossRow(NamedTuple):
    """One loss: `kind` is "" where it may be of any. Days, `begin` and `end` (ms) are the site's, the rest is real."""

    kind: str
    records: int
    from_day: date
    to_day: date
    begin: int
    end: int
    accepted_at: int


def lost_on(day: date, losses: Iterable[LossRow]) -> int:
    """Add up the records that will never be counted, and may belong to a day."""
    return sum(each.records for each in losses if each.from_day <= day <= each.to_day)


class EntranceTotalRow(NamedTuple):
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


class FlowRow(NamedTuple):
    """Passages of one entrance and direction in the newest full minute, and in the 5 minutes `before` that one.

    Those of `flow` (`FLOW_MINUTES`) and of the hour end with the newest full minute, too; `first` is when
    the first minute of the hour began that has any.
    """

    entrance: str
    direction: str
    minute: int
    before: int
    flow: int
    hour: int
    first: int


class QueueRow(NamedTuple):
    """The newest estimate of the queue at an entrance, `at` a site time: open lanes, and minutes to wait.

    `low` and `high` bound the wait. None: it cannot be computed from passages alone.
    """

    entrance: str
    at: int
    lanes: int
    wait: float | None
    low: float | None
    high: float | None


class StepRow(NamedTuple):
    """Passages in one step of a trend, `way` "in" or "out" of its scope."""

    step: int
    way: str
    category: str
    passages: int


class InsideRow(NamedTuple):
    """The occupancy of an area at the end of one step; one from before the span has step 0."""

    area: str
    step: int
    inside: int


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
class Stretch:
    """A stretch of site time, half-open."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """The site times that a round selects: the site's day, and full minutes, which end at `end`, the newest one's end.

    `trend` is the part of the day that a trend shows, the part to come included; `before` is the same of the day
    before. Both begin and end with a step.
    """

    day: date
    end: int
    trend: Stretch
    before: Stretch


@dataclass(frozen=True, slots=True)
class WallRows:
    """All rows of one round; `real_ms` is when it began.

    `episodes` is None where the store has no such view: alarms are unknown then. `unsettled`: events that may still be
    counted through two logs. `lost`: records that will be missing from the day's figures for good.
    """

    real_ms: int
    span: Span
    logs: Sequence[LogRow] = ()
    today: Sequence[TodayRow] = ()
    areas: Sequence[AreaRow] = ()
    totals: Sequence[EntranceTotalRow] = ()
    flows: Sequence[FlowRow] = ()
    devices: Sequence[DeviceRow] = ()
    episodes: Sequence[Episode] | None = None
    queues: Sequence[QueueRow] = ()
    forecasts: Sequence[ForecastRow] = ()
    problems: Sequence[SourceProblemRow] = ()
    lost: int = 0
    unsettled: int = 0


@dataclass(frozen=True, slots=True)
class TrendRows:
    """Rows of the trend of one scope, and of the day before."""

    span: Span
    scope: Scope
    steps: Sequence[StepRow] = ()
    inside: Sequence[InsideRow] = ()
    before: Sequence[StepRow] = ()
    inside_before: Sequence[InsideRow] = ()


def live_logs(logs: Sequence[LogRow]) -> Sequence[LogRow]:
    """Pick the logs of the live cluster, the one with the newest `complete_to`; older ones will never move again."""
    if not logs:
        return ()
    cluster = max(logs, key=lambda row: row.complete_to).cluster
    return [row for row in logs if row.cluster == cluster]


def complete_to(logs: Sequence[LogRow]) -> int | None:
    """Return the real time up to which every figure is stored, None while there is no log."""
    return min((row.complete_to for row in live_logs(logs) if not row.of_alarms), default=None)


def judged_to(logs: Sequence[LogRow]) -> int | None:
    """Return the real time up to which alarms are judged and stored, None while none were judged."""
    return min((row.complete_to for row in live_logs(logs) if row.of_alarms), default=None)


def span_of(logs: Sequence[LogRow], clock: SiteClock, real_ms: int, site: Site) -> Span:
    """Choose the spans by what is stored, not by the current time.

    If storage is two minutes behind, the newest full minutes are two minutes old: a minute that is not stored yet would
    show as a minute without people. For the same reason a day begins when its first moment is stored.
    """
    stored = complete_to(logs)
    return span_at(clock.now(real_ms if stored is None else stored), site)


def span_at(site_ms: int, site: Site) -> Span:
    """Return the spans of figures that are complete to a site time."""
    end = site_ms - site_ms % MINUTE
    day = site.days.day(site_ms)
    return Span(
        day=day,
        end=end,
        trend=_shown(day, site),
        before=_shown(day - timedelta(days=1), site),
    )


def _shown(day: date, site: Site) -> Stretch:
    """Return an hour before the site opens to an hour after it closes; of a day on which it is closed, all of it."""
    begin, end = site.days.bounds(day)
    opens, closes = site.hours(day) or (begin, end)
    start, end = max(begin, opens - HOUR), min(end, closes + HOUR)
    return Stretch(start - start % STEP, end + -end % STEP)
