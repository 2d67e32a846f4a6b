"""Loads a replay from the store: first its initial state, then stretch by stretch; may block. Next: `player.py`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS, Rounds
from dashboards.wall.model.rows import HOUR, MINUTE, LossRow, TrendRows, WallRows, complete_to
from dashboards.wall.model.scopes import scopes_of
from dashboards.wall.replay import queries
from dashboards.wall.replay.counts import PassageCounts
from dashboards.wall.replay.inside import CorrectionRow, EarlierFlows, Slot, anchors
from dashboards.wall.replay.queries import ReplayStore
from dashboards.wall.replay.request import Known, Moment, moment_of
from dashboards.wall.replay.sources import (
    MissingEvents,
    ParkedInterval,
    ProgressRow,
    ReceivedRanges,
    SourcesCorrected,
    SourcesThen,
    sequence_gaps,
)
from dashboards.wall.replay.state import Chunk, SiteState
from sinks.clickhouse import ClickHouseReader
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

CHUNK_MS: Final = 10 * MINUTE
"""Site time that is loaded at once; memory holds the rows of so long."""
AHEAD_MS: Final = HOUR
"""Events up to so long after the end are counted, too: a device's clock may be ahead."""
QUIET_LOG_MS: Final = 48 * HOUR
"""Real time after which a log without progress is not shown any more."""
EVENTS_AT_ONCE: Final = 2000
"""So many events fit into the text of one query, which may have 256 kB."""


class History:
    """A replay from `begin` to `end` (site ms), for one thread at a time. Moments never go back: a seek begins one."""

    def __init__(
        self,
        connection: ClickHouseReader,
        site: Site,
        clock: SiteClock,
        begin: int,
        *,
        end: int,
        known: Known,
        chunk_ms: int = CHUNK_MS,
    ) -> None:
        self._store = ReplayStore(connection, site, clock, end, known)
        self._chunk_ms = chunk_ms
        self._rounds = Rounds(connection, site, clock)
        self._losses = self._rounds.losses()
        self._loaded = moment_of(begin, clock)
        self._state = initial_state(self._store, self._loaded)

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
        """Load the chunks up to a moment; when the next one is loaded, all rows of the one before are due."""
        clock = self._store.clock
        moment = moment_of(site_ms, clock)
        while self._loaded.site < moment.site:
            self._state.advance(self._loaded)
            end = max(moment.site, self._store.end)
            upto = moment_of(min(self._loaded.site + self._chunk_ms, end), clock)
            self._state.waiting = self._chunk(self._loaded, upto)
            self._loaded = upto
        return moment

    def _chunk(self, since: Moment, upto: Moment) -> Chunk:
        """Load the rows that became known after a moment, up to another."""
        store, then = self._store, self._store.known == "then"
        on_axis = {"since": since.on(store.known), "upto": upto.on(store.known)}
        if then:
            devices = [ReceivedRanges(*row) for row in store.rows(queries.RECEIVED, **on_axis)]
        else:
            devices = store.rows(queries.EVENTS, **on_axis)
        return Chunk(
            passages=store.columns(queries.PASSAGES, **on_axis),
            devices=devices,
            progress=[ProgressRow(*row) for row in store.rows(queries.PROGRESS, **on_axis)] if then else [],
            episodes=store.rows(queries.EPISODES, **on_axis),
            queues=store.rows(queries.QUEUES, since=since.site, upto=upto.site),
        )

    def _firsts(self, day: date) -> Mapping[str, Ints]:
        if self._store.known == "then":
            rows = self._store.rows(queries.FIRSTS_KNOWN, day=day.isoformat())
        else:
            start, end = self._store.site.days.bounds(day)
            boundary = [entrance.id for entrance in self._store.site.entrances if entrance.boundary]
            rows = self._store.rows(queries.FIRSTS, start=start, end=end, boundary=boundary)
        return {kind: np.array(times, np.int64) for kind, times in rows}


