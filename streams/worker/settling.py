"""Takes back what was counted through more than one log, every few seconds; read `kernels.settlement` first.

It runs in the worker that judges alarms. Each step says something absolute, in an order in which a process may be
killed at any point, and another may do the same at the same time: what was decided, the mark on each delivery, the rows
that take it back, and only then that these devices are settled. Only what its log claims to be stored is looked at.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from sinks.rows import TABLES
from sinks.sink import Sink, StoreError, StoreReader
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.overlaps import (
    Box,
    Range,
    SequenceRange,
    boxes,
    joined,
    overlap_of,
    pieces,
    union,
    unsettled,
)
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.settlement import (
    CELL,
    DELIVERY,
    Columns,
    Decided,
    buckets_with,
    decide,
    retraction_log,
    retraction_rows,
    unentered_rows,
    verdict_rows,
)
from streams.kernels.counts.site_totals import EntranceTotals, Total

log = structlog.get_logger()

TICK_SECONDS: Final = 4.0
RESTATE_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 60.0
"""After so long it is looked again whether somebody whose entry was retracted has come in by another."""
CHUNK: Final = 100_000
"""Numbers of which all deliveries are in memory at once: some 100 MB."""
ROUND: Final = 1_000_000
"""Numbers that are settled in one round, if there are several devices."""
MOST_REPEATS: Final = 50_000

_UNSETTLED: Final = "(device, epoch) IN (SELECT device, epoch FROM gatepulse.unsettled)"
_DEVICES: Final = (
    f"SELECT device, epoch, log, ranges, version FROM gatepulse_store.devices FINAL WHERE {_UNSETTLED}"  # noqa: S608 - our names
    " ORDER BY device, epoch, log"
)
_SETTLED: Final = f"SELECT device, epoch, log, ranges FROM gatepulse_store.settled_devices FINAL WHERE {_UNSETTLED}"  # noqa: S608 - our names
_RUN: Final = f"""
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
_CLAIMS: Final = (
    "SELECT log, next_offset FROM gatepulse_store.log_progress FINAL WHERE log NOT IN"
    " (SELECT log FROM gatepulse_store.parked_batches FINAL WHERE resolved = 0)"
)
_COMPARED: Final = "SELECT log, next_offset FROM gatepulse_store.settled_repeats FINAL"
_CONTENT: Final = (
    "cityHash64(kind, ts, entrance, direction, outcome, category, reason, credential,"
    " ifNull(toString(temperature), ''), health)"
)
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
_BY_LOG: Final = """
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


_TOTALS: Final = """
SELECT log, kind, entrance, direction, category, toInt64(count())
FROM gatepulse_store.verdicts FINAL
WHERE fate = 'counted' AND outcome = 'passed'
GROUP BY log, kind, entrance, direction, category
ORDER BY log, kind, entrance, direction, category
"""

Announce = Callable[[Sequence[EntranceTotals]], Awaitable[None]]
"""Publishes totals; returns once the broker has them."""


@dataclass(frozen=True)
class Work:
    """What is to be settled: pieces to look at, and what may be said to be settled after that.

    claims: by log, up to which offset everything was stored when the work was found. A batch that is parked later
    takes nothing of that back.
    """

    pieces: list[SequenceRange] = field(default_factory=list)
    done: list[Block] = field(default_factory=list)
    claims: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, more: "Work") -> "Work":
        """Do both."""
        ends = {name: max(self.claims.get(name, 0), more.claims.get(name, 0)) for name in {*self.claims, *more.claims}}
        return Work([*self.pieces, *more.pieces], [*self.done, *more.done], ends)


@dataclass
class _Round:
    """What a round has touched: logs, and the segments in which something is retracted."""

    logs: set[str] = field(default_factory=set)
    buckets: dict[str, tuple[int, int]] = field(default_factory=dict)
    retracted: int = 0

    def note(self, some: Columns, decided: Decided) -> None:
        """Note what was decided about some deliveries."""
        self.logs.update(some["log"])
        self.retracted += len(decided.rows)
        for name, (low, high) in buckets_with(some, decided.retracted).items():
            before = self.buckets.get(name, (low, high))
            self.buckets[name] = min(low, before[0]), max(high, before[1])


@dataclass
class Settling:
    """Settles what `reader`, the owner of the tables, finds; `sink` is of its own, so that no flush waits for it."""

    reader: StoreReader
    sink: Sink
    place: CountingSite
    _rechecked_at: float = -AGAIN_SECONDS
    _restated: float = -RESTATE_SECONDS

    async def run(self, judges: Callable[[], bool], announce: Announce) -> None:
        """Settle for ever while this worker is the one that judges; a store that cannot be asked is asked again.

        `announce` publishes what is retracted of the totals of entrances, again and again, as these are.
        """
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not judges():
                continue
            try:
                n = await self.once()
                if n:
                    log.info("deliveries settled", deliveries=n)
                if n or time.monotonic() - self._restated >= RESTATE_SECONDS:
                    await announce(await self.totals())
                    self._restated = time.monotonic()
            except StoreError as error:
                log.warning("what was counted twice cannot be settled now", reason=str(error))

    async def totals(self) -> list[EntranceTotals]:
        """Return what is retracted of the totals of every log and entrance: numbers below 0."""
        rows = await self._query(_TOTALS)
        totals_by_entrance = []
        for (name, kind, entrance), some in itertools.groupby(rows, key=lambda row: row[:3]):
            parts = [(direction, category, n) for _, _, _, direction, category, n in some]
            totals = [Total(direction, category, -n) for direction, category, n in parts]
            version = sum(n for _, _, n in parts)
            totals_by_entrance.append(
                EntranceTotals(retraction_log(name), version, entrance, kind, totals, missing=0, last_ts=None)
            )
        return totals_by_entrance

    async def once(self) -> int:
        """Settle what there is now, and return how many deliveries were decided about."""
        if time.monotonic() - self._rechecked_at >= AGAIN_SECONDS:
            await self._recheck_retracted()
            self._rechecked_at = time.monotonic()
        work = await self._repeats(await self._claims()) + await self._overlaps()
        return await self._settle(work) if work.pieces or work.done else 0

    # -- what there is to do -------------------------------------------------------------------------------------------

    async def _claims(self) -> dict[str, int]:
        return dict(await self._query(_CLAIMS))

    async def _overlaps(self) -> Work:
        """Find devices of which more came through several logs than is settled, all of which is stored."""
        found = await self._query(_DEVICES)
        if not found:
            return Work()
        before = await self._query(_SETTLED)
        claims = await self._claims()  # after the devices: what these say is claimed by now, or will be
        then: dict[tuple[str, int], dict[str, list[Range]]] = {}
        for device, epoch, name, ranges in before:
            then.setdefault((device, epoch), {})[name] = ranges
        work, numbers = Work(claims=claims), 0
        for (device, epoch), rows in itertools.groupby(found, key=lambda row: (row[0], row[1])):
            logs = {name: (ranges, version) for _, _, name, ranges, version in rows}
            if any(version > claims.get(name, -1) for name, (_, version) in logs.items()):
                continue
            if numbers > ROUND:
                break
            now = {name: ranges for name, (ranges, _) in logs.items()}
            some = await self._pieces(device, epoch, unsettled(now, then.get((device, epoch), {})))
            numbers += sum(piece.size for piece in some)
            work.pieces.extend(some)
            work.done.append(_settled_device(device, epoch, now))
        return work

    async def _pieces(self, device: str, epoch: int, numbers: Sequence[Range]) -> list[SequenceRange]:
        """Cut numbers into pieces of which all deliveries are in memory at once.

        By their numbers, unless most of these never came: a device may number its events by a clock, and a log that has
        closed holes claims their numbers. Then the store is asked where deliveries are.
        """
        few = joined(numbers)
        if sum(high - low + 1 for low, high in few) <= ROUND:
            return list(pieces(device, epoch, few, size=CHUNK))
        some = []
        for first, high in few:
            low = first
            while low <= high:
                [(end, n)] = await self._query(_RUN, {"device": device, "epoch": epoch, "low": low, "high": high})
                if not n:
                    break
                some.append(SequenceRange(device, epoch, low, end))
                low = end + 1
        return some

    async def _repeats(self, claims: Mapping[str, int]) -> Work:
        """Find the numbers that came again through one log since it was looked last."""
        compared = dict(await self._query(_COMPARED))
        spans = {name: (compared.get(name, 0), end) for name, end in claims.items() if end > compared.get(name, 0)}
        found: list[tuple[Any, ...]] = []
        for where, params in _within(spans):
            most = MOST_REPEATS - len(found)
            found += await self._query(
                f"SELECT log, offset, device, epoch, seq FROM gatepulse_store.repeats FINAL WHERE {where}"  # noqa: S608 - our names
                f" ORDER BY log, offset LIMIT {most}",
                params,
            )
            if len(found) == MOST_REPEATS:
                break
        if not found:
            return Work()
        ends = {row[0]: spans[row[0]][1] for row in found}
        if len(found) == MOST_REPEATS:  # there may be more of the last record, and behind it
            ends[found[-1][0]] = found[-1][1]
        numbers: dict[tuple[str, int], list[Range]] = {}
        for name, offset, device, epoch, seq in found:
            if offset < ends[name]:
                numbers.setdefault((device, epoch), []).append((seq, seq))
        some = [p for key, each in numbers.items() for p in pieces(*key, union([each]), size=CHUNK)]
        done = Block("settled_repeats", {"log": list(ends), "next_offset": list(ends.values())})
        return Work(some, [done], claims)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def _settle(self, work: Work) -> int:
        touched = _Round()
        for box in boxes(work.pieces, size=CHUNK):
            where, params = _inside(box)
            some = await asyncio.to_thread(self._deliveries, where, params, work.claims)
            decided = await asyncio.to_thread(decide, some)
            touched.note(some, decided)
            if blocks := verdict_rows(some, decided, self.place):
                await self.sink.write(blocks)
            if len(decided.retracted) or len(decided.rows):
                await self._query(_mark_statement(where), params)
            if decided.other:
                await self._entries(where, params)
        await self._retract(touched)
        await self.sink.write(work.done)
        return touched.retracted

    def _deliveries(self, where: str, params: Mapping[str, Any], claims: Mapping[str, int]) -> Columns:
        """Read the deliveries of some numbers, as far as their logs have claimed them."""
        columns = ", ".join(f"{_EXPRESSIONS.get(name, name)} AS c_{name}" for name in DELIVERY)
        found = self.reader.columns(f"SELECT {columns} FROM gatepulse_store.deliveries FINAL WHERE {where}", params)  # noqa: S608 - our names
        some = {name: found[f"c_{name}"] for name in DELIVERY}
        ends = np.array([claims.get(name, 0) for name in some["log"]], dtype=np.int64)
        claimed = np.flatnonzero(some["offset"].astype(np.int64) < ends)
        return {
            name: [values[row] for row in claimed.tolist()] if isinstance(values, list) else values[claimed]
            for name, values in some.items()
        }

    async def _retract(self, touched: _Round) -> None:
        """Write the rows of every segment in which something is retracted, then each log's sums."""
        spans = {name: (low << BUCKET_BITS, (high + 1) << BUCKET_BITS) for name, (low, high) in touched.buckets.items()}
        for where, params in _within(spans):
            columns = ", ".join(f"{_EXPRESSIONS.get(name, name)} AS c_{name}" for name in CELL)
            sql = (
                f"SELECT {columns}, toInt64(count()) AS c_events, toInt64(sum(v.anonymous)) AS c_anonymous"  # noqa: S608 - our names
                f" FROM gatepulse_store.verdicts AS v FINAL WHERE fate != 'duplicate' AND ({where})"
                f" GROUP BY {', '.join(f'c_{name}' for name in CELL)}"
            )
            found = await asyncio.to_thread(self.reader.columns, sql, params)
            cells = {name.removeprefix("c_"): values for name, values in found.items()}
            await self.sink.write(await asyncio.to_thread(retraction_rows, cells))
        for logs in _batched(sorted(touched.logs)):
            rows = await self._query(_BY_LOG, {"logs": list(logs)})
            if not rows:
                continue  # all that was looked at were repeats
            names = TABLES["verdicts_by_log"].columns
            await self.sink.write(
                [Block("verdicts_by_log", dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))]
            )

    async def _entries(self, where: str, params: Mapping[str, Any]) -> None:
        """Look after those who are among the day's visitors by an entry that was retracted."""
        found = await self._query(
            f"SELECT DISTINCT cityHash64(credential) FROM gatepulse_store.deliveries FINAL WHERE ({where})"  # noqa: S608 - our names
            f" AND settled = 'conflict' AND {_ENTRIES}",
            params,
        )
        await self._count_entries([who for (who,) in found])

    async def _recheck_retracted(self) -> None:
        """Look whether those whose entries were all retracted have come in since."""
        found = await self._query("SELECT DISTINCT who FROM gatepulse_store.unentered FINAL WHERE entries = 0")
        await self._count_entries([who for (who,) in found])

    async def _count_entries(self, who: Sequence[int]) -> None:
        outer_entrances = [name for name, side in self.place.sides.items() if side.boundary]
        for some in _batched(who):
            found = await asyncio.to_thread(
                self.reader.columns,
                "SELECT kind, cityHash64(credential) AS who, toUnixTimestamp64Milli(ts) AS ts, settled"  # noqa: S608 - our names
                f" FROM gatepulse_store.deliveries FINAL WHERE {_ENTRIES} AND cityHash64(credential) IN %(who)s"
                " AND (outer = 'outside' OR (outer = '' AND has(%(gates)s, toString(entrance))))",
                {"who": list(some), "gates": outer_entrances},
            )
            if blocks := unentered_rows(found, self.place):
                await self.sink.write(blocks)

    async def _query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self.reader.query, sql, params)


