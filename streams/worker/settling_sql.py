"""The queries of the settlement: which deliveries came through several logs, and what was decided about them.

`settling` runs them. Only rows that their log has claimed to be stored are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sinks.rows import TABLES
from streams.contract.fields import FIELDS, IDENTITY, Form
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.overlaps import Box
from streams.kernels.counts.settlement import CELL, DELIVERY

CHUNK: Final = 100_000
"""Numbers of which all deliveries are in memory at once: some 100 MB."""
_UNSETTLED: Final = "(device, epoch) IN (SELECT device, epoch FROM gatepulse.unsettled)"
DEVICES: Final = (
    f"SELECT device, epoch, log, ranges, version FROM gatepulse_store.devices FINAL WHERE {_UNSETTLED}"  # noqa: S608 - our names
    " ORDER BY device, epoch, log"
)
SETTLED: Final = f"SELECT device, epoch, log, ranges FROM gatepulse_store.settled_devices FINAL WHERE {_UNSETTLED}"  # noqa: S608 - our names
RUN: Final = f"""
SELECT max(seq), count()
FROM
(
    SELECT seq
    FROM gatepulse_store.deliveries
    WHERE device = %(device)s AND epoch = %(epoch)s AND seq BETWEEN %(low)s AND %(high)s
    ORDER BY seq
    LIMIT {CHUNK}
)
"""  # noqa: S608 - our names
CLAIMS: Final = (
    "SELECT log, next_offset FROM gatepulse_store.log_progress FINAL WHERE log NOT IN"
    " (SELECT log FROM gatepulse_store.parked_batches FINAL WHERE resolved = 0)"
)
COMPARED: Final = "SELECT log, next_offset FROM gatepulse_store.settled_repeats FINAL"
CONTENT_FIELDS: Final = tuple(each for each in FIELDS if each.name not in IDENTITY)
"""What two deliveries of an event must have in common to say the same."""
_SAID: Final = [
    f"ifNull(toString({each.name}), '')" if each.optional and each.form is not Form.TEXT else each.name
    for each in CONTENT_FIELDS
]
_CONTENT: Final = f"cityHash64(kind, {', '.join(_SAID)})"
_EXPRESSIONS: Final = {
    "device": "toLowCardinality(device)",
    "arrived": "toUnixTimestamp64Milli(arrived)",
    "ts": "toUnixTimestamp64Milli(ts)",
    "content": _CONTENT,
    "anonymous": "toUInt8(credential = '')",
    "segment": f"bitShiftRight(offset, {BUCKET_BITS})",
    "window": "intDiv(toUnixTimestamp64Milli(ts), 10000) * 10000",
    "day": "toInt32(day)",
}
_ENTRIES: Final = "fate = 'counted' AND outcome = 'passed' AND direction = 'in' AND credential != ''"
BY_LOG: Final = """
SELECT
    log,
    countIf(fate = 'counted') AS counted,
    countIf(fate = 'late') AS late,
    countIf(verdict = 'conflict' AND fate != 'duplicate') AS conflicts,
    countIf(verdict = 'conflict' AND fate = 'duplicate') AS conflicts_in_repeat,
    sum(v.seen) AS version
