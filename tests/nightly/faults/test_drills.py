"""The recovery drills of docs/operations.md, line by line: afterwards every event counts once."""

import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.catalogue import Layout
from tests.faults.desk import TURNSTILES, Desk, desk_of
from tests.support.processes import needs_kafka

pytestmark = [needs_kafka, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture(scope="module")
def desk(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:  # noqa: ARG001 - needed
    """Start a plant with a worker."""
    with desk_of(Layout(), tmp_path_factory.mktemp("drills")) as running:
        yield running


def drill(title: str) -> list[str]:
    """Return the lines of a drill."""
    found = re.search(rf"^### {re.escape(title)}\n.*?^```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE}: no drill is called {title!r}"
    return found[1].splitlines()


def follow(desk: Desk, title: str, by_hand: Mapping[str, Callable[[], object]]) -> None:
    """Do what a drill says: `gatepulse …` are commands that must succeed, `# …` is done by hand."""
    for line in drill(title):
        if line.startswith("# "):
            by_hand[line.removeprefix("# ")]()
        else:
            succeed(desk, line)


def succeed(desk: Desk, line: str, seconds: float = 90.0) -> None:
    """Run a command until it succeeds: workers take some seconds to start, and what is counted again to settle."""
    deadline = time.monotonic() + seconds
    while (done := desk.command(*shlex.split(line)[1:])).returncode:
        assert time.monotonic() < deadline, (line, done.stdout, done.stderr)
        time.sleep(1)


def stopping(desk: Desk) -> dict[str, Callable[[], object]]:
    worker = desk.plant.worker
    return {"stop all workers": lambda: worker.stop(30.0), "start all workers": worker.start}


def test_snapshots_that_are_lost_cost_no_passage_and_count_none_twice(desk: Desk) -> None:
    lose_snapshots(desk, entrance="N2", also_group=True)


def lose_snapshots(desk: Desk, *, entrance: str, also_group: bool) -> None:
    """Lose all snapshots while the oldest records are gone, and follow the drill."""
    device = f"lost-{entrance}"
    desk.send(device, range(1, 101), entrance=entrance, partition=0)
    desk.until_total(entrance, 100)
    time.sleep(2)  # a checkpoint
    desk.plant.worker.stop(30.0)
    begin, end = desk.bounds(TURNSTILES)[0]
    desk.delete_records(TURNSTILES, {0: end - 60})
    desk.delete_snapshots()
    if also_group:
        desk.delete_group()
    follow(desk, "The snapshots are lost", stopping(desk))
    desk.send(device, range(101, 111), entrance=entrance, partition=0)
    desk.until_total(entrance, 110, 90)
    assert begin < end - 60


def test_snapshots_that_are_lost_cost_nothing_while_the_group_is_kept(desk: Desk) -> None:
    lose_snapshots(desk, entrance="N1", also_group=False)


def test_a_store_from_an_older_copy_is_filled_again(desk: Desk) -> None:
    plant = desk.plant
    folder, copy = plant.path / "clickhouse", plant.path / "older"

    def stopped(then: Callable[[], object]) -> None:
        plant.store.stop()
        then()
        plant.store.start()

    def restore() -> None:
        shutil.rmtree(folder)
        copy.rename(folder)

    desk.send("restored", range(1, 21), entrance="N3", partition=1)
    desk.until_total("N3", 20)
    plant.worker.stop(30.0)
    stopped(lambda: shutil.copytree(folder, copy, symlinks=True))
    plant.worker.start()
    desk.send("restored", range(21, 51), entrance="N3", partition=1)
    desk.until_total("N3", 50)
    time.sleep(2)
    restoring = {"restore the store": lambda: stopped(restore)}
    follow(desk, "The store comes back from an older copy", stopping(desk) | restoring)
    desk.send("restored", range(51, 61), entrance="N3", partition=1)
    desk.until_total("N3", 60, 90)
