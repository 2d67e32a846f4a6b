"""One display's replay: the same events as the live wall's, a beat a second, each some site seconds further.

Read next: `routes.py`.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from dashboards.wall.live.feed import Beat, event, unless_expected
from dashboards.wall.model import snapshot
from dashboards.wall.model.figures import Snapshot
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.reading import Reading, TrendReading, span_of
from dashboards.wall.model.trend import draw
from dashboards.wall.replay.history import History
from dashboards.wall.replay.request import Asked
from dashboards.wall.replay.timeline import moment_of
from streams.logging import loggable_text
from streams.site.model import Site

log = structlog.get_logger(__name__)

LONG_S: Final = 2.0
"""A picture that takes longer than so many seconds leaves the last one standing, which is sent again."""

Begin = Callable[[int], History]
"""Ask the store for what was known at a site time (ms); blocks, and raises what the store says."""


class ReplayBeat(Beat, frozen=True):
    """A beat of a replay; `ended`: this is the last picture, and it stays."""

    ended: bool


class Player:
    """Plays one replay. A store that does not answer stops it; it goes on, where it was, once there is an answer."""

    def __init__(self, begin: Begin, asked: Asked, site: Site, options: WallOptions, *, long_s: float = LONG_S) -> None:
        self._begin, self._asked, self._site, self._options = begin, asked, site, options
        self._long_s = long_s
        self._trend_beats = max(1, round(options.trend_period_s / options.period_s))
        self._boot = secrets.token_hex(4)
        self._number = self._shown = 0
        self._history: History | None = None
        self._last = self._nothing()
        self._trend = b""
        self._work: asyncio.Future[Any] | None = None

    def card(self, live: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the live wall's card as that of this replay."""
        asked = self._asked
        about = {"from_ms": asked.start, "to_ms": asked.end, "speed": asked.speed, "known": asked.known}
        return {**live, "acknowledge": False, "replay": about}

    async def events(self, closed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yield encoded `beat` and `trend` events until `closed`; the last picture again while the store takes long."""
        site_ms, due = self._asked.at, time.monotonic()
        while not closed():
            showing = asyncio.ensure_future(asyncio.to_thread(self._show, site_ms))
            async for beat in self._meanwhile(showing):
                yield beat
            shown = showing.result()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + self._options.period_s, time.monotonic())  # never several beats to catch up
            ended = shown and site_ms >= self._asked.end
            yield self._beat(ended=ended)
            if shown and (ended or self._shown % self._trend_beats == 0):
                drawing = asyncio.ensure_future(asyncio.to_thread(self._draw, site_ms))
                async for beat in self._meanwhile(drawing):
                    yield beat
                if (trend := drawing.result()) is not None:
                    yield trend
            if shown:
                self._shown += 1
                site_ms = min(site_ms + round(self._asked.speed * self._options.period_s * 1000), self._asked.end)

    async def _meanwhile(self, work: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        """Yield the last picture again and again while something takes long: a display gives up on a silent stream."""
        self._work = work
        while not work.done():
            await asyncio.wait({work}, timeout=self._long_s)
            if not work.done():
                yield self._beat(ended=False)

    def end(self, release: Callable[[], None]) -> None:
        """Call `release` on a thread, once no question is under way; a display that has left is not waited for."""
        loop = asyncio.get_running_loop()
        if self._work is None or self._work.done():
            loop.run_in_executor(None, release)
        else:
            self._work.add_done_callback(lambda _: loop.run_in_executor(None, release))

    def _beat(self, *, ended: bool) -> bytes:
        self._number += 1
        return event(
            "beat", ReplayBeat(self._boot, self._number, time.monotonic_ns() // 1_000_000, self._last, ended=ended)
        )

    def _show(self, site_ms: int) -> bool:
        """Draw the picture of a moment; False if the store does not answer."""
        try:
            if self._history is None:
                self._history = self._begin(site_ms)
            self._last = self._taken(self._history.reading(site_ms))
        except Exception as error:  # noqa: BLE001 - whatever it is, a wall must say so rather than stand still
            self._lose(error)
            return False
        return True

    def _draw(self, site_ms: int) -> bytes | None:
        """Return the trends of a moment, if they are other ones than before."""
        try:
            if self._history is None:
                return None
            readings: Sequence[TrendReading] = self._history.trend(site_ms)
        except Exception as error:  # noqa: BLE001 - as above
            self._lose(error)
            return None
        before, self._trend = self._trend, event("trend", [draw(each, self._site) for each in readings])
        return None if self._trend == before else self._trend

    def _lose(self, error: Exception) -> None:
        self._history = None  # it may have loaded a part
        if self._last.store != "lost":
            log.error("wall_replay_store_lost", error=loggable_text(error), exc_info=unless_expected(error))
        now = moment_of(self._asked.at, self._options.clock).real if self._number == 0 else self._last.real_ms
        self._last = msgspec.structs.replace(self._last, store="lost", lost_since_ms=now)

    def _taken(self, reading: Reading) -> Snapshot:
        return snapshot.take(reading, self._site, self._options.clock, limits=self._options.limits)

    def _nothing(self) -> Snapshot:
        moment = moment_of(self._asked.at, self._options.clock)
        span = span_of([], self._options.clock, moment.real, self._site, flow_minutes=self._options.flow_minutes)
        return msgspec.structs.replace(self._taken(Reading(moment.real, span)), store="starting")
