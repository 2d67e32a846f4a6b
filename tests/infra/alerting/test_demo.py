"""In a demo, alarms arrive on the terminal, or at the robots of a relay's file."""

import socket
import urllib.request
from pathlib import Path

import pytest

from infra.process.ports import PortTaken, free_port
from infra.process.supervisor import Supervisor
from infra.stack.alarm_delivery import WrongRelayError, delivery, read_relay
from streams.site.reader import BUILTIN, load_site
from tests.support.alerts import EXPO, settings
from tests.support.demos import Demo, running
from tests.support.processes import alive, eventually
from tests.support.prometheus import needs_prometheus

PATIENCE = 200.0
PROGRAMS = ("prometheus", "alertmanager", "relay")
LEAK = "N3-L07"
DAY = ("--start-at", "08:30", "--distort", f"skip={LEAK}:60")
"""Events of one lane get lost: after five minutes of the site's time the north gates' team is to hear of it."""
SAID = "入口漏计"


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ours
            return bool(answer.status == 200)
    except OSError:
        return False


def all_answer(demo: Demo) -> bool:
    return all(answers(demo.endpoints[name]) for name in PROGRAMS)


@needs_prometheus
def test_messages_arrive_on_the_terminal_and_kill_9_ends_everything(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(*DAY, state=state) as demo:
        demo.says("wall: ", PATIENCE)
        demo.until(lambda: all_answer(demo), "answer of all three", PATIENCE)
        demo.says(f"ALARM → 北门处置组 / North gates response team: 🟡 {SAID} N3 新告警", PATIENCE)
        for secret in ("receiver.secret", "receiver.url", "relay.toml"):
            assert (state / "alerting" / secret).stat().st_mode & 0o777 == 0o600
        assert (state / "alerting" / "receiver.secret").read_text() not in demo.said
        begun = demo.processes()
        assert len(begun) >= 10  # itself, store, broker, worker, wall, audit, foresight, and the three
        assert "Traceback" not in demo.said
        demo.process.kill()
        demo.ends()
        assert eventually(lambda: not any(map(alive, begun)), 20)
        assert demo.processes() == []


def relay_file(folder: Path, site: str, url: str = "https://robot.invalid/send?access_token=hidden") -> Path:
    """Write the settings of a relay with one robot."""
    text = settings(folder / "robots", {"dingtalk": url}, port=free_port())
    file = folder / "relay.toml"
    file.write_text(text.replace('site = "expo"', f'site = "{site}"'))
    return file


def test_a_relay_of_another_site_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text((BUILTIN / "expo.toml").read_text(encoding="utf-8").replace('id = "expo"', 'id = "fair"', 1))
    with pytest.raises(WrongRelayError, match="site = 'fair': the demo plays 'expo'; name the same site in both"):
        read_relay(relay_file(tmp_path, str(other)), EXPO)


def test_a_relays_port_that_is_taken_is_named_with_its_file(tmp_path: Path) -> None:
    file = relay_file(tmp_path, "expo")
    found = read_relay(file, load_site("expo"))
    assert found is not None
    with socket.create_server(("127.0.0.1", found[1].port)), pytest.raises(PortTaken, match=f"--relay {file}: port = "):
        read_relay(file, EXPO)


def test_without_the_programs_it_says_in_a_line_how_to_get_them_and_the_relay_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with delivery(tmp_path / "alerting", "expo", said.append) as way, Supervisor() as supervisor:
        way.start(supervisor, [9100], {})
        assert [each.name for each in supervisor.services()] == ["relay"]
    (line,) = said
    assert "不发送平台自身的告警" in line
    assert "prometheus is not installed: run `sh infra/install-prometheus.sh`" in line
    assert list(way.addresses) == ["relay"]


def test_the_secret_of_a_kept_state_stays_the_same(tmp_path: Path) -> None:
    secrets = []
    for _ in range(2):
        with delivery(tmp_path, "expo", print):
            secrets.append((tmp_path / "receiver.secret").read_text())
    assert secrets[0] == secrets[1]
    assert secrets[0].startswith("whsec_")
