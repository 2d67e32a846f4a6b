"""A store filled flush by flush as workers do, with the live wall and the replay side by side.

The site's clock shows twenty past midnight when a test begins, so that yesterday is always near.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import msgspec

from dashboards.wall.live.queries import Rounds
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.snapshot import snapshot_of
from dashboards.wall.model.trend import Trend, trend_of
from dashboards.wall.replay.history import CHUNK_MS, History
from dashboards.wall.replay.request import Known
from sinks import schema
from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress, connect
from sinks.rows import TABLES
from streams.clock import real_now
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite, EntranceSides, TimeRules
from streams.kernels.counts.rows import rejection_rows
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.takeup import Problem
from streams.site.model import Opening, Site
from streams.sources.tables import Loss, SiteTime, SourceTables
from tests.support.events import HORIZON, SUSPECT, Event, batch
from tests.support.stores import empty
from tests.support.wall_site import SITE as SMALL
from tests.support.wall_site import at

SITE = replace(SMALL, opening=Opening(((0, 24 * 60),) * 7))
"""The small site, open day and night: its trends go on at any hour."""
TWENTY_PAST = at("00:20:00")
"""What the site's clock shows when a test begins."""
LOGS = {
    "a": PartitionId("live", "turnstile.passages", 0),
    "b": PartitionId("live", "turnstile.passages", 1),
    "cars": PartitionId("live", "vehicle.passages", 0),
}
KINDS = {"a": "person", "b": "person", "cars": "vehicle"}


@dataclass(frozen=True)
class Delivery:
    """Events that a broker hands out in one log; their times are site time."""

    log: str
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Corrected:
    """One audited correction of an area, as of `ts` (site time)."""

    id: str
    ts: int
    delta: int | None = None
    absolute: int | None = None
    area: str = "venue"


