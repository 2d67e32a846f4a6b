"""Loads the state of the site at the first moment of a replay, summed by the store. Read next: `history.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS
from dashboards.wall.model.rows import HOUR, MINUTE, complete_to
from dashboards.wall.model.scopes import scopes_of
from dashboards.wall.replay import queries
from dashboards.wall.replay.counts import PassageCounts, StepTotals, WindowTotals
from dashboards.wall.replay.devices import (
    DevicesAsCorrected,
    DevicesAsKnown,
    MissingEvents,
    ReceivedRanges,
    sequence_gaps,
)
from dashboards.wall.replay.inside import CorrectionRow, EarlierFlows, LatePassages, Slot, anchors
from dashboards.wall.replay.logs import LogProgress, ParkedInterval, ProgressRow
from dashboards.wall.replay.state import Chunk, SiteState, grid_start
from dashboards.wall.replay.store import ReplayStore, alarms, numbered_names, queues
from dashboards.wall.replay.timeline import Moment, Passages, ReplayGrid, moment_of
from streams.kernels.counts.batch import Ints

AHEAD_MS: Final = HOUR
"""Events up to so long after the end are counted, too: a device's clock may be ahead."""
QUIET_LOG_MS: Final = 48 * HOUR
"""Real time after which a log without progress is not shown any more."""
EVENTS_AT_ONCE: Final = 2000
"""So many events fit into the text of one query, which may have 256 kB."""


