"""`gatepulse simulate` and the other processes use the same site clock."""

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app
from infra.servers.broker import PROTOCOL
from simulators.ledger.ledger import read_ledger, site_of
from simulators.scenario.hall import NotAHallError
from simulators.scenario.registry import UnknownScenarioError

PLAYED = ["simulate", "hall", "--date", "2019-11-09", "--for", "1", "--seed", "3"]


@pytest.fixture(autouse=True)
def _settings(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPULSE_KAFKA__BROKERS", broker)
    monkeypatch.setenv("GATEPULSE_KAFKA__API_VERSION", ".".join(map(str, PROTOCOL)))


def test_a_clock_that_is_not_real_time_is_told_as_settings_and_kept_in_the_ledger(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*PLAYED, "--speed", "60", "--start-at", "13:00", "--ledger", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    clock = dict(re.findall(r"GATEPULSE_CLOCK__(\w+)=(\S+)", done.stderr))
    ledger = read_ledger(tmp_path / "new")
    assert {name: float(clock[name.upper()]) for name in ("site_ms", "real_ms", "speed")} == ledger.meta[0]["clock"]
    assert clock["SITE_MS"] == "1573300800000"  # 2019-11-09 13:00 in Berlin
    assert clock["SPEED"] == "60.0"
    assert json.loads(done.stdout)["sent"] == int(ledger.tries("ok").sum()) > 500


def test_the_clock_of_the_settings_is_taken_and_need_not_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"site_ms": 1_573_300_800_000, "real_ms": round(time.time() * 1000), "speed": 2.0}
    for name, value in clock.items():
        monkeypatch.setenv(f"GATEPULSE_CLOCK__{name.upper()}", str(value))
    done = CliRunner().invoke(app, [*PLAYED, "--ledger", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert "GATEPULSE_CLOCK__" not in done.stderr
    assert read_ledger(tmp_path / "new").meta[0]["clock"] == clock
    twice = CliRunner().invoke(app, [*PLAYED, "--speed", "60"])
    assert twice.exit_code == 2
    assert "the settings have a clock already" in twice.stderr


@pytest.mark.parametrize("setting", ["", "hall"])
def test_a_scenario_is_played_on_its_own_site_unless_the_settings_name_one(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting:
        monkeypatch.setenv("GATEPULSE_SITE", setting)
    words = ["simulate", "hall", "--for", "1", "--date", "2026-10-24", "--start-at", "12:00", "--ledger"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert site_of(tmp_path / "new") == "hall"


def test_a_scenario_that_does_not_fit_the_site_of_the_settings_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEPULSE_SITE", "expo")
    done = CliRunner().invoke(app, ["simulate", "hall", "--for", "1"])
    assert isinstance(done.exception, NotAHallError)
    unknown = CliRunner().invoke(app, ["simulate", "circus"])
    assert isinstance(unknown.exception, UnknownScenarioError)


def test_at_a_rate_events_have_the_present_time_and_no_clock_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*PLAYED, "--rate", "200", "--ledger", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert "GATEPULSE_CLOCK__" not in done.stderr
    assert read_ledger(tmp_path / "new").meta[0]["clock"] == {"site_ms": 0, "real_ms": 0, "speed": 1.0}
