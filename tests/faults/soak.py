"""Fault scenario: hours of steady load, to find memory that keeps growing."""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streams.audit.compare import Auditor, AuditResult
from streams.audit.report import difference_line
from streams.audit.watch import complete_to, usual
from tests.faults.catalogue import Layout, fault
from tests.faults.kept import memory_now
from tests.faults.trial import Trial

_RATE: Final = 100.0
"""Events a second: twice the mean of the peak day."""
_SAMPLE: Final = 5.0
_AUDITS: Final = 6
_WARM_UP: Final = 1 / 3
"""Share of the time in which caches and pools may fill."""
_LEAST: Final = 15 * 60.0
"""Seconds of fitted samples from which on a slope says something."""
_GROWTH: Final = 0.05
"""Share of its size by which a process may grow over the time that is looked at: over more time, less an hour."""
_OF_SERVERS: Final = 0.20
"""The same for Kafka and ClickHouse: their heap and caches have limits of their own, and may still be filling."""
_BEHIND: Final = 20.0
"""Seconds' worth of events that may wait at any time after the warm-up."""


@dataclass
class Sizes:
    """Memory of each process over time: (seconds, MB)."""

    samples: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def take(self, trial: Trial) -> None:
        """Look at every process that runs."""
        for name, pid in trial.plant.pids().items():
            self.samples.setdefault(name, []).append((time.monotonic(), memory_now(pid)))


@dataclass(frozen=True)
class Slope:
    """How a process grew: MB an hour by a line through its samples, `share` of its size over their whole time."""

    name: str
    mb_an_hour: float
    share: float
    mb: float
    seconds: float

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.name} {self.mb:.0f} MB {self.mb_an_hour:+.1f} MB/h"


def slope(name: str, samples: list[tuple[float, int]]) -> Slope:
    """Fit a line to the samples of a process behind its warm-up."""
    at, mb = np.array(samples, np.float64).T
    kept = at >= at[0] + _WARM_UP * (at[-1] - at[0])
    at, mb = at[kept] - at[kept][0], mb[kept]
    a_second = float(np.polyfit(at, mb, 1)[0]) if len(at) > 2 else 0.0
    size = float(mb.mean())
    return Slope(name, a_second * 3600, a_second * float(at[-1]) / max(size, 1.0), size, float(at[-1]))


@fault("T28", layout=Layout(wall=True))
def soak(trial: Trial) -> None:
    """Hours of steady work (8 h, or --minutes): no process grows, the lag stays small, every audit finds all equal."""
    seconds = (trial.minutes or trial.size(full=480.0, quick=1.0)) * 60
    sizes, audits = Sizes(), list[AuditResult]()
    with trial.load(rate=_RATE, distortion="duplicates=2%,disorder=5s,late=1%:10m,malformed=0.1%"):
        begun = time.monotonic()
        for number in range(1, _AUDITS + 1):
            trial.say(f"part {number} of {_AUDITS}, {seconds:.0f} s in all")
            while time.monotonic() < begun + seconds * number / _AUDITS:
                sizes.take(trial)
                trial.wait(min(_SAMPLE, seconds / 30))
            audits.append(_audited(trial))
    trial.until(lambda: trial.caught_up, "lag 0")
    audits.append(_audited(trial))
    _judge_memory(trial, [slope(name, samples) for name, samples in sizes.samples.items()])
    _judge_rest(trial, begun + seconds * _WARM_UP, begun + seconds, audits)


def _audited(trial: Trial) -> AuditResult:
    trial.say("auditing")
    reader = trial.plant.reader()
    try:
        end = complete_to(reader, trial.plant.clock)
        days = trial.plant.site.days
        return Auditor(reader, trial.plant.site).audit(usual(end, days))
    finally:
        reader.close()


def _judge_memory(trial: Trial, slopes: list[Slope]) -> None:
    plant = trial.plant
    servers = {server.name for server in (*plant.brokers, plant.store)}
    growing = [str(each) for each in slopes if each.share > (_OF_SERVERS if each.name in servers else _GROWTH)]
    fitted = max(each.seconds for each in slopes)
    if fitted >= _LEAST:
        trial.expect("memory slope", not growing, f"growing for {fitted / 60:.0f} min: {', '.join(growing)}")
    else:
        trial.note("too short to judge the slope of the memory")
    trial.note(", ".join(map(str, slopes)))


def _judge_rest(trial: Trial, first: float, last: float, audits: list[AuditResult]) -> None:
    behind = [each.behind for each in trial.plant.watch.course if first <= each.at <= last]
    most, limit = max(behind, default=0), _RATE * _BEHIND
    trial.expect("lag stays small", most <= limit if behind else None, f"{most} messages at most, {limit:.0f} expected")
    compared, wrong = sum(each.compared for each in audits), [each for each in audits if not each.ok]
    text = "; ".join(difference_line(difference) for each in wrong for difference in each.differences[:2])
    trial.expect("audits find no difference", not wrong if compared else None, f"{len(wrong)} of {len(audits)}: {text}")
    kept = [*trial.plant.workers, *([trial.plant.wall] if trial.plant.wall else [])]
    ends = [end for process in kept for end in process.ends]
    trial.expect("no process ended", not ends, "; ".join(map(str, ends)))
    trial.note(f"{compared:,} rows in {len(audits)} audits, at most {most} messages behind")
