"""A load test runs the right trials in the right order; the trials here are made up."""

import io
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from infra.loadtest import run
from infra.loadtest.load import Rates, burst
from infra.loadtest.measure import OTHERS, Bottleneck, TrialFigures, Use
from infra.loadtest.options import LoadOptions
from infra.loadtest.search import HighestRate
from simulators.scenario.expo.expo import EXPO
from streams.progress_bar import ProgressBar
from streams.settings import Settings
from tests.infra.loadtest.results import STORED, measured

if TYPE_CHECKING:
    from infra.loadtest.target import LoadTarget
    from infra.loadtest.trial import TrialRunner


@dataclass
class MadeUp:
    """A bench on which every rate up to `limit` holds; from `breaks` on not everything is stored."""

    limit: float
    breaks: float = 1e9
    loads: list[Any] = field(default_factory=list)

    def run(self, load: Rates, _what: str) -> TrialFigures:
        """Say of a load what was made up."""
        self.loads.append(load)
        rate = load.peak
        stored = STORED if rate <= self.limit else replace(STORED, p99=5_000)
        return measured(
            rate, stored=stored, events=round(rate * 8), cause=Bottleneck("waiting"), drained=rate < self.breaks
        )


def trials(bench: MadeUp, **options: Any) -> tuple[tuple[TrialFigures, ...], HighestRate | None, str]:
    console = Console(file=io.StringIO(), width=120)
    bar = ProgressBar("loadtest", console)
    made, limit = run._trials(LoadOptions(scenario=EXPO, **options), cast("TrialRunner", bench), bar)
    assert isinstance(console.file, io.StringIO)
    return made, limit, console.file.getvalue()


def test_a_steady_load_or_a_burst_is_one_trial_without_a_limit() -> None:
    bench = MadeUp(1e9)
    made, limit, _ = trials(bench, shape="burst", rate=100.0, for_seconds=10.0)
    assert bench.loads == [burst(100, 10)]
    assert (len(made), limit) == (1, None)


def test_a_search_goes_up_until_a_rate_does_not_hold_and_then_in_between() -> None:
    made, limit, said = trials(MadeUp(3_000), shape="ramp-to-limit", rate=1_000.0)
    assert [round(each.target) for each in made[:4]] == [1_000, 1_600, 2_560, 4_096]
    assert limit is not None
    assert limit.rate is not None
    assert limit.failed_rate is not None
    assert 3_000 / 1.1 < limit.rate <= 3_000 < limit.failed_rate <= limit.rate * 1.1
    assert limit.cause == Bottleneck("waiting")
    assert "1,000/s: p99 950 ms, holds" in said
    assert "4,096/s: p99 5000 ms, does not hold" in said


def test_the_trial_at_the_limit_is_the_one_that_is_shown() -> None:
    made, limit, _ = trials(MadeUp(3_000), shape="ramp-to-limit")
    shown = run._shown(made, limit)
    assert limit is not None
    assert shown.target == limit.rate


def test_when_nothing_holds_the_last_trial_is_shown_and_there_is_no_rate() -> None:
    made, limit, _ = trials(MadeUp(0), shape="ramp-to-limit", rate=50.0)
    assert limit == HighestRate(rate=None, failed_rate=made[-1].target, cause=Bottleneck("waiting"))
    assert run._shown(made, limit) is made[-1]


def test_a_search_ends_when_not_everything_was_stored() -> None:
    made, limit, _ = trials(MadeUp(1e9, breaks=2_000), shape="ramp-to-limit", rate=1_000.0)
    assert [round(each.target) for each in made] == [1_000, 1_600, 2_560]
    assert not made[-1].drained
    assert limit is not None


def test_a_search_on_a_chain_of_the_settings_stays_below_a_million_events() -> None:
    made, _, _ = trials(MadeUp(1e9), shape="ramp-to-limit", rate=1_000.0, settings=Settings())
    assert sum(each.events for each in made) < 1_000_000
    assert sum(each.events for each in made) + 2 * made[-1].events >= 1_000_000


def test_what_spoils_a_measurement_is_said() -> None:
    busy = measured(uses=(Use("worker-1", 0.5, 0.5, 100), Use(OTHERS, 0.8, 0.8, 0)), wall=None)
    notes = "\n".join(run._notes(cast("LoadTarget", SimpleNamespace(place="embedded")), busy, 12.0))
    assert "other programs used 0.8 cores meanwhile" in notes
    assert "the store was queried 12 times a second" in notes
    assert "no latency until the wall" in notes
    assert "generators wait for slow workers" in notes


def test_a_quiet_machine_and_a_real_kafka_need_no_remark() -> None:
    notes = list(run._notes(cast("LoadTarget", SimpleNamespace(place="kafka")), measured(), 18.0))
    assert len(notes) == 1
