"""The verdict of a scenario follows from its checks; that they detect what is wrong, `test_rounds.py` sees."""

import dataclasses
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.catalogue import catalogue
from tests.faults.kept import Kept, NotRunningError
from tests.faults.outcome import Check, Figures, Outcome, Word, together
from tests.faults.table import page
from tests.faults.watch import violations
from tests.support.processes import alive, eventually

GOOD, BAD, OPEN = Check("good", holds=True), Check("bad", holds=False, text="it is"), Check("open", holds=None)


def outcome(*checks: Check, **figures: float) -> Outcome:
    return Outcome("T99", "something", 1, quick=True, figures=Figures(**figures), checks=checks)  # type: ignore[arg-type]


# -- verdict -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checks", "word"),
    [
        ((GOOD,), Word.PASSED),
        ((GOOD, OPEN), Word.UNKNOWN),
        ((GOOD, OPEN, BAD), Word.FAILED),
        ((), Word.UNKNOWN),
    ],
)
def test_a_verdict_is_as_good_as_its_worst_check(checks: tuple[Check, ...], word: Word) -> None:
    assert outcome(*checks).word is word


def test_several_runs_become_one_outcome_that_forgives_nothing() -> None:
    runs = [outcome(GOOD, sent=3, memory=5, recovery=1.0), outcome(BAD, sent=4, lost=1, memory=9, recovery=0.5)]
    whole = together(runs)
    assert whole.word is Word.FAILED
    assert whole.note == "run 2, bad: it is; 2 runs"
    assert dataclasses.astuple(whole.figures) == (7, 1, 0, 0, 0, 0, 0, 1.0, 9, 0.0)


def test_the_page_keeps_the_rows_of_scenarios_that_were_not_run_again() -> None:
    old = page([dataclasses.replace(outcome(GOOD, sent=1), id="T01"), outcome(GOOD, sent=2)], "first")
    new = page([outcome(BAD, sent=3)], "second", old)
    rows = [line.split(" | ")[:5] for line in new.splitlines() if line.startswith(("| T01", "| T99"))]
    assert rows == [["| T01", "", "something", "PASSED", "1"], ["| T99", "", "something", "FAILED", "3"]]


def test_every_scenario_says_what_it_does_and_has_an_id_of_its_own() -> None:
    known = catalogue()
    assert {"T00", "T01", "T05", "T07", "T11", "T12", "T13"} <= set(known)
    assert [each.id for each in known.values()] == sorted(known)
    assert len({each.what for each in known.values()}) == len(known)


# -- what is looked at -------------------------------------------------------------------------------------------------


def test_an_event_that_is_in_no_account_violates_the_identity() -> None:
    here, elsewhere = {"topic": "turnstile.passages", "partition": "0"}, {"topic": "corrections", "partition": "1"}
    samples = {
        "gatepulse_events_received_total": [(here, 10.0), (elsewhere, 4.0)],
        "gatepulse_events_counted_total": [(here, 5.0), (elsewhere, 4.0)],
        "gatepulse_events_duplicate_total": [(here, 1.0)],
        "gatepulse_events_late_total": [(here, 1.0)],
        "gatepulse_events_rejected_total": [(here | {"reason": "not-json"}, 1.0), (here | {"reason": "late"}, 1.0)],
    }
    violation = "turnstile.passages-0: 10 received, 5 counted + 1 duplicate + 1 late + 2 rejected + 0 conflicts"
    assert [*violations(samples)] == [violation]


# -- processes ---------------------------------------------------------------------------------------------------------


TALKATIVE = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("up", flush=True)
signal.sigwait([signal.SIGUSR1])
print('{"kind": "OffsetGapError", "reason": "two are missing", "event": "worker ends"}')
sys.exit(70)
"""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Keep a process running that says why it ends when it is stopped."""
    process = Kept("sleeper", [sys.executable, "-I", "-c", TALKATIVE], tmp_path / "log", {})
    process.start()
    yield process
    process.stop(0.1)


def test_a_process_that_was_killed_comes_back_and_its_end_is_told(kept: Kept) -> None:
    first = kept.pid
    kept.kill()
    assert eventually(lambda: kept.running and kept.pid != first)
    assert [(end.code, end.ours) for end in kept.ends] == [(-9, True)]
    assert not alive(first)


def test_a_process_that_ended_by_itself_is_asked_why(kept: Kept) -> None:
    assert eventually(lambda: "up" in kept.log_path.read_text())
    kept.signal(signal.SIGUSR1)
    assert eventually(lambda: kept.ends)
    assert [(end.code, end.ours, end.why) for end in kept.ends] == [(70, False, "OffsetGapError: two are missing")]


def test_a_process_that_was_stopped_stays_away(kept: Kept) -> None:
    pid = kept.pid
    assert kept.stop(0.1) == -15
    assert not alive(pid)
    with pytest.raises(NotRunningError, match="sleeper does not run"):
        kept.kill()
