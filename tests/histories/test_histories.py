"""Random histories end with the right counts, and planted defects are found."""

import pytest

from tests.histories.__main__ import quiet, run_all
from tests.histories.defects import PLANTED, planted
from tests.histories.history import draw, play
from tests.histories.shrink import failure, fewest, shrink

FIRST, AFTER, PART = 0, 400, 100
"""The seeds of every test run, in parts that may run in different processes; `make nightly` plays 200,000."""
WITHIN = 1_000
"""Histories in which a planted defect must be found."""
FOUND_BY = {
    "an offset not compared with the one before": 68,
    "the brokers' first and last offsets not looked at": 52,
    "a topic that was made anew mistaken for the old one": 74,
    "what the store has not looked at": 3,
    "records counted again below the next offset": 20,
    "a stale snapshot wins": 60,
    "a segment's end off by one": 3,
    "a row without its version": 60,
    "a start one offset too far": 3,
    "a snapshot without the times of neighbours": 120,
    "a duplicate by its number alone": 6,
    "settled before it is retracted": 54,
    "an identity not recognised through another log": 2,
    "a refused table forgotten": 9,
}
"""The first seed that finds it, if not 0: it is tried before all others, for it comes to nothing new to try those."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(FIRST, AFTER, PART))
def test_every_history_ends_with_what_was_sent(first: int) -> None:
    ends: set[str] = set()
    for _, how, failed in run_all(first, first + PART, jobs=1):
        assert not failed, f"python -m tests.histories --seeds {failed[0][0]} makes it small: {failed[0][1]}"
        ends |= set(how)
    if first == FIRST:
        assert {"killed", "SystemExit", "OffsetGapError"} <= ends


def test_a_seed_gives_the_same_history_to_the_last_step() -> None:
    assert [play(draw("7")), play(draw("8"))] == [play(draw("7")), play(draw("8"))]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_found(defect: str) -> None:
    with planted(defect), quiet():
        assert any(failure(draw(str(seed))) for seed in (FOUND_BY.get(defect, 0), *range(WITHIN)))


def test_a_failing_history_is_made_small() -> None:
    with planted("a snapshot before its rows"), quiet():
        small = shrink(draw("0"))
        assert failure(small)
    assert len(small.operations) <= 3
    assert not failure(small)


def test_the_fewest_are_what_cannot_be_missed() -> None:
    assert fewest(list(range(100)), lambda some: {7, 80} <= set(some)) == [7, 80]
