"""The command that writes the settings of Prometheus and Alertmanager, and the check of the relay's file."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli import alerting
from infra.cli.main import app
from tests.support.alerts import settings
from tests.support.prometheus import checked, needs_prometheus


@pytest.fixture
def relay_toml(tmp_path: Path) -> Path:
    """Write the settings of a relay with one robot."""
    path = tmp_path / "relay.toml"
    path.write_text(settings(tmp_path, {"dingtalk": "https://robot.invalid/send?access_token=hidden"}, port=9105))
    return path


@needs_prometheus
def test_what_is_written_is_valid(relay_toml: Path, tmp_path: Path) -> None:
    arguments = [
        "write",
        str(relay_toml),
        str(tmp_path / "etc"),
        "--worker",
        "10.0.0.1:9100",
        "--worker",
        "10.0.0.2:9100",
    ]
    done = CliRunner().invoke(alerting.app, arguments)
    assert done.exit_code == 0, done.output
    checked("promtool", "check", "config", tmp_path / "etc" / "prometheus.yml")
    checked("amtool", "check-config", tmp_path / "etc" / "alertmanager.yml")
    assert "10.0.0.2:9100" in (tmp_path / "etc" / "prometheus.yml").read_text()


def test_the_relays_settings_are_checked_without_showing_a_secret(relay_toml: Path) -> None:
    done = CliRunner().invoke(app, ["relay", str(relay_toml), "--check"])
    assert done.output == "1 robots: dingtalk (dingtalk)\n"
