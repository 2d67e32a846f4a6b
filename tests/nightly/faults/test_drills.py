"""The drills that take long, done line by line: `tests/faults/test_drills.py` says how."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.catalogue import Layout
from tests.faults.desk import Desk, desk_of
from tests.faults.test_drills import follow, lose_snapshots, stopping
from tests.support.processes import needs_kafka

pytestmark = [needs_kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def desk(kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:  # noqa: ARG001 - needed
    """Start a plant with a worker."""
    with desk_of(Layout(), tmp_path_factory.mktemp("drills")) as running:
        yield running


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
