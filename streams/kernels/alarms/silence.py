"""Detects missing traffic at a lane, an entrance, a gateway or everywhere, with one alarm per cause.

How long a silence means something depends on what is usual. If events come at random at a rate r, none comes for t
seconds with probability exp(-r t); r t = 16 happens by chance once in nine million gaps, which is some days of an expo.

What is usual changes: fewer come at noon than in the ten minutes before. So the same is reckoned from the sisters of a
part, as so many of its own events for each of theirs, and both must say that it is missed.

Who is to blame is decided by the others: a part is silent on its own if the rest of the larger part is active; the
larger part is to blame if, whichever of its children is left out, the rest of it is missed too. Once a larger part that
was to blame is active again, its children have as much time as if they had just been active.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.kernels.alarms.rules import AlarmEntrance
from streams.kernels.counts.batch import Bools, Floats, Ints

EXPECTED: Final = 16.0  # events that should have come at the usual rate before their absence means something
_BY_SISTERS: Final = 0.8
"""Share of EXPECTED that the sisters' events must make us expect: their number varies by chance, too."""
_ALIVE: Final = 3.0  # events that may be missing from the rest of a larger part while it still counts as alive
_DEAD: Final = 8.0  # and from which on it counts as silent as well; in between it is waited for
_SISTERS: Final = 0.2  # sisters go on if they have this share of the minute before, at least
_MINUTES: Final = 10
_FEWEST_MINUTES: Final = 3
_LEVELS: Final = 3  # larger parts that a lane may be in: its entrance, a gateway, everything


@dataclass(frozen=True, slots=True)
class SitePart:
    """A part of the site that can be silent."""

    rule: str  # the name of its alarm
    subject: str
    zone: str
    lanes: tuple[int, ...]
    parent: int  # the next larger part; -1: none


def parts_of(entrances: Sequence[AlarmEntrance]) -> list[SitePart]:
    """List everything, gateways, entrances and lanes, larger ones first; a part with one child is left out."""
    lanes = {lane: number for number, lane in enumerate(lane for entrance in entrances for lane in entrance.lanes)}
    parts = [SitePart("silence-everything", "everything", "", tuple(lanes.values()), -1)]
    gateways: dict[str, int] = {}
    for name in sorted({entrance.gateway for entrance in entrances if entrance.gateway}):
        behind = [entrance for entrance in entrances if entrance.gateway == name]
        if len(behind) > 1:
            zones = {entrance.zone for entrance in behind}
            zone = zones.pop() if len(zones) == 1 else ""
            numbers = tuple(lanes[lane] for entrance in behind for lane in entrance.lanes)
            gateways[name] = len(parts)
            parts.append(SitePart("silence-gateway", name, zone, numbers, 0))
    for entrance in entrances:
        numbers = tuple(lanes[lane] for lane in entrance.lanes)
        parts.append(
            SitePart("silence-entrance", entrance.id, entrance.zone, numbers, gateways.get(entrance.gateway, 0))
        )
        if len(numbers) > 1:
            parent = len(parts) - 1
            parts += [SitePart("silence-lane", lane, entrance.zone, (lanes[lane],), parent) for lane in entrance.lanes]
    return parts


