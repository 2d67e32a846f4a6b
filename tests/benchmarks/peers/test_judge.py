"""The comparison judges runs rightly: exactness, ratios, and failed rounds."""

import pytest

from tests.benchmarks.peers import page
from tests.benchmarks.peers.contender import Contender, Measured, Place
from tests.benchmarks.peers.input import Feed, count_truth, first, persons
from tests.benchmarks.peers.job import answer, understand
from tests.benchmarks.peers.judge import Run, Spread, differing, spread, summaries
from tests.benchmarks.peers.plot import plot

MINUTE = 60_000


def run(contender: str, number: int, *, seconds: float, frame: int = 1, **more: object) -> Run:
    """A run of a thousand events."""
    return Run(contender, frame, number, 1000, seconds=seconds, windows=9, **more)  # type: ignore[arg-type]


def nobody(_: Place, __: Feed) -> Measured:
    raise AssertionError("nobody is started here")


LINEUP = [Contender("ours", "Ours", nobody), Contender("theirs", "Theirs", nobody)]


def test_windows_that_are_missing_too_many_or_wrong_differ() -> None:
    truth = {("E1", "in", 0): 3, ("E1", "out", 0): 1, ("E2", "in", MINUTE): 5}
    found = {("E1", "in", 0): 3, ("E2", "in", MINUTE): 6, ("E9", "in", 0): 1}
    assert differing(found, truth) == 3
    assert differing(truth, truth) == 0


def test_a_window_of_nobody_is_no_difference() -> None:
    assert differing({("E1", "in", 0): 0}, {}) == 0


def test_a_ratio_compares_rates_of_the_same_round() -> None:
    # The machine is half as fast in round 2: both rates halve, and the ratio stays.
    runs = [
        run("ours", 1, seconds=1.0), run("theirs", 1, seconds=4.0),
        run("ours", 2, seconds=2.0), run("theirs", 2, seconds=8.0),
        run("ours", 3, seconds=1.0), run("theirs", 3, seconds=2.0),
    ]  # fmt: skip
    ours, theirs = summaries(runs, reference="ours")
    assert ours.ratio == Spread(1.0, 1.0, 1.0)
    assert theirs.ratio == Spread(0.25, 0.25, 0.5)
    assert theirs.rate == Spread(250.0, 125.0, 500.0)


def test_kinds_of_messages_are_summed_up_apart() -> None:
    runs = [run("ours", 1, seconds=1.0), run("ours", 1, seconds=0.5, frame=100)]
    assert [(each.frame, each.rate) for each in summaries(runs, reference="ours")] == [
        (1, Spread(1000.0, 1000.0, 1000.0)),
        (100, Spread(2000.0, 2000.0, 2000.0)),
    ]


def test_a_round_in_which_the_reference_failed_gives_no_ratio() -> None:
    runs = [run("ours", 1, seconds=0.0, error="it was not done in time"), run("theirs", 1, seconds=1.0)]
    ours, theirs = summaries(runs, reference="ours")
    assert (ours.rate, ours.exact, ours.errors) == (None, False, ["it was not done in time"])
    assert (theirs.ratio, theirs.exact) == (None, True)


def test_one_wrong_window_in_one_round_is_not_exact_and_is_shown() -> None:
    runs = [run("theirs", 1, seconds=1.0), run("theirs", 2, seconds=1.0, different=2)]
    found = summaries(runs, reference="ours")
    assert not found[0].exact
    assert "| 2 of 9 windows differ in round 2 |" in page.table(found, LINEUP)


def test_why_somebody_failed_is_shown_below_the_table() -> None:
    found = summaries([run("theirs", 1, seconds=0.0, error="it ended with exit code 1.\nTraceback")], reference="ours")
    assert page.table(found, LINEUP).endswith("failed in 1 of 1 rounds |\n\n- Theirs: it ended with exit code 1.\n")


def test_the_fastest_stands_first() -> None:
    runs = [run("ours", 1, seconds=2.0), run("theirs", 1, seconds=1.0)]
    rows = page.table(summaries(runs, reference="ours"), LINEUP).splitlines()[4:]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| Theirs", "1,000", "1,000 (1,000–1,000)"],
        ["| Ours", "1,000", "500 (500–500)"],
    ]


def test_the_plot_has_a_dot_for_each_contender_and_kind() -> None:
    runs = [
        run("ours", 1, seconds=1.0), run("theirs", 1, seconds=0.1), run("ours", 1, seconds=0.5, frame=100),
        run("theirs", 1, seconds=0.0, frame=100, error="failed"),
    ]  # fmt: skip
    drawn = plot(summaries(runs, reference="ours"), LINEUP)
    assert [text in drawn for text in (">1,000</text>", ">10,000</text>", ">2,000</text>", ">Theirs</text>")] == [
        True
    ] * 4
    assert drawn.count('class="range"') == 3


def test_new_results_take_the_place_of_the_old_ones() -> None:
    old = f"# Title\n{page.BEGIN}\nold\n{page.END}\nthe end\n"
    assert page.with_results(old, "new\n") == f"# Title\n{page.BEGIN}\n\nnew\n\n{page.END}\nthe end\n"


def test_a_page_without_a_place_for_results_is_refused() -> None:
    with pytest.raises(page.NoPlaceError, match="put them back"):
        page.with_results("# Title\n", "new")


def test_an_answer_is_understood_among_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    answer(1.5, 2.5, 7, [("E1", "in", MINUTE, 7)])
    found = understand("a warning\n" + capsys.readouterr().out + "goodbye\n")
    assert found is not None
    assert (found.first_ms, found.last_ms, found.events, found.counts) == (1.5, 2.5, 7, {("E1", "in", MINUTE): 7})
    assert understand("a warning\n") is None


def test_the_truth_counts_who_passed_and_nobody_else() -> None:
    days = first(persons(5000), 3000)
    texts = [day.texts() for day in days]
    passed = sum(int((text["outcome"] == "passed").sum()) for text in texts)
    truth = count_truth(days)
    assert sum(map(len, days)) == 3000
    assert 0 < sum(truth.values()) == passed < 3000
    assert all(start % MINUTE == 0 for _, _, start in truth)


def test_a_spread_of_nothing_is_nothing() -> None:
    assert spread([]) is None
