"""`gatepulse alarms evaluate` on all incidents: every alarm in time, and no other."""

import pytest

from simulators.incidents.evaluate import evaluate


@pytest.mark.timeout(900)  # stories of fifteen hours, on a machine that may have other work
def test_every_alarm_is_raised_in_time_and_no_other() -> None:
    result = evaluate()
    assert result.well
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert result.delay_p99_s <= 5
