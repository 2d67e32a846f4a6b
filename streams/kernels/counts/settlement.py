"""Decides which of several deliveries of an event counts, and retracts the others; read `overlaps` first.

The delivery that arrived first counts; at one time the one that stands first by log, offset and line. Every other
one that its log had counted is retracted. What was retracted is never put in again, and the more deliveries are
known, the earlier the one that counts can be: so whoever looks at fewer of them, or twice, decides nothing that is
undone later. A delivery is a `repeat` of the one that counts if all it says is the same, else a `conflict` with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from streams.kernels.counts.admission import Fate
from streams.kernels.counts.batch import Bools, Ints
from streams.kernels.counts.calendar import HOUR_MS, MINUTE_MS
from streams.kernels.counts.cells import BUCKET_BITS, WINDOW_MS, groups_of
from streams.kernels.counts.columns import Block, DictColumn
from streams.kernels.counts.place import OUTSIDE, CountingSite, EntranceSides
from streams.kernels.counts.rows import FATES, NOT_SETTLED, appended

REPEAT: Final = "repeat"
CONFLICT: Final = "conflict"
_SETTLED: Final = (NOT_SETTLED, REPEAT, CONFLICT)
_REPEAT, _CONFLICT = 1, 2
_COUNTS: Final = (Fate.COUNTED.value, Fate.LATE.value)
_WRAPS: Final = 1 << 64
_LOG: Final = "settled/"

Columns = Mapping[str, Any]
"""Columns of deliveries by name, numbers as arrays and texts as lists: see `DELIVERY`."""

DELIVERY: Final = (
    "device", "epoch", "seq", "log", "offset", "line", "arrived", "fate", "settled", "content", "kind", "ts",
    "entrance", "direction", "outcome", "category", "reason", "outer", "inner", "anonymous",
)  # fmt: skip
"""What is looked at of a delivery. content: a hash of all that the event says."""

CELL: Final = (
    "log", "segment", "window", "day", "kind", "entrance", "direction", "outcome", "category", "reason", "outer",
    "inner", "fate",
)  # fmt: skip
"""What deliveries that were retracted are counted by; `window` is of 10 s, in ms. Their numbers: events, anonymous."""


def retraction_log(log: str) -> str:
    """Name the log under which a log's deliveries are retracted."""
    return f"{_LOG}{log}"


@dataclass(frozen=True, slots=True)
class Decided:
    """Deliveries by row: which are to be written down as what, and the one that counts for each."""

    rows: Ints  # those with news
    verdict: Ints  # 1 repeat, 2 conflict
    first: Ints  # the row of the delivery that counts
    seen: Ints  # how many deliveries of the identity there are
    retracted: Ints  # all that are retracted, news or not
    other: bool  # some of them are conflicts


def decide(some: Columns) -> Decided:
    """Decide about every delivery of some identities."""
    n = len(some["seq"])
    fate, settled = _codes(some["fate"], FATES), _codes(some["settled"], _SETTLED)
    counts = np.isin(fate, _COUNTS)
    # What counts: one that its log had counted, and of these one that was not retracted; a suspect one is a measure of
    # its repeats only where nothing counts.
    rank = np.select([counts & (settled == 0), counts, fate == Fate.SUSPECT.value], [0, 1, 2], 3)
    device, log = _sorted_codes(some["device"]), _sorted_codes(some["log"])
    order = np.lexsort((some["line"], some["offset"], log, some["arrived"], rank, some["seq"], some["epoch"], device))
    same = _same(order, device, np.asarray(some["epoch"]), np.asarray(some["seq"]))
    starts = np.flatnonzero(~same)
    sizes = np.diff(np.append(starts, n))
    first, seen = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    first[order], seen[order] = np.repeat(order[starts], sizes), np.repeat(sizes, sizes)
    content = np.asarray(some["content"])
    verdict = np.where(content == content[first], _REPEAT, _CONFLICT)
    others = first != np.arange(n)
    retracted = others & counts
    again = others & (fate == Fate.DUPLICATE.value)
    changed = (retracted & (settled != verdict)) | (
        again & (settled != verdict) & ((verdict == _CONFLICT) | (settled != 0))
    )
    rows = np.flatnonzero(changed)
    all_retracted = retracted | (counts & (settled != 0))
    other = bool(np.any(all_retracted & ((verdict == _CONFLICT) | (settled == _CONFLICT))))
    return Decided(rows, verdict[rows], first[rows], seen[rows], np.flatnonzero(all_retracted), other=other)


