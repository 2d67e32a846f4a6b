"""A demo sends alarms to robots, and leaves no process behind when it is killed."""

from pathlib import Path

from tests.infra.alerting.test_demo import DAY, PATIENCE, SAID, relay_file
from tests.support.chats import Chat, chatting
from tests.support.demos import running
from tests.support.processes import alive, eventually
from tests.support.prometheus import needs_prometheus


@needs_prometheus
def test_alarms_go_to_the_robots_of_a_relays_file_and_kill_9_of_the_demo_ends_all(tmp_path: Path) -> None:
    chat = Chat("dingtalk")
    with chatting(chat):
        file = relay_file(tmp_path, "expo", chat.url)
        with running(*DAY, "--relay", str(file), state=tmp_path / "state") as demo:
            demo.until(lambda: any(SAID in text for text in chat.texts), "message", PATIENCE)
            assert "ALARM → " not in demo.said
            begun = demo.processes()
            assert len(begun) >= 9  # itself, store, broker, worker, wall, audit, and the three
            demo.process.kill()
            demo.ends()
            assert eventually(lambda: not any(map(alive, begun)), 5)
