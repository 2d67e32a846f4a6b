"""The check for growing memory tells growth from ups and downs."""

import pytest

from tests.faults.soak import slope

HOUR = 3600


def test_what_grows_evenly_has_its_slope() -> None:
    found = slope("worker-1", [(1000.0 + at, 100 + at // 360) for at in range(0, HOUR, 5)])
    assert found.mb_an_hour == pytest.approx(10, abs=0.1)
    assert found.share == pytest.approx(10 * 2 / 3 / found.mb, abs=0.002)


def test_a_warm_up_does_not_count() -> None:
    found = slope("worker-1", [(float(at), 100 if at >= HOUR / 4 else 20 + at // 15) for at in range(0, HOUR, 5)])
    assert found.mb_an_hour == pytest.approx(0, abs=1e-6)
    assert found.mb == 100


def test_what_goes_up_and_down_does_not_grow() -> None:
    found = slope("Kafka", [(float(at), 300 + at % 60) for at in range(0, 3 * HOUR, 5)])
    assert abs(found.share) < 0.01
