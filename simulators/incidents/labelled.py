"""The list of incidents, each with the alarms that must be raised, at which time, and no others.

The moments are worked out from the events with a few lines of numpy, not with the kernels. Usual traffic is 60 persons
a minute at each entrance, one a second: 6 a minute and lane, where 11 is too many.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from simulators.incidents.traffic import SECOND, Ground, Traffic
from simulators.scenario.day import DENIED, IN, OUT, PASSED, Ints
from streams.kernels.counts.batch import Bools
from streams.site.reader import load_site

PROFILE: Final = Path(__file__).with_name("rehearsal.toml")
_USUAL: Final = 60.0  # persons a minute and entrance
_ENTRANCES: Final = tuple(f"P{number}" for number in range(1, 9))
_INSIDE: Final = {("hall", "person"): 400}
_TOO_MANY: Final = 110  # in a minute, through ten lanes
_ON_DELAY: Final = 30  # seconds; of overload in the profile
_RAISED_AND_CLEARED: Final = (("raised", "orange"), ("cleared", "orange"))


@dataclass(frozen=True)
class Expected:
    """An alarm that should be raised: at the second `due` at the earliest, and `patience` s later at the latest."""

    rule: str
    subject: str
    due: float
    patience: float = 2.0


@dataclass(frozen=True)
class Incident:
    """A story of `minutes`; `changes`: how the first of the expected alarms goes on, as (what, level)."""

    name: str
    traffic: Traffic
    minutes: float
    expected: tuple[Expected, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    inside: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict(_INSIDE))


def ground() -> Ground:
    """Return the site of the rehearsals at ten in the morning of a working day."""
    site = load_site(PROFILE)
    begin = dt.datetime(2026, 3, 4, 10, tzinfo=ZoneInfo(site.time_zone))
    return Ground(site, round(begin.timestamp() * 1000))


def usual(on: Ground, minutes: float, *, without: tuple[str, ...] = (), seed: int | None = None) -> Traffic:
    """As many come as go, so that nobody is more inside; with a seed they come at random times to random lanes."""
    rng = None if seed is None else np.random.default_rng(seed)
    parts = [
        on.steady(each, rate=_USUAL, start=0, end=60 * minutes, direction=direction, rng=rng)
        for each in _ENTRANCES
        if each not in without
        for direction in (0, OUT)
    ]
    parts.append(on.steady("V1", rate=4, start=0, end=60 * minutes))
    parts.append(on.steady("V1", rate=4, start=0, end=60 * minutes, direction=OUT))
    return parts[0].plus(*parts[1:])


def _last(on: Ground, traffic: Traffic, mine: Bools) -> float:
    """Return the second of the last event that is `mine` before all silences, which begin after 20 minutes."""
    return (int(traffic.ts[mine & (traffic.ts < on.at(1200))].max()) - on.begin) / SECOND


def in_a_minute(on: Ground, traffic: Traffic, entrance: str, *, seconds: int = 60, outcome: int = PASSED) -> Ints:
    """Count who went in at an entrance in the last `seconds`, at the end of every second of the incident."""
    mine = np.isin(traffic.device, on.lanes(entrance)) & (traffic.outcome == outcome) & (traffic.direction == IN)
    each = np.bincount((traffic.ts[mine] - on.begin) // SECOND, minlength=3600 * 2)
    return np.convolve(each, np.ones(seconds, dtype=np.int64))[: len(each)]


def first_for(holds: Bools, seconds: int) -> float:
    """Return the end of the first second at which something has been true for so long without a break."""
    run = 0
    for second, each in enumerate(holds.tolist(), start=1):
        run = run + 1 if each else 0
        if run > seconds:
            return second
    raise ValueError(f"this never holds for {seconds} s")


def _overloaded(on: Ground, traffic: Traffic, entrance: str) -> Expected:
    return Expected("entrance-overload", entrance, first_for(in_a_minute(on, traffic, entrance) > _TOO_MANY, _ON_DELAY))


def _overload(seconds: int) -> Callable[[Ground], Incident]:
    """More than 110 in the last minute at ten lanes for so many seconds: two bursts of 30 that share this time."""

    def make(on: Ground) -> Incident:
        bursts = [on.burst("P3", at=at, persons=30) for at in (900, 900 + 59 - seconds)]
        back = on.steady("P3", rate=60, start=960, end=1020, direction=OUT)
        name, traffic = f"overload-{seconds}s", usual(on, 30).plus(*bursts, back)
        if seconds < _ON_DELAY:
            return Incident(name, traffic, 30)
        return Incident(name, traffic, 30, (_overloaded(on, traffic, "P3"),), _RAISED_AND_CLEARED)

    return make


def _flapping(on: Ground) -> Incident:
    """Over the limit for 20 s, ten times, then for good, and around it: one alarm."""
    short = [on.burst("P5", at=600 + 90 * n + shift, persons=30) for n in range(10) for shift in (0, 39)]
    long = on.steady("P5", rate=70, start=1800, end=2400)
    waves = [on.burst("P5", at=1860 + 45 * n, persons=5) for n in range(12)]
    back = on.steady("P5", rate=46, start=600, end=2500, direction=OUT)
    traffic = usual(on, 50).plus(*short, long, *waves, back)
    return Incident("flapping", traffic, 50, (_overloaded(on, traffic, "P5"),), _RAISED_AND_CLEARED)


def _ramp(on: Ground) -> Incident:
    """Let the flow grow slowly beyond the limit: from 60 to 150 a minute within 30 min."""
    parts = [
        on.steady("P4", rate=3.0 * minute, start=60 * minute + 300, end=60 * minute + 360, direction=direction)
        for minute in range(30)
        for direction in (IN, OUT)
    ]
    traffic = usual(on, 45).plus(*parts)
    expected = (_overloaded(on, traffic, "P4"),)
    return Incident("slow-ramp", traffic, 45, expected, _RAISED_AND_CLEARED)


def _silent(
    name: str, entrances: tuple[str, ...], expected: tuple[str, str], *, seed: int | None = None
) -> Callable[[Ground], Incident]:
    """Let all lanes of some entrances be silent for five minutes."""

    def make(on: Ground) -> Incident:
        traffic = usual(on, 40, seed=seed)
        mine = np.isin(traffic.device, on.lanes(*entrances))
        silent = mine & (traffic.ts >= on.at(1200)) & (traffic.ts < on.at(1500))
        due = _last(on, traffic, mine) + 60
        return Incident(name, traffic.where(~silent), 40, (Expected(*expected, due),))

    return make


def _lane(on: Ground, seed: int | None = None) -> Incident:
    """Let one lane of ten be silent."""
    traffic = usual(on, 40, seed=seed)
    mine = traffic.device == on.lanes("P6")[3]
    silent = mine & (traffic.ts >= on.at(1200)) & (traffic.ts < on.at(1800))
    before = mine & (traffic.ts >= on.at(600)) & (traffic.ts < on.at(1200))
    missed = 16 * 600 / np.count_nonzero(before)  # seconds until 16 events are missing
    expected = (Expected("silence-lane", "P6-L04", float(_last(on, traffic, mine) + missed), patience=6),)
    name = "lane-outage" if seed is None else "lane-outage-at-random"
    return Incident(name, traffic.where(~silent), 40, expected)


def _quiet(on: Ground) -> Incident:
    """Let an entrance have two events a minute at random times: its silences mean nothing."""
    rng = np.random.default_rng(5)
    few = [on.steady("P7", rate=2, start=0, end=3600, rng=rng, direction=direction) for direction in (IN, OUT)]
    return Incident("quiet-entrance", usual(on, 60, without=("P7",)).plus(*few), 60)


def _capacity(on: Ground) -> Incident:
    """Let two a second more come in than go out: 800 inside after 200 s, 1,000 after 300; then they leave."""
    come = [on.steady(each, rate=60, start=600, end=920) for each in ("P8", "P1")]
    leave = [on.steady(each, rate=60, start=1200, end=1600, direction=OUT) for each in ("P2", "P3")]
    traffic = usual(on, 40).plus(*come, *leave)
    full = Expected("area-capacity", "hall", first_for(_inside(on, traffic) >= 800, 10))  # 80 % of 1,000
    overloaded = (_overloaded(on, traffic, each) for each in ("P8", "P1"))
    changes = (
        ("raised", "yellow"), ("escalated", "orange"), ("escalated", "red"),
        ("deescalated", "orange"), ("deescalated", "yellow"), ("cleared", "red"),
    )  # fmt: skip
    return Incident("capacity", traffic, 40, (full, *overloaded), changes)


def _inside(on: Ground, traffic: Traffic) -> Ints:
    """Return how many are in the hall at the end of every second."""
    persons = np.isin(traffic.device, on.lanes(*_ENTRANCES)) & (traffic.outcome == PASSED)
    step = np.where(traffic.direction[persons] == IN, 1, -1)
    each = np.bincount((traffic.ts[persons] - on.begin) // SECOND, weights=step, minlength=3600 * 2)
    return np.cumsum(each).astype(np.int64) + _INSIDE["hall", "person"]


def _drift(on: Ground) -> Incident:
    """Entries are not seen: more leave than came, and fewer than nobody is inside."""
    out = on.steady("P2", rate=24, start=600, end=2400, direction=OUT)
    traffic = usual(on, 50).plus(out)
    expected = (Expected("drift", "hall", first_for(_inside(on, traffic) < -5, 60)),)
    changes = (("raised", "orange"), ("escalated", "red"))
    return Incident("drift", traffic, 50, expected, changes)


def _leak(on: Ground) -> Incident:
    """Let every hundredth exit at one gate be lost on its way: its device has numbered it, and it never comes."""
    traffic = usual(on, 60)
    exits = np.flatnonzero(np.isin(traffic.device, on.lanes("P2")) & (traffic.direction == OUT))
    lost = np.zeros(len(traffic), dtype=np.int64)
    lost[exits[99::100]] = 1
    eleventh = (int(traffic.ts[exits[11 * 100 - 1]]) - on.begin) / SECOND
    expected = Expected("drift-entrance", "P2", eleventh + 300, patience=20)  # a hole shows once the lane goes on
    return Incident("leak", replace(traffic, lost=lost), 60, (expected,))


def _refused(on: Ground) -> Incident:
    """Let one in four be refused at an entrance."""
    surge = on.steady("P6", rate=20, start=1200, end=1500, outcome=DENIED)
    traffic = usual(on, 45).plus(surge)
    refused, passed = (in_a_minute(on, traffic, "P6", seconds=300, outcome=each) for each in (DENIED, PASSED))
    many = (refused >= 20) & (100 * refused > 10 * (refused + passed))  # the rule's figures
    expected = (Expected("refusals", "P6", first_for(many, 30)),)
    return Incident("refusals", traffic, 45, expected)


def _unwell(on: Ground) -> Incident:
    """Let several persons have abnormal health at one entrance."""
    persons = [on.burst("P7", at=1200 + 40 * n, persons=1, outcome=DENIED, unwell=True) for n in range(8)]
    return Incident("health", usual(on, 45).plus(*persons), 45, (Expected("health", "P7", 1200 + 40 * 4 + 1),))


def _upload(on: Ground) -> Incident:
    """Let a gateway be offline for ten minutes, and then upload 2,400 passages at once: silence, and no overload."""
    traffic = usual(on, 45)
    mine = np.isin(traffic.device, on.lanes("P1", "P2"))
    offline = mine & (traffic.ts >= on.at(1200)) & (traffic.ts < on.at(1800))
    expected = (Expected("silence-gateway", "GW1", _last(on, traffic, mine) + 60),)
    return Incident("upload", traffic.held_up(offline, until=on.at(1800)), 45, expected)


def _slow_clocks(on: Ground) -> Incident:
    """Let an entrance be overloaded whose devices' clocks are a minute behind; what counts then is when it arrives."""
    crowd = [on.steady("P4", rate=70, start=1200, end=1680, direction=direction) for direction in (IN, OUT)]
    traffic = usual(on, 45).plus(*crowd)
    mine = np.isin(traffic.device, on.lanes("P4"))
    sent = replace(traffic, ts=np.where(mine, traffic.ts - 60 * SECOND, traffic.ts))
    known = replace(traffic, ts=np.where(mine, np.maximum(traffic.arrives - SECOND, on.begin), traffic.ts))
    return Incident("slow-clocks", sent, 45, (_overloaded(on, known, "P4"),), _RAISED_AND_CLEARED)


