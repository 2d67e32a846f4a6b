"""The query that recomputes each public view from the raw passages, and yields both values of every key.

Of the passages themselves, that each identity is there once.

Only public views are queried, so every reader may audit. What is late beyond the horizon or in quarantine is in
neither side: not in `passages`, and in no count. `distinct_entered` needs the pseudonyms, which no view shows: it is
not recomputed. Next: `compare.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from streams.audit.interval import TEN_SECONDS_MS, AuditSpan, Interval
from streams.kernels.counts.calendar import DAY_MS, MINUTE_MS
from streams.site.model import Site


@dataclass(frozen=True)
class AuditedView:
    """A view and its audit."""

    name: str
    keys: tuple[str, ...]
    rows: str  # selects `keys`, `published` and `recomputed`: NULL where a side has no such row
    parts: Callable[[Interval], Iterator[AuditSpan]]  # what each query covers
    needs_profile: bool = False  # whether the site profile must tell where the entrances lead


def parameters(site: Site, part: AuditSpan) -> Mapping[str, Any]:
    """Return the parameters of the queries."""
    return {
        "start": part.start,
        "end": part.end,
        "day": part.day,
        "entrances": [each.id for each in site.entrances],
        "outer": [each.outer for each in site.entrances],
        "inner": [each.inner for each in site.entrances],
        "boundary": [each.id for each in site.entrances if each.boundary],
    }


_TENS: Final = partial(Interval.windows, width=TEN_SECONDS_MS)
_MINUTES: Final = partial(Interval.windows, width=MINUTE_MS)
_HISTORY: Final = partial(Interval.windows, width=TEN_SECONDS_MS, part=DAY_MS)  # each part adds up all that came before


_PASSAGES: Final = (
    "gatepulse.passages WHERE ts >= fromUnixTimestamp64Milli(%(start)s, 'UTC')"
    " AND ts < fromUnixTimestamp64Milli(%(end)s, 'UTC')"
)
_WINDOWS: Final = (
    "window_start >= toDateTime(intDiv(%(start)s, 1000), 'UTC')"
    " AND window_start < toDateTime(intDiv(%(end)s, 1000), 'UTC')"
)


def _both(keys: str, published: str, recomputed: str) -> str:
    """Put two selections of `keys` and `value` side by side."""
    return f"""
SELECT {keys}, sum(p) AS published, sum(r) AS recomputed
FROM
(
    SELECT {keys}, toNullable(toInt64(value)) AS p, CAST(NULL, 'Nullable(Int64)') AS r FROM ({published})
    UNION ALL
    SELECT {keys}, NULL, toInt64(value) FROM ({recomputed})
)
GROUP BY {keys}"""  # noqa: S608 - put together from names of our own


def _counts(
    name: str, keys: str, value: str, start: str, parts: Callable[[Interval], Iterator[AuditSpan]], *, only: str = "1"
) -> AuditedView:
    listed = ", ".join(["window_start", *keys.split()])
    published = f"SELECT {listed}, {value} AS value FROM gatepulse.{name} WHERE {_WINDOWS}"  # noqa: S608 - our names
    counted = f"SELECT {start} AS window_start, {', '.join(keys.split())}, count() AS value"
    recomputed = f"{counted} FROM {_PASSAGES} AND {only} GROUP BY {listed}"
    return AuditedView(name, ("window_start", *keys.split()), _both(listed, published, recomputed), parts)


_TEN: Final = "toDateTime(toStartOfInterval(ts, INTERVAL 10 SECOND), 'UTC')"
_MINUTE: Final = "toStartOfMinute(ts)"
_PASSED: Final = "outcome = 'passed'"
_CELL: Final = "kind entrance direction category"

_TOTALS: Final = _both(
    "day, kind, entrance, direction, category",
    "SELECT day, kind, entrance, direction, category, passages AS value"
    " FROM gatepulse.entrance_totals WHERE day = toDate(%(day)s)",
    "SELECT toDate(%(day)s) AS day, kind, entrance, direction, category, count() AS value"  # noqa: S608 - our names
    f" FROM {_PASSAGES} AND {_PASSED} GROUP BY kind, entrance, direction, category",
)

_FIGURES: Final = (
    "ARRAY JOIN [('entries', entries), ('exits', exits), ('unidentified', unidentified)] AS one WHERE one.2 > 0"
)
_TODAY: Final = _both(
    "day, kind, figure",
    f"SELECT day, kind, one.1 AS figure, one.2 AS value FROM gatepulse.site_today {_FIGURES} AND day = toDate(%(day)s)",  # noqa: S608 - our names
    f"""
