"""Wrong options, used ports and full disks are refused at once, in one sentence with a remedy, without a traceback."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Interrupted
from tests.support.demos import command, surroundings

WRONG_USAGE, FAILED = 2, 1


def refused(*words: str, seconds: float = 30) -> tuple[int, str]:
    """Run a command that should not get far; its exit code and what it said in one line."""
    done = subprocess.run(
        command(*words), capture_output=True, text=True, timeout=seconds, env=surroundings(COLUMNS="500"), check=False
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--distort", "dupes=5%"], "'dupes' is not a distortion; expected duplicates, disorder, late"),
        (["--distort", "late=1%:soon"], "late: 'soon' is not a duration; expected a number and ms, s, m, h or d"),
        (["--distort", "skip=X9-L01:3"], "skip: the site has no device 'X9-L01'; expected one like"),
        (["--start-at", "half past nine"], "'half past nine' is not a time of day; expected hh:mm"),
        (["--scenario", "expoo"], "scenario 'expoo' is not known; expected one of expo, hall"),
        (["--speed", "0"], "--speed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_named_before_anything_is_started(words: list[str], said: str) -> None:
    code, text = refused("demo", *words)
    assert said in text
    assert code == WRONG_USAGE
    assert "store …" not in text


def test_a_taken_port_is_named_with_the_option_that_chose_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, text = refused("demo", "--port", str(port))
    assert f"--port = {port}: another program listens on 127.0.0.1:{port}" in text
    assert "choose another port, or 0 for any free one" in text
    assert code == FAILED


def test_a_second_demo_on_the_same_state_is_refused_and_the_first_goes_on(interrupted: Interrupted) -> None:
    said = interrupted.intruder.said
    assert f"--state {interrupted.demo.state}: another demo runs on it. End that one first" in said
    assert "Traceback" not in said
    assert interrupted.intruder_code == FAILED
    assert interrupted.code == 0


def test_a_state_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, text = refused("demo", "--state", str(file))
    assert f"--state {file}: File exists. Give a directory that you may write to" in text
    assert code == FAILED


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """Mount a small file system in memory; skips where that is not allowed."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk is made by mounting one, which this user may not: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_state_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ro,size=1m") as disk:
        code, text = refused("demo", "--state", str(disk / "state"))
    assert f"--state {disk / 'state'}: Read-only file system. Give a directory that you may write to" in text
    assert code == FAILED


def test_a_disk_without_room_is_refused_with_the_room_that_is_needed(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64m") as disk:
        code, text = refused("demo", "--state", str(disk / "state"))
    assert "MB free, at least 500 MB are needed: make room there or choose another directory." in text
    assert code == FAILED