class SilenceDetector:
    """What is known of every lane, and how long each part of the site has been silent beyond what is usual."""

    def __init__(self, entrances: Sequence[AlarmEntrance]) -> None:
        self.entrances, self.parts = entrances, parts_of(entrances)
        names = [lane for entrance in entrances for lane in entrance.lanes]
        lanes, parts = len(names), len(self.parts)
        self.numbers = {name: number for number, name in enumerate(names)}
        self.parent = np.array([part.parent for part in self.parts])
        self._nobody: Bools = np.zeros(parts, dtype=np.bool_)
        self._of = np.repeat(np.arange(parts), [len(part.lanes) for part in self.parts])
        self._lanes = np.array([lane for part in self.parts for lane in part.lanes], dtype=np.int64)
        self.entrance_of_lane = np.repeat(np.arange(len(entrances)), [len(entrance.lanes) for entrance in entrances])
        pairs = sorted(set(zip(self._of.tolist(), self.entrance_of_lane[self._lanes].tolist(), strict=True)))
        self._entrances_of_parts = np.array(pairs, dtype=np.int64).reshape(-1, 2).T  # part, entrance
        # Parts that leave no entrance out.
        self._whole: Bools = self._by_part(np.ones(len(entrances))) == len(entrances)

        self.lane_reports: dict[tuple[str, str], tuple[int, int, int]] = {}  # (log, lane): see Lane
        self.changed_reports: set[tuple[str, str]] = set()  # since the last snapshot
        self._through: dict[str, Bools] = {}  # by log: lanes that were active through it
        self.last: Ints = np.zeros(lanes, dtype=np.int64)  # by lane
        self.events: Ints = np.zeros(lanes, dtype=np.int64)
        self.entered: Ints = np.zeros(lanes, dtype=np.int64)  # newest passage inward, ms

        self.rate: Floats = np.zeros(parts)  # events per second, of when it was last alive
        self.rest_rate: Floats = np.zeros(parts)  # the same of the rest of its parent
        self.seen: Ints = np.zeros(parts, dtype=np.int64)  # last active (ms), as of the newest update
        self.rest_then: Ints = np.zeros(parts, dtype=np.int64)  # events that the rest had had by then
        self.minute_totals: list[Ints] = []  # events of each part at the last minutes, the oldest first
        self.blamed: Bools = np.zeros(parts, dtype=np.bool_)  # as of the newest moment
        self.revived: Ints = np.zeros(parts, dtype=np.int64)  # when (ms) it was active after that
        self.newest: Ints = np.zeros(parts, dtype=np.int64)  # last active (ms), 0: never; as `seen`
        self._stale = True  # what was computed from events and usual rates

    def ingest(self, log: str, device: str, last: int, events: int, *, entered: int = 0) -> None:
        """Add what a log publishes of one lane, absolute: newest event and passage inward (ms), number of events."""
        number = self.numbers.get(device)
        if number is None:
            return  # a device that the profile does not have
        known_last, known, known_entered = self.lane_reports.get((log, device), (0, 0, 0))
        self.changed_reports.add((log, device))
        self.lane_reports[log, device] = (max(known_last, last), max(known, events), max(known_entered, entered))
        if log not in self._through:
            self._through[log] = np.zeros(len(self.numbers), dtype=np.bool_)
        self._through[log][number] = self._stale = True
        self.last[number] = max(self.last[number], last)
        self.events[number] += max(0, events - known)
        self.entered[number] = max(self.entered[number], entered)

    def open_lanes(self, since: int) -> Ints:
        """Count the lanes of each entrance through which somebody has come in since a moment (ms)."""
        return np.bincount(self.entrance_of_lane, self.entered > since, len(self.entrances)).astype(np.int64)

    def active_through(self, logs: Collection[str]) -> tuple[Bools, Bools]:
        """Return which entrances, and which parts, have lanes that were active through any of these logs."""
        lanes = np.zeros(len(self.numbers), dtype=np.bool_)
        for log in self._through.keys() & logs:
            lanes |= self._through[log]
        entrances: Bools = np.bincount(self.entrance_of_lane, lanes, len(self.entrances)) > 0
        parts: Bools = np.bincount(self._of, lanes[self._lanes], len(self.parts)) > 0
        return entrances, parts

    def alive_elsewhere(self, now: Ints, before: Ints) -> Bools:
        """Tell for each part whether the entrances outside it go on as in the minute before: events by entrance."""
        others, others_before = (by_entrance.sum() - self._by_part(by_entrance) for by_entrance in (now, before))
        answer: Bools = self._whole | ((others > 0) & (others >= _SISTERS * others_before))
        return answer

    def minute(self) -> None:
        """Note how many events each part has had; usual is what it had in ten minutes, while it was alive."""
        events = self._events()
        if len(self.minute_totals) >= _FEWEST_MINUTES:
            first, last, span = self.minute_totals[0], self.minute_totals[-1], 60.0 * len(self.minute_totals)
            self.rate = np.where(events > last, (events - first) / span, self.rate)
            # The same of the rest of its parent: of all lanes of the parent that are not its own.
            rest, rest_first, rest_last = (each[self.parent] - each for each in (events, first, last))
            self.rest_rate = np.where(rest > rest_last, (rest - rest_first) / span, self.rest_rate)
        self.minute_totals = [*self.minute_totals[-(_MINUTES - 1) :], events]
        self._stale = True

    def at(self, moment: int) -> Floats:
        """Tell for how many seconds each part has been silent, 0 where that means nothing."""
        if self._stale:
            self._look()
        if moment < self._due:
            if self.blamed is not self._nobody:
                self._blame(self._nobody)
            return np.zeros(len(self.parts))
        rest_missed = self._seconds(moment, self._newest_of_rest) * self.rest_rate
        least = np.full(len(self.parts), np.inf)
        np.minimum.at(least, self.parent[1:], rest_missed[1:])
        to_blame = (self._seconds(moment, self.newest) * self.rate >= EXPECTED) & (least >= _DEAD)
        self._blame(to_blame)
        means = to_blame & self._by_sisters & ((self.parent < 0) | (rest_missed < _ALIVE))
        if not means.any():
            return np.zeros(len(self.parts))
        seconds = self._seconds(moment, np.maximum(self.newest, np.where(self.newest > 0, self._revived_above(), 0)))
        return np.where(means & (seconds * self.rate >= EXPECTED), seconds, 0.0)

    def _look(self) -> None:
        """Compute what depends on events and usual rates, and not on the moment."""
        self.newest = np.zeros(len(self.parts), dtype=np.int64)
        np.maximum.at(self.newest, self._of, self.last[self._lanes])
        self._newest_of_rest = self._without(self.newest)
        self._by_sisters = self._missed_by_sisters()
        known = np.flatnonzero((self.rate > 0) & (self.newest > 0))
        # No part is missed before this moment; a ms earlier, so that no rounding matters.
        self._due = (self.newest[known] + 1000 * EXPECTED / self.rate[known]).min(initial=np.inf) - 1
        self._stale = False

    def _blame(self, parts: Bools) -> None:
        """Note who is to blame now, and who has been active after that."""
        self.revived = np.where(self.blamed & ~parts, self.newest, self.revived)
        self.blamed = parts

    def _events(self) -> Ints:
        return np.bincount(self._of, weights=self.events[self._lanes], minlength=len(self.parts)).astype(np.int64)

    def _by_part(self, by_entrance: NDArray[Any]) -> Floats:
        """Add up for each part what the entrances have of which it has any lane."""
        part, entrance = self._entrances_of_parts
        return np.bincount(part, weights=by_entrance[entrance], minlength=len(self.parts)).astype(np.float64)

    def _missed_by_sisters(self) -> Bools:
        """Return of which parts events should have come, judged by those of their sisters since each was active."""
        events = self._events()
        rest = events[self.parent] - events
        self.rest_then = np.where(self.newest > self.seen, rest, self.rest_then)
        self.seen = self.newest
        expected = self.rate * (rest - self.rest_then)
        answer: Bools = (self.parent < 0) | (expected >= _BY_SISTERS * EXPECTED * self.rest_rate)
        return answer

    @staticmethod
    def _seconds(moment: int, since: Ints) -> Floats:
        """Return for how many seconds something has been silent; 0 if it never was active."""
        return np.where(since > 0, (moment - since) / 1000.0, 0.0)

    def _without(self, newest: Ints) -> Ints:
        """Tell when (ms) the rest of each part's parent was last active: the newest of its sisters."""
        parent = self.parent[1:]
        first, second = np.zeros_like(newest), np.zeros_like(newest)
        np.maximum.at(first, parent, newest[1:])
        is_first = newest[1:] == first[parent]
        np.maximum.at(second, parent, np.where(is_first, 0, newest[1:]))
        alone = np.bincount(parent, weights=is_first, minlength=len(newest))[parent] == 1
        return np.concatenate([[0], np.where(is_first & alone, second[parent], first[parent])])

    def _revived_above(self) -> Ints:
        """Return when (ms) a larger part of the site was active again after a silence."""
        above: Ints = np.zeros(len(self.parts), dtype=np.int64)
        for _ in range(_LEVELS):
            above = np.where(self.parent < 0, 0, np.maximum(above, self.revived)[self.parent])
        return above

    def forget_usual(self) -> None:
        """Begin anew, as at every opening: yesterday's rates are not today's."""
        for usual in (self.rate, self.rest_rate, self.blamed, self.revived):
            usual[:] = 0
        self.minute_totals.clear()
        self._stale = True