SELECT toDate(%(day)s) AS day, kind, one.1 AS figure, one.2 AS value
FROM
(
    SELECT
        kind,
        countIf(direction = 'in') AS entries,
        countIf(direction = 'out') AS exits,
        countIf(direction = 'in' AND identified = 0) AS unidentified
    FROM {_PASSAGES} AND {_PASSED} AND has(%(boundary)s, entrance)
    GROUP BY kind
)
{_FIGURES}""",  # noqa: S608 - our names
)

# A window's value is recomputed from the published one before it: so only the window that is wrong is named, and not
# all that follow. What was before the interval is its first row, before the first window. Corrections act at the end of
# their window in the order of (ts, id): the last absolute, and what is added after it.
_INSIDE: Final = f"""
SELECT area, kind, window_start, published, recomputed
FROM
(
    SELECT
        area,
        kind,
        window_start,
        stored AS published,
        ifNull(
            anyLast(stored) OVER (
                PARTITION BY area, kind ORDER BY window_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS before,
        if(happened = 0, NULL, if(anchored = 1, 0, before + flow) + changed) AS recomputed
    FROM
    (
        SELECT
            area, kind, window_start,
            sum(one.inside) AS stored, sum(one.flow) AS flow, sum(one.change) AS changed,
            max(one.anchor) AS anchored, max(one.some) AS happened
        FROM
        (
            SELECT
                area, kind,
                greatest(h.window_start, toDateTime(intDiv(%(start)s, 1000) - 10, 'UTC')) AS window_start,
                toNullable(argMax(h.inside, h.window_start)) AS inside,
                toInt64(0) AS flow, toInt64(0) AS change, toUInt8(0) AS anchor, toUInt8(0) AS some
            FROM gatepulse.occupancy_history AS h
            WHERE h.window_start < toDateTime(intDiv(%(end)s, 1000), 'UTC')
            GROUP BY area, kind, window_start
            UNION ALL
            SELECT side.1, kind, {_TEN} AS start, NULL, sum(if(direction = side.2, 1, -1)), 0, 0, 1
            FROM
            (
                SELECT kind, ts, direction, arrayJoin([
                    (transform(toString(entrance), %(entrances)s, %(inner)s, ''), 'in'),
                    (transform(toString(entrance), %(entrances)s, %(outer)s, ''), 'out')
                ]) AS side
                FROM {_PASSAGES} AND {_PASSED}
            )
            WHERE side.1 NOT IN ('', 'outside')
            GROUP BY side.1, kind, start
            UNION ALL
            SELECT
                area, kind, {_TEN} AS start, NULL, 0,
                arrayFold(
                    (inside, step) -> if(step.3 IS NULL, inside + ifNull(step.4, 0), assumeNotNull(step.3)),
                    arraySort(groupArray((ts, id, absolute, delta))),
                    toInt64(0)
                ),
                countIf(absolute IS NOT NULL) > 0,
                1
            FROM gatepulse.corrections
            WHERE ts >= fromUnixTimestamp64Milli(%(start)s, 'UTC') AND ts < fromUnixTimestamp64Milli(%(end)s, 'UTC')
            GROUP BY area, kind, start
        ) AS one
        GROUP BY area, kind, window_start
    )
)
WHERE {_WINDOWS}"""  # noqa: S608 - our names

# The two are stored in different tables: by hour for what is inside now, by 10 s for the history.
_OCCUPANCY: Final = _both(
    "area, kind",
    "SELECT area, kind, inside AS value FROM gatepulse.occupancy WHERE value != 0",
    "SELECT area, kind, argMax(inside, window_start) AS value FROM gatepulse.occupancy_history"
    " GROUP BY area, kind HAVING value != 0",
)

_ONCE: Final = _both(
    "device",
    f"SELECT device, count() AS value FROM {_PASSAGES} GROUP BY device",  # noqa: S608 - our names
    f"SELECT device, uniqExact(epoch, seq) AS value FROM {_PASSAGES} GROUP BY device",  # noqa: S608 - our names
)

VIEWS: Final[tuple[AuditedView, ...]] = (
    AuditedView("passages", ("device",), _ONCE, _TENS),
    _counts("entrance_counts_10s", _CELL, "passages", _TEN, _TENS, only=_PASSED),
    _counts("entrance_counts_1m", _CELL, "passages", _MINUTE, _MINUTES, only=_PASSED),
    _counts("entrance_outcomes_1m", f"{_CELL} outcome", "events", _MINUTE, _MINUTES),
    _counts(
        "entrance_refusals_1m",
        "kind entrance category reason",
        "refusals",
        _MINUTE,
        _MINUTES,
        only="outcome = 'denied'",
    ),
    AuditedView("entrance_totals", ("day", *_CELL.split()), _TOTALS, Interval.days),
    AuditedView("site_today", ("day", "kind", "figure"), _TODAY, Interval.days, needs_profile=True),
    AuditedView("occupancy_history", ("area", "kind", "window_start"), _INSIDE, _HISTORY, needs_profile=True),
    AuditedView("occupancy", ("area", "kind"), _OCCUPANCY, Interval.whole),
)
"""The views that are audited, in the order in which they are reported."""