def _closed(on: Ground) -> Incident:
    """Let the gates close at eight and nobody come any more, which is no silence."""
    night = Ground(on.site, on.begin + 10 * 3_600_000 - 20 * 60_000)
    return Incident("closing-time", usual(night, 21), 60)


INCIDENTS: Final[tuple[Callable[[Ground], Incident], ...]] = (
    lambda on: Incident("usual", usual(on, 60), 60),
    _overload(29),
    _overload(31),
    _flapping,
    _ramp,
    _silent("gate-outage", ("P5",), ("silence-entrance", "P5")),
    _silent("gateway-outage", ("P1", "P2"), ("silence-gateway", "GW1")),
    _silent("network-outage", (*_ENTRANCES, "V1"), ("silence-everything", "everything")),
    _lane,
    lambda on: Incident("usual-at-random", usual(on, 60, seed=1), 60),
    lambda on: _lane(on, seed=2),
    _silent("gate-outage-at-random", ("P5",), ("silence-entrance", "P5"), seed=3),
    _silent("gateway-outage-at-random", ("P1", "P2"), ("silence-gateway", "GW1"), seed=4),
    _upload,
    _slow_clocks,
    _quiet,
    _capacity,
    _drift,
    _leak,
    _refused,
    _unwell,
    _closed,
)
