"""The settings of Prometheus and Alertmanager are valid, and send the platform's alerts to the relay."""

import json
from pathlib import Path

import pytest

from infra.alerting.config import RULES, Places, alertmanager_config, prometheus_config
from tests.support.prometheus import checked, needs_prometheus

PLACES = Places(workers=["127.0.0.1:9100", "127.0.0.1:9101"], audits=["127.0.0.1:9102"])


@pytest.fixture
def alertmanager_yml(tmp_path: Path) -> Path:
    """Write Alertmanager's settings."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(PLACES), encoding="utf-8")
    return path


@needs_prometheus
def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(prometheus_config(PLACES), encoding="utf-8")
    assert checked("promtool", "check", "config", path).count("SUCCESS") >= 1 + len(list(RULES.glob("*.yml")))


@needs_prometheus
def test_amtool_finds_nothing_wrong(alertmanager_yml: Path) -> None:
    assert "3 receivers" in checked("amtool", "check-config", alertmanager_yml)


@needs_prometheus
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["alertname=GatepulseEpisode", "zone=Z-N"], "episodes"),
        (["alertname=GatepulseHeartbeat"], "heartbeat"),
        (["alertname=GatepulseLag", "level=orange"], "platform"),
        (["alertname=Somebody-elses"], "platform"),
    ],
)
def test_the_rest_goes_where_it_belongs(alertmanager_yml: Path, labels: list[str], expected: str) -> None:
    assert receiver(alertmanager_yml, *labels) == expected


def test_a_token_is_shown_from_its_file(tmp_path: Path) -> None:
    places = Places(token_file=tmp_path / "token")
    settings = json.loads(alertmanager_config(places).split("\n", 1)[1])
    hooks = [hook for each in settings["receivers"] for hook in each.get("webhook_configs", [])]
    assert len(hooks) == 2
    for hook in hooks:
        assert hook["http_config"]["authorization"]["credentials_file"] == str(tmp_path / "token")


def receiver(config: Path, *labels: str) -> str:
    return checked("amtool", "config", "routes", "test", f"--config.file={config}", *labels).splitlines()[0]
