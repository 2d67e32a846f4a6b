"""Measures the whole chain on this machine: Kafka, workers, ClickHouse, no wall. Next: `reckoning.py`.

backlog: workers that have their partitions are stopped (SIGSTOP) while Kafka is filled, and all go on at once; the rate
is that from then until all is stored. killed: the same, and a worker is killed (`kill -9`) once a quarter is stored.
live: so many passages a second for some seconds.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from dashboards.wall.live.queries import Rounds
from infra.loadtest.sampling import ProcessSampler
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site
from tests.benchmarks.growth.places import site
from tests.benchmarks.growth.plant import Look, Plant, Size, plant
from tests.benchmarks.growth.traffic import PACE, Traffic
from tests.faults.kept import peak_memory

Kind = Literal["backlog", "killed", "live"]
_PATIENCE: Final = 240.0
_SOME: Final = 300_000
_MANY: Final = 1_000_000
_KILLED: Final = 400_000
_LIVE_SECONDS: Final = 15
_A_SLICE: Final = 20_000
_PACE: Final = 0.05
"""Seconds between two sendings of live passages."""
_WARM_UP: Final = 3
"""Passages of each device before the live ones."""
_ROUNDS: Final = 5
_GONE: Final = 0.25
"""Seconds after a kill within which nothing of the process that was started again can be stored."""


@dataclass(frozen=True)
class Pass:
    """What is measured once; `rate` is for live ones, in passages a second."""

    kind: Kind
    partitions: int
    workers: int
    entrances: int
    devices: int
    events: int
    rate: int = 0


@dataclass(frozen=True)
class Passed:
    """What came of it.

    `rate`: passages stored a second. `cores`: how many cores the processes had while that was measured, all workers as
    one. `memory`: most MB of any worker. `snapshot`: bytes of the newest snapshots of all partitions. `again`, `gone`:
    seconds from the kill until one of the killed worker's partitions went on, and until everything was stored.
    `behind`: seconds from the last sending until all of it was stored. `disk`: bytes on disk by table that the passages
    came to, once all is merged. `wall`: seconds of one round of a wall's queries, the middle one of five.
    """

    asked: Pass
    rate: float
    cores: dict[str, float]
    memory: int
    snapshot: int
    again: float | None = None
    gone: float | None = None
    behind: float | None = None
    disk: dict[str, int] = field(default_factory=dict)
    wall: float | None = None


def measure(asked: Pass) -> Passed:
    """Start everything, measure, see that every count is right, and end everything.

    Raises TooSlowError, WrongCountError, and what the servers raise.
    """
    size = Size(asked.partitions, asked.entrances, asked.devices)
    with tempfile.TemporaryDirectory(prefix="growth-") as scratch, plant(Path(scratch) / "plant", size) as place:
        return _live(place, asked) if asked.kind == "live" else _backlog(place, asked)


def _backlog(place: Plant, asked: Pass) -> Passed:
    seconds = asked.events / PACE
    start = int((time.time() - seconds) * 1000)
    traffic = Traffic(_site(asked), events=asked.events, start_ms=start, seconds=seconds)
    _start_workers(place, asked)
    with place.held():
        passed = _send(place, traffic, asked.events)
    began = time.monotonic()
    with ProcessSampler(place.pids) as watch:
        again, gone = _kill(place, asked.events) if asked.kind == "killed" else (None, None)
        last = place.until(lambda look: look.passages >= asked.events, seconds=_PATIENCE, what="everything is stored")
    memory = _memory(place)
    place.check(events=asked.events, passed=passed)
    rate = asked.events / (last.at - began)
    return Passed(asked, rate, _cores(watch), memory, sum(place.snapshots()), again=again, gone=gone)


def _start_workers(place: Plant, asked: Pass) -> None:
    """Start the workers, and wait until each has partitions and none is left over."""
    place.add_workers(asked.workers)
    names = {each.name for each in place.workers}
    place.until(
        lambda look: len(look.stored) == asked.partitions and set(look.worker.values()) == names,
        seconds=_PATIENCE, what="every worker has partitions",
    )  # fmt: skip


def _kill(place: Plant, events: int) -> tuple[float, float]:
    """Kill the worker with the most before it once a quarter is stored; return seconds until it went on, and ended."""
    look = place.until(lambda look: look.passages * 4 >= events, seconds=_PATIENCE, what="a quarter is stored")
    victim = min(place.workers, key=lambda each: look.stored_by(each.name))
    victim.kill()
    killed = time.monotonic()
    time.sleep(_GONE)
    then = place.look()
    if then.passages >= events:
        raise ValueError(
            f"events: {events:,} are too few, all were stored at the kill; expected more than twice as many"
        )
    its = [each for each, name in then.worker.items() if name == victim.name]

    def goes_on(look: Look) -> bool:
        return any(look.stored[each] > then.stored[each] for each in its)

    again = place.until(goes_on, seconds=_PATIENCE, what=f"the partitions {its} of {victim.name} go on", every=0.05)
    gone = place.until(lambda look: look.passages >= events, seconds=_PATIENCE, what="everything is stored")
    return again.at - killed, gone.at - killed


def _live(place: Plant, asked: Pass) -> Passed:
    warm_up = asked.devices * _WARM_UP
    events = warm_up + asked.events
    seconds = events / asked.rate
    traffic = Traffic(_site(asked), events=events, start_ms=int((time.time() - seconds) * 1000), seconds=seconds)
    _start_workers(place, asked)
    passed = _send(place, traffic, warm_up)
    place.until(lambda look: look.passages == warm_up, seconds=_PATIENCE, what="the warm-up is stored")
    place.settle()
    before = place.on_disk()
    with ProcessSampler(place.pids) as watch:
        began = time.monotonic()
        passed += _send_live(place, traffic, asked.rate)
        sent = time.monotonic()
    last = place.until(lambda look: look.passages == events, seconds=_PATIENCE, what="everything is stored")
    memory, wall = _memory(place), _wall_round(place, asked)
    place.check(events=events, passed=passed)
    snapshot = sum(place.snapshots())
    place.settle()
    disk = {table: size - before.get(table, 0) for table, size in place.on_disk().items()}
    rate = asked.events / (sent - began)
    return Passed(asked, rate, _cores(watch), memory, snapshot, behind=last.at - sent, disk=disk, wall=wall)


def _send(place: Plant, traffic: Traffic, until: int) -> int:
    """Send up to so many as fast as it goes; return how many of them move a count."""
    passed = 0
    while traffic.sent < until:
        part = traffic.next(min(_A_SLICE, until - traffic.sent))
        place.send(part)
        passed += part.passed
    place.sent()
    return passed


def _send_live(place: Plant, traffic: Traffic, rate: int) -> int:
    """Send the rest, each passage when it happens or up to _PACE later; return how many of them move a count."""
    traffic.go_on_at(int(time.time() * 1000))
    first, began, passed = traffic.sent, time.monotonic(), 0
    while traffic.sent < traffic.events:
        time.sleep(_PACE)
        due = int((time.monotonic() - began) * rate) - (traffic.sent - first)
        if due > 0:
            part = traffic.next(due)
            place.send(part)
            passed += part.passed
    place.sent()
    return passed


def _cores(watch: ProcessSampler) -> dict[str, float]:
    """Return how many cores Kafka, ClickHouse and the workers had on average."""
    seconds = (watch.machine[-1].at_ms - watch.machine[0].at_ms) / 1000
    found: dict[str, float] = {}
    for (name, _), samples in watch.samples.items():
        who = "workers" if name.startswith("worker-") else name
        found[who] = found.get(who, 0.0) + (samples[-1].cpu_seconds - samples[0].cpu_seconds) / max(seconds, 0.5)
    return found


def _memory(place: Plant) -> int:
    return max(peak_memory(each.pid) for each in place.workers)


def _wall_round(place: Plant, asked: Pass) -> float:
    """Return how long a wall's round of queries takes now, in seconds."""
    rounds, took = Rounds(place.reader, _site(asked), SiteClock()), []
    for _ in range(_ROUNDS):
        began = time.monotonic()
        rounds.read(int(time.time() * 1000))
        took.append(time.monotonic() - began)
    return statistics.median(took)


def _site(asked: Pass) -> Site:
    return site(asked.entrances, asked.devices)


def passes_of(*, quick: bool) -> list[Pass]:
    """Return what is measured: partitions, workers, kills, and live passages; one of each if it is to be quick."""

    def backlog(partitions: int, workers: int, events: int = _SOME, kind: Kind = "backlog") -> Pass:
        return Pass(kind, partitions, workers, 200, 2_000, events)

    def live(entrances: int, devices: int, rate: int, seconds: int = _LIVE_SECONDS) -> Pass:
        return Pass("live", 8, 1, entrances, devices, rate * seconds, rate)

    if quick:
        return [backlog(4, 1, 40_000), backlog(8, 2, _SOME, "killed"), live(200, 2_000, 1_000, 5)]
    return [
        *(backlog(partitions, 1) for partitions in (1, 2)),
        backlog(4, 1, _MANY),
        *(backlog(8, workers) for workers in (1, 2, 4, 8)),
        *(backlog(8, workers, _KILLED, "killed") for workers in (1, 2)),
        live(200, 2_000, 1_000),
        live(2_000, 20_000, 1_000),
        live(200, 2_000, 10_000),
    ]
