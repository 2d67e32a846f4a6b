"""Caches queries of the store for metrics and alarms, refreshed on threads of their own."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import structlog

from sinks.rows import TABLES
from sinks.sink import StoreError, StoreReader

log = structlog.get_logger()
T = TypeVar("T")
Rows = list[tuple[Any, ...]]
_REFRESH_SECONDS = 4.0
_FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class Occupancy:
    """What the store says is inside: by (area, kind); empty while the store does not answer."""

    inside: Mapping[tuple[str, str], int]
    capacity: Mapping[tuple[str, str], int]
    problems: Sequence[tuple[str, str, int]] = ()
    """What stands in the way of sources: which topic or partition, what, since when (ms, real time)."""


@dataclass(frozen=True)
class Settled:
    """What was settled of a partition's events."""

    conflicts_in_repeat: int = 0  # of what its log called duplicates, those of other content
    back: int = 0  # counted or called late, and retracted: it had arrived through another log before
    conflicts: int = 0  # of these, those of other content


@dataclass(frozen=True)
class EntranceDefects:
    """What the store says of entrances: events missing over all logs, and conflicts of the last hour; 0 is left out."""

    missing: Mapping[str, int]
    conflicts: Mapping[str, int]


class CachedQuery(Generic[T]):
    """Caches a query, refreshed by a thread that starts on first use; a scrape, alarms in it, never waits."""

    def __init__(self, reader: StoreReader, sql: str, parse: Callable[[Rows], T], default: T) -> None:
        self.reader, self.sql, self.parse, self.default = reader, sql, parse, default
        self._newest: tuple[float, T] = (-math.inf, default)
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def __call__(self) -> T:
        """Return the newest answer; `default` while there is none that is fresh."""
        with self._turn:
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, name="metrics of the store", daemon=True)
                self._thread.start()
        read_at, newest = self._newest
        return newest if time.monotonic() - read_at <= _FRESH_SECONDS else self.default

    def _poll(self) -> None:
        pause = threading.Event()  # time.sleep fails under libfaketime, with which clocks are tested
        while True:
            try:
                queried_at = time.monotonic()
                self._newest = queried_at, self.parse(self.reader.query(self.sql))
            except StoreError as error:
                log.warning("the store does not answer the queries for metrics", reason=str(error))
                self._newest = -math.inf, self.default
            pause.wait(_REFRESH_SECONDS)


_PROBLEMS = "SELECT topic, partition, problem, toUnixTimestamp64Milli(since) FROM gatepulse.source_problems"
_OCCUPANCY = "SELECT area, kind, inside, capacity FROM gatepulse.occupancy"
_MISSING = "SELECT entrance, toInt64(sum(missing)) FROM gatepulse.completeness GROUP BY entrance"
_CONFLICTS = (
    "SELECT entrance, toInt64(count()) FROM gatepulse.conflicts"
    " WHERE at >= now64(3) - INTERVAL 1 HOUR GROUP BY entrance"
)
_SETTLED = "SELECT log, toInt64(conflicts_in_repeat), toInt64(back), toInt64(conflicts) FROM gatepulse.settled"
_UNSETTLED = "SELECT toInt64(sum(events)) FROM gatepulse.unsettled"
_PARKED = "SELECT table, uniqExact(id) FROM gatepulse.parked GROUP BY table"


def _occupancy(rows: Rows) -> Occupancy:
    inside = {(area, kind): inside for area, kind, inside, _ in rows}
    return Occupancy(inside, {(area, kind): limit for area, kind, _, limit in rows if limit is not None})


class StoredFigures:
    """What a worker reads from the store, each cached query over a connection of its own."""

    def __init__(self, connect: Callable[[], StoreReader]) -> None:
        self._reader = connect()
        self.occupancy = CachedQuery(connect(), _OCCUPANCY, _occupancy, Occupancy({}, {}))
        self.missing = CachedQuery[Mapping[str, int] | None](connect(), _MISSING, dict, None)
        """By entrance, over all logs; None: not known."""
        self._conflicts = CachedQuery[Mapping[str, int] | None](connect(), _CONFLICTS, dict, None)
        self.settled = CachedQuery[Mapping[str, Settled]](
            connect(), _SETTLED, lambda rows: {name: Settled(*figures) for name, *figures in rows}, {}
        )
        self.unsettled = CachedQuery[int | None](connect(), _UNSETTLED, lambda rows: int(rows[0][0]), None)
        """How many events may be counted twice still; None: not known."""
        self.parked = CachedQuery[dict[str, int]](
            connect(), _PARKED, lambda rows: dict.fromkeys(TABLES, 0) | dict(rows), {}
        )
        """Batches by table, 0 where none is parked."""

    def inside(self) -> Occupancy:
        """Query now what is inside each area, and what stands in the way of knowing it. Raises StoreError."""
        problems = [
            (topic if partition < 0 else f"{topic}/{partition}", problem, since)
            for topic, partition, problem, since in self._reader.query(_PROBLEMS)
        ]
        return replace(_occupancy(self._reader.query(_OCCUPANCY)), problems=problems)

    def defects(self) -> EntranceDefects | None:
        """Return what is missing from entrances, and in conflict there in the last hour; None: not known."""
        missing, conflicts = self.missing(), self._conflicts()
        if missing is None or conflicts is None:
            return None
        return EntranceDefects({entrance: n for entrance, n in missing.items() if n}, conflicts)
