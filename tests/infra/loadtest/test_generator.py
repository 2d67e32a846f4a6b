"""The generators together send exactly the events of the load."""

from pathlib import Path
from typing import Any

import pytest

from infra.loadtest.generator import Assignment, make_schedule, make_share, read_assignment, write_assignment
from infra.loadtest.load import Curve, burst, steady
from simulators.distortion.settings import Distortion
from simulators.scenario.day import Day
from streams.site.reader import load_site

EXPO = load_site("expo")


def order(**more: Any) -> Assignment:
    """Return an assignment for all of a small load."""
    usual: dict[str, Any] = {
        "scenario": "expo", "site": "expo", "seed": 1, "epoch": 7, "load": steady(100, 20), "part": 0,
        "parts": 1, "distortion": "", "frame": 1, "bootstrap": "", "api_version": (2, 3), "group": "", "max_lag": 1,
        "folder": Path("generator-1"),
        "ledger": Path("ledger"),
    }  # fmt: skip
    return Assignment(**(usual | more))


def identities(share: Day) -> set[tuple[str, int]]:
    names = share.names.devices[share.device]
    return set(zip(names.tolist(), share.seq.tolist(), strict=True))


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_are_the_whole_and_no_device_is_in_two(parts: int) -> None:
    whole = make_share(order(), EXPO)
    shares = [make_share(order(part=part, parts=parts), EXPO) for part in range(parts)]
    assert sum(map(len, shares)) == len(whole)
    assert set.union(*map(identities, shares)) == identities(whole)
    devices = [set(share.device.tolist()) for share in shares]
    assert sum(map(len, devices)) == len(set.union(*devices))


def test_the_schedule_begins_when_it_is_told_to_and_delivers_duplicates_again() -> None:
    distortion = Distortion.parse("duplicates=100%:1s")
    schedule = make_schedule(make_share(order(), EXPO), 1_700_000_000_000, distortion, [1, 0])
    assert schedule.day.ts[0] == schedule.day.true_ts[0] == 1_700_000_000_000
    assert len(schedule) == 4_000


@pytest.mark.parametrize("load", [burst(3, 9), Curve(2.5, 10, "10:00", 250)])
def test_an_order_is_read_as_it_was_written(load: Any, tmp_path: Path) -> None:
    given = order(load=load, folder=tmp_path / "generator-1")
    write_assignment(tmp_path / "assignment.json", given)
    assert read_assignment(tmp_path / "assignment.json") == given
    assert given.begin == tmp_path / "begin"
