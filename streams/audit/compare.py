"""Compares published rows with recomputed ones; queries again before it reports a difference. Next: `report.py`.

The rows of one flush reach their tables one after the other, and a worker that was killed in between leaves them apart
until it is back. So a difference counts only if the same row, with the same two values, is still different after a
pause, and after every log of the live cluster has been stored further, which says that the flush of then is through:
a log's progress is the last that a flush writes. A log that does not move is not waited for longer than `patience`;
what differs then is what readers are shown, and counts. A row that changes all the time is judged once it rests.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sinks.sink import StoreReader
from streams.audit.interval import AuditSpan, Interval
from streams.audit.views import VIEWS, AuditedView, parameters
from streams.comparison import ViewComparison
from streams.kernels.counts.calendar import days_named
from streams.site.model import Site
from streams.sources.tables import live_progress

LISTED: Final = 10
"""Differences of each view that are listed; their number is always that of all."""

_LOOKED_UP: Final = 1000
_POLL_SECONDS: Final = 0.25
_STRANGERS: Final = (
    "SELECT DISTINCT entrance FROM gatepulse.entrance_outcomes_1m WHERE entrance NOT IN %(entrances)s"
    " AND window_start >= toStartOfMinute(toDateTime(intDiv(%(start)s, 1000), 'UTC'))"
    " AND window_start < toDateTime(intDiv(%(end)s, 1000), 'UTC') ORDER BY entrance"
)
_LOST: Final = (
    "SELECT log, kind, toString(from_day), toString(to_day), toInt64(sum(records)) FROM gatepulse.losses"
    " WHERE records > 0 AND site_to >= fromUnixTimestamp64Milli(%(start)s, 'UTC')"
    " AND site_from < fromUnixTimestamp64Milli(%(end)s, 'UTC')"
    " GROUP BY log, kind, from_day, to_day ORDER BY from_day, to_day, log"
)
_UNSETTLED: Final = "SELECT toInt64(sum(events)) FROM gatepulse.unsettled"
_DIFFERS: Final = "published IS DISTINCT FROM recomputed"
_NOT_RECOMPUTED: Final = "distinct_entered of site_today is not recomputed: it needs pseudonyms, which no view shows"


@dataclass(frozen=True)
class RowDifference:
    """A row that is not what the passages say; None: that side has no such row."""

    view: str
    key: Mapping[str, str]
    published: int | None
    recomputed: int | None


@dataclass(frozen=True)
class Lost:
    """Records of a log that will never be counted; `kind` is "" of corrections, the days are the site's."""

    log: str
    kind: str
    from_day: str
    to_day: str
    records: int

    @property
    def days(self) -> str:
        """Name them."""
        return days_named(self.from_day, self.to_day)


@dataclass(frozen=True)
class AuditResult:
    """What an audit found."""

    interval: Interval
    views: Mapping[str, ViewComparison]
    differences: tuple[RowDifference, ...]  # the first of each view
    notes: tuple[str, ...]
    unsettled: int = 0  # events of any time that may be counted through two logs still; they are being retracted
    lost: tuple[Lost, ...] = ()  # what neither side of the comparison has, as its loss was accepted

    @property
    def compared(self) -> int:
        """Return how many rows were compared."""
        return sum(view.compared for view in self.views.values())

    @property
    def different(self) -> int:
        """Return how many rows differ."""
        return sum(view.different for view in self.views.values())

    @property
    def ok(self) -> bool:
        """Whether nothing differs, and every event counts once."""
        return not self.different and not self.unsettled