def _same(order: Ints, *columns: Any) -> Bools:  # noqa: ANN401  # arrays of integers, signed or not
    """Which rows, in this order, have the same in all columns as the one before."""
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = True
    for column in columns:
        in_order = column[order]
        same[1:] &= in_order[1:] == in_order[:-1]
    return same


def verdict_rows(some: Columns, decided: Decided, place: CountingSite) -> list[Block]:
    """Write down what is retracted, with the cell that it is in, and what is in conflict."""
    rows = decided.rows
    if not len(rows):
        return []
    at = {name: _select(some[name], rows) for name in ("log", "offset", "line", "device", "epoch", "seq")}
    cell = {
        name: _select(some[name], rows)
        for name in ("kind", "entrance", "direction", "outcome", "category", "reason", "fate", "anonymous")
    }
    ts = np.asarray(some["ts"])[rows]
    led = zip(cell["entrance"], _select(some["outer"], rows), _select(some["inner"], rows), strict=True)
    # A version that did not write down where an entrance led is believed to have had today's profile.
    ways = [
        EntranceSides(outer, inner) if outer or inner else place.sides.get(entrance, EntranceSides("", ""))
        for entrance, outer, inner in led
    ]
    verdicts = Block(
        "verdicts",
        {
            **at,
            **cell,
            "ts": ts,
            "day": place.days.of(ts),
            "outer": [way.outer for way in ways],
            "inner": [way.inner for way in ways],
            "verdict": DictColumn(decided.verdict, _SETTLED),
            "seen": decided.seen,
        },
    )
    known = np.array([each == CONFLICT for each in _select(some["settled"], rows)], dtype=np.bool_)
    named = np.flatnonzero((decided.verdict == _CONFLICT) | known)
    if not len(named):
        return [verdicts]
    first = decided.first[named]
    conflicts = Block(
        "conflicts",
        {
            **{name: _select(values, named) for name, values in at.items()},
            "entrance": _select(cell["entrance"], named),
            "at": np.asarray(some["arrived"])[rows[named]],
            **{f"first_{name}": _select(some[name], first) for name in ("entrance", "log", "offset", "line")},
            "stands": (decided.verdict[named] == _CONFLICT).astype(np.int64),
            "seen": decided.seen[named],
        },
    )
    return [verdicts, conflicts]


def retraction_rows(cells: Columns) -> list[Block]:
    """Return rows that take deliveries back in every table of counts: absolute, and with numbers below 0.

    cells: the columns of `CELL`, each cell of a log and segment whole and once, with `events` and `anonymous`.
    """
    cells = {**cells, "boundary": [int(each == OUTSIDE) for each in cells["outer"]]}
    fate = np.array([each == "late" for each in cells["fate"]], dtype=np.bool_)
    counted, late = (_where(cells, rows) for rows in (~fate, fate))
    outcome = np.array(counted["outcome"], dtype=object)
    passed, denied = (_where(counted, outcome == what) for what in ("passed", "denied"))
    by = ("kind", "entrance", "direction", "outcome", "category")
    refused_by = ("window_start", "kind", "entrance", "category", "reason")
    return [
        *_summed(_in_windows(counted, WINDOW_MS), "counts_10s", ("window_start", *by), "passages"),
        *_summed(_in_windows(counted, MINUTE_MS), "counts_1m", ("window_start", *by), "passages"),
        *_summed(counted, "counts_day", ("day", *by), "passages", "anonymous", beside="boundary"),
        *_summed(late, "late_day", ("day", *by), "passages"),
        *_summed(_in_windows(denied, MINUTE_MS), "refusals_1m", refused_by, "refusals"),
        *_flows(_in_windows(passed, WINDOW_MS), "area_flows_10s"),
        *_flows(_in_windows(passed, HOUR_MS), "area_flows_1h"),
    ]


