"""Deliveries are sent when the site clock reaches them; overdue ones at once."""

import numpy as np
import pytest

from simulators.distortion.distort import distort
from simulators.distortion.settings import Distortion
from simulators.sending.pace import MachineTime, Track, at_rate, wait_for
from streams.kernels.counts.site_clock import SiteClock
from tests.support.small_day import ManualTime, small_day


def track(**figures: object) -> Track:
    return Track(distort(small_day(), Distortion(**figures), np.random.default_rng(0)))  # type: ignore[arg-type]  # by name


def test_only_what_is_due_leaves() -> None:
    playing = track()
    at = playing.schedule.at
    assert playing.due(int(at[0]) - 1, most=100) is None
    batch = playing.due(int(at[9]), most=100)
    assert batch is not None
    assert (at[batch.deliveries] <= at[9]).all()
    assert len(batch.deliveries) >= 10
    assert batch.behind == 0


def test_a_batch_is_no_larger_than_asked_and_says_how_much_is_behind() -> None:
    playing = track()
    batch = playing.due(int(playing.schedule.at[-1]), most=100)
    assert batch is not None
    assert len(batch.deliveries) == 100
    assert batch.behind == len(playing.schedule) - 100
    assert not playing.done


def test_at_the_end_what_has_happened_still_arrives_and_the_rest_never_happens() -> None:
    playing = track(disorder_ms=600_000)
    day = playing.schedule.day
    noon = int(np.median(day.true_ts))
    sent = []
    while batch := playing.due(noon, most=500):
        sent += playing.schedule.row[batch.deliveries].tolist()
    while batch := playing.on_the_way(noon, most=500):
        sent += playing.schedule.row[batch.deliveries].tolist()
    assert sorted(sent) == np.flatnonzero(day.true_ts <= noon).tolist()
    assert playing.done


def test_waiting_follows_the_speed_of_the_site_clock() -> None:
    real = ManualTime(1_000)
    clock = SiteClock(site_ms=0, real_ms=1_000, speed=60.0)
    wait_for(3_000, clock, real)  # three site seconds at sixty times the speed
    assert real.now_ms() == pytest.approx(1_050, abs=1)
    wait_for(None, clock, real)
    assert real.now_ms() == pytest.approx(1_150, abs=1)


def test_a_constant_rate_keeps_the_order_and_spreads_the_events_evenly() -> None:
    day = at_rate(small_day(), rate=200, start_ms=5_000)
    assert day.ts[0] == 5_000
    assert set(np.diff(day.ts).tolist()) == {5}
    assert np.array_equal(day.device, small_day().device)
    assert np.array_equal(day.true_ts, day.ts)


def test_the_time_of_the_machine_goes_on() -> None:
    real = MachineTime()
    before = real.now_ms()
    real.wait(0)
    assert real.now_ms() >= before
