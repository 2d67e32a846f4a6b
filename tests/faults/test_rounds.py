"""Whatever is done to a plant, scenario after scenario, every count equals the ledger in the end."""

import os
import secrets
import shutil

import pytest

from tests.faults.catalogue import Layout, Program, catalogue
from tests.faults.outcome import Outcome, Word
from tests.faults.rounds import ROUNDS, UnlikeLayoutsError, round_of, shared
from tests.faults.table import line
from tests.faults.trial import Trial
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
    with round_of(name, faults, seed=SEED, patience=PATIENCE) as (trial, judged):
        outcome = judged()
        assert outcome.word is Word.PASSED, f"FAULTS_SEED={SEED}\n{line(outcome)}\nlogs: {outcome.place}/logs"
        tampered(trial)
        assert_seen(judged())
    shutil.rmtree(outcome.place)


def assert_seen(found: Outcome) -> None:
    """The oracle that let the round pass sees what was tampered with."""
    assert found.word is Word.FAILED, found
    assert (found.figures.lost, found.figures.phantom) == (2, 3), found
    wrong = {check.name for check in found.checks if check.holds is False}
    assert wrong == {"P1 counts", "identities"}
    assert "entrance_outcomes_1m" in found.note


def tampered(trial: Trial) -> None:
    """Somebody writes a count and a passage into the store that nobody sent."""
    with trial.load(rate=500), trial.fault("tampering"):
        trial.wait(2)
    trial.until(lambda: trial.caught_up, "lag 0")
    client = trial.plant.owner()
    client.execute(
        "INSERT INTO gatepulse_store.deliveries SELECT * REPLACE (seq + 1000000 AS seq) "
        "FROM gatepulse_store.deliveries FINAL WHERE fate = 'counted' LIMIT 3"
    )
    client.execute(
        "INSERT INTO gatepulse_store.counts_1m SELECT * REPLACE (passages + 5 AS passages, version + 1 AS version) "
        "FROM gatepulse_store.counts_1m FINAL LIMIT 1"
    )
    two = client.execute(
        "SELECT device, epoch, seq FROM gatepulse_store.deliveries FINAL "
        "WHERE seq < 1000000 AND fate = 'counted' LIMIT 2"
    )
    # named one by one: what a subquery finds may differ from part to part
    client.execute(f"DELETE FROM gatepulse_store.deliveries WHERE (device, epoch, seq) IN ({', '.join(map(str, two))})")
    client.disconnect()


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
