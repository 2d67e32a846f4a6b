"""Runs events through the counting and alarm kernels as workers would, without any server.

The clock is that of the events' arrival.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from simulators.incidents.traffic import ON_ITS_WAY, Traffic
from simulators.scenario.day import IN, PASSED, Ints, SiteCodes, ranks
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import AlarmInput, Inside, OccupancyReading
from streams.kernels.alarms.log import AlarmBatch, AlarmLog
from streams.kernels.counts.batch import Batch, LineCounts
from streams.kernels.counts.columns import DictColumn
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.lines.texts import PackedTexts
from streams.site.kernel_views import alarm_place_of, place_of
from streams.site.model import Site
from streams.worker.alarm_inputs import flow_of

_LOGS: Final = 2  # of each kind
_TIMES: Final = TimeRules(SiteClock(), 300_000, 172_800_000)


class Stage:
    """A site with its logs; feed it traffic with `play`."""

    def __init__(self, site: Site, *, step: int = 10_000) -> None:
        self.site, self.step = site, step
        self.names = SiteCodes(site)
        watched = alarm_place_of(site, _TIMES, partitions=_LOGS)
        self.alarms = AlarmLog(PartitionId("stage", "alarm.inputs", 0), watched, next_offset=0)
        place = place_of(site, _TIMES)
        self.logs = {
            (kind, number): PassageLog(PartitionId("stage", f"{kind}s", number), kind, place, next_offset=0)
            for kind in ("person", "vehicle")
            for number in range(_LOGS)
        }
        self._log_of = [(each.kind, number % _LOGS) for number, each in enumerate(site.entrances)]

    def play(
        self, traffic: Traffic, *, until: int, inside: Mapping[tuple[str, str], int] | None = None
    ) -> list[Episode]:
        """Play events, and go on until a moment (ms UTC); `inside` is who is there at the beginning.

        Returns every change of every episode, in the order in which they happened.
        """
        readings = self._readings(traffic, inside or {}, until)
        changes: list[Episode] = []
        seq = ranks(traffic.device) + 1
        begin = int(traffic.arrives[0]) // 1000 * 1000
        edges = np.arange(begin, until + self.step, self.step)
        cuts = np.searchsorted(traffic.arrives, edges)
        for start, end, moment in zip(cuts[:-1].tolist(), cuts[1:].tolist(), edges[1:].tolist(), strict=True):
            self._apply(traffic, seq, start, end)
            changes += self._publish(moment, [each for each in readings if moment - self.step < each.at <= moment])
        return changes

    def _readings(self, traffic: Traffic, inside: Mapping[tuple[str, str], int], until: int) -> list[OccupancyReading]:
        """Return what is inside every second, as the store would."""
        begin = int(traffic.arrives[0]) // 1000
        seconds = 1000 * np.arange(begin + 1, until // 1000 + 1)
        before = np.searchsorted(traffic.arrives - ON_ITS_WAY, seconds)
        passed = (traffic.outcome == PASSED) & (traffic.lost == 0)
        inward = np.where(traffic.direction == IN, 1, -1) * passed
        entrance = self.names.entrance_of[traffic.device]
        places: list[tuple[str, str, int | None, Ints]] = []
        for area in self.site.areas:
            for kind in area.kinds:
                entrances = [each if each.kind == kind else None for each in self.site.entrances]
                leads = np.array(
                    [(each.inner == area.id) - (each.outer == area.id) if each else 0 for each in entrances]
                )
                moved = np.append(0, np.cumsum(leads[entrance] * inward))[before]
                places.append((area.id, kind, area.capacity.get(kind), inside.get((area.id, kind), 0) + moved))
        return [
            OccupancyReading(at, [Inside(area, kind, int(n[i]), capacity) for area, kind, capacity, n in places])
            for i, at in enumerate(seconds.tolist())
        ]

    def _apply(self, traffic: Traffic, seq: Ints, start: int, end: int) -> None:
        entrances = self.names.entrance_of[traffic.device[start:end]]
        for key, log in self.logs.items():
            mine = np.flatnonzero([self._log_of[each] == key for each in entrances.tolist()]) + start
            mine = mine[traffic.lost[mine] == 0]
            if len(mine):
                log.apply(self._batch(log, traffic, mine, seq))

    def _batch(self, log: PassageLog, traffic: Traffic, rows: Ints, seq: Ints) -> Batch:
        n, first = len(rows), log.next_offset
        device, seq = traffic.device[rows], seq[rows]
        offset = np.arange(first, first + n)
        entrance = self.names.entrances[self.names.entrance_of[device]]
        category = self.site.categories_of(log.kind)[0].id  # type: ignore[arg-type]  # "person" or "vehicle"
        return Batch(
            first=first, after=first + n, lines=LineCounts(offset, np.ones(n, dtype=np.int64)), raw=[b""] * n,
            offset=offset, line=np.zeros(n, dtype=np.int64), arrived=traffic.arrives[rows],
            device=DictColumn.of(self.names.devices[device].tolist()), epoch=np.zeros(n, dtype=np.int64), seq=seq,
            ts=traffic.ts[rows],
            entrance=DictColumn.of(entrance.tolist()), direction=traffic.direction[rows], outcome=traffic.outcome[rows],
            category=DictColumn.same(category, n), reason=DictColumn.same("", n), credential=PackedTexts.of([""] * n),
            temperature=np.full(n, np.nan), health=DictColumn(traffic.unwell[rows].astype(np.int64), ["", "abnormal"]),
        )  # fmt: skip

    def _publish(self, moment: int, readings: list[OccupancyReading]) -> list[Episode]:
        """Publish to the alarms what the logs have counted, and what is inside; return what has changed."""
        for log in self.logs.values():
            log.drain()
        flows = [flow_of(log, moment) for log in self.logs.values()]
        offset = self.alarms.next_offset
        message = AlarmInput(flows=flows, readings=readings)
        self.alarms.apply(AlarmBatch(offset, offset + 1, [(offset, 0, message)]))
        self.alarms.drain()
        return self.alarms.drain_changes()
