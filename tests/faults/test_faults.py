"""The quick sizes of some scenarios: whatever is done to the plant, every count equals the ledger in the end."""

import os
import secrets
from dataclasses import replace

import pytest

from tests.faults.catalogue import catalogue
from tests.faults.outcome import Word
from tests.faults.run import run_fault, seed_of
from tests.faults.table import line
from tests.support.processes import needs_kafka

FAULTS = catalogue()
PATIENCE_SECONDS = 300.0
"""How soon a worker has caught up is for `python -m tests.faults`; a machine with other work may be slow, or make one
so slow that its watchdog gives it up."""
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))


@needs_kafka
@pytest.mark.timeout(1200)  # several plants each, on a machine that may have other work
@pytest.mark.parametrize("name", [name for name, each in FAULTS.items() if each.in_suite])
def test_every_count_equals_the_ledger_whatever_goes_wrong(name: str) -> None:
    fault = replace(FAULTS[name], limits=replace(FAULTS[name].limits, recovery=PATIENCE_SECONDS))
    outcome = run_fault(fault, seed=seed_of(fault, SEED), quick=True)
    assert outcome.word is Word.PASSED, f"FAULTS_SEED={SEED}\n{line(outcome)}\nlogs: {outcome.place}/logs"
