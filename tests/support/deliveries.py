"""Made-up deliveries of events through several logs as workers store them, and the expected result."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite
from streams.worker.settling import Settling
from tests.support.counted_rows import GATES
from tests.support.events import HORIZON, PLACE, Event, batch

SHANGHAI = ZoneInfo("Asia/Shanghai")
SITE = replace(PLACE, sides=GATES, days=SiteDays(SHANGHAI))


@dataclass(frozen=True)
class Delivery:
    """An event that arrives through a partition; `twice` lines of it are in one record."""

    event: Event
    partition: int
    arrived: int


def name_of(partition: int) -> PartitionId:
    return PartitionId("demo", "turnstile.passages", partition)


def logs_of(deliveries: Iterable[Delivery], *, place: CountingSite = SITE) -> dict[int, PassageLog]:
    """Count deliveries, in the order of their arrival, each in the log of its partition."""
    by_partition: dict[int, list[Event]] = {}
    for each in sorted(deliveries, key=lambda one: one.arrived):
        events = by_partition.setdefault(each.partition, [])
        events.append(replace(each.event, offset=len(events), arrived=each.arrived))
    logs = {}
    for partition, events in by_partition.items():
        log = logs[partition] = PassageLog(name_of(partition), "person", place, next_offset=0)
        log.apply(batch(events, first=0, after=len(events)))
    return logs


def claim(log: PassageLog, *, complete_to: int = 1) -> Block:
    """Say that all of a log is stored."""
    tally = log.tally
    row: dict[str, Any] = {
        "log": str(log.name), "cluster": log.name.cluster, "topic": log.name.topic, "partition": log.name.partition,
        "next_offset": log.next_offset, "received": tally.received, "counted": tally.counted,
        "duplicate": tally.duplicate, "late": tally.late, "rejected": sum(tally.rejected.values()),
        "complete_to": complete_to, "worker": "w1", "first_offset": tally.first, "records": tally.records,
        "lost": 0, "tail": 0,
    }  # fmt: skip
    return Block("log_progress", {name: [value] for name, value in row.items()})


def stored(logs: Mapping[int, PassageLog]) -> list[Block]:
    """Return all that workers write of logs."""
    return [block for log in logs.values() for block in (*log.drain(), claim(log))]


def settle(address: StoreAddress, *, place: CountingSite = SITE, times: int = 1) -> int:
    """Settle what there is, so many times; return how many deliveries were decided about."""

    async def run() -> int:
        sink, reader = ClickHouseSink(address), ClickHouseReader(address)
        try:
            settling = Settling(reader, sink, place)
            return sum([await settling.once() for _ in range(times)])
        finally:
            await sink.close()
            reader.close()

    return asyncio.run(run())


def counts_once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return the delivery of each identity that counts: the one that arrived first."""
    first: dict[tuple[str, int, int], Delivery] = {}
    for each in sorted(deliveries, key=lambda one: (one.arrived, one.partition)):
        first.setdefault((each.event.device, each.event.epoch, each.event.seq), each)
    return list(first.values())


View = dict[tuple[Any, ...], int]


def truth(deliveries: Iterable[Delivery], *, place: CountingSite = SITE) -> dict[str, View]:
    """Count each identity once, event by event."""
    views: dict[str, Counter[tuple[Any, ...]]] = {name: Counter() for name in VIEWS}
    inside: Counter[tuple[str, str]] = Counter()
    days = SiteDays(place.days.zone)
    who: set[tuple[int, str]] = set()
    for each in counts_once(deliveries):
        event = each.event
        day = int(days.of(np.array([event.ts]))[0])
        cell = (event.entrance, event.direction, event.category)
        if event.ts < each.arrived - HORIZON:
            views["late_passages"][day, *cell, event.outcome] += 1
            continue
        views["passages"][event.device, event.epoch, event.seq, event.ts, event.entrance] += 1
        views["entrance_outcomes_1m"][event.ts // 60_000 * 60, *cell, event.outcome] += 1
        if event.outcome == "denied":
            views["entrance_refusals_1m"][event.ts // 60_000 * 60, event.entrance, event.category, event.reason] += 1
        if event.outcome != "passed":
            continue
        views["entrance_counts_10s"][event.ts // 10_000 * 10, *cell] += 1
        views["entrance_totals"][day, *cell] += 1
        gate = place.sides[event.entrance]
        into, out = (gate.inner, gate.outer) if event.direction == "in" else (gate.outer, gate.inner)
        inside[into, "person"] += 1
        inside[out, "person"] -= 1
        if gate.outer == "outside":
            views["site_today"][day, "entries" if event.direction == "in" else "exits"] += 1
            if event.direction == "in" and not event.credential:
                views["site_today"][day, "unidentified"] += 1
            if event.direction == "in" and event.credential and (day, event.credential) not in who:
                who.add((day, event.credential))
                views["site_today"][day, "distinct"] += 1
    views["occupancy"] = Counter({area: n for area, n in inside.items() if n and area[0] != "outside"})
    return {name: dict(view) for name, view in views.items()}


_CELL = "entrance, direction, category"
_START = "toUnixTimestamp(window_start)"
VIEWS = {
    "passages": "SELECT device, epoch, seq, toUnixTimestamp64Milli(ts), entrance, count() FROM gatepulse.passages "
    "GROUP BY ALL",
    "entrance_counts_10s": f"SELECT {_START}, {_CELL}, passages FROM gatepulse.entrance_counts_10s",
    "entrance_outcomes_1m": f"SELECT {_START}, {_CELL}, outcome, events FROM gatepulse.entrance_outcomes_1m",
    "entrance_refusals_1m": f"SELECT {_START}, entrance, category, reason, refusals "
    "FROM gatepulse.entrance_refusals_1m",
    "entrance_totals": f"SELECT toInt32(day), {_CELL}, passages FROM gatepulse.entrance_totals",
    "late_passages": f"SELECT toInt32(day), {_CELL}, outcome, events FROM gatepulse.late_passages",
    "site_today": "SELECT toInt32(day), one.1, one.2 FROM gatepulse.site_today ARRAY JOIN [('entries', entries), "
    "('exits', exits), ('distinct', distinct_entered), ('unidentified', unidentified)] AS one WHERE one.2 != 0",
    "occupancy": "SELECT area, kind, inside FROM gatepulse.occupancy WHERE inside != 0",
}
"""How each view is read as keys and one number."""


def shown(reader: ClickHouseReader) -> dict[str, View]:
    """Return what readers are shown."""
    return {name: {row[:-1]: row[-1] for row in reader.query(sql)} for name, sql in VIEWS.items()}
