"""What should be heard from and is not: a lane, an entrance, a gateway or everything, one alarm per cause.

How long a silence means something depends on what is usual. If events come at random at a rate r, none comes for t
seconds with probability exp(-r t); r t = 16 happens by chance once in nine million gaps, which is some days of an expo.
A silence is blamed on the largest part of the site that is silent: a lane is not silent while its entrance may be,
and once the entrance is heard from again, its lanes have as much time as if they had just been heard from too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from streams.kernels.alarms.inputs import LogFlow
from streams.kernels.alarms.rules import Gate
from streams.kernels.batch import Bools, Floats, Ints

EXPECTED: Final = 16.0
"""Events that should have come at the usual rate before their absence means something."""
_ALIVE: Final = 3.0
"""Below this many expected events a part of the site is taken to be alive."""
_MINUTES: Final = 10
_FEWEST_MINUTES: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the site that can be silent: `rule` names its alarm, `parent` the next larger part (-1: none)."""

    rule: str
    subject: str
    zone: str
    kind: str
    lanes: tuple[int, ...]
    parent: int


def parts_of(gates: Sequence[Gate]) -> list[Part]:
    """List everything, gateways, entrances and lanes, larger ones first; a part with one child is left out."""
    lanes = {lane: number for number, lane in enumerate(lane for gate in gates for lane in gate.lanes)}
    parts = [Part("silence-everything", "everything", "", "", tuple(lanes.values()), -1)]
    gateways: dict[str, int] = {}
    for name in sorted({gate.gateway for gate in gates if gate.gateway}):
        behind = [gate for gate in gates if gate.gateway == name]
        if len(behind) > 1:
            zones = {gate.zone for gate in behind}
            zone = zones.pop() if len(zones) == 1 else ""
            numbers = tuple(lanes[lane] for gate in behind for lane in gate.lanes)
            gateways[name] = len(parts)
            parts.append(Part("silence-gateway", name, zone, "", numbers, 0))
    for gate in gates:
        numbers = tuple(lanes[lane] for lane in gate.lanes)
        parts.append(Part("silence-entrance", gate.id, gate.zone, gate.kind, numbers, gateways.get(gate.gateway, 0)))
        if len(numbers) > 1:
            parent = len(parts) - 1
            parts += [Part("silence-lane", lane, gate.zone, gate.kind, (lanes[lane],), parent) for lane in gate.lanes]
    return parts


@dataclass
class Silence:
    """What is known of every lane, and how long each part of the site has been silent beyond what is usual."""

    gates: Sequence[Gate]

    def __post_init__(self) -> None:
        """Begin without having heard anything."""
        self.heard: dict[tuple[str, str], tuple[int, int]] = {}  # (log, lane): last (ms), events
        self.parts = parts_of(self.gates)
        names = [lane for gate in self.gates for lane in gate.lanes]
        self.numbers = {name: number for number, name in enumerate(names)}
        self._parents = [part.parent for part in self.parts]
        self.parent = np.array(self._parents)
        self._of = np.repeat(np.arange(len(self.parts)), [len(part.lanes) for part in self.parts])
        self._lanes = np.array([lane for part in self.parts for lane in part.lanes], dtype=np.int64)
        self.gate_of = np.repeat(np.arange(len(self.gates)), [len(gate.lanes) for gate in self.gates])
        self.last: Ints = np.zeros(len(names), dtype=np.int64)  # by lane
        self.events: Ints = np.zeros(len(names), dtype=np.int64)
        self.rate: Floats = np.zeros(len(self.parts))  # events per second, of when it was last alive
        self.marks: list[Ints] = []  # events of each part at the last minutes, the oldest first
        self.silent: Bools = np.zeros(len(self.parts), dtype=np.bool_)  # as of the newest moment
        self.revived: Ints = np.zeros(len(self.parts), dtype=np.int64)  # when (ms) it was heard from after a silence

    def hear(self, flow: LogFlow) -> None:
        """Take in what a log says of its lanes; absolute, so what was known already adds nothing."""
        for device, _, last, events in flow.lanes:
            self.hear_of(flow.log, device, last, events)

    def hear_of(self, log: str, device: str, last: int, events: int) -> None:
        """Take in what a log says of one lane: its newest event (ms), and how many events it has had."""
        number = self.numbers.get(device)
        if number is None:
            return  # a device that the profile does not have
        known_last, known = self.heard.get((log, device), (0, 0))
        self.heard[log, device] = (max(known_last, last), max(known, events))
        self.last[number] = max(self.last[number], last)
        self.events[number] += max(0, events - known)

    def open_lanes(self, since: int) -> Ints:
        """Count the lanes of each gate that have been heard from since a moment (ms)."""
        return np.bincount(self.gate_of, weights=self.last > since, minlength=len(self.gates)).astype(np.int64)

    def newest(self) -> Ints:
        """Tell when (ms) each part was last heard from; 0: never."""
        newest = np.zeros(len(self.parts), dtype=np.int64)
        np.maximum.at(newest, self._of, self.last[self._lanes])
        return newest

    def gates_without(self) -> Bools:
        """Tell for each part which gates are no part of it, not even in part: a row a part."""
        inside = np.zeros((len(self.parts), len(self.gates)), dtype=np.bool_)
        inside[self._of, self.gate_of[self._lanes]] = True
        return ~inside

    def minute(self) -> None:
        """Note how many events each part has had; usual is what it had in ten minutes, while it was alive."""
        events = np.bincount(self._of, weights=self.events[self._lanes], minlength=len(self.parts)).astype(np.int64)
        if len(self.marks) >= _FEWEST_MINUTES:
            alive = events > self.marks[-1]
            usual = (events - self.marks[0]) / (60.0 * len(self.marks))
            self.rate = np.where(alive, usual, self.rate)
        self.marks = [*self.marks[-(_MINUTES - 1) :], events]

    def at(self, moment: int, *, alive_elsewhere: Bools) -> Floats:
        """Tell for how many seconds each part has been silent, 0 where that means nothing.

        alive_elsewhere: by part, whether its sisters go on as before.
        """
        newest = self.newest()
        missed = np.where(newest > 0, (moment - newest) / 1000.0, 0.0) * self.rate
        silent = missed >= _ALIVE
        self.revived = np.where(self.silent & ~silent, newest, self.revived)
        self.silent = silent
        since = np.maximum(newest, self._revived_above())
        seconds: Floats = np.where(newest > 0, (moment - since) / 1000.0, 0.0)
        parent_alive = np.where(self.parent < 0, True, ~silent[self.parent])
        means = (seconds * self.rate >= EXPECTED) & parent_alive & alive_elsewhere
        return np.where(means, seconds, 0.0)

    def _revived_above(self) -> Ints:
        """Tell when (ms) a larger part of the site was last heard from after a silence; larger parts come first."""
        above = np.zeros(len(self.parts), dtype=np.int64)
        for number, parent in enumerate(self._parents):
            if parent >= 0:
                above[number] = max(above[parent], self.revived[parent])
        return above

    def forget_usual(self) -> None:
        """Begin anew, as at every opening: yesterday's rates are not today's."""
        self.rate = np.zeros(len(self.parts))
        self.marks = []
