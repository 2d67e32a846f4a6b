"""A small site, and helpers that feed its alarms counts second by second."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import AlarmInput, Command, Inside, LogFlow, OccupancyReading
from streams.kernels.alarms.log import AlarmBatch, AlarmLog
from streams.kernels.alarms.rules import RULES, AlarmEntrance, AlarmSite
from streams.kernels.alarms.snapshot import freeze, thaw
from streams.kernels.counts.live import Measure
from streams.kernels.counts.partition_log import PartitionId

TEN: Final = 1_763_604_000
"""2025-11-20 10:00:00 in Shanghai, in seconds: a full minute."""
GRACE: Final = 1000
NAME: Final = PartitionId("test", "alarm.inputs", 0)
IN, OUT, DENIED, UNWELL = Measure.PASSED_IN, Measure.PASSED_OUT, Measure.DENIED, Measure.UNWELL
Events = Iterable[tuple[str, Measure]]
"""Of one second: the lane and the measure of each."""


def always(_: int) -> bool:
    return True


def gate(name: str, lanes: int = 2, *, zone: str = "Z", inner: str = "hall", gateway: str = "") -> AlarmEntrance:
    """Describe an entrance for persons with lanes like N1-1, N1-2."""
    return AlarmEntrance(name, "person", zone, inner, [f"{name}-{lane}" for lane in range(1, lanes + 1)], gateway)


def steady(lanes: Mapping[str, int], *, measure: Measure = IN) -> Callable[[int], Events]:
    """Let each lane have an event every so many seconds, one lane after the other."""
    return lambda second: [
        (lane, measure) for number, (lane, every) in enumerate(lanes.items()) if (second + number) % every == 0
    ]


def crowd(per_minute: int, *, entrance: str = "N1", out: bool = False) -> Callable[[int], Events]:
    """Let persons through the two lanes of an entrance in turn, so many a minute."""
    each = 60 // per_minute
    measure = OUT if out else IN
    return lambda second: [(f"{entrance}-{second // each % 2 + 1}", measure)] if second % each == 0 else []


class Feed:
    """Alarms of a site with one log of passages, or with a log for each entrance that is named in `logs`."""

    def __init__(
        self,
        gates: Sequence[AlarmEntrance],
        *,
        logs: Mapping[str, str] | None = None,
        is_open: Callable[[int], bool] = always,
        capacity: Mapping[str, int] | None = None,
    ) -> None:
        self.entrance_of = {lane: each.id for each in gates for lane in each.lanes}
        self.log_of = {each.id: (logs or {}).get(each.id, "log") for each in gates}
        self.names = sorted(set(self.log_of.values()))
        self.place = AlarmSite(
            site="site", entrances=gates, capacity=capacity or {}, rules=RULES, is_open=is_open, logs=len(self.names),
            grace=GRACE,
        )  # fmt: skip
        self.alarms = AlarmLog(NAME, self.place, next_offset=0)
        self.events: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self._held: dict[str, list[LogFlow]] = defaultdict(list)

    def tell(
        self,
        *flows: LogFlow,
        readings: Sequence[OccupancyReading] = (),
        commands: Sequence[Command] = (),
        arrived: int = 0,
    ) -> list[Episode]:
        """Write one line of inputs; return what has changed."""
        offset = self.alarms.next_offset
        said = AlarmInput(list(flows), list(readings), list(commands))
        self.alarms.apply(AlarmBatch(offset, offset + 1, [(offset, arrived, said)]))
        self.alarms.drain()
        return self.alarms.drain_changes()

    def flows(self, second: int, events: Events) -> dict[str, LogFlow]:
        """Count the events of a second as the logs would; each log is complete up to its end."""
        cells: Counter[tuple[str, int]] = Counter()
        lanes = set()
        for lane, measure in events:
            cells[self.entrance_of[lane], measure] += 1
            self.events[lane] += 1
            self.entered[lane] = second * 1000 + 500 if measure is IN else self.entered[lane]
            lanes.add(lane)
        return {
            log: LogFlow(
                log, "person", second, (second + 1) * 1000,
                [(second, entrance, measure, n) for (entrance, measure), n in cells.items() if self._in(log, entrance)],
                [
                    (lane, self.entrance_of[lane], second * 1000 + 500, self.events[lane], self.entered[lane])
                    for lane in sorted(lanes)
                    if self._in(log, self.entrance_of[lane])
                ],
            )
            for log in self.names
        }  # fmt: skip

    def _in(self, log: str, entrance: str) -> bool:
        return self.log_of[entrance] == log

    def play(
        self,
        events: Callable[[int], Events],
        *,
        start: int,
        end: int,
        inside: Callable[[int], list[Inside]] | None = None,
        away: Collection[str] = (),
    ) -> list[Episode]:
        """Let seconds pass; what logs that are `away` count arrives when they are back. Return all changes."""
        changes = []
        for second in range(start, end):
            for log, flow in self.flows(second, events(second)).items():
                self._held[log].append(flow)
            flows = [flow for log in self.names if log not in away for flow in self._held.pop(log, [])]
            readings = [OccupancyReading((second + 1) * 1000, inside(second))] if inside else []
            changes += self.tell(*flows, readings=readings)
        return changes

    def restart(self, gates: Sequence[AlarmEntrance] | None = None) -> None:
        """Keep the state, and take it up again; with other gates if the profile has changed meanwhile."""
        if gates is not None:
            kept = {"alarms": self.alarms, "events": self.events, "entered": self.entered}
            self.__dict__.update(Feed(gates).__dict__ | kept)
        self.alarms = thaw(freeze(self.alarms), NAME, self.place)


def steps(changes: Iterable[Episode]) -> list[tuple[str, str, str]]:
    """Say of each change its rule, its subject and what it was."""
    return [(each.rule, each.subject, each.what) for each in changes]
