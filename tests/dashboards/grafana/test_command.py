"""The commands `gatepulse dashboards build|check|push`, as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboards.grafana.double import running

TOKEN = "glsa_very-secret-token"  # noqa: S105 - of the double
WRONG = "glsa_other"


def gatepulse(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPULSE_", "GRAFANA_"))}
    return subprocess.run(
        [sys.executable, "-m", "infra.cli.main", "dashboards", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, env=kept | environment,
    )  # fmt: skip


def test_what_was_built_is_checked_and_what_was_changed_is_found(tmp_path: Path) -> None:
    built = gatepulse("build", tmp_path)
    assert built.returncode == 0, built.stderr
    files = [Path(line) for line in built.stdout.splitlines()]
    assert len(files) == 7
    assert all(file.is_file() for file in files)
    assert gatepulse("check", tmp_path).returncode == 0
    files[0].write_text("{}", encoding="utf-8")
    stale = gatepulse("check", tmp_path)
    assert stale.returncode == 1
    assert str(files[0]) in stale.stdout
    assert "gatepulse dashboards build" in stale.stderr


def test_settings_say_where_the_store_is(tmp_path: Path) -> None:
    password = "pw-of-reader"  # noqa: S105 - must not be found
    gatepulse("build", tmp_path, GATEPULSE_STORE__HOST="store.example", GATEPULSE_STORE__READER_PASSWORD=password)
    text = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.*"))
    assert '"host": "store.example"' in text
    assert password not in text


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_push_takes_the_token_from_the_environment_or_a_file(source: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    with running(TOKEN) as grafana:
        if source == "file":
            done = gatepulse("push", "--url", grafana.url, "--token-file", file)
        else:
            done = gatepulse("push", "--url", grafana.url, GRAFANA_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert len(grafana.dashboards) == 5
    assert TOKEN not in done.stdout + done.stderr


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "grafana_foundation_sdk.py").write_text("raise ModuleNotFoundError(name=__name__)", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for command in (["build", tmp_path], ["check"], ["push", "--url", "http://127.0.0.1:1"]):
        done = gatepulse(*command, PYTHONPATH=path)
        assert done.returncode == 1
        assert "pip install 'gatepulse[grafana]'" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_push_that_is_refused_fails_in_one_sentence(tmp_path: Path) -> None:
    with running(TOKEN) as grafana:
        done = gatepulse("push", "--url", grafana.url, GRAFANA_TOKEN=WRONG)
    assert done.returncode == 1
    assert "does not know the token" in done.stderr
    assert "Traceback" not in done.stderr
    assert WRONG not in done.stdout + done.stderr
    assert gatepulse("push", "--url", "grafana", GRAFANA_TOKEN=TOKEN).returncode == 2
    assert gatepulse("push", "--url", "http://127.0.0.1:1", "--token-file", tmp_path / "none").returncode == 2
    unset = gatepulse("push", "--url", "http://127.0.0.1:1")
    assert unset.returncode == 2
    assert "GRAFANA_TOKEN" in unset.stderr
