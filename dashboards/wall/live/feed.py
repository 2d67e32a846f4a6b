"""Runs the rounds of queries, one at a time for all displays, and publishes the newest snapshot to each of them.

There are no queues: a display that reads slowly misses snapshots and costs no memory. Read next: `http/server.py`.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sse_starlette import ServerSentEvent

from dashboards.wall.live.queries import Source
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import Span
from dashboards.wall.model.snapshot import aged, blank_snapshot, snapshot_of
from dashboards.wall.model.trend import Trend, trend_of
from sinks.sink import StoreError
from streams.clock import real_now
from streams.logging import loggable_text
from streams.site.model import Site

log = structlog.get_logger(__name__)

ROUND_SHARE = 2.5
"""A round that took t seconds is run again after 2.5 t at the earliest: rounds use at most two fifths of the time."""

TREND_SHARE = 10
"""Trends that took t seconds are read again 10 t later at the earliest: they use at most a tenth of the time."""

SLOW_ROUND_S = 0.5
"""A round longer than this is logged."""


class Beat(msgspec.Struct, frozen=True):
    """The event of each round. `boot` names this server process; `sent_ms` is a clock that never jumps."""

    boot: str
    number: int
    sent_ms: int
    snapshot: WallSnapshot


@dataclass(frozen=True, slots=True)
class Published:
    """One beat and the newest trend, encoded once for all displays."""

    beat: Beat
    beat_event: bytes
    trend: Sequence[Trend] | None = None
    trend_event: bytes | None = None


def event(name: str, value: object) -> bytes:
    """Encode one server-sent event whose data is `value` as JSON."""
    return ServerSentEvent(msgspec.json.encode(value).decode(), event=name, sep="\n").encode()


def log_lost(log_event: str, error: Exception) -> None:
    """Log that something could not be read, with a traceback if the error is a bug and not one of the store."""
    log.error(log_event, error=loggable_text(error), exc_info=None if isinstance(error, StoreError) else error)


class Feed:
    """Reads `source` and publishes what it returned; `now` is the real time in milliseconds."""

    def __init__(self, source: Source, site: Site, options: WallOptions, *, now: Callable[[], int] = real_now) -> None:
        self._source = source
        self._site = site
        self._options = options
        self._now = now
        self._boot = secrets.token_hex(4)
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._span: Span | None = None
        self._first_read = asyncio.Event()
        self._published_at = 0.0
        self.round_ms: float | None = None
        first = self._new_beat(0, blank_snapshot(now(), site, options))
        self.newest = Published(first, event("beat", first))

    async def run(self) -> None:
        """Read and publish until cancelled or closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rounds())
                tasks.create_task(self._beats())
                tasks.create_task(self._trends())
        except* Exception as errors:
            log.critical("wall_feed_ended", exc_info=errors)
            raise
        finally:
            self.close()  # displays must not wait for figures that will not come

    def close(self) -> None:
        """End every `follow`, so that a server can shut down."""
        for waited_for in (self._changed, self._first_read, self._ended):
            waited_for.set()

    async def follow(self) -> AsyncIterator[Published]:
        """Yield the newest publication, then each time one that is newer; what was published meanwhile is skipped."""
        seen: Published | None = None
        while not self._ended.is_set():
            if self.newest is not seen:
                seen = self.newest
                yield seen
            else:
                await self._changed.wait()

    async def round(self) -> None:
        """Read the source once and publish; without an answer, publish the last figures as lost."""
        try:
            await self._read_figures()
        except Exception as error:  # noqa: BLE001 - whatever it is, the wall must show it and keep running
            self._mark_lost(error)

    async def trends(self) -> None:
        """Read the trends that belong to the newest figures and publish them; without an answer there are none."""
        if self._span is None:
            return
        try:
            trends = await self._read_trends(self._span)
        except Exception as error:  # noqa: BLE001 - whatever it is, the figures continue
            log_lost("wall_trends_lost", error)
            trends = ()  # an old one could look right
        if trends != self.newest.trend:
            self._publish(self.now(), trends)

    def beat(self) -> None:
        """Publish the last figures again with their new age: a round takes long."""
        self._publish(self.now())

    def now(self) -> WallSnapshot:
        """Return the newest figures with the age that they have at this moment."""
        return aged(self.newest.beat.snapshot, self._now(), self._site, self._options)

    async def _rounds(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            began = time.monotonic()
            await self.round()
            now = time.monotonic()
            # Never several rounds to catch up, and never so many that the store has no time for anything else.
            due = max(due + self._options.period_s, now, began + ROUND_SHARE * (now - began))
            await self._pause(due - now)

    async def _trends(self) -> None:
        await self._first_read.wait()
        while not self._ended.is_set():
            began = time.monotonic()
            await self.trends()
            await self._pause(max(self._options.trend_period_s, TREND_SHARE * (time.monotonic() - began)))

    async def _beats(self) -> None:
        period = self._options.period_s
        while not self._ended.is_set():
            await self._pause(period / 4)
            if time.monotonic() - self._published_at > period * 1.25:
                self.beat()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the feed is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def _read_figures(self) -> None:
        began = time.monotonic()
        rows = await asyncio.to_thread(self._source.read, self._now())
        self.round_ms = self._duration("figures", began)
        figures = snapshot_of(rows, self._site, self._options)
        if self.newest.beat.snapshot.store == "lost":
            log.info("wall_store_is_back")
        self._publish(figures)
        self._span = rows.span
        self._first_read.set()

    async def _read_trends(self, span: Span) -> Sequence[Trend]:
        began = time.monotonic()
        trends = await asyncio.to_thread(self._source.read_trend, span)
        self._duration("trends", began)
        return [trend_of(rows, self._site) for rows in trends]

    def _duration(self, what: str, began: float) -> float:
        """Return the milliseconds since `began`, and log a round that was slow."""
        took = time.monotonic() - began
        if took > SLOW_ROUND_S:
            log.warning("wall_round_slow", what=what, seconds=round(took, 3), limit=SLOW_ROUND_S)
        return took * 1000

    def _mark_lost(self, error: Exception) -> None:
        last = self.now()
        if last.store != "lost":
            log_lost("wall_store_lost", error)
            last = msgspec.structs.replace(last, store="lost", lost_since_ms=last.real_ms)
        self._publish(last)

    def _publish(self, figures: WallSnapshot, trend: Sequence[Trend] | None = None) -> None:
        """Publish figures, and a trend if there is a new one."""
        last = self.newest
        beat = self._new_beat(last.beat.number + 1, figures)
        if trend is None:
            trend, trend_event = last.trend, last.trend_event
        else:
            trend_event = event("trend", trend)
        self.newest = Published(beat, event("beat", beat), trend, trend_event)
        self._published_at = time.monotonic()
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    def _new_beat(self, number: int, figures: WallSnapshot) -> Beat:
        return Beat(self._boot, number, time.monotonic_ns() // 1_000_000, figures)
