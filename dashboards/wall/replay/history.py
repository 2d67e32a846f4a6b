"""A replay out of the store: its beginning, then stretch by stretch what became known; may block.

Read next: `player.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np

from dashboards.wall.live.queries import Rounds
from dashboards.wall.model.reading import MINUTE, LossRow, Reading, TrendReading
from dashboards.wall.replay import questions
from dashboards.wall.replay.devices import Received
from dashboards.wall.replay.initial_state import Beginning
from dashboards.wall.replay.logs import Progress
from dashboards.wall.replay.state import Chunk
from dashboards.wall.replay.store import Asking, Store, alarms, queues
from dashboards.wall.replay.timeline import Ints, Known, Moment, Passages, moment_of
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

CHUNK_MS: Final = 10 * MINUTE
"""Site time that is loaded at once; memory holds what happens in so long."""


class History:
    """One replay of the interval up to `end` (site ms), from `begin` on. Ask from one thread at a time.

    Moments must not go back: to seek is to begin anew.
    """

    def __init__(
        self,
        store: Store,
        site: Site,
        clock: SiteClock,
        *,
        begin: int,
        end: int,
        known: Known,
        flow_minutes: int = 5,
        chunk_ms: int = CHUNK_MS,
    ) -> None:
        self._asking = Asking(store, site, clock, end, known, flow_minutes)
        self._chunk_ms = chunk_ms
        self._rounds = Rounds(store.query, site, clock, flow_minutes=flow_minutes)
        self._losses = self._rounds.losses()
        self._loaded = moment_of(begin, clock)
        self._past = Beginning(self._asking, self._loaded).past()

    def reading(self, site_ms: int) -> Reading:
        """Return the rows of the wall at a moment of the site's clock.

        What was counted twice and settled since is not in it, so that nothing is said of it.
        """
        moment = self._reach(site_ms)
        span = self._past.span(moment)
        if span.day not in self._past.firsts:
            self._past.firsts = {span.day: self._firsts(span.day)}
        return self._past.reading(span, moment, self._known(moment))

    def trend(self, site_ms: int) -> Sequence[TrendReading]:
        """Return the rows of the trends at a moment; the days before are as they are known today."""
        moment = self._reach(site_ms)
        span = self._past.span(moment)
        return self._past.trend(span, moment, self._rounds.read_before(span))

    def _known(self, moment: Moment) -> Sequence[LossRow]:
        """Return the losses that were accepted by then, or that had happened as is known today."""
        if self._asking.known == "then":
            return [each for each in self._losses if each.accepted_at <= moment.real]
        return [each for each in self._losses if each.begin <= moment.site]

    def _reach(self, site_ms: int) -> Moment:
        """Load what is needed to show a moment."""
        moment = moment_of(site_ms, self._asking.clock)
        while self._loaded.site < moment.site:
            upto = moment_of(
                min(self._loaded.site + self._chunk_ms, max(moment.site, self._asking.end)), self._asking.clock
            )
            self._past.add(self._chunk(self._loaded, upto))
            self._loaded = upto
        return moment

    def _chunk(self, since: Moment, upto: Moment) -> Chunk:
        """Load what became known after a moment, up to another."""
        on_axis = {"since": since.on(self._asking.known), "upto": upto.on(self._asking.known)}
        then = self._asking.known == "then"
        return Chunk(
            Passages(*self._asking.columns(questions.PASSAGES, **on_axis)),
            [Received(*row) for row in self._asking.rows(questions.RECEIVED, **on_axis)] if then else [],
            [] if then else self._asking.rows(questions.HEARD, **on_axis),
            [Progress(*row) for row in self._asking.rows(questions.PROGRESS, **on_axis)] if then else [],
            alarms(self._asking.rows(questions.EPISODES, **on_axis)),
            queues(self._asking.rows(questions.QUEUES, since=since.site, upto=upto.site)),
        )

    def _firsts(self, day: date) -> Mapping[str, Ints]:
        found: dict[str, list[int]] = {}
        if self._asking.known == "then":
            rows = self._asking.rows(questions.FIRSTS_KNOWN, day=day.isoformat())
        else:
            start, end = self._asking.site.days.bounds(day)
            boundary = [entrance.id for entrance in self._asking.site.entrances if entrance.boundary]
            rows = self._asking.rows(questions.FIRSTS, start=start, end=end, boundary=boundary)
        for kind, axis in rows:
            found.setdefault(kind, []).append(axis)
        return {kind: np.array(times, np.int64) for kind, times in found.items()}
