"""A child process has its own log and never outlives the program that started it."""

import signal
import threading
from pathlib import Path

import pytest

from infra.process.child import Child, tail
from tests.support.processes import SLEEPER, STUBBORN, ends_with_its_parent, eventually, python


def test_what_a_child_prints_is_in_its_log(tmp_path: Path) -> None:
    child = Child(python("print('hello'); raise SystemExit('goodbye')"), tmp_path / "logs" / "child.log")
    child.start()
    assert eventually(lambda: child.poll() == 1)
    assert sorted(tail(child.log_path).splitlines()) == ["goodbye", "hello"]


def test_a_child_ends_on_request_and_says_how(tmp_path: Path) -> None:
    child = Child(SLEEPER, tmp_path / "log")
    assert child.poll() is None
    assert not child.running
    child.start()
    assert child.running
    assert child.stop() == -signal.SIGTERM
    assert not child.running


def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    child = Child(STUBBORN, tmp_path / "log")
    child.start()
    assert eventually(lambda: "on" in tail(child.log_path))
    assert child.stop(0.2) == -signal.SIGKILL


def test_a_command_that_cannot_be_run_says_so_in_the_log(tmp_path: Path) -> None:
    child = Child(["/nowhere/at-all"], tmp_path / "log")
    child.start()
    assert eventually(lambda: child.poll() == 127)
    assert "Cannot run /nowhere/at-all" in tail(child.log_path)


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path, program: list[str]) -> None:
    code = f"""
from pathlib import Path
from infra.process.child import Child
import time
child = Child({program!r}, Path({str(tmp_path / "log")!r}))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
    assert ends_with_its_parent(code)


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    child = Child(SLEEPER, tmp_path / "log")
    starter = threading.Thread(target=child.start)
    starter.start()
    starter.join()
    assert not eventually(lambda: not child.running, seconds=0.3)
    child.stop()


def test_the_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == "(empty)"