@dataclass(frozen=True, slots=True)
class InitialState:
    """Loads the state `at` the first moment."""

    store: ReplayStore
    at: Moment

    def load(self) -> SiteState:
        """Return the state."""
        logs = self._logs()
        grid = self._grid(logs)
        counts = PassageCounts(grid, self.store.site, scopes_of(self.store.site, "trend"))
        on_grid = {"start": grid.start, "end": grid.end, "upto": self.at.on(self.store.known)}
        counts.add_totals(WindowTotals(*self.store.columns(queries.TOTALS, **on_grid)))
        counts.add_steps(StepTotals(*self.store.columns(queries.STEPS, **on_grid)))
        end = moment_of(self.store.end, self.store.clock)
        rows = self.store.rows(queries.CORRECTIONS, upto=end.on(self.store.known))
        corrections = [CorrectionRow(*row) for row in rows]
        state = SiteState(
            known=self.store.known,
            site=self.store.site,
            clock=self.store.clock,
            flow_minutes=self.store.flow_minutes,
            capacities={(area, kind): capacity for area, kind, capacity in self.store.rows(queries.CAPACITIES)},
            earlier=self._earlier(grid, corrections),
            corrections=corrections,
            rejected=self._rejected(end),
            counts=counts,
            devices=self._devices(),
            logs=logs,
        )
        state.add(self._alarms_and_queues())
        return state

    def _logs(self) -> LogProgress:
        """Return the logs as of the first moment; most have progress within the hour, which is a fast query."""
        logs = LogProgress([ParkedInterval(*row) for row in self.store.rows(queries.PARKED)])
        found = [""]
        for back in (HOUR, QUIET_LOG_MS) if self.store.known == "then" else ():
            rows = self.store.rows(
                queries.PROGRESS_BY, upto=self.at.real, oldest=self.at.real - back, found=tuple(found)
            )
            logs.add(ProgressRow(*row) for row in rows)
            found += [log for _, log, *_ in rows]
        return logs

    def _grid(self, logs: LogProgress) -> ReplayGrid:
        """Begin with the day that the wall showed: the day before, if storage had not reached the new day yet."""
        stored = complete_to(logs.rows(self.at.real))
        shown = self.at.site if stored is None else min(self.at.site, self.store.clock.now(stored))
        site = self.store.site
        day = site.days.day(max(shown, self.at.site - 24 * HOUR))
        end = self.store.end + AHEAD_MS
        return ReplayGrid(grid_start(day, site), end + -end % HOUR, *numbered_names(site))

    def _earlier(self, grid: ReplayGrid, corrections: Sequence[CorrectionRow]) -> EarlierFlows:
        rows = self.store.rows(queries.EARLIER, start=grid.start)
        net: dict[int, Mapping[Slot, int]] = {0: {(area, kind): amount for area, kind, amount, _, _ in rows}}
        for since in anchors(corrections, self.at.on(self.store.known), grid.start):
            hour = since + -since % HOUR
            some = self.store.rows(queries.EARLIER_SINCE, since=since, hour=hour, start=grid.start)
            net[since] = {(area, kind): amount for area, kind, amount in some}
        passages = {(area, kind): moved for area, kind, _, moved, _ in rows}
        newest = {(area, kind): last for area, kind, _, _, last in rows}
        return EarlierFlows(net, passages, newest, self._late(grid))

    def _late(self, grid: ReplayGrid) -> LatePassages:
        if self.store.known == "corrected":
            return LatePassages(*(np.zeros(0, np.int64) for _ in range(5)))
        axis, entrance, out, window, passages = self.store.columns(queries.LATE, since=self.at.real, start=grid.start)
        return LatePassages(axis, window, entrance, out, passages)

    def _rejected(self, end: Moment) -> Ints:
        if self.store.known == "then":
            return np.zeros(0, np.int64)
        [(before,)] = self.store.rows(queries.REJECTED_BY, upto=self.at.real)
        [times] = self.store.columns(queries.REJECTED, since=self.at.real, upto=end.real)
        return np.concatenate([np.zeros(before, np.int64), times])

    def _devices(self) -> DevicesAsKnown | DevicesAsCorrected:
        if self.store.known == "then":
            devices = DevicesAsKnown()
            devices.add(ReceivedRanges(*row) for row in self.store.rows(queries.RECEIVED_BY, upto=self.at.real))
            return devices
        known = self.store.rows(queries.DEVICES)
        corrected = DevicesAsCorrected({device: entrance for device, entrance, _, _ in known}, self._missing(known))
        corrected.add(self.store.rows(queries.EVENTS_BY, upto=self.at.site))
        return corrected

    def _missing(self, devices: Sequence[tuple[Any, ...]]) -> list[MissingEvents]:
        """Return what is missing today, with the time of the event after each gap."""
        newest = {device: last for device, _, missing, last in devices if missing}
        if not newest:
            return []
        received = self.store.rows(queries.RANGES, devices=tuple(newest))
        gaps = [
            (device, epoch, after, size)
            for device, epoch, ranges, _ in received
            for after, size in sequence_gaps(ranges)
        ]
        times = dict(self._times([(device, epoch, after) for device, epoch, after, _ in gaps]))
        found = [
            MissingEvents(times.get((device, epoch, after), newest[device]), device, size)
            for device, epoch, after, size in gaps
        ]
        # Of the events in closed gaps only the number is known.
        return sorted(found + [MissingEvents(newest[device], device, n) for device, _, _, n in received if n])

    def _times(self, events: Sequence[tuple[str, int, int]]) -> Iterator[tuple[tuple[str, int, int], int]]:
        for first in range(0, len(events), EVENTS_AT_ONCE):
            some = tuple(events[first : first + EVENTS_AT_ONCE])
            for device, epoch, seq, ts in self.store.rows(queries.TIMES, events=some):
                yield (device, epoch, seq), ts

    def _alarms_and_queues(self) -> Chunk:
        """Return the alarms and queues as of the first moment."""
        upto = self.at.on(self.store.known)
        episodes = self.store.rows(queries.EPISODES_BY, upto=upto, acknowledgeable=ACKNOWLEDGEABLE)
        estimates = self.store.rows(queries.QUEUES, since=self.at.site - QUEUES_MS - MINUTE, upto=self.at.site)
        nothing = Passages(*(np.zeros(0, np.int64) for _ in range(6)))
        return Chunk(nothing, [], [], [], alarms(episodes), queues(estimates))