@dataclass
class Stage:
    """One store, empty when a test begins."""

    owner: StoreAddress
    reader: StoreAddress
    clock: SiteClock = field(init=False)
    site: Site = field(init=False)
    logs: dict[str, PassageLog] = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the schema."""
        self.client = connect(self.owner)
        schema.apply(self.client)
        self.asked = ClickHouseReader(self.reader)
        self.clear()

    def clear(self, site: Site = SITE, *, begin: int = TWENTY_PAST) -> None:
        """Forget everything, and begin at twenty past midnight, or at another time of a site."""
        self.site = site
        empty(self.client)
        self.clock = SiteClock(begin, real_now(), 1.0)
        gates = {gate.id: EntranceSides(gate.outer, gate.inner) for gate in self.site.entrances}
        place = CountingSite(gates, self.site.days, TimeRules(self.clock, SUSPECT, HORIZON))
        self.logs = {name: PassageLog(log, KINDS[name], place, next_offset=0) for name, log in LOGS.items()}
        areas = [(area.id, kind, area.capacity.get(kind)) for area in self.site.areas for kind in area.kinds]
        columns = dict(zip(("area", "kind", "capacity"), zip(*areas, strict=True), strict=True))
        self.write([Block("site_areas", columns | {"loaded_at": (real_now(),) * len(areas)})])

    def close(self) -> None:
        """Let go of the store."""
        self.asked.close()
        self.client.disconnect()

    def write(self, blocks: Sequence[Block]) -> None:
        """Store rows, from a thread of their own: where there is a browser, this one has an event loop."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(self._write(blocks))).result()

    async def _write(self, blocks: Sequence[Block]) -> None:
        sink = ClickHouseSink(self.owner)
        await sink.write(blocks)
        await sink.close()

    def flush(self, deliveries: Iterable[Delivery] = (), corrections: Sequence[Corrected] = ()) -> int:
        """Count deliveries and store what changed, as a worker does in one flush; return when (real ms) that was."""
        time.sleep(0.002)  # a flush of its own millisecond
        rejected = []
        for each in deliveries:
            log = self.logs[each.log]
            first = log.next_offset
            arrived = real_now()
            numbered = [
                _placed(event, offset=first + place, arrived=arrived) for place, event in enumerate(each.events)
            ]
            log.apply(batch(numbered, first=first, after=first + len(numbered)))
            rejections = log.drain_rejections()
            rejected += [rejection_rows(log.name, rejections)] if rejections else []
        complete_to = real_now()
        blocks = [block for log in self.logs.values() for block in (*log.drain(), _progress(log, complete_to))]
        self.write([*blocks, *rejected, *([_corrections(corrections)] if corrections else [])])
        stored = real_now()
        time.sleep(0.002)
        return stored

    def lose(self, *, records: int, until: int, accepted_at: int) -> None:
        """Accept that records of a log were lost, the last of which arrived at `until`; all times are real (ms)."""
        log = LOGS["a"]
        loss = Loss(
            log.topic, log.partition, str(log), Problem.RECORDS_DELETED, 0, records, records, until, until, accepted_at,
            "a", "b",
        )  # fmt: skip
        with SourceTables(self.owner, "live", "test", SiteTime(self.site.days, self.clock)) as notes:
            notes.write_losses([loss])

    def live(self, real_ms: int) -> WallSnapshot:
        """Read the live wall, as it is at this moment."""
        return snapshot_of(self._rounds().read(real_ms), self.site, WallOptions(clock=self.clock))

    def live_trends(self, real_ms: int) -> list[Trend]:
        """Read the live wall's trends."""
        rounds = self._rounds()
        return [_of_the_day(trend_of(each, self.site)) for each in rounds.read_trend(rounds.read(real_ms).span)]

    def history(self, real_ms: int, known: Known, *, end: int | None = None, chunk_ms: int = CHUNK_MS) -> History:
        """Begin a replay at a real time."""
        begin = self.clock.now(real_ms)
        last = begin if end is None else self.clock.now(end)
        return History(self.asked, self.site, self.clock, begin=begin, end=last, known=known, chunk_ms=chunk_ms)

    def replayed(self, real_ms: int, known: Known) -> WallSnapshot:
        """Seek to a real time and draw what a replay shows."""
        return self.drawn(self.history(real_ms, known), real_ms)

    def drawn(self, history: History, real_ms: int) -> WallSnapshot:
        """Draw what a replay shows at a real time."""
        return snapshot_of(history.rows(self.clock.now(real_ms)), self.site, WallOptions(clock=self.clock))

    def trends(self, history: History, real_ms: int) -> list[Trend]:
        """Draw a replay's trends at a real time."""
        return [_of_the_day(trend_of(each, self.site)) for each in history.trend(self.clock.now(real_ms))]

    def _rounds(self) -> Rounds:
        return Rounds(self.asked, self.site, self.clock)


def _of_the_day(trend: Trend) -> Trend:
    """Leave out the day before: a replay has it as it is known today."""
    return msgspec.structs.replace(trend, behind=None)


def _placed(event: Event, *, offset: int, arrived: int) -> Event:
    return Event(**{**event.__dict__, "offset": offset, "arrived": arrived})


def _progress(log: PassageLog, complete_to: int) -> Block:
    name, tally = log.name, log.tally
    row = {
        "log": str(name), "cluster": name.cluster, "topic": name.topic, "partition": name.partition,
        "next_offset": log.next_offset, "received": tally.received, "counted": tally.counted,
        "duplicate": tally.duplicate, "late": tally.late, "rejected": sum(tally.rejected.values()),
        "complete_to": complete_to, "worker": "w", "first_offset": tally.first, "records": tally.records,
        "lost": 0, "tail": 0,
    }  # fmt: skip
    return Block("log_progress", {column: [value] for column, value in row.items()})


def _corrections(corrections: Sequence[Corrected]) -> Block:
    usual = {
        "kind": "person",
        "actor": "duty",
        "reason": "counted",
        "log": "live/corrections/0",
        "offset": 0,
        "line": 0,
    }
    rows = [usual | each.__dict__ for each in corrections]
    return Block("corrections", {name: [row[name] for row in rows] for name in TABLES["corrections"].columns})