FROM gatepulse_store.verdicts AS v FINAL
WHERE log IN %(logs)s
GROUP BY log
"""
TOTALS: Final = """
SELECT log, kind, entrance, direction, category, toInt64(count())
FROM gatepulse_store.verdicts FINAL
WHERE fate = 'counted' AND outcome = 'passed'
GROUP BY log, kind, entrance, direction, category
ORDER BY log, kind, entrance, direction, category
"""
_DELIVERY_COLUMNS: Final = ", ".join(f"{_EXPRESSIONS.get(name, name)} AS c_{name}" for name in DELIVERY)
_CELL_COLUMNS: Final = ", ".join(f"{_EXPRESSIONS.get(name, name)} AS c_{name}" for name in CELL)
_CELL_KEYS: Final = ", ".join(f"c_{name}" for name in CELL)


def repeats(where: str, most: int) -> str:
    """Return the query for numbers that came again through one log."""
    return (
        f"SELECT log, offset, device, epoch, seq FROM gatepulse_store.repeats FINAL WHERE {where}"  # noqa: S608 - our names
        f" ORDER BY log, offset LIMIT {most}"
    )


def deliveries(where: str) -> str:
    """Return the query for deliveries, with the columns `c_<name>` of `settlement.DELIVERY`."""
    return f"SELECT {_DELIVERY_COLUMNS} FROM gatepulse_store.deliveries FINAL WHERE {where}"  # noqa: S608 - our names


def retracted_cells(where: str) -> str:
    """Return the query for the cells of retracted deliveries, with the columns `c_<name>` of `settlement.CELL`."""
    return (
        f"SELECT {_CELL_COLUMNS}, toInt64(count()) AS c_events, toInt64(sum(v.anonymous)) AS c_anonymous"  # noqa: S608 - our names
        f" FROM gatepulse_store.verdicts AS v FINAL WHERE fate != 'duplicate' AND ({where}) GROUP BY {_CELL_KEYS}"
    )


def retracted_visitors(where: str) -> str:
    """Return the query for the visitors whose entry was retracted."""
    return (
        f"SELECT DISTINCT cityHash64(credential) FROM gatepulse_store.deliveries FINAL WHERE ({where})"  # noqa: S608 - our names
        f" AND settled = 'conflict' AND {_ENTRIES}"
    )


UNENTERED: Final = "SELECT DISTINCT who FROM gatepulse_store.unentered FINAL WHERE entries = 0"
"""Visitors whose entries were all retracted."""
ENTRIES_OF: Final = (
    "SELECT kind, cityHash64(credential) AS who, toUnixTimestamp64Milli(ts) AS ts, settled"  # noqa: S608 - our names
    f" FROM gatepulse_store.deliveries FINAL WHERE {_ENTRIES} AND cityHash64(credential) IN %(who)s"
    " AND (outer = 'outside' OR (outer = '' AND has(%(outer_entrances)s, toString(entrance))))"
)


def mark_statement(where: str) -> str:
    """Return the statement that marks deliveries as what was decided about them."""
    same = [name for name in TABLES["deliveries"].columns if name not in ("settled", "seen")]
    return f"""
INSERT INTO gatepulse_store.deliveries ({", ".join(same)}, settled, seen)
SELECT {", ".join(f"d.{name}" for name in same)}, v.verdict, v.seen
FROM (SELECT * FROM gatepulse_store.deliveries FINAL WHERE {where}) AS d
INNER JOIN (SELECT log, offset, line, verdict, seen FROM gatepulse_store.verdicts FINAL WHERE {where}) AS v
    ON v.log = d.log AND v.offset = d.offset AND v.line = d.line
WHERE v.seen > d.seen"""  # noqa: S608 - our names


def inside(box: Box) -> tuple[str, dict[str, Any]]:
    """Return the condition for what is in a box, and its parameters."""
    devices, epochs = ({each[n] for each in box.devices} for n in (0, 1))
    params = {"devices": sorted(devices), "epochs": sorted(epochs), "low": box.low, "high": box.high}
    return "(device IN %(devices)s AND epoch IN %(epochs)s AND seq BETWEEN %(low)s AND %(high)s)", params


def within(spans: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield conditions for offsets [first, end) of logs, with their parameters; each names as many as a query can."""
    for some in batched(list(spans.items())):
        params: dict[str, Any] = {}
        for n, (name, (first, end)) in enumerate(some):
            params |= {f"log{n}": name, f"first{n}": first, f"end{n}": end}
        terms = [f"(log = %(log{n})s AND offset >= %(first{n})s AND offset < %(end{n})s)" for n in range(len(some))]
        yield f"({' OR '.join(terms)})", params


T = TypeVar("T")
_MOST_NAMED: Final = 500
"""Logs or persons in one question: ClickHouse parses 256 KiB of it, and a log needs up to 300 bytes."""


def batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut logs or persons into as many as one query can name."""
    for start in range(0, len(items), _MOST_NAMED):
        yield items[start : start + _MOST_NAMED]
