"""The command `tests.faults` exits with the right code, and leaves nothing behind when a signal ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.catalogue import catalogue
from tests.support.processes import eventually, needs_kafka

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


@contextmanager
def command(*words: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the scenarios above, with all their files in a folder; leave nothing of it behind."""
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-P", "-c", PROGRAM, *words]
    with subprocess.Popen(program, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
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


@needs_kafka
def test_a_signal_ends_every_process_and_removes_every_folder(tmp_path: Path) -> None:
    ends_all_by(signal.SIGTERM, tmp_path)


def ends_all_by(number: signal.Signals, folder: Path) -> None:
    """Start a plant, send the command a signal, and see that nothing is left of it."""
    with command("T99", "--quick", folder=folder) as process:
        assert eventually((folder / "waiting").exists, 120)
        assert len(processes(folder)) >= 4  # itself, Kafka, ClickHouse, a worker
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert eventually(lambda: not processes(folder), 5)
    assert [path.name for path in folder.iterdir()] == ["waiting"]


def test_a_scenario_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with command("T97", folder=tmp_path) as process:
        assert process.wait(60) == 2


def test_a_fault_that_names_devices_of_another_scenario_is_wrong_usage() -> None:
    words = [sys.executable, "-m", "tests.faults", "T15", "--scenario", "hall"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--scenario hall: T15 cannot be done in it" in done.stderr


def test_the_help_names_every_scenario() -> None:
    words = [sys.executable, "-m", "tests.faults", "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"  {each.id:5} {each.what}" in done.stdout for each in catalogue().values())
