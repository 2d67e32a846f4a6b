"""Figures that are not live counts: how full areas are, events that are missing, lines that were set aside."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from streams.kernels.alarms.inputs import LogFlow, OccupancyReading
from streams.kernels.alarms.rules import CAPACITY, AlarmEntrance, AlarmSite
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.calendar import SECOND_MS
from streams.kernels.counts.takeup import OF_TIME

MOST_COMING: Final = 60
"""Readings of moments that are not judged yet: a minute of them, which is longer than any is believed."""
LATELY_SECONDS: Final = 3600
"""Real seconds after the newest line that was set aside for which somebody should still look at it."""
_MOST_MISSING: Final = 1 << 52
"""Of one log and entrance: so any number of logs add up. Workers of before this limit published numbers without one."""


class AreaFigure(NamedTuple):
    """What one rule is about at one subject; `exceeds`: it is above a limit."""

    zone: str
    value: float
    exceeds: bool


class Areas:
    """What the store says is inside: the newest `reading` as of a moment, and in `coming` those after it, in order.

    figures, by rule, subject, kind: percent of capacities; how many fewer than nobody are inside, which is drift; for
    how many seconds a source has had a problem.
    """

    def __init__(self, place: AlarmSite) -> None:
        self.place = place
        self.coming: list[OccupancyReading] = []
        self._zones = {entrance.inner: place.zone_of_area(entrance.inner) for entrance in place.entrances}
        self.restore(None)

    def restore(self, reading: OccupancyReading | None) -> None:
        """Go on from a reading."""
        self.reading = reading
        self.figures: dict[tuple[str, str, str], AreaFigure] = {}
        if reading is not None:
            self._compute(reading)

    def ingest(self, readings: Sequence[OccupancyReading]) -> None:
        """Add what was read, which counts from its own moment on; while logs do not get on, the oldest is unknown."""
        self.coming = sorted([*self.coming, *readings], key=lambda each: each.at)[-MOST_COMING:]

    def go_on(self, at: int) -> None:
        """Go on to a moment (ms of site time)."""
        newest = None
        while self.coming and self.coming[0].at <= at:
            newest = self.coming.pop(0)
        if newest is not None:
            self.restore(newest)

    def _compute(self, reading: OccupancyReading) -> None:
        total: Counter[str] = Counter()
        for each in reading.inside:
            total[each.kind] += each.inside
            zone = self._zones.get(each.area, "")
            if each.capacity:
                self._add(CAPACITY, each.area, each.kind, zone, 100 * each.inside / each.capacity)
            self._add("drift", each.area, each.kind, zone, float(-each.inside))
        for kind, capacity in self.place.capacity.items():
            if kind in total:
                self._add(CAPACITY, self.place.site, kind, "", 100 * total[kind] / capacity)
        for problem in reading.problems:
            rule = "source-time" if problem.problem in OF_TIME else "source-unread"
            self._add(rule, problem.subject, "", "", (reading.at - problem.since) / SECOND_MS)

    def _add(self, name: str, subject: str, kind: str, zone: str, value: float) -> None:
        rule = self.place.rules[name]
        self.figures[name, subject, kind] = AreaFigure(zone, value, rule.exceeds(value, rule.limits[0]))


class Leaks:
    """Events known to be missing, as each log publishes them: `missing` by log and entrance, `by_entrance` in sum.

    It counts until figures of the store are known: a device that came through two logs is complete in neither.
    """

    def __init__(self, entrances: Sequence[AlarmEntrance]) -> None:
        self.entrances = entrances
        self.restore({})

    def restore(self, missing: dict[str, dict[str, int]]) -> None:
        """Go on from what was known."""
        self.missing = {log: {name: min(n, _MOST_MISSING) for name, n in by.items()} for log, by in missing.items()}
        self._add_up()

    def ingest(self, flow: LogFlow) -> None:
        """Replace what is known of a log by its newest version."""
        if flow.missing != self.missing.get(flow.log):
            self.missing[flow.log] = {entrance: min(n, _MOST_MISSING) for entrance, n in flow.missing.items()}
            self._add_up()

    def _add_up(self) -> None:
        sums: Counter[str] = Counter()
        for missing in self.missing.values():
            sums.update(missing)
        self.by_entrance = self.in_order(sums)

    def in_order(self, by_entrance: Mapping[str, int]) -> Ints:
        """Return figures by entrance in the order of the entrances."""
        return np.array([by_entrance.get(entrance.id, 0) for entrance in self.entrances], dtype=np.int64)


@dataclass(slots=True)
class SetAside:
    """By log: how many lines were set aside so far, how many of them before this alarm, and when the newest (ms)."""

    logs: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # a moment of 0: the one that is judged next

    def count(self, totals: Mapping[str, int]) -> None:
        """Take in what logs say; absolute, so what was known already changes nothing."""
        for log, total in totals.items():
            known, before, _ = self.logs.get(log, (0, 0, 0))
            if total > known:
                self.logs[log] = (total, before, 0)

    def at(self, moment: int, *, lately: int) -> Mapping[str, int]:
        """Tell how many lines of each topic and partition have been set aside lately, without a longer break."""
        found: Counter[str] = Counter()
        for log, (total, before, newest) in list(self.logs.items()):
            newest = newest or moment  # noqa: PLW2901
            over = moment - newest > lately
            self.logs[log] = (total, total if over else before, newest)
            if not over and total > before:
                found[log.partition("/")[2]] += total - before
        return found
