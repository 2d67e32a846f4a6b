"""The settings of Prometheus and Alertmanager are valid, and bring each zone's alarms to its own path."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.alerting.config import RULES, Places, alertmanager_config, prometheus_config
from streams.site.reader import load_site
from tests.support.prometheus import checked, needs_prometheus

EXPO = load_site("expo")
PLACES = Places(workers=["127.0.0.1:9100", "127.0.0.1:9101"], audits=["127.0.0.1:9102"])


@pytest.fixture
def alertmanager_yml(tmp_path: Path) -> Path:
    """Write Alertmanager's settings."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(EXPO, PLACES), encoding="utf-8")
    return path


@needs_prometheus
def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(prometheus_config(PLACES), encoding="utf-8")
    assert checked("promtool", "check", "config", path).count("SUCCESS") >= 1 + len(list(RULES.glob("*.yml")))


@needs_prometheus
def test_amtool_finds_nothing_wrong(alertmanager_yml: Path) -> None:
    assert f"{len(EXPO.zones) + 3} receivers" in checked("amtool", "check-config", alertmanager_yml)


@needs_prometheus
@pytest.mark.parametrize("zone", [zone.id for zone in EXPO.zones])
def test_a_zones_episodes_go_to_its_own_receiver(alertmanager_yml: Path, zone: str) -> None:
    assert receiver(alertmanager_yml, "alertname=GatepulseEpisode", f"zone={zone}") == zone


@needs_prometheus
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["alertname=GatepulseEpisode"], "site"),
        (["alertname=GatepulseEpisode", "zone=Z-moon"], "site"),
        (["alertname=GatepulseHeartbeat"], "heartbeat"),
        (["alertname=GatepulseLag", "level=orange"], "platform"),
        (["alertname=Somebody-elses"], "platform"),
    ],
)
def test_the_rest_goes_where_it_belongs(alertmanager_yml: Path, labels: list[str], expected: str) -> None:
    assert receiver(alertmanager_yml, *labels) == expected


def test_a_token_is_shown_from_its_file(tmp_path: Path) -> None:
    places = Places(token_file=tmp_path / "token")
    settings = json.loads(alertmanager_config(EXPO, places).split("\n", 1)[1])
    for each in settings["receivers"]:
        (hook,) = each["webhook_configs"]
        assert hook["http_config"]["authorization"]["credentials_file"] == str(tmp_path / "token")


def test_strange_zone_names_are_quoted() -> None:
    strange = replace(EXPO, zones=(replace(EXPO.zones[0], id="a.b:c"),))
    settings = json.loads(alertmanager_config(strange, PLACES).split("\n", 1)[1])
    assert settings["receivers"][-1]["webhook_configs"][0]["url"].endswith("/alerts/a.b%3Ac")


def receiver(config: Path, *labels: str) -> str:
    return checked("amtool", "config", "routes", "test", f"--config.file={config}", *labels).splitlines()[0]
