"""The command `tests.faults` exits with the right code, and leaves nothing behind when a signal ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults import run
from tests.faults.catalogue import catalogue
from tests.support.processes import eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from pathlib import Path
from tests.faults import catalogue, run

catalogue.THEMES = ()

@catalogue.fault("T98")
def hoping(trial):
    '''Nothing is done.'''
    trial.until(lambda: False, "the impossible", 0.1)

@catalogue.fault("T99")
def waiting(trial):
    '''Nothing ever happens.'''
    with trial.load(rate=100.0):
        Path("waiting").touch()
        trial.wait(600)

run.main()
"""
STAND_IN = """
import subprocess
from pathlib import Path
from tests.faults import catalogue, run

catalogue.THEMES = ()

class Plant:
    workers = ()

    def __init__(self, layout, path):
        self.path = path

    def __enter__(self):
        self.child = subprocess.Popen(["sleep", "600"])
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

run.Plant = Plant

@catalogue.fault("T99")
def waiting(trial):
    '''Nothing ever happens.'''
    Path("waiting").touch()
    trial.wait(600)

run.main()
"""
"""The command with a plant of one process that does nothing."""


@contextmanager
def command(*words: str, folder: Path, program: str = PROGRAM) -> Iterator["subprocess.Popen[str]"]:
    """Run the scenarios of a program, with all their files in a folder; leave nothing of it behind."""
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-P", "-c", program, *words]
    with subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def processes(folder: Path) -> list[int]:
    """Return all processes that know of a folder, by their words or their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unwinds_the_plant_and_removes_every_folder(tmp_path: Path, number: signal.Signals) -> None:
    ends_all_by(number, tmp_path, program=STAND_IN, least=2)


def ends_all_by(number: signal.Signals, folder: Path, *, program: str = PROGRAM, least: int = 4) -> None:
    """Start a plant of so many processes, send the command a signal, and see that nothing is left of it."""
    with command("T99", "--quick", folder=folder, program=program) as process:
        assert eventually((folder / "waiting").exists, 120)
        assert len(processes(folder)) >= least  # itself, and of a real plant Kafka, ClickHouse and a worker
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert eventually(lambda: not processes(folder), 5)
    assert [path.name for path in folder.iterdir()] == ["waiting"]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in this process, which keeps its own signals; return its exit code and what it said."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def ended(*words: str) -> tuple[int | str | None, str]:
        with pytest.raises(SystemExit) as end:
            run.main(words)
        return end.value.code, "".join(capsys.readouterr())

    return ended


def test_a_scenario_that_is_not_there_is_wrong_usage(ended: Any) -> None:
    code, said = ended("T97")
    assert code == 2
    assert "not in the catalogue: T97" in said


def test_a_fault_that_names_devices_of_another_scenario_is_wrong_usage(ended: Any) -> None:
    code, said = ended("T15", "--scenario", "hall")
    assert code == 2
    assert "--scenario hall: T15 cannot be done in it" in said


def test_the_help_names_every_scenario(ended: Any) -> None:
    code, said = ended("--help")
    assert code == 0
    assert all(f"  {each.id:5} {each.what}" in said for each in catalogue().values())
