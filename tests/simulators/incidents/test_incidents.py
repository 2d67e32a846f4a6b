"""The expected alarms are raised once, and no others, however the inputs are cut or repeated."""

import pytest

from simulators.incidents.evaluate import Evaluation, judge
from simulators.incidents.labelled import INCIDENTS, Incident, ground, in_a_minute, usual
from simulators.incidents.stage import Stage
from streams.kernels.alarms import snapshot
from streams.kernels.alarms.episodes import Episode

ON = ground()
STORIES = {incident.name: incident for incident in (make(ON) for make in INCIDENTS)}
OVERLOAD = STORIES["overload-31s"]
SOON_SECONDS = 5
"""How soon after the earliest moment an alarm is raised."""


@pytest.fixture(scope="module")
def as_usual() -> list[Episode]:
    """What becomes of a story of half an hour with one alarm in it."""
    return changes(OVERLOAD, Stage(ON.site))


def changes(incident: Incident, stage: Stage) -> list[Episode]:
    begin = int(incident.traffic.ts[0]) // 1000 * 1000
    until = begin + round(incident.minutes * 60_000)
    return stage.play(incident.traffic, until=until, inside=incident.inside)


@pytest.mark.parametrize("name", STORIES)
def test_every_incident_is_raised_in_time_and_nothing_else(name: str) -> None:
    judged = judge(STORIES[name], ON)
    assert (judged.missed, judged.wrong) == ([], [])
    assert judged.well
    assert max(judged.delays, default=0) <= SOON_SECONDS


def test_an_alarm_that_is_missed_is_noticed() -> None:
    """Without the incident in its traffic, the story of an overload has no alarm."""
    story = OVERLOAD
    quiet = Incident(story.name, usual(ON, 30), 30, story.expected, story.changes)
    judged = judge(quiet, ON)
    assert judged.missed == list(story.expected)
    assert not judged.well
    assert Evaluation([judged]).recall == 0.0


def test_an_alarm_for_nothing_is_noticed() -> None:
    story = OVERLOAD
    judged = judge(Incident(story.name, story.traffic, 30), ON)
    assert [each.subject for each in judged.wrong] == ["P3"]
    assert not judged.well
    assert Evaluation([judged]).precision == 0.0


def test_the_oracle_counts_the_last_minute() -> None:
    burst = ON.burst("P3", at=100, persons=30)
    minute = in_a_minute(ON, burst, "P3")
    assert (minute[99], minute[100], minute[159], minute[160]) == (0, 30, 30, 0)


@pytest.mark.parametrize("step", [7_000, 60_000])
def test_however_the_facts_are_cut_the_episodes_are_the_same_to_the_millisecond(
    as_usual: list[Episode], step: int
) -> None:
    assert changes(OVERLOAD, Stage(ON.site, step=step)) == as_usual != []


class Restarting(Stage):
    """A stage whose alarms are restored from their snapshot again and again, and receive inputs twice."""

    def _publish(self, *args: object, **more: object) -> list[Episode]:
        story = super()._publish(*args, **more)  # type: ignore[arg-type]  # its arguments
        plain = snapshot.freeze(self.alarms)
        self.alarms = snapshot.thaw(plain, self.alarms.name, self.alarms.place)
        assert snapshot.freeze(self.alarms) == plain
        return story


def test_alarms_that_are_taken_up_again_and_again_go_on_as_if_nothing_had_happened(as_usual: list[Episode]) -> None:
    assert changes(OVERLOAD, Restarting(ON.site, step=20_000)) == as_usual


class Repeating(Stage):
    """A stage whose workers restart every now and then, and publish again what they have published."""

    def _publish(self, *args: object, **more: object) -> list[Episode]:
        for log in self.logs.values():
            log.live.cells.changed |= set(log.live.cells.counts)
            log.live.changed_lanes |= set(log.live.lanes)
        return super()._publish(*args, **more)  # type: ignore[arg-type]  # its arguments


def test_what_is_published_twice_counts_once(as_usual: list[Episode]) -> None:
    assert changes(OVERLOAD, Repeating(ON.site)) == as_usual


def test_lanes_of_one_gateway_are_one_alarm_and_not_twenty() -> None:
    story = [each.rule for each in changes(STORIES["gateway-outage"], Stage(ON.site)) if each.change == 1]
    assert story == ["silence-gateway"]
