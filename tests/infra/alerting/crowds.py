"""Crowds that come to many entrances at once: a site for them, their passages, and when each overload is due (pure).

A crowd is so many persons through one lane within a second and a half. The minute's count is above the limit when the
twelfth of them has passed, and is low enough again when the seventh of them is a minute ago; the delays follow. That is
the moment from which on a duty officer waits for the message. (The platform judges full seconds, so it cannot know
until up to a second later.)
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final

PERSONS: Final = 15
GAP: Final = 0.1  # s between two of them
LIMIT, DEAD_BAND = 11, 2  # persons/min/lane
WINDOW: Final = 60.0  # s
ON_DELAY, OFF_DELAY = 3.0, 2.0  # s
PERIOD: Final = 68.0  # s between two crowds at one entrance: by then the first one's overload is over
RULE: Final = "entrance-overload"
ZONES: Final = ("Z1", "Z2", "Z3", "Z4")

_HEAD: Final = f"""
id = "crowds"
title = {{ zh = "多入口场馆", en = "Venue with many entrances" }}
time_zone = "Asia/Shanghai"

[opening]
daily = "00:00-24:00"

[alarms.{RULE}]
limits = {{ orange = {LIMIT} }}
dead_band = {DEAD_BAND}
on_delay = {ON_DELAY}
off_delay = {OFF_DELAY}
repeat = 36000

# Nobody comes between two crowds.
[alarms.silence-lane]
limits = {{ yellow = 1000000 }}
[alarms.silence-entrance]
limits = {{ orange = 1000000 }}
[alarms.silence-gateway]
limits = {{ orange = 1000000 }}
[alarms.silence-everything]
limits = {{ red = 1000000 }}

[[grid]]
id = "G1"
title = {{ zh = "网格", en = "Grid" }}

[[unit]]
id = "U1"
grid = "G1"
title = {{ zh = "单元", en = "Unit" }}

[[category]]
id = "visitor"
title = {{ zh = "观展", en = "Visitor" }}
colour = "#22c55e"

[[vehicle_class]]
id = "car"
title = {{ zh = "轿车", en = "Car" }}
colour = "#60a5fa"

[[area]]
id = "hall"
title = {{ zh = "展厅", en = "Hall" }}
capacity = {{ person = 1000000 }}

[[area]]
id = "park"
title = {{ zh = "停车场", en = "Car park" }}
capacity = {{ vehicle = 1000 }}

[[entrance]]
id = "V1"
title = {{ zh = "车辆口", en = "Vehicle gate" }}
kind = "vehicle"
outer = "outside"
inner = "park"
zone = "Z1"
lanes = 1
"""


def entrance_ids(entrances: int) -> list[str]:
    """Return the names of so many entrances."""
    return [f"E{number:02}" for number in range(1, entrances + 1)]


def profile(entrances: int, *, lanes: int = 1) -> str:
    """Return a site profile with so many entrances, shared out among four zones."""
    zones = [
        f'[[zone]]\nid = "{zone}"\nunit = "U1"\ntitle = {{ zh = "{zone}区", en = "Zone {zone}" }}\n'
        f'team = {{ zh = "{zone}处置组", en = "{zone} team" }}\n'
        for zone in ZONES
    ]
    gates = [
        f'[[entrance]]\nid = "{name}"\ntitle = {{ zh = "{name}口", en = "Gate {name}" }}\nkind = "person"\n'
        f'outer = "outside"\ninner = "hall"\nzone = "{ZONES[number % len(ZONES)]}"\nlanes = {lanes}\n'
        for number, name in enumerate(entrance_ids(entrances))
    ]
    return "\n".join([_HEAD, *zones, *gates])


@dataclass(frozen=True, order=True)
class Crowd:
    """A crowd that begins to come `at` so many seconds after the start."""

    at: float
    entrance: str

    @property
    def moments(self) -> list[float]:
        """When each of them comes, s after the start."""
        return [self.at + GAP * person for person in range(PERSONS)]


def crowds(entrances: Sequence[str], times: int, *, seed: int = 1) -> list[Crowd]:
    """Return so many crowds for each entrance, at any moment of the second, in order."""
    draw = Random(seed)  # noqa: S311 - moments, not secrets
    phases = {entrance: draw.random() * (PERIOD - 2) for entrance in entrances}
    return sorted(Crowd(phases[each] + PERIOD * number, each) for each in entrances for number in range(times))


def due(passed: Sequence[float]) -> dict[str, float]:
    """Return when an overload is to be raised and when to be cleared, from the times (s) at which a crowd passed."""
    over, under = passed[LIMIT], passed[PERSONS - (LIMIT - DEAD_BAND)]
    return {"raised": over + ON_DELAY, "cleared": under + WINDOW + OFF_DELAY}


class Lanes:
    """Numbers the events of each lane, and writes them as devices do."""

    def __init__(self) -> None:
        self._numbers: dict[str, Iterator[int]] = {}

    def event(self, entrance: str, ts_ms: int, *, lane: int = 1, outcome: str = "passed") -> bytes:
        """Return the next event of a lane as its line; `ts_ms` is when it happened."""
        device = f"{entrance}-L{lane:02}"
        seq = next(self._numbers.setdefault(device, count(1)))
        line = {
            "device": device, "seq": seq, "ts": ts_ms, "entrance": entrance, "direction": "in", "outcome": outcome,
            "category": "visitor", "epoch": 1,
        }  # fmt: skip
        return json.dumps(line).encode()