def _in_windows(cells: Columns, width: int) -> Columns:
    return {**cells, "window_start": np.asarray(cells["window"]) // width * width}


def _flows(passed: Columns, table: str) -> list[Block]:
    """Take back what entered and departed: the same passage leaves one area and enters another."""
    outer, inner = (np.array(passed[name], dtype=object) for name in ("outer", "inner"))
    inward = np.array([each == "in" for each in passed["direction"]], dtype=np.bool_)
    events = np.asarray(passed["events"], dtype=np.int64)
    halves = [
        {
            **{name: passed[name] for name in ("log", "segment", "kind", "window_start", "events")},
            "area": np.where(inward == into, inner, outer).tolist(),
            "entered": events * into,
            "departed": events * (not into),
            "last_ts": 0 * events,
        }
        for into in (True, False)
    ]
    moved = {name: appended([half[name] for half in halves]) for name in halves[0]}
    inside = np.array([each not in ("", OUTSIDE) for each in moved["area"]], dtype=np.bool_)
    by = ("window_start", "area", "kind")
    return _summed(_where(moved, inside), table, by, "entered", "departed", beside="last_ts")


def _summed(cells: Columns, table: str, keys: Sequence[str], *values: str, beside: str = "") -> list[Block]:
    """Add cells up by log, segment and `keys`, and write the sums below 0; a value that cells lack is their `events`.

    beside: a column that is the same in all cells of a sum.
    """
    n = len(cells["segment"])
    if not n:
        return []
    names = ("log", "segment", *keys)
    codes = [np.unique(np.asarray(cells[name]), return_inverse=True)[1] for name in names]
    key = codes[0].astype(np.int64)
    for each in codes[1:]:
        key = np.unique(key * (int(each.max()) + 1) + each, return_inverse=True)[1].astype(np.int64)
    groups = groups_of(key)
    rows = groups.order[groups.starts]
    columns = {name: _select(cells[name], rows) for name in (*names, *filter(None, [beside]))}
    sums = {
        name: groups.sums(np.asarray(cells[name if name in cells else "events"], dtype=np.int64)) for name in values
    }
    return [
        Block(
            table,
            {
                **columns,
                "log": [retraction_log(log) for log in columns["log"]],
                **{name: [-each % _WRAPS for each in sums[name].tolist()] for name in values},
                "version": groups.sums(np.asarray(cells["events"], dtype=np.int64)),
            },
        )
    ]


def unentered_rows(entries: Columns, place: CountingSite) -> list[Block]:
    """Say by how many entries a credential is on the site on each day on which an entry of it was retracted.

    entries: `kind`, `who`, `ts` and `settled` of entries over the site's boundary, all of each `who`.
    """
    unretracted: dict[tuple[int, str, int], list[bool]] = {}
    days = place.days.of(np.asarray(entries["ts"])).tolist()
    columns = (entries["kind"], np.asarray(entries["who"]).tolist(), entries["settled"])
    for day, kind, who, settled in zip(days, *columns, strict=True):
        unretracted.setdefault((day, kind, who), []).append(settled == NOT_SETTLED)
    retracted = {key: each for key, each in unretracted.items() if not all(each)}
    if not retracted:
        return []
    day, kind, who = (list(each) for each in zip(*retracted, strict=True))
    entered, version = (list(map(count, retracted.values())) for count in (sum, len))
    return [Block("unentered", {"day": day, "kind": kind, "who": who, "entries": entered, "version": version})]


def buckets_with(some: Columns, rows: Ints) -> dict[str, tuple[int, int]]:
    """Return the first and the last segment of each log in which there are such rows."""
    found: dict[str, tuple[int, int]] = {}
    buckets = (np.asarray(some["offset"])[rows] >> BUCKET_BITS).tolist()
    for log, bucket in zip(_select(some["log"], rows), buckets, strict=True):
        low, high = found.get(log, (bucket, bucket))
        found[log] = min(low, bucket), max(high, bucket)
    return found


def _codes(texts: Sequence[str], names: Sequence[str]) -> Ints:
    places = {name: place for place, name in enumerate(names)}
    return np.fromiter(map(places.__getitem__, texts), dtype=np.int64, count=len(texts))


def _sorted_codes(texts: Sequence[str]) -> Ints:
    return _codes(texts, sorted(set(texts)))


def _select(values: Any, rows: Ints) -> Any:  # noqa: ANN401  # a list or an array, as it was
    return [values[row] for row in rows.tolist()] if isinstance(values, list) else np.asarray(values)[rows]


def _where(some: Columns, chosen: Bools) -> dict[str, Any]:
    rows = np.flatnonzero(chosen)
    return {name: _select(values, rows) for name, values in some.items()}
