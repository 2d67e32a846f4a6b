"""Forecasts and advice hold on simulated days: a short back-test (`python -m` of this package is the long one)."""

import sys

import numpy as np
import pytest

from streams.kernels.forecast.calibration import LEADS
from streams.kernels.forecast.forecast import Forecaster
from tests.benchmarks.backtest.__main__ import main
from tests.benchmarks.backtest.days import MINUTES, WHOLE, FlowDay, flow_day
from tests.benchmarks.backtest.methods import METHODS, compare, persistence
from tests.benchmarks.backtest.queue import Peak, play_peak
from tests.benchmarks.backtest.score import Foresight, score
from tests.benchmarks.backtest.tables import of_peaks, of_rivals, of_scores
from tests.support.small_day import expo

SEED = 77
AREAS = (WHOLE, "venue", "hall1")


@pytest.fixture(scope="module")
def days() -> list[FlowDay]:
    """Two days to look at, and two to judge; three areas each."""
    made = [flow_day(expo(), seed=SEED, number=number) for number in range(4)]
    return [FlowDay(day.number, day.weather, {area: day.courses[area] for area in AREAS}) for day in made]


def test_everybody_who_enters_an_area_leaves_it(days: list[FlowDay]) -> None:
    for day in days:
        for course in day.courses.values():
            assert course.inside.min() >= 0
            assert course.inside[-1] == 0
            assert len(course.entered) == MINUTES


def test_the_same_seed_gives_the_same_day_and_another_number_another_one(days: list[FlowDay]) -> None:
    again = flow_day(expo(), seed=SEED, number=1)
    np.testing.assert_array_equal(again.courses[WHOLE].entered, days[1].courses[WHOLE].entered)
    assert not np.array_equal(days[0].courses[WHOLE].entered, days[1].courses[WHOLE].entered)


def test_days_differ_in_attendance(days: list[FlowDay]) -> None:
    entries = [int(day.courses[WHOLE].entered.sum()) for day in days]
    assert max(entries) > 1.05 * min(entries)


def test_intervals_cover_about_nine_in_ten_with_past_days_and_without(days: list[FlowDay]) -> None:
    for past in (0, 2):
        found = score(days, past=past, history=2)
        at = [LEADS.index(lead) for lead in (5, 15, 30)]
        assert np.mean(np.array(found.coverage)[at]) == pytest.approx(90, abs=8)  # two days; ten are nearer
        assert found.level_forecasts > 0


def foresight(*passages: tuple[int, int, int]) -> Foresight:
    """Let minutes pass, as (minute, entered, inside), in an area for 1,000."""
    state, found = Forecaster(1_000, (80, 90, 100), midnight=0), Foresight()
    for minute, entered, inside in passages:
        found.note(state.observe(minute, entered=entered, departed=0, inside=inside))
    return found


def evenly(minutes: int) -> list[tuple[int, int, int]]:
    return [(minute, 10, 10 * minute + 10) for minute in range(minutes)]


def test_what_was_said_before_a_level_was_reached_is_kept() -> None:
    found = foresight(*evenly(85)).found  # 800 in minute 79
    assert {each.level for each in found} == {80}
    by_lead = {each.lead: each.forecast for each in found}
    assert set(by_lead) == {lead for lead in LEADS if lead < 79}
    assert by_lead[20] == pytest.approx(20, abs=2)


def test_flickering_around_a_level_is_not_counted_again() -> None:
    flickering = [(81 + number, 1, inside) for number, inside in enumerate((799, 801, 798, 802))]
    assert len(foresight(*evenly(81), *flickering).found) == len(foresight(*evenly(81)).found)


def test_a_level_that_was_reached_while_nobody_looked_is_not_judged() -> None:
    assert foresight(*evenly(70), (80, 10, 850)).found == []


def test_a_profile_of_past_days_is_better_than_the_flows_alone(days: list[FlowDay]) -> None:
    own = {key: method for key, method in METHODS.items() if key[1] <= 1}
    found = {(each.method, each.past): each.error for each in compare(days, history=2, methods=own)}
    hour = LEADS.index(60)
    profile = found["both (`look_ahead`): the method in use", 1][hour]
    assert all(profile < error[hour] for (_, past), error in found.items() if past == 0)


def test_following_the_advice_shortens_the_longest_wait() -> None:
    for seed in range(5):
        peak = play_peak(seed)
        assert peak.longest_after < peak.longest_before
        assert peak.over_after < peak.over_before


def test_the_tables_show_what_was_measured(days: list[FlowDay]) -> None:
    scores = (score(days[:3], past=1, history=2),)
    rivals = compare(days[:3], history=2, methods={("persistence", 0): persistence})
    peaks = (Peak(1, 1000, 20, 8, 5.0, 2.0, 100, 0, 3, 0),)
    text = "\n".join([*of_scores(scores), of_rivals(rivals), of_peaks(peaks)])
    assert f"| 1 past day | {scores[0].coverage[0]:.1f} |" in text
    assert f"| persistence | 0 | {rivals[0].error[0]:.1f} |" in text
    assert "| 1 | 1,000 | 20 | 8 | 5.0 | 2.0 | 100 | 0 | 3 | 0 |" in text


def test_the_library_is_asked_for_where_it_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)  # as if it were not installed
    assert main(["--library"]) == 2
    assert "install statsforecast into this environment, or leave out --library" in capsys.readouterr().err


def test_no_day_to_judge_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--days", "0"])
    assert "--days: 0; expected 1 or more" in capsys.readouterr().err
