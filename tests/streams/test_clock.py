"""The site clock."""

import pytest

from streams.clock import ClockError, SiteClock

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


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_cannot_run_is_refused(speed: float) -> None:
    with pytest.raises(ClockError, match="speed"):
        SiteClock(speed=speed)
