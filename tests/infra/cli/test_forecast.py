"""The commands `gatepulse advice …`, run as a user does."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app
from tests.support.planned_site import AN_HOUR_AND_A_HALF
from tests.support.small_site import PROFILE


def _profile(folder: Path, plan: str) -> str:
    file = folder / "planned.toml"
    file.write_text(PROFILE.replace("lanes = 2\n", f"lanes = 10\n{plan}", 1), encoding="utf-8")
    return str(file)


def test_opening_names_the_gate_that_is_short_of_lanes(tmp_path: Path) -> None:
    plan = AN_HOUR_AND_A_HALF.replace("ways = { N1 = 4 }\n", "")
    result = CliRunner().invoke(app, ["advice", "opening", _profile(tmp_path, plan), "--date", "2021-11-05", "--json"])
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    (short,) = said["short"]
    assert said["date"] == "2021-11-05"
    assert (short["entrance"], short["lanes"]) == ("N1", 6)
    assert short["worst_wait"] == pytest.approx(90 * 90 / 60 - 90)
    assert "N1" in short["zh"]


def test_opening_is_content_with_enough_lanes_and_says_when_nothing_is_planned(tmp_path: Path) -> None:
    enough = _profile(tmp_path, 'expected = { "08:00" = 600, "09:00" = 0 }\n')
    result = CliRunner().invoke(app, ["advice", "opening", enough, "--date", "2021-11-05"])
    assert (result.exit_code, "keep every wait within the limit" in result.stdout) == (0, True)
    nothing = CliRunner().invoke(app, ["advice", "opening", _profile(tmp_path, "")])
    assert (nothing.exit_code, "set `expected`" in nothing.output) == (0, True)


def test_a_wrong_date_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["advice", "opening", _profile(tmp_path, ""), "--date", "5.11."])
    assert result.exit_code == 2
    assert "5.11." in result.output
