"""Retracts events that were counted through several logs, every few seconds; read `kernels.counts.settlement` first.

It runs in the worker that judges alarms. Each step writes absolute values, in an order in which a process may be killed
at any point, and another may do the same at the same time: the verdicts, the mark on each delivery, the rows that
retract it, and only then that these devices are settled. `settling_sql` has the queries.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import structlog

from sinks.answer import Texts
from sinks.rows import TABLES
from sinks.sink import Sink, StoreError, StoreReader
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.overlaps import (
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
from streams.worker import settling_sql as sql

log = structlog.get_logger()

TICK_SECONDS: Final = 4.0
RESTATE_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 60.0
"""After so long it is checked again whether somebody whose entry was retracted has come in by another."""
ROUND: Final = 1_000_000
"""Numbers that are settled in one round, if there are several devices."""
MOST_REPEATS: Final = 50_000

Announce = Callable[[Sequence[EntranceTotals]], Awaitable[None]]
"""Publishes totals; returns once the broker has them."""


@dataclass(frozen=True)
class Work:
    """What is to be settled: ranges of numbers to read, and the rows that mark them as settled after that."""

    pieces: list[SequenceRange] = field(default_factory=list)
    done: list[Block] = field(default_factory=list)
    # By log, up to which offset everything was stored when the work was found. A batch that is parked later changes
    # nothing of that.
    claims: Counter[str] = field(default_factory=Counter)

    def __add__(self, more: "Work") -> "Work":
        """Do both."""
        return Work(self.pieces + more.pieces, self.done + more.done, self.claims | more.claims)


@dataclass
class _Round:
    """What a round has changed: logs, and the offset buckets in which something is retracted."""

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
        """Settle for ever while this worker judges; retracted totals are announced again and again, as totals are."""
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
                log.warning("events that were counted twice cannot be settled now", reason=str(error))

    async def totals(self) -> list[EntranceTotals]:
        """Return what is retracted of the totals of every log and entrance: numbers below 0."""
        found = []
        for (name, kind, entrance), rows in itertools.groupby(await self._query(sql.TOTALS), key=lambda row: row[:3]):
            totals = [Total(direction, category, -n) for *_, direction, category, n in rows]
            version = -sum(each.passages for each in totals)
            found.append(EntranceTotals(retraction_log(name), version, entrance, kind, totals, missing=0, last_ts=None))
        return found

    async def once(self) -> int:
        """Settle what there is now, and return how many deliveries were decided about."""
        if time.monotonic() - self._rechecked_at >= AGAIN_SECONDS:
            await self._count_entries(await self._query(sql.UNENTERED))
            self._rechecked_at = time.monotonic()
        work = await self._repeats(await self._claims()) + await self._overlaps()
        return await self._settle(work) if work.pieces or work.done else 0

    # -- what there is to do -------------------------------------------------------------------------------------------

    async def _claims(self) -> Counter[str]:
        return Counter(dict(await self._query(sql.CLAIMS)))

    async def _overlaps(self) -> Work:
        """Find devices of which more came through several logs than is settled, all of which is stored."""
        found = await self._query(sql.DEVICES)
        if not found:
            return Work()
        before = await self._query(sql.SETTLED)
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
            work.done.append(
                Block(
                    "settled_devices",
                    {
                        "device": [device] * len(now),
                        "epoch": [epoch] * len(now),
                        "log": list(now),
                        "ranges": list(now.values()),
                        "overlap": [overlap_of(now.values())] * len(now),
                    },
                )
            )
        return work

    async def _pieces(self, device: str, epoch: int, numbers: Sequence[Range]) -> list[SequenceRange]:
        """Cut numbers into pieces of which all deliveries are in memory at once.

        By their numbers, unless most of these never came: a device may number its events by a clock, and a log that has
        closed holes claims their numbers. Then the store is queried for where deliveries are.
        """
        few = joined(numbers)
        if sum(high - low + 1 for low, high in few) <= ROUND:
            return list(pieces(device, epoch, few, size=sql.CHUNK))
        some = []
        for first, high in few:
            low = first
            while low <= high:
                [(end, n)] = await self._query(sql.RUN, {"device": device, "epoch": epoch, "low": low, "high": high})
                if not n:
                    break
                some.append(SequenceRange(device, epoch, low, end))
                low = end + 1
        return some

    async def _repeats(self, claims: Counter[str]) -> Work:
        """Find the numbers that came again through one log since the last round."""
        compared = dict(await self._query(sql.COMPARED))
        spans = {name: (compared.get(name, 0), end) for name, end in claims.items() if end > compared.get(name, 0)}
        found: list[tuple[Any, ...]] = []
        for where, params in sql.within(spans):
            most = MOST_REPEATS - len(found)
            found += await self._query(sql.repeats(where, most), params)
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
        some = [p for key, each in numbers.items() for p in pieces(*key, union([each]), size=sql.CHUNK)]
        done = Block("settled_repeats", {"log": list(ends), "next_offset": list(ends.values())})
        return Work(some, [done], claims)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def _settle(self, work: Work) -> int:
        touched = _Round()
        for box in boxes(work.pieces, size=sql.CHUNK):
            where, params = sql.inside(box)
            some = await asyncio.to_thread(self._deliveries, where, params, work.claims)
            decided = await asyncio.to_thread(decide, some)
            touched.note(some, decided)
            if blocks := verdict_rows(some, decided, self.place):
                await self.sink.write(blocks)
            if len(decided.retracted) or len(decided.rows):
                await self._query(sql.mark_statement(where), params)
            if decided.other:
                await self._count_entries(await self._query(sql.retracted_visitors(where), params))
        await self._retract(touched)
        await self.sink.write(work.done)
        return touched.retracted

    def _deliveries(self, where: str, params: Mapping[str, Any], claims: Mapping[str, int]) -> Columns:
        """Read the deliveries of some numbers, as far as their logs have claimed them."""
        found = self._columns(sql.deliveries(where), params)
        some = {name: found[name] for name in DELIVERY}
        ends = np.array([claims.get(name, 0) for name in some["log"]], dtype=np.int64)
        claimed = np.flatnonzero(some["offset"].astype(np.int64) < ends)
        return {
            name: [values[row] for row in claimed.tolist()] if isinstance(values, list) else values[claimed]
            for name, values in some.items()
        }

    async def _retract(self, touched: _Round) -> None:
        """Write the rows of every offset bucket in which something is retracted, then each log's sums."""
        spans = {name: (low << BUCKET_BITS, (high + 1) << BUCKET_BITS) for name, (low, high) in touched.buckets.items()}
        for where, params in sql.within(spans):
            cells = await asyncio.to_thread(self._columns, sql.retracted_cells(where), params)
            await self.sink.write(await asyncio.to_thread(retraction_rows, cells))
        for logs in sql.batched(sorted(touched.logs)):
            rows = await self._query(sql.BY_LOG, {"logs": list(logs)})
            if not rows:  # all that was read were repeats
                continue
            columns = dict(zip(TABLES["verdicts_by_log"].columns, map(list, zip(*rows, strict=True)), strict=True))
            await self.sink.write([Block("verdicts_by_log", columns)])

    async def _count_entries(self, visitors: Sequence[tuple[int]]) -> None:
        """Count again whether visitors have come in of whom an entry, or all, was retracted."""
        who = [each for (each,) in visitors]
        outer_entrances = [name for name, side in self.place.sides.items() if side.boundary]
        for some in sql.batched(who):
            params = {"who": list(some), "outer_entrances": outer_entrances}
            found = await asyncio.to_thread(self.reader.columns, sql.ENTRIES_OF, params)
            if blocks := unentered_rows(found, self.place):
                await self.sink.write(blocks)

    def _columns(self, query: str, params: Mapping[str, Any]) -> Columns:
        """Return the columns `c_<name>` of an answer by name, texts as lists."""
        found = self.reader.columns(query, params)
        return {
            name.removeprefix("c_"): values.tolist() if isinstance(values, Texts) else values
            for name, values in found.items()
        }

    async def _query(self, query: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self.reader.query, query, params)
