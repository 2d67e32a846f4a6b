"""Alertmanager passes on the platform's own alerts, and no alarm episodes, which come through Kafka."""

import datetime as dt
import json
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.alerting.chain import Chain
from infra.process.ports import free_port
from infra.relay.options import RelayOptions
from tests.support.alerts import EXPO, settings
from tests.support.chats import Chat, chatting
from tests.support.processes import eventually, running
from tests.support.prometheus import checked, needs_prometheus
from tests.support.relay_server import RelayServer, ServiceServer

EPISODE = {"rule": "entrance-overload", "subject": "N3", "kind": "person", "zone": "Z-N", "level": "orange"}
GUIDE = (Path(__file__).parents[3] / "docs" / "alarms-delivery.md").read_text(encoding="utf-8")


@pytest.fixture
def duty() -> Iterator[Chat]:
    """Serve a chat."""
    chat = Chat("wecom")
    with chatting(chat):
        yield chat


@pytest.fixture
def alertmanager(tmp_path: Path, duty: Chat) -> Iterator[ServiceServer]:
    """Run Alertmanager and a relay."""
    port, own_port = free_port(), free_port()
    text = settings(tmp_path / "relay", {duty.kind: duty.url}, port=port)
    relay = RelayServer(tmp_path / "relay", text, port=port)
    chain = Chain(
        relay_file=tmp_path / "relay" / "relay.toml", options=RelayOptions(EXPO, tmp_path, (), port=port),
        state=tmp_path, workers=[], alertmanager_port=own_port,
    )  # fmt: skip
    _, service, _ = chain.services()
    with running(relay), running(ServiceServer(service, own_port)) as server:
        yield server


def push(server: ServiceServer, labels: Mapping[str, str], name: str) -> None:
    """Send an alert as Prometheus does."""
    end = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat()
    alerts = [{"labels": {"alertname": name, **labels}, "annotations": {"value": "14.2"}, "endsAt": end}]
    request = urllib.request.Request(
        f"http://{server.address}/api/v2/alerts", json.dumps(alerts).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


@needs_prometheus
def test_the_platforms_alerts_arrive_and_those_about_episodes_do_not(alertmanager: ServiceServer, duty: Chat) -> None:
    push(alertmanager, EPISODE, "GatepulseEpisode")
    push(alertmanager, {"level": "orange"}, "GatepulseLag")
    assert eventually(lambda: len(duty.texts) == 1, 40)
    time.sleep(1.0)
    assert ["GatepulseLag" in text for text in duty.texts] == [True]


@needs_prometheus
def test_the_guides_settings_for_delivery_by_alertmanager_are_valid_and_route_by_zone(tmp_path: Path) -> None:
    (written,) = re.findall(r"```yaml\n(route:.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "alertmanager.yml"
    path.write_text(written, encoding="utf-8")
    assert "SUCCESS" in checked("amtool", "check-config", path)
    labels = ["alertname=GatepulseEpisode", "zone=Z-N"]
    assert checked("amtool", "config", "routes", "test", f"--config.file={path}", *labels).splitlines()[0] == "north"