@dataclass(frozen=True)
class Auditor:
    """Audits intervals of one site; `pause` and `patience` are seconds (see above), a pause is longer than a flush."""

    reader: StoreReader
    site: Site
    pause: float = 2.0
    patience: float = 20.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def audit(self, interval: Interval) -> AuditResult:
        """Compare every view over an interval of event time."""
        views, notes = self._auditable(interval)
        first_results = [(view, part, self._query(view, part)) for view in views for part in view.parts(interval)]
        if any(differing for _, _, (_, differing) in first_results) or self._unsettled():
            self._wait_for_flushes()
        compared, found = dict.fromkeys((view.name for view in views), 0), []
        for view, part, (rows, differing) in first_results:
            compared[view.name] += rows
            if differing and (still := differing & self._query(view, part)[1]):
                found.append((view, part, still))
        different = {view.name: sum(len(rows) for each, _, rows in found if each is view) for view in views}
        results = {name: ViewComparison(rows, different[name]) for name, rows in compared.items()}
        # What may belong to the interval, by log and days, and is neither in passages nor in counts.
        lost = tuple(Lost(*row) for row in self.reader.query(_LOST, {"start": interval.start, "end": interval.end}))
        notes += [f"incomplete: {each.log} lost {each.records:,} records of {each.days}" for each in lost[:LISTED]]
        if len(lost) > LISTED:
            notes.append(f"incomplete: and {len(lost) - LISTED} more; `gatepulse logs show` lists all")
        return AuditResult(
            interval, results, tuple(self._list_differences(found)), tuple(notes), self._unsettled(), lost
        )

    def _auditable(self, interval: Interval) -> tuple[list[AuditedView], list[str]]:
        """Leave out what the profile cannot explain: nobody remembers where an entrance led that it no longer has."""
        rows = self.reader.query(_STRANGERS, parameters(self.site, AuditSpan(interval.start, interval.end)))
        if not rows:
            return list(VIEWS), [_NOT_RECOMPUTED]
        strangers = ", ".join(str(entrance) for (entrance,) in rows)
        left_out = ", ".join(view.name for view in VIEWS if view.needs_profile)
        note = f"{left_out} cannot be recomputed: the site profile does not have the entrances {strangers}"
        return [view for view in VIEWS if not view.needs_profile], [note]

    def _query(self, view: AuditedView, part: AuditSpan) -> tuple[int, set[int]]:
        """Return how many rows there are, and the hash of each that differs, with its values."""
        sql = f"SELECT count(), groupArrayIf({_hash(view)}, {_DIFFERS}) FROM ({view.rows})"  # noqa: S608 - our names
        [(rows, differing)] = self.reader.query(sql, parameters(self.site, part))
        return int(rows), set(differing)

    def _wait_for_flushes(self) -> None:
        """Return after the pause, once all live logs are stored further and all is settled, but within the patience."""
        before, waited = set(live_progress(self.reader)), self.pause
        self.sleep(self.pause)
        while waited < self.patience and (before & set(live_progress(self.reader)) or self._unsettled()):
            self.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def _unsettled(self) -> int:
        [(events,)] = self.reader.query(_UNSETTLED)
        return int(events)

    def _list_differences(self, found: Sequence[tuple[AuditedView, AuditSpan, set[int]]]) -> list[RowDifference]:
        by_view: dict[str, list[RowDifference]] = {}
        for view, part, rows in found:
            listed = by_view.setdefault(view.name, [])
            if len(listed) < LISTED:
                listed += self._rows(view, part, rows)[: LISTED - len(listed)]
        return [difference for listed in by_view.values() for difference in listed]

    def _rows(self, view: AuditedView, part: AuditSpan, rows: set[int]) -> list[RowDifference]:
        """Read some of the rows that differ; one that has changed since is no longer among them."""
        keys = ", ".join(f"toString({key})" for key in view.keys)
        sql = (
            f"SELECT {keys}, published, recomputed FROM ({view.rows}) WHERE {_DIFFERS}"  # noqa: S608 - our names
            f" AND {_hash(view)} IN %(rows)s ORDER BY {', '.join(view.keys)} LIMIT {LISTED}"
        )
        found = self.reader.query(sql, {**parameters(self.site, part), "rows": sorted(rows)[:_LOOKED_UP]})
        return [RowDifference(view.name, dict(zip(view.keys, row, strict=False)), *row[-2:]) for row in found]


def _hash(view: AuditedView) -> str:
    return f"cityHash64({', '.join(view.keys)}, ifNull(toString(published), ''), ifNull(toString(recomputed), ''))"
