"""What is known at the first moment of a replay: added up by the store. Read next: `history.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dashboards.wall.live.queries import ACKNOWLEDGEABLE, QUEUES_MS
from dashboards.wall.model.reading import HOUR, MINUTE, complete_to
from dashboards.wall.model.scopes import scopes_of
from dashboards.wall.replay import questions
from dashboards.wall.replay.counts import Counts, StepTotals, Totals
from dashboards.wall.replay.devices import HeardSince, Hole, Received, ReceivedThen, holes
from dashboards.wall.replay.inside import Correction, Earlier, Late, Slot, anchors
from dashboards.wall.replay.logs import Logs, Parked, Progress
from dashboards.wall.replay.state import Chunk, Past, Setting, grid_start
from dashboards.wall.replay.store import Asking, alarms, names_of, queues
from dashboards.wall.replay.timeline import Grid, Ints, Moment, Passages, moment_of

AHEAD_MS: Final = HOUR
"""What a device claims to have happened up to so long after the end is counted too: its clock may be ahead."""
QUIET_LOG_MS: Final = 48 * HOUR
"""Real time after which a log that said nothing more is not shown any more."""
EVENTS_AT_ONCE: Final = 2000
"""So many events a question may name: it may have 256 kB."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The state `at` the first moment."""

    asking: Asking
    at: Moment

    def past(self) -> Past:
        """Ask for it."""
        logs = self._logs()
        grid = self._grid(logs)
        counts = Counts(grid, self.asking.site, scopes_of(self.asking.site, "trend"))
        on_grid = {"start": grid.start, "end": grid.end, "upto": self.at.on(self.asking.known)}
        counts.add_totals(Totals(*self.asking.columns(questions.TOTALS, **on_grid)))
        counts.add_steps(StepTotals(*self.asking.columns(questions.STEPS, **on_grid)))
        past = Past(self._setting(grid), counts, self._devices(), logs)
        past.add(self._standing())
        return past

    def _logs(self) -> Logs:
        """Return the logs as of a moment; most were heard of within the hour, which is answered soon."""
        logs = Logs([Parked(*row) for row in self.asking.rows(questions.PARKED)])
        found = [""]
        for back in (HOUR, QUIET_LOG_MS) if self.asking.known == "then" else ():
            rows = self.asking.rows(
                questions.PROGRESS_BY, upto=self.at.real, oldest=self.at.real - back, found=tuple(found)
            )
            logs.add(Progress(*row) for row in rows)
            found += [log for _, log, *_ in rows]
        return logs

    def _grid(self, logs: Logs) -> Grid:
        """Begin with the day that the wall showed, which is the one before if storage was behind when it began."""
        stored = complete_to(logs.rows(self.at.real))
        shown = self.at.site if stored is None else min(self.at.site, self.asking.clock.now(stored))
        site = self.asking.site
        day = site.days.day(max(shown, self.at.site - 24 * HOUR))
        end = self.asking.end + AHEAD_MS
        return Grid(grid_start(day, site), end + -end % HOUR, *names_of(site))

    def _setting(self, grid: Grid) -> Setting:
        end = moment_of(self.asking.end, self.asking.clock)
        upto = end.on(self.asking.known)
        corrections = [Correction(*row) for row in self.asking.rows(questions.CORRECTIONS, upto=upto)]
        return Setting(
            known=self.asking.known,
            site=self.asking.site,
            clock=self.asking.clock,
            flow_minutes=self.asking.flow_minutes,
            capacities={(area, kind): capacity for area, kind, capacity in self.asking.rows(questions.CAPACITIES)},
            earlier=self._earlier(grid, corrections),
            corrections=corrections,
            rejected=self._rejected(end),
        )

    def _earlier(self, grid: Grid, corrections: Sequence[Correction]) -> Earlier:
        rows = self.asking.rows(questions.EARLIER, start=grid.start)
        net: dict[int, Mapping[Slot, int]] = {0: {(area, kind): amount for area, kind, amount, _, _ in rows}}
        for since in anchors(corrections, self.at.on(self.asking.known), grid.start):
            hour = since + -since % HOUR
            some = self.asking.rows(questions.EARLIER_SINCE, since=since, hour=hour, start=grid.start)
            net[since] = {(area, kind): amount for area, kind, amount in some}
        passages = {(area, kind): moved for area, kind, _, moved, _ in rows}
        newest = {(area, kind): last for area, kind, _, _, last in rows}
        return Earlier(net, passages, newest, self._late(grid))

    def _late(self, grid: Grid) -> Late:
        if self.asking.known == "corrected":
            return Late(*(np.zeros(0, np.int64) for _ in range(5)))
        axis, gate, out, window, passages = self.asking.columns(questions.LATE, since=self.at.real, start=grid.start)
        return Late(axis, window, gate, out, passages)

    def _rejected(self, end: Moment) -> Ints:
        if self.asking.known == "then":
            return np.zeros(0, np.int64)
        [(before,)] = self.asking.rows(questions.REJECTED_BY, upto=self.at.real)
        [times] = self.asking.columns(questions.REJECTED, since=self.at.real, upto=end.real)
        return np.concatenate([np.zeros(before, np.int64), times])

    def _devices(self) -> ReceivedThen | HeardSince:
        if self.asking.known == "then":
            devices = ReceivedThen()
            devices.add(Received(*row) for row in self.asking.rows(questions.RECEIVED_BY, upto=self.at.real))
            return devices
        known = self.asking.rows(questions.DEVICES)
        heard = HeardSince({device: entrance for device, entrance, _, _ in known}, self._holes(known))
        heard.add(self.asking.rows(questions.HEARD_BY, upto=self.at.site))
        return heard

    def _holes(self, devices: Sequence[tuple[Any, ...]]) -> list[Hole]:
        """Find what is missing today, and when it could be missed first: when the next event happened."""
        leaky = {device: last for device, _, missing, last in devices if missing}
        if not leaky:
            return []
        received = self.asking.rows(questions.RANGES, devices=tuple(leaky))
        found = [
            (device, epoch, after, events) for device, epoch, ranges, _ in received for after, events in holes(ranges)
        ]
        closed = [Hole(leaky[device], device, n) for device, _, _, n in received if n]  # nobody knows where
        times = dict(self._times([(device, epoch, after) for device, epoch, after, _ in found]))
        opened = [
            Hole(times.get((device, epoch, after), leaky[device]), device, events)
            for device, epoch, after, events in found
        ]
        return sorted(opened + closed)

    def _times(self, events: Sequence[tuple[str, int, int]]) -> Iterator[tuple[tuple[str, int, int], int]]:
        for first in range(0, len(events), EVENTS_AT_ONCE):
            some = tuple(events[first : first + EVENTS_AT_ONCE])
            for device, epoch, seq, ts in self.asking.rows(questions.TIMES, events=some):
                yield (device, epoch, seq), ts

    def _standing(self) -> Chunk:
        """Return the alarms and queues as of the first moment."""
        upto = self.at.on(self.asking.known)
        episodes = self.asking.rows(questions.EPISODES_BY, upto=upto, acknowledgeable=ACKNOWLEDGEABLE)
        reckoned = self.asking.rows(questions.QUEUES, since=self.at.site - QUEUES_MS - MINUTE, upto=self.at.site)
        nothing = Passages(*(np.zeros(0, np.int64) for _ in range(6)))
        return Chunk(nothing, [], [], [], alarms(episodes), queues(reckoned))
