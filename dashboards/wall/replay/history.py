"""Loads a replay from the store: first its initial state, then stretch by stretch; may block. Next: `player.py`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np

from dashboards.wall.live.queries import Rounds, StoreConnection
from dashboards.wall.model.rows import MINUTE, LossRow, TrendRows, WallRows
from dashboards.wall.replay import queries
from dashboards.wall.replay.devices import ReceivedRanges
from dashboards.wall.replay.initial_state import InitialState
from dashboards.wall.replay.logs import ProgressRow
from dashboards.wall.replay.state import Chunk
from dashboards.wall.replay.store import ReplayStore, alarms, queues
from dashboards.wall.replay.timeline import Known, Moment, Passages, moment_of
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

CHUNK_MS: Final = 10 * MINUTE
"""Site time that is loaded at once; memory holds the rows of so long."""


class History:
    """One replay of the interval up to `end` (site ms), from `begin` on. One thread at a time may use it.

    Moments must not go back: to seek, create a new one.
    """

    def __init__(
        self,
        connection: StoreConnection,
        site: Site,
        clock: SiteClock,
        *,
        begin: int,
        end: int,
        known: Known,
        flow_minutes: int = 5,
        chunk_ms: int = CHUNK_MS,
    ) -> None:
        self._store = ReplayStore(connection, site, clock, end, known, flow_minutes)
        self._chunk_ms = chunk_ms
        self._rounds = Rounds(connection, site, clock, flow_minutes=flow_minutes)
        self._losses = self._rounds.losses()
        self._loaded = moment_of(begin, clock)
        self._state = InitialState(self._store, self._loaded).load()

    def rows(self, site_ms: int) -> WallRows:
        """Return the rows of the wall at a site time, without passages that were counted twice and settled since."""
        moment = self._reach(site_ms)
        span = self._state.span(moment)
        if span.day not in self._state.firsts:
            self._state.firsts = {span.day: self._firsts(span.day)}
        return self._state.rows(span, moment, self._losses_by(moment))

    def trend(self, site_ms: int) -> Sequence[TrendRows]:
        """Return the rows of the trends at a moment; the days before are as they are known today."""
        moment = self._reach(site_ms)
        span = self._state.span(moment)
        return self._state.trend(span, moment, self._rounds.read_before(span))

    def _losses_by(self, moment: Moment) -> Sequence[LossRow]:
        """Return the losses that were accepted by then; in a corrected replay, those that had happened."""
        if self._store.known == "then":
            return [each for each in self._losses if each.accepted_at <= moment.real]
        return [each for each in self._losses if each.begin <= moment.site]

    def _reach(self, site_ms: int) -> Moment:
        """Load the chunks up to a moment."""
        moment = moment_of(site_ms, self._store.clock)
        while self._loaded.site < moment.site:
            upto = moment_of(
                min(self._loaded.site + self._chunk_ms, max(moment.site, self._store.end)), self._store.clock
            )
            self._state.add(self._chunk(self._loaded, upto))
            self._loaded = upto
        return moment

    def _chunk(self, since: Moment, upto: Moment) -> Chunk:
        """Load the rows that became known after a moment, up to another."""
        on_axis = {"since": since.on(self._store.known), "upto": upto.on(self._store.known)}
        then = self._store.known == "then"
        return Chunk(
            Passages(*self._store.columns(queries.PASSAGES, **on_axis)),
            [ReceivedRanges(*row) for row in self._store.rows(queries.RECEIVED, **on_axis)] if then else [],
            [] if then else self._store.rows(queries.EVENTS, **on_axis),
            [ProgressRow(*row) for row in self._store.rows(queries.PROGRESS, **on_axis)] if then else [],
            alarms(self._store.rows(queries.EPISODES, **on_axis)),
            queues(self._store.rows(queries.QUEUES, since=since.site, upto=upto.site)),
        )

    def _firsts(self, day: date) -> Mapping[str, Ints]:
        found: dict[str, list[int]] = {}
        if self._store.known == "then":
            rows = self._store.rows(queries.FIRSTS_KNOWN, day=day.isoformat())
        else:
            start, end = self._store.site.days.bounds(day)
            boundary = [entrance.id for entrance in self._store.site.entrances if entrance.boundary]
            rows = self._store.rows(queries.FIRSTS, start=start, end=end, boundary=boundary)
        for kind, axis in rows:
            found.setdefault(kind, []).append(axis)
        return {kind: np.array(times, np.int64) for kind, times in found.items()}
