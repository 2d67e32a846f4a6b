"""The site clock converts real time to site time, at any speed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.site_clock import ClockError, SiteClock

REAL = 1_800_000_000_000
SITE = 1_636_243_200_000


def test_a_real_site_has_real_time() -> None:
    assert SiteClock().now(REAL) == REAL


def test_a_demonstration_runs_its_day_faster_from_its_own_beginning() -> None:
    clock = SiteClock(SITE, REAL, 60)
    assert clock.now(REAL + 1500) == SITE + 90_000
    assert clock.now(REAL - 1000) == SITE - 60_000


def test_it_is_exact_at_whole_speeds_and_finds_its_way_back() -> None:
    clock = SiteClock(SITE, REAL, 1440)
    assert clock.now(REAL + 86_399_999) == SITE + 86_399_999 * 1440
    assert clock.real(clock.now(REAL + 777)) == REAL + 777


def test_a_fractional_speed_rounds_to_the_millisecond() -> None:
    assert SiteClock(0, 0, 0.5).now(3) == 2


@given(
    st.lists(st.integers(REAL - 10**9, REAL + 10**9), max_size=20),
    st.sampled_from([1.0, 60.0, 1440.0, 0.5, 1.1, 59.94, 1 / 3]),
)
def test_many_times_at_once_are_the_same_as_one_by_one(times: list[int], speed: float) -> None:
    clock = SiteClock(SITE, REAL, speed)
    assert clock.at(np.array(times, dtype=np.int64)).tolist() == [clock.now(each) for each in times]


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_cannot_run_is_refused(speed: float) -> None:
    with pytest.raises(ClockError, match="speed"):
        SiteClock(speed=speed)