def initial_state(store: ReplayStore, at: Moment) -> SiteState:
    """Load the state of the site at the first moment of a replay, summed by the store."""
    axis, last = at.on(store.known), moment_of(store.end, store.clock)
    sources = _sources_then(store, at) if store.known == "then" else _sources_corrected(store, at, last)
    start, end = _grid(store, at, stored=complete_to(sources.logs(at)))
    counts = PassageCounts(start, end, store.site, scopes_of(store.site, "trend"))
    counts.add_totals(*store.columns(queries.TOTALS, start=start, end=end, upto=axis))
    counts.add_steps(*store.columns(queries.STEPS, start=start, end=end, upto=axis))
    corrections = [CorrectionRow(*row) for row in store.rows(queries.CORRECTIONS, upto=last.on(store.known))]
    waiting = Chunk(
        passages=np.zeros((6, 0), np.int64),
        devices=[],
        progress=[],
        episodes=store.rows(queries.EPISODES_BY, upto=axis, acknowledgeable=ACKNOWLEDGEABLE),
        queues=store.rows(queries.QUEUES, since=at.site - QUEUES_MS - MINUTE, upto=at.site),
    )
    return SiteState(
        known=store.known,
        site=store.site,
        clock=store.clock,
        capacities={(area, kind): capacity for area, kind, capacity in store.rows(queries.CAPACITIES)},
        earlier=_earlier(store, at, start, corrections),
        corrections=corrections,
        counts=counts,
        sources=sources,
        waiting=waiting,
    )


def _sources_then(store: ReplayStore, at: Moment) -> SourcesThen:
    """Load devices and logs; most logs have progress within the hour, which is a fast query."""
    sources = SourcesThen([ParkedInterval(*row) for row in store.rows(queries.PARKED)])
    found = [""]
    for back in (HOUR, QUIET_LOG_MS):
        rows = store.rows(queries.PROGRESS_BY, upto=at.real, oldest=at.real - back, found=tuple(found))
        sources.add_progress(ProgressRow(*row) for row in rows)
        found += [log for _, log, *_ in rows]
    sources.add_devices(ReceivedRanges(*row) for row in store.rows(queries.RECEIVED_BY, upto=at.real))
    return sources


def _sources_corrected(store: ReplayStore, at: Moment, last: Moment) -> SourcesCorrected:
    devices = store.rows(queries.DEVICES)
    [(before,)] = store.rows(queries.REJECTED_BY, upto=at.real)
    [times] = store.columns(queries.REJECTED, since=at.real, upto=last.real)
    rejected = np.concatenate([np.zeros(before, np.int64), times])
    entrances = {device: entrance for device, entrance, _, _ in devices}
    sources = SourcesCorrected(entrances, _missing(store, devices), rejected)
    sources.add_devices(store.rows(queries.EVENTS_BY, upto=at.site))
    return sources


def _missing(store: ReplayStore, devices: Sequence[tuple[Any, ...]]) -> list[MissingEvents]:
    """Return what is missing today, with the time of the event after each gap."""
    newest = {device: last for device, _, missing, last in devices if missing}
    if not newest:
        return []
    received = store.rows(queries.RANGES, devices=tuple(newest))
    gaps = {
        (device, epoch, after): size for device, epoch, ranges, _ in received for after, size in sequence_gaps(ranges)
    }
    events, times = list(gaps), {}
    for first in range(0, len(events), EVENTS_AT_ONCE):
        for *event, ts in store.rows(queries.TIMES, events=tuple(events[first : first + EVENTS_AT_ONCE])):
            times[tuple(event)] = ts
    found = [MissingEvents(times.get(event, newest[event[0]]), event[0], size) for event, size in gaps.items()]
    # Of the events in closed gaps only the number is known.
    return sorted(found + [MissingEvents(newest[device], device, n) for device, _, _, n in received if n])


def _grid(store: ReplayStore, at: Moment, *, stored: int | None) -> tuple[int, int]:
    """Return the time that is counted: from an hour before the day that the wall showed, between full hours of UTC.

    That is the day before, if storage had not reached the new day yet (`stored`, real time).
    """
    shown = at.site if stored is None else min(at.site, store.clock.now(stored))
    days, end = store.site.days, store.end + AHEAD_MS
    start = days.begin(days.day(max(shown, at.site - 24 * HOUR))) - HOUR
    return start - start % HOUR, end + -end % HOUR


def _earlier(store: ReplayStore, at: Moment, start: int, corrections: Sequence[CorrectionRow]) -> EarlierFlows:
    rows = store.rows(queries.EARLIER, start=start)
    net: dict[int, Mapping[Slot, int]] = {0: {(area, kind): amount for area, kind, amount, _, _ in rows}}
    for since in anchors(corrections, at.on(store.known), start):
        some = store.rows(queries.EARLIER_SINCE, since=since, hour=since + -since % HOUR, start=start)
        net[since] = {(area, kind): amount for area, kind, amount in some}
    if store.known == "then":
        late = store.columns(queries.LATE, since=at.real, start=start)
    else:
        late = np.zeros((5, 0), np.int64)
    return EarlierFlows(
        net=net,
        passages={(area, kind): moved for area, kind, _, moved, _ in rows},
        newest={(area, kind): last for area, kind, _, _, last in rows},
        late=late,
    )
