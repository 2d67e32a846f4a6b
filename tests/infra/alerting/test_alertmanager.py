"""What Alertmanager passes on: to the zone's robots, and not what a graver alarm says already."""

import datetime as dt
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.alerting.config import Places, alertmanager_config
from infra.alerting.server import AlertmanagerServer, RelayServer
from infra.process.ports import lasting_port
from streams.site.reader import load_site
from tests.support.alerts import labels, settings
from tests.support.chats import Chat, chatting
from tests.support.processes import eventually, running
from tests.support.prometheus import needs_prometheus

EXPO = load_site("expo")


@pytest.fixture
def north() -> Iterator[Chat]:
    """Serve the chat of the north gates' team."""
    chat = Chat("dingtalk")
    with chatting(chat):
        yield chat


@pytest.fixture
def centre() -> Iterator[Chat]:
    """Serve the chat of everybody else."""
    chat = Chat("wecom")
    with chatting(chat):
        yield chat


@pytest.fixture
def alertmanager(tmp_path: Path, north: Chat, centre: Chat) -> Iterator[AlertmanagerServer]:
    """Run Alertmanager and a relay with both chats."""
    port = lasting_port()
    others = [zone.id for zone in EXPO.zones if zone.id != "Z-N"] + ["site", "platform"]
    text = settings(tmp_path / "relay", {chat.kind: chat.url for chat in (north, centre)}, port=port)
    text = text.replace('["*"]', '["Z-N"]', 1).replace('["*"]', json.dumps(others), 1)
    server = AlertmanagerServer(tmp_path / "alertmanager", alertmanager_config(EXPO, Places(relay=f"127.0.0.1:{port}")))
    with running(RelayServer(tmp_path / "relay", text, port=port)), running(server):
        yield server


def push(server: AlertmanagerServer, *given: Mapping[str, str], name: str = "GatepulseEpisode") -> None:
    """Send alerts as Prometheus does."""
    end = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat()
    alerts = [
        {"labels": {"alertname": name, **each}, "annotations": {"value": "14.2"}, "endsAt": end} for each in given
    ]
    asked = urllib.request.Request(
        f"http://{server.address}/api/v2/alerts", json.dumps(alerts).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


@needs_prometheus
def test_each_zone_hears_of_its_own_alarms(alertmanager: AlertmanagerServer, north: Chat, centre: Chat) -> None:
    push(alertmanager, labels(zone="Z-N"), labels(zone="Z-E", episode="east"), labels(zone="", episode="no zone"))
    push(alertmanager, {"level": "orange"}, name="GatepulseLag")
    assert eventually(lambda: (len(north.heard), len(centre.heard)) == (1, 3), 20)
    assert "entrance-overload:N3" in north.heard[0]


@needs_prometheus
def test_lower_levels_are_not_told_while_a_graver_one_is_on_and_ends_always_are(
    alertmanager: AlertmanagerServer, north: Chat
) -> None:
    push(alertmanager, labels(level="red", episode="red"))
    assert eventually(lambda: len(north.heard) == 1, 20)
    push(
        alertmanager,
        labels(level="yellow", episode="lower"),
        labels(level="yellow", episode="vehicles", kind="vehicle"),
        labels(level="yellow", episode="elsewhere", subject="N1"),
        labels(level="yellow", episode="over", state="cleared"),
    )
    assert eventually(lambda: len(north.heard) == 4, 20)
    time.sleep(1.5)
    told = {text.splitlines()[-1].split()[1] for text in north.heard}
    assert told == {"red", "vehicles", "elsewhere", "over"}


@needs_prometheus
def test_an_episode_that_is_over_silences_no_new_one(alertmanager: AlertmanagerServer, north: Chat) -> None:
    push(alertmanager, labels(level="red", episode="old", state="cleared"), labels(level="yellow", episode="new"))
    assert eventually(lambda: len(north.heard) == 2, 20)
