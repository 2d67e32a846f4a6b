"""Whatever is done to a plant, scenario after scenario, every count equals the ledger in the end."""

import os
import secrets
import shutil

import pytest

from tests.faults.catalogue import Layout, Program, catalogue
from tests.faults.outcome import Word
from tests.faults.rounds import ROUNDS, UnlikeLayoutsError, play_round, shared
from tests.faults.table import line
from tests.support.processes import needs_kafka

FAULTS = catalogue()
PATIENCE = 4.0
"""How soon a worker has caught up is for `python -m tests.faults`; a machine with other work may be slow, or make one
so slow that its watchdog gives it up."""
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))


@needs_kafka
@pytest.mark.timeout(1200)  # on a machine that may have other work
@pytest.mark.parametrize("name", ROUNDS)
def test_every_count_equals_the_ledger_whatever_goes_wrong(name: str) -> None:
    faults = [FAULTS[each] for each in ROUNDS[name]]
    outcome = play_round(name, faults, seed=SEED, patience=PATIENCE)
    assert outcome.word is Word.PASSED, f"FAULTS_SEED={SEED}\n{line(outcome)}\nlogs: {outcome.place}/logs"
    shutil.rmtree(outcome.place)


def test_a_round_has_what_each_of_its_scenarios_needs() -> None:
    layouts = [Layout(workers=0, broker_proxy=True), Layout(workers=2, wall=True, settings={"SITE": "x"}), Layout()]
    assert shared(layouts) == Layout(workers=0, broker_proxy=True, wall=True, settings={"SITE": "x"})


def test_scenarios_whose_plants_differ_are_refused_in_one_round() -> None:
    with pytest.raises(UnlikeLayoutsError, match=r"speed: 20.0 and 60.0; put these scenarios into different rounds"):
        shared([Layout(speed=20.0), Layout(), Layout(speed=60.0)])


def test_rounds_are_of_scenarios_in_the_catalogue_each_once() -> None:
    played = [each for names in ROUNDS.values() for each in names]
    assert len(set(played)) == len(played)
    assert not [each for each in played if isinstance(FAULTS[each].play, Program)]
