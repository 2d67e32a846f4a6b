"""Relay, Prometheus and Alertmanager get each other's addresses and the settings of the relay's file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.alerting.chain import RULES, Chain
from infra.alerting.server import AlertingError
from infra.relay.options import RelayOptions, RelayOptionsError, load_options
from tests.support.alerts import EXPO, settings
from tests.support.prometheus import checked, needs_prometheus

URLS = {"webhook": "https://robot.invalid/hook"}


def chain(folder: Path, *, port: int = 9105, more: str = "", token_file: Path | None = None) -> Chain:
    """Return the chain for the file of a relay with one webhook."""
    file = folder / "relay.toml"
    file.write_text(more + settings(folder, URLS, port=port))
    return Chain(
        relay_file=file, options=load_options(file), state=folder, workers=["127.0.0.1:9100"], token_file=token_file
    )


def token_files(chain: Chain) -> list[str]:
    """Return the files with the token that Alertmanager shows to the relay."""
    settings = json.loads(chain.alertmanager_config().split("\n", 1)[1])
    hooks = [hook for each in settings["receivers"] for hook in each.get("webhook_configs", [])]
    return [hook["http_config"]["authorization"]["credentials_file"] for hook in hooks if "http_config" in hook]


def test_alertmanager_shows_the_token_where_the_relays_file_names_one(tmp_path: Path) -> None:
    token, elsewhere = tmp_path / "token", tmp_path / "elsewhere"
    token.write_text("let-me-in")
    more = f'token_file = "{token}"\n'
    assert token_files(chain(tmp_path)) == []
    assert token_files(chain(tmp_path, more=more)) == [str(token)] * 2
    assert token_files(chain(tmp_path, more=more, token_file=elsewhere)) == [str(elsewhere)] * 2


def test_a_relay_at_any_free_port_is_refused_since_nobody_would_find_it(tmp_path: Path) -> None:
    with pytest.raises(AlertingError, match="port = 0: Alertmanager must know it; give one, such as 9105"):
        chain(tmp_path, port=0).services()


def test_who_listens_is_started_before_who_speaks_to_it(tmp_path: Path) -> None:
    assert [each.name for each in chain(tmp_path).services()] == ["relay", "alertmanager", "prometheus"]


def test_without_the_two_the_relay_runs_alone(tmp_path: Path) -> None:
    alone = replace(chain(tmp_path), monitored=False, environment={"GATEPULSE_KAFKA__BROKERS": "b:1"})
    (service,) = alone.services()
    assert (service.name, service.env, list(alone.addresses)) == ("relay", alone.environment, ["relay"])


def test_every_address_is_told(tmp_path: Path) -> None:
    assert chain(tmp_path, port=9999).addresses == {
        "prometheus": "http://127.0.0.1:9090/",
        "alertmanager": "http://127.0.0.1:9093/",
        "relay": "http://127.0.0.1:9999/metrics",
    }


def test_a_webhook_may_be_told_faster_than_a_group(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    text = settings(tmp_path, URLS | {"wecom": "https://robot.invalid/send?key=hidden"}, port=9105)
    for kind, fits in (("webhook", True), ("wecom", False)):
        file.write_text(text.replace(f'type = "{kind}"', f'type = "{kind}"\nper_minute = 600'))
        if fits:
            assert {each.name: each.per_minute for each in load_options(file).robots} == {"webhook": 600, "wecom": 20}
        else:
            with pytest.raises(RelayOptionsError, match="per_minute = 600: a wecom is sent at most 20; give fewer"):
                load_options(file)


CHAIN = Chain(
    relay_file=Path("relay.toml"), options=RelayOptions(EXPO, Path(), ()), state=Path(),
    workers=["127.0.0.1:9100", "127.0.0.1:9101"], audits=["127.0.0.1:9102"],
)  # fmt: skip


@pytest.fixture
def alertmanager_yml(tmp_path: Path) -> Path:
    """Write Alertmanager's settings."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(CHAIN.alertmanager_config(), encoding="utf-8")
    return path


@needs_prometheus
def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(CHAIN.prometheus_config(), encoding="utf-8")
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


def receiver(config: Path, *labels: str) -> str:
    return checked("amtool", "config", "routes", "test", f"--config.file={config}", *labels).splitlines()[0]
