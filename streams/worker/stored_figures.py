"""Caches queries of the store for metrics and alarms, refreshed on threads of their own: nobody waits for the store."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import structlog

from sinks.rows import TABLES
from sinks.sink import StoreError, StoreReader
from streams.worker.alarm_inputs import EntranceDefects
from streams.worker.metrics import Occupancy, Settled

log = structlog.get_logger()
T = TypeVar("T")
Rows = list[tuple[Any, ...]]


_REFRESH_SECONDS = 4.0
_FRESH_SECONDS = 10.0


class CachedQuery(Generic[T]):
    """Caches a query, refreshed every four seconds by a thread that starts on first use.

    A scrape never waits for the store: alarms are among the metrics.
    """

    def __init__(self, reader: StoreReader, sql: str, parse: Callable[[Rows], T], default: T) -> None:
        self.reader, self.sql, self.parse, self.default = reader, sql, parse, default
        self._newest: tuple[float, T] = (-math.inf, default)
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def __call__(self) -> T:
        """Return the newest answer; `nothing` while there is none that is fresh."""
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


def _occupancy_of(rows: Rows) -> Occupancy:
    inside = {(area, kind): inside for area, kind, inside, _ in rows}
    return Occupancy(inside, {(area, kind): limit for area, kind, _, limit in rows if limit is not None})


def read_occupancy(reader: StoreReader) -> Occupancy:
    """Ask what is inside each area, and what stands in the way of knowing it. Raises StoreError."""
    problems = [
        (topic if partition < 0 else f"{topic}/{partition}", problem, since)
        for topic, partition, problem, since in reader.query(_PROBLEMS)
    ]
    return replace(_occupancy_of(reader.query(_OCCUPANCY)), problems=problems)


_MISSING = "SELECT entrance, toInt64(sum(missing)) FROM gatepulse.completeness GROUP BY entrance"
_CONFLICTS = (
    "SELECT entrance, toInt64(count()) FROM gatepulse.conflicts"
    " WHERE at >= now64(3) - INTERVAL 1 HOUR GROUP BY entrance"
)


def stored_facts(
    reader: StoreReader, missing: Callable[[], Mapping[str, int] | None]
) -> Callable[[], EntranceDefects | None]:
    """Return what knows what is missing from entrances and in conflict there in the last hour; None: not known."""
    conflicts: CachedQuery[Mapping[str, int] | None] = CachedQuery(reader, _CONFLICTS, dict, None)

    def facts() -> EntranceDefects | None:
        found, differ = missing(), conflicts()
        if found is None or differ is None:
            return None
        return EntranceDefects({entrance: n for entrance, n in found.items() if n}, differ)

    return facts


def stored_missing(reader: StoreReader) -> CachedQuery[Mapping[str, int] | None]:
    """Ask what is missing from each entrance, over all logs; None: not known."""
    return CachedQuery(reader, _MISSING, dict, None)


def stored_settled(reader: StoreReader) -> CachedQuery[Mapping[str, Settled]]:
    """Ask for the metrics what was settled, by log."""
    return CachedQuery(
        reader,
        "SELECT log, toInt64(conflicts_in_repeat), toInt64(back), toInt64(conflicts) FROM gatepulse.settled",
        lambda rows: {name: Settled(*figures) for name, *figures in rows},
        {},
    )


def stored_unsettled(reader: StoreReader) -> CachedQuery[int | None]:
    """Ask for the metrics how many events may be counted twice still; None: not known."""
    return CachedQuery(
        reader, "SELECT toInt64(sum(events)) FROM gatepulse.unsettled", lambda rows: int(rows[0][0]), None
    )


def stored_occupancy(reader: StoreReader) -> CachedQuery[Occupancy]:
    """Ask the same for the metrics."""
    return CachedQuery(reader, _OCCUPANCY, _occupancy_of, Occupancy({}, {}))


def stored_parking(reader: StoreReader) -> CachedQuery[dict[str, int]]:
    """Ask how many batches are parked by table, 0 where none is."""
    return CachedQuery(
        reader,
        "SELECT table, uniqExact(id) FROM gatepulse.parked GROUP BY table",
        lambda rows: dict.fromkeys(TABLES, 0) | dict(rows),
        {},
    )