T = TypeVar("T")
_MOST_NAMED: Final = 500
"""Logs or persons in one question: ClickHouse parses 256 KiB of it, and a log needs up to 300 bytes."""


def _batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _MOST_NAMED):
        yield items[start : start + _MOST_NAMED]


def _settled_device(device: str, epoch: int, now: Mapping[str, Sequence[Range]]) -> Block:
    n = len(now)
    return Block(
        "settled_devices",
        {
            "device": [device] * n,
            "epoch": [epoch] * n,
            "log": list(now),
            "ranges": list(now.values()),
            "overlap": [overlap_of(now.values())] * n,
        },
    )


def _mark_statement(where: str) -> str:
    """Return the statement that marks deliveries as what was decided about them."""
    same = [name for name in TABLES["deliveries"].columns if name not in ("settled", "seen")]
    return f"""
INSERT INTO gatepulse_store.deliveries ({", ".join(same)}, settled, seen)
SELECT {", ".join(f"d.{name}" for name in same)}, v.verdict, v.seen
FROM (SELECT * FROM gatepulse_store.deliveries FINAL WHERE {where}) AS d
INNER JOIN (SELECT log, offset, line, verdict, seen FROM gatepulse_store.verdicts FINAL WHERE {where}) AS v
    ON v.log = d.log AND v.offset = d.offset AND v.line = d.line
WHERE v.seen > d.seen"""  # noqa: S608 - our names


def _inside(box: Box) -> tuple[str, dict[str, Any]]:
    """Return the condition for what is in a box, and its parameters."""
    devices, epochs = ({each[n] for each in box.devices} for n in (0, 1))
    params = {"devices": sorted(devices), "epochs": sorted(epochs), "low": box.low, "high": box.high}
    return "(device IN %(devices)s AND epoch IN %(epochs)s AND seq BETWEEN %(low)s AND %(high)s)", params


def _within(spans: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield conditions for offsets [first, end) of logs, with their parameters; each names as many as a query can."""
    for some in _batched(list(spans.items())):
        params: dict[str, Any] = {}
        for n, (name, (first, end)) in enumerate(some):
            params |= {f"log{n}": name, f"first{n}": first, f"end{n}": end}
        terms = [f"(log = %(log{n})s AND offset >= %(first{n})s AND offset < %(end{n})s)" for n in range(len(some))]
        yield f"({' OR '.join(terms)})", params
