"""Random histories end with the right counts, and planted defects are found."""

import pytest

from tests.histories.__main__ import quiet, run, run_all
from tests.histories.defects import PLANTED, planted
from tests.histories.history import draw, play
from tests.histories.shrink import failure, fewest, shrink

FIRST, AFTER, PART = 0, 400, 100
"""The seeds of every test run, in parts that may run in different processes; `make nightly` plays 200,000."""
WITHIN = 1_000
"""Histories in which a planted defect must be found."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(FIRST, AFTER, PART))
def test_every_history_ends_with_what_was_sent(first: int) -> None:
    failed = [each for _, _, failures in run_all(first, first + PART, jobs=1) for each in failures]
    assert not failed, f"python -m tests.histories --seeds {failed[0][0]} makes it small: {failed[0][1]}"


def test_a_seed_gives_the_same_history_to_the_last_step() -> None:
    assert [play(draw("7")), play(draw("8"))] == [play(draw("7")), play(draw("8"))]


def test_histories_have_every_kind_of_end() -> None:
    ends, _ = run(0, 60)
    assert {"killed", "SystemExit", "OffsetGapError"} <= set(ends)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_found(defect: str) -> None:
    with planted(defect), quiet():
        assert any(failure(draw(str(seed))) for seed in range(WITHIN))


def test_a_failing_history_is_made_small() -> None:
    with planted("a snapshot before its rows"), quiet():
        small = shrink(draw("0"))
        assert failure(small)
    assert len(small.operations) <= 3
    assert not failure(small)


def test_the_fewest_are_what_cannot_be_missed() -> None:
    assert fewest(list(range(100)), lambda some: {7, 80} <= set(some)) == [7, 80]
