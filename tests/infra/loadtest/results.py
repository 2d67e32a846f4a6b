"""Made-up results of load tests, for tests of the report."""

from dataclasses import replace
from typing import Any

from infra.loadtest.latency import Latency, Second
from infra.loadtest.measure import Bottleneck, TrialFigures, Use
from infra.loadtest.options import LoadOptions
from infra.loadtest.report import LoadResult
from infra.loadtest.search import HighestRate
from simulators.scenario.expo.expo import EXPO
from simulators.verify.report import Verdict
from streams.comparison import ViewComparison

STORED = Latency(1_000, 0, 400, 700, 950, 990, 999, ((0, 10), (50, 400), (99, 950), (100, 999)))
WALL = Latency(300, 0, 900, 1_400, 1_800, 1_900, 1_950, ((0, 200), (50, 900), (100, 1_950)))


def measured(target: float = 500.0, **more: Any) -> TrialFigures:
    """Return a trial of ten seconds."""
    course = tuple(Second(number, 500, 500, 480 + number, 200 - number, 900) for number in range(10))
    usual = TrialFigures(
        target=target, seconds=10.0, events=5_000, rate=target, sent_late=STORED, stored=STORED, wall=WALL,
        course=course, uses=(Use("worker-1", 0.61, 0.8, 140), Use("other programs", 0.2, 0.2, 0)),
        machine_share=0.5, cause=Bottleneck("process", "worker-1"), drained=True,
    )  # fmt: skip
    return replace(usual, **more)


def verdict(**more: Any) -> Verdict:
    """Return the verdict that everything is equal."""
    usual = Verdict(
        ok=True, sent=5_000, counted=5_000, late=0, refused=0, difference=0,
        views={"passages": ViewComparison(5_000, 0)}, lost=0, phantom=0, duplicated=0, altered=0,
        differences=(), notes=(),
    )  # fmt: skip
    return replace(usual, **more)


def result(**more: Any) -> LoadResult:
    """Return a steady load test that went well."""
    trial = measured()
    usual = LoadResult(
        options=LoadOptions(scenario=EXPO, rate=500.0, for_seconds=10.0), place="kafka", cores=2,
        began_ms=1_795_000_000_000, ceiling=11_000.0, verdict=verdict(), drained=True, shown=trial,
        trials=(trial,), limit=None, alarms={"overload": 2}, notes=("a note",),
    )  # fmt: skip
    return replace(usual, **more)


def ramp() -> LoadResult:
    """Return a search that found 800 a second."""
    trials = (measured(500.0), measured(800.0), measured(1_280.0, stored=replace(STORED, p99=2_400)))
    limit = HighestRate(rate=800.0, failed_rate=1_280.0, cause=Bottleneck("process", "worker-1"))
    return result(shown=trials[1], trials=trials, limit=limit)
