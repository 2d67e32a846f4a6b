"""A demo on a real Kafka: several workers share the day, and one is killed."""

import os
import signal
import urllib.request
from pathlib import Path

from tests.support.demos import Demo, running
from tests.support.processes import alive, needs_kafka

PATIENCE = 200.0
TWO = ("--broker", "kafka", "--workers", "2", "--speed", "1", "--start-at", "08:50")
"""Real time, so that a slow machine does not get a longer day."""


@needs_kafka
def test_two_workers_one_of_them_killed_end_equal(tmp_path: Path) -> None:
    with running(*TWO, "--for", "12", state=tmp_path / "state") as demo:
        demo.says("wall: ", PATIENCE)
        for name in ("metrics", "metrics-2"):
            demo.until(lambda name=name: answers(demo.endpoints[name]), f"{name} of a worker", PATIENCE)  # type: ignore[misc]  # a closure of this round
        demo.says("10,000 events", PATIENCE)
        victim = workers(demo)[0]
        os.kill(victim, signal.SIGKILL)
        demo.until(lambda: not alive(victim), "end of the worker")
        assert demo.ends(PATIENCE) == 0, demo.said
        assert demo.verdict["difference"] == 0


def workers(demo: Demo) -> list[int]:
    """Return the process ids of both workers."""
    demo.until(lambda: len(_workers(demo)) == 2, "two workers")
    return _workers(demo)


def _workers(demo: Demo) -> list[int]:
    found = {pid: Path(f"/proc/{pid}/cmdline") for pid in demo.processes() if pid != demo.process.pid}
    return [pid for pid, command in found.items() if alive(pid) and b"infra.cli.main\0worker" in command.read_bytes()]


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - ours
            return bool(answer.read())
    except OSError:
        return False


def test_several_workers_on_the_embedded_broker_are_refused_with_the_reason(tmp_path: Path) -> None:
    with running("--workers", "2", state=tmp_path / "state") as demo:
        assert demo.ends() == 2
        assert "several workers need a real broker, add --broker kafka" in demo.said
