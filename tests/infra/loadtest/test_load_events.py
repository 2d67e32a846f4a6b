"""The generators together send exactly the events of the load."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.loadtest import shape
from infra.loadtest.assignment import Assignment, Curve, read_assignment, write_assignment
from infra.loadtest.load_events import NothingToSendError, Share, make_share
from simulators.distortion.settings import Distortion
from streams.site.reader import load_site

EXPO = load_site("expo")


def order(**more: Any) -> Assignment:
    """Return an assignment for all of a small load."""
    usual: dict[str, Any] = {
        "scenario": "expo", "site": "expo", "seed": 1, "epoch": 7, "load": shape.steady(100, 20), "part": 0,
        "parts": 1, "distortion": "", "frame": 1, "bootstrap": "", "api_version": (2, 3), "group": "", "max_lag": 1,
        "folder": Path("generator-1"),
        "ledger": Path("ledger"),
    }  # fmt: skip
    return Assignment(**(usual | more))


def identities(share: Share) -> set[tuple[str, int]]:
    names = share.day.names.devices[share.day.device]
    return set(zip(names.tolist(), share.day.seq.tolist(), strict=True))


def test_a_load_has_as_many_events_as_its_shape_at_the_times_of_the_shape() -> None:
    phases = shape.burst(100, 10)
    share = make_share(order(load=phases), EXPO)
    assert len(share.day) == 1_800
    assert share.day.true_ts.tolist() == shape.due(phases).astype(int).tolist()
    assert share.load_ms == 10_000


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_are_the_whole_and_no_device_is_in_two(parts: int) -> None:
    whole = make_share(order(), EXPO)
    shares = [make_share(order(part=part, parts=parts), EXPO) for part in range(parts)]
    assert sum(len(share.day) for share in shares) == len(whole.day)
    assert set.union(*map(identities, shares)) == identities(whole)
    devices = [set(share.day.device.tolist()) for share in shares]
    assert sum(map(len, devices)) == len(set.union(*devices))


@pytest.mark.parametrize("load", [shape.steady(2_000, 12), shape.steady(50, 4), Curve(20, 10, "10:00")])
def test_every_device_counts_from_one_without_a_hole(load: Any) -> None:
    day = make_share(order(load=load), EXPO).day
    for device in np.unique(day.device):
        seq = day.seq[day.device == device]
        assert seq.tolist() == list(range(1, len(seq) + 1))


def test_a_load_that_is_larger_than_its_day_goes_on_with_the_same_people() -> None:
    day = make_share(order(scenario="hall", site="hall", load=shape.steady(4_000, 10)), load_site("hall")).day
    assert len(day) == 40_000
    assert len(np.unique(day.device * 10**9 + day.seq)) == 40_000
    for device in np.unique(day.device):
        seq = day.seq[day.device == device]
        assert seq.tolist() == list(range(1, len(seq) + 1))


def test_the_scenarios_own_curve_ten_times_has_ten_times_the_events_of_the_same_seconds() -> None:
    once = make_share(order(load=Curve(1, 600, "10:00")), EXPO)
    tenfold = make_share(order(load=Curve(10, 60, "10:00")), EXPO)
    assert len(tenfold.day) == len(once.day)
    assert tenfold.day.true_ts.max() < 60_000 <= once.day.true_ts.max() < 600_000
    np.testing.assert_array_equal(tenfold.day.true_ts, once.day.true_ts // 10)


def test_a_time_without_events_is_refused_with_what_to_do() -> None:
    with pytest.raises(NothingToSendError, match="from 00:00 on, 1 s of the scenario have no event; give a larger"):
        make_share(order(load=Curve(1, 1, "00:00")), EXPO)


def test_the_schedule_begins_when_it_is_told_to_and_delivers_duplicates_again() -> None:
    share = make_share(order(), EXPO)
    schedule = share.schedule(1_700_000_000_000, Distortion.parse("duplicates=100%:1s"), [1, 0])
    assert schedule.day.ts[0] == schedule.day.true_ts[0] == 1_700_000_000_000
    assert len(schedule) == 4_000


@pytest.mark.parametrize("load", [shape.burst(3, 9), Curve(2.5, 10, "10:00")])
def test_an_order_is_read_as_it_was_written(load: Any, tmp_path: Path) -> None:
    given = order(load=load, folder=tmp_path / "generator-1")
    write_assignment(tmp_path / "assignment.json", given)
    assert read_assignment(tmp_path / "assignment.json") == given
    assert given.begin == tmp_path / "begin"
