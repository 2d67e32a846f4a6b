"""Relay, Prometheus and Alertmanager get each other's addresses and the settings of the relay's file."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.alerting.chain import Chain
from infra.alerting.server import AlertingError
from infra.relay.options import RelayOptionsError, load_options
from tests.support.alerts import settings

URLS = {"webhook": "https://robot.invalid/hook"}


def chain(folder: Path, *, port: int = 9105, more: str = "", token_file: Path | None = None) -> Chain:
    """Return the chain for the file of a relay with one webhook."""
    file = folder / "relay.toml"
    file.write_text(more + settings(folder, URLS, port=port))
    return Chain(
        relay_file=file, options=load_options(file), state=folder, workers=["127.0.0.1:9100"], token_file=token_file
    )


def test_alertmanager_shows_the_token_where_the_relays_file_names_one(tmp_path: Path) -> None:
    token, elsewhere = tmp_path / "token", tmp_path / "elsewhere"
    token.write_text("let-me-in")
    assert chain(tmp_path).places.token_file is None
    more = f'token_file = "{token}"\n'
    assert chain(tmp_path, more=more).places.token_file == token
    assert chain(tmp_path, more=more, token_file=elsewhere).places.token_file == elsewhere


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
