"""Plays the replay of one display: the events of the live wall, some site seconds apart. Next: `http/server.py`."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from dashboards.wall.live.feed import Beat, event, log_lost
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.snapshot import blank_snapshot, snapshot_of
from dashboards.wall.model.trend import trend_of
from dashboards.wall.replay.history import History
from dashboards.wall.replay.request import ReplayRequest, moment_of
from streams.site.model import Site

LONG_S: Final = 2.0
"""While a snapshot takes longer than so many seconds, the last one is sent again."""

LoadHistory = Callable[[int], History]
"""Load the state of a site time (ms) from the store; blocks, and raises the errors of the store."""


class ReplayBeat(Beat, frozen=True):
    """A beat of a replay; `ended`: this is the last snapshot, and it stays."""

    ended: bool


class ReplayPlayer:
    """Plays one replay. It stops while the store does not answer, and resumes where it was."""

    def __init__(
        self, begin: LoadHistory, replay: ReplayRequest, site: Site, options: WallOptions, *, long_s: float = LONG_S
    ) -> None:
        self._begin, self._replay, self._site, self._options = begin, replay, site, options
        self._long_s = long_s
        self._trend_beats = max(1, round(options.trend_period_s / options.period_s))
        self._boot = secrets.token_hex(4)
        self._number = self._shown = 0
        self._history: History | None = None
        self._last = blank_snapshot(moment_of(replay.at, options.clock).real, site, options)
        self._trend = b""
        self._work: asyncio.Future[Any] | None = None

    async def events(self, closed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yield encoded `beat` and `trend` events until `closed`; the last beat again while the store takes long."""
        site_ms, due = self._replay.at, time.monotonic()
        while not closed():
            showing = asyncio.ensure_future(asyncio.to_thread(self._show, site_ms))
            async for beat in self._meanwhile(showing):
                yield beat
            shown = showing.result()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + self._options.period_s, time.monotonic())  # never several beats to catch up
            ended = shown and site_ms >= self._replay.end
            yield self._beat(ended=ended)
            if shown and (ended or self._shown % self._trend_beats == 0):
                drawing = asyncio.ensure_future(asyncio.to_thread(self._draw, site_ms))
                async for beat in self._meanwhile(drawing):
                    yield beat
                if (trend := drawing.result()) is not None:
                    yield trend
            if shown:
                self._shown += 1
                site_ms = min(site_ms + round(self._replay.speed * self._options.period_s * 1000), self._replay.end)

    async def _meanwhile(self, work: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        """Yield the last snapshot again and again while something takes long: a display gives up on a silent stream."""
        self._work = work
        while not work.done():
            await asyncio.wait({work}, timeout=self._long_s)
            if not work.done():
                yield self._beat(ended=False)

    def end(self, release: Callable[[], None]) -> None:
        """Call `release` on a thread, once no query is under way; it does not block for a display that has left."""
        loop = asyncio.get_running_loop()
        if self._work is None or self._work.done():
            loop.run_in_executor(None, release)
        else:
            self._work.add_done_callback(lambda _: loop.run_in_executor(None, release))

    def _beat(self, *, ended: bool) -> bytes:
        self._number += 1
        sent_ms = time.monotonic_ns() // 1_000_000
        return event("beat", ReplayBeat(self._boot, self._number, sent_ms, self._last, ended=ended))

    def _show(self, site_ms: int) -> bool:
        """Read the snapshot of a moment; False if the store does not answer."""
        try:
            if self._history is None:
                self._history = self._begin(site_ms)
            self._last = snapshot_of(self._history.rows(site_ms), self._site, self._options)
        except Exception as error:  # noqa: BLE001 - whatever it is, the wall must show it and keep running
            self._mark_lost(error)
            return False
        return True

    def _draw(self, site_ms: int) -> bytes | None:
        """Return the trends of a moment, if they have changed."""
        try:
            if self._history is None:
                return None
            trends = self._history.trend(site_ms)
        except Exception as error:  # noqa: BLE001 - as above
            self._mark_lost(error)
            return None
        before, self._trend = self._trend, event("trend", [trend_of(each, self._site) for each in trends])
        return None if self._trend == before else self._trend

    def _mark_lost(self, error: Exception) -> None:
        self._history = None  # it may have loaded a part
        if self._last.store != "lost":
            log_lost("wall_replay_store_lost", error)
        self._last = msgspec.structs.replace(self._last, store="lost", lost_since_ms=self._last.real_ms)
