"""A demo resumes the state directory of earlier ones, however they ended."""

import datetime as dt
import json
import stat
from pathlib import Path

import pytest

from infra.stack.state import Run, StateError, endpoints, next_run, open_state
from simulators.ledger.ledger import LedgerWriter, read_ledger
from streams.site.reader import load_site

SITE = load_site("expo")
DAY = dt.date(2026, 11, 7)


def played(run: Run, *, closing: bool = False) -> None:
    """Write the ledger of a run, as `simulate` does."""
    if closing:
        LedgerWriter(run.closing_ledger, meta={"scenario": "closing"}).close()
    LedgerWriter(run.ledger, meta={"site": SITE.id, "date": run.date.isoformat()}).close()


def test_the_first_run_plays_the_sites_own_day(tmp_path: Path) -> None:
    run = next_run(tmp_path, SITE)
    assert run.number == 1
    assert abs(run.date - dt.datetime.now(dt.UTC).date()) <= dt.timedelta(days=1)


def test_each_run_plays_the_day_after_the_one_before(tmp_path: Path) -> None:
    first = Run(1, DAY, tmp_path / "ledgers")
    played(first)
    first.end(drained=True)
    second = next_run(tmp_path, SITE)
    assert (second.number, second.date) == (2, DAY + dt.timedelta(days=1))
    played(second, closing=True)
    second.end(drained=True)
    assert next_run(tmp_path, SITE).number == 3
    assert not read_ledger(tmp_path / "ledgers").cut_short


def test_a_run_plays_the_date_that_is_asked_for_if_it_is_later_than_all_before(tmp_path: Path) -> None:
    assert next_run(tmp_path, SITE, date=DAY).date == DAY
    played(Run(1, DAY, tmp_path / "ledgers"))
    later = DAY + dt.timedelta(days=9)
    assert next_run(tmp_path, SITE, date=later).date == later
    with pytest.raises(StateError, match="has played 2026-11-07 already. Give a later date"):
        next_run(tmp_path, SITE, date=DAY)


def test_a_state_is_of_one_site(tmp_path: Path) -> None:
    played(Run(1, DAY, tmp_path / "ledgers"))
    with pytest.raises(StateError, match="is of the site 'expo', the scenario of 'hall'"):
        next_run(tmp_path, load_site("hall"))


def test_a_run_that_was_killed_before_its_day_began_leaves_its_number_unused(tmp_path: Path) -> None:
    played(Run(1, DAY, tmp_path / "ledgers"))
    LedgerWriter(Run(2, DAY, tmp_path / "ledgers").closing_ledger, meta={"scenario": "closing"}).close()
    run = next_run(tmp_path, SITE)
    assert (run.number, run.date) == (3, DAY + dt.timedelta(days=1))


def test_a_run_that_was_killed_while_it_opened_its_ledger_is_passed_over(tmp_path: Path) -> None:
    played(Run(1, DAY, tmp_path / "ledgers"))
    Run(2, DAY, tmp_path / "ledgers").ledger.mkdir()
    run = next_run(tmp_path, SITE)
    assert (run.number, run.date) == (3, DAY + dt.timedelta(days=1))


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_what_was_on_its_way_when_a_run_was_cut_short_is_in_doubt(tmp_path: Path, how: str) -> None:
    run = Run(1, DAY, tmp_path / "ledgers")
    played(run)
    if how == "stopped":
        run.end(drained=False)
    else:
        next_run(tmp_path, SITE)
    ledger = read_ledger(run.ledger)
    assert ledger.cut_short
    assert any("cut short" in note for note in ledger.notes)


def test_what_a_real_broker_has_confirmed_is_insisted_on_however_a_run_ended(tmp_path: Path) -> None:
    run = Run(1, DAY, tmp_path / "ledgers", persistent=True)
    (tmp_path / "kafka").mkdir()
    played(run)
    run.end(drained=False)
    assert next_run(tmp_path, SITE, broker="kafka").number == 2
    assert not read_ledger(run.ledger).cut_short


@pytest.mark.parametrize(("first", "then"), [("kafka", "embedded"), ("embedded", "kafka")])
def test_a_state_goes_on_with_the_broker_that_it_began_with(tmp_path: Path, first: str, then: str) -> None:
    if first == "kafka":
        (tmp_path / "kafka").mkdir()
    played(next_run(tmp_path, SITE, broker=first))
    with pytest.raises(StateError, match=f"begun with --broker {first}: give the same"):
        next_run(tmp_path, SITE, broker=then)
    assert next_run(tmp_path, SITE, broker=first).number == 2


def test_a_state_belongs_to_one_demo_at_a_time(tmp_path: Path) -> None:
    with open_state(tmp_path / "state") as state:
        assert state.is_dir()
        with pytest.raises(StateError, match="another demo runs on it"), open_state(tmp_path / "state"):
            pass
    with open_state(tmp_path / "state"):
        pass


def test_a_state_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="File exists. Give a directory"), open_state(tmp_path / "file"):
        pass


def test_without_a_state_everything_is_gone_at_the_end() -> None:
    with open_state(None) as state:
        (state / "something").touch()
    assert not state.exists()


def test_addresses_are_kept_private_and_only_while_they_hold(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    with endpoints(tmp_path, {"wall": "http://127.0.0.1:1/"}):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"wall": "http://127.0.0.1:1/"}
    assert not file.exists()
