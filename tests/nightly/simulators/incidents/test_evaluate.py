"""All incidents: every alarm in time and no other, however facts are cut and whenever a worker restarts."""

import pytest

from simulators.incidents.evaluate import evaluate
from simulators.incidents.stage import Stage
from tests.simulators.incidents.test_incidents import ON, STORIES, Restarting, changes


@pytest.mark.timeout(900)  # stories of fifteen hours, on a machine that may have other work
def test_every_alarm_is_raised_in_time_and_no_other() -> None:
    result = evaluate()
    assert result.well
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert result.delay_p99_s <= 5


@pytest.mark.parametrize("name", ["gateway-outage", "capacity"])
def test_alarms_that_are_taken_up_again_and_again_go_on_as_if_nothing_had_happened(name: str) -> None:
    assert changes(STORIES[name], Restarting(ON.site, step=20_000)) == changes(STORIES[name], Stage(ON.site))


def test_facts_of_every_second_give_the_same_episodes_to_the_millisecond() -> None:
    overload = STORIES["overload-31s"]
    assert changes(overload, Stage(ON.site, step=1_000)) == changes(overload, Stage(ON.site)) != []
