"""Alarms are judged in the time of the logs, with operators' commands, and the same after a restart."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import Command, LogFlow
from streams.kernels.alarms.log import AlarmBatch
from streams.kernels.alarms.rules import RULES, AlarmEntrance
from streams.kernels.counts.live import Measure
from streams.kernels.counts.partition_log import OffsetGapError
from tests.support.alarm_feed import DENIED, IN, TEN, UNWELL, Feed, crowd, gate, steps
from tests.support.size import examples

GATES = [gate("N1"), gate("N2")]


def test_a_second_is_judged_only_once_every_log_is_complete() -> None:
    feed = Feed(GATES, logs={"N2": "another"})
    feed.play(crowd(2), start=TEN, end=TEN + 10)
    now = feed.alarms.now
    feed.play(crowd(2), start=TEN + 10, end=TEN + 20, away=["another"])
    assert feed.alarms.now == now == 1000 * (TEN + 9)
    feed.play(crowd(2), start=TEN + 20, end=TEN + 21)
    assert feed.alarms.now == 1000 * (TEN + 20)


def test_a_log_that_is_a_quarter_of_a_minute_behind_is_waited_for_no_longer() -> None:
    feed = Feed(GATES, logs={"N2": "another"})
    feed.play(crowd(2), start=TEN, end=TEN + 10)
    feed.play(crowd(2), start=TEN + 10, end=TEN + 100, away=["another"])
    assert feed.alarms.now == 1000 * (TEN + 99 - 15)


def test_a_worker_whose_log_is_late_changes_no_sum_by_telling_again() -> None:
    feed = Feed(GATES)
    flow = feed.flows(TEN, [("N1-1", IN)] * 7)["log"]
    feed.tell(flow)
    feed.tell(replace(flow, complete_to=1000 * (TEN + 3)))
    assert feed.alarms.recent.last(IN, 60).tolist() == [7, 0]


def test_one_worker_whose_clock_is_ahead_does_not_blind_the_others() -> None:
    feed = Feed(GATES, logs={"N2": "ahead"})
    changes = []
    for second in range(TEN, TEN + 400):
        flows = feed.flows(second, [*crowd(30)(second), *crowd(6, entrance="N2")(second)])
        ahead = replace(flows["ahead"], complete_to=flows["ahead"].complete_to + 600_000)
        changes += feed.tell(flows["log"], ahead, arrived=flows["log"].complete_to)
    assert ("entrance-overload", "N1", "raised") in steps(changes)


def overloaded() -> tuple[Feed, str]:
    feed = Feed(GATES)
    changes = feed.play(crowd(30), start=TEN, end=TEN + 300)
    return feed, changes[0].episode


def test_an_operator_acknowledges_shelves_and_takes_back() -> None:
    feed, episode = overloaded()
    until = feed.alarms.now + 600_000
    found = [
        feed.tell(commands=[Command(action, action, episode, "duty-officer", feed.alarms.now, until)])[0]
        for action in ("ack", "shelve", "unshelve")
    ]
    assert [(each.what, each.state, each.actor) for each in found] == [
        ("acknowledged", "acknowledged", "duty-officer"),
        ("shelved", "shelved", "duty-officer"),
        ("unshelved", "acknowledged", "duty-officer"),
    ]


def test_a_command_for_an_episode_that_nobody_knows_does_nothing() -> None:
    feed, _ = overloaded()
    assert feed.tell(commands=[Command("1", "ack", "no-such-episode", "duty-officer", 0)]) == []


def test_after_it_was_cleared_an_episode_can_be_acknowledged_while_another_one_is_open() -> None:
    feed, first = overloaded()
    feed.play(crowd(2), start=TEN + 300, end=TEN + 900)
    second = feed.play(crowd(30), start=TEN + 900, end=TEN + 1300)[0].episode
    late = feed.tell(commands=[Command("1", "ack", first, "duty-officer", 0)])[0]
    assert (late.episode, late.state, late.what) == (first, "cleared", "acknowledged")
    assert second != first
    assert feed.alarms.episodes[second].acknowledged_at is None
    assert feed.tell(commands=[Command("2", "ack", first, "another", 0)]) == []


def test_open_episodes_are_shown_until_they_are_cleared() -> None:
    feed, episode = overloaded()
    assert [each.episode for each in feed.alarms.open_episodes()] == [episode]
    feed.play(crowd(2), start=TEN + 300, end=TEN + 700)
    assert feed.alarms.open_episodes() == []


def test_records_that_were_applied_before_are_passed_over_and_a_hole_is_none() -> None:
    feed = Feed(GATES)
    feed.play(crowd(30), start=TEN, end=TEN + 300)
    before, tally = feed.alarms.next_offset, feed.alarms.tally
    feed.alarms.apply(AlarmBatch(0, 1, []))
    assert (feed.alarms.next_offset, feed.alarms.tally) == (before, tally)
    with pytest.raises(OffsetGapError):
        feed.alarms.apply(AlarmBatch(before + 1, before + 2, []))


def test_after_hours_without_a_worker_what_was_then_is_over() -> None:
    feed, _ = overloaded()
    later = TEN + 7200
    changes = feed.play(crowd(2), start=later, end=later + 2)
    assert steps(changes)[-1] == ("entrance-overload", "N1", "cleared")
    assert feed.alarms.now == 1000 * (later + 1)
    assert len(feed.alarms.recent.coming) <= 2


def test_what_is_told_of_a_time_that_is_never_entered_is_forgotten() -> None:
    feed = Feed(GATES)
    feed.tell(LogFlow("log", "person", 1, 0, [(TEN - 900, "N1", IN, 1)], []))
    feed.play(crowd(2), start=TEN, end=TEN + 120)
    coming = feed.alarms.recent.coming.keys // feed.alarms.recent.width
    assert all(second > TEN for second in coming.tolist())


def test_a_state_that_is_taken_up_reads_the_same_and_goes_on_the_same() -> None:
    plain, resumed = overloaded()[0], overloaded()[0]
    resumed.restart()
    for feed in (plain, resumed):
        feed.play(crowd(2), start=TEN + 300, end=TEN + 320)
    assert resumed.alarms.alarms == plain.alarms.alarms
    assert resumed.alarms.episodes == plain.alarms.episodes
    assert resumed.alarms.silence.rate.tolist() == plain.alarms.silence.rate.tolist()
    for measure in Measure:
        for span in (1, 60, 300, 600):
            sums = [feed.alarms.recent.last(measure, span).tolist() for feed in (plain, resumed)]
            assert sums[0] == sums[1]


def test_after_a_restart_more_may_be_told_of_a_second_to_come() -> None:
    feed = Feed(GATES)
    feed.tell(LogFlow("log", "person", 1, 1000 * TEN, [(TEN, "N1", IN, 1)], []))
    feed.restart()
    feed.tell(LogFlow("log", "person", 2, 1000 * (TEN + 3), [(TEN, "N2", IN, 1)], []))
    assert feed.alarms.recent.last(IN, 60).tolist() == [1, 1]


def test_an_alarm_of_an_entrance_that_the_profile_no_longer_has_is_cleared() -> None:
    feed, episode = overloaded()
    feed.restart([gate("N2"), gate("N3")])
    feed.play(crowd(2, entrance="N2"), start=TEN + 300, end=TEN + 900)
    assert not feed.alarms.episodes[episode].open


def test_when_a_lane_is_taken_out_of_the_profile_what_is_usual_stays_positive() -> None:
    feed = Feed(GATES)
    feed.play(crowd(12), start=TEN, end=TEN + 1800)
    feed.restart([AlarmEntrance("N1", "person", "Z", "hall", ["N1-2", "N1-3"]), gate("N2")])
    feed.play(lambda second: [("N1-2", IN)] if second % 10 == 0 else [], start=TEN + 1800, end=TEN + 1930)
    assert feed.alarms.silence.rate.min() >= 0


seconds = st.lists(st.lists(st.sampled_from(["N1-1", "N1-2", "N2-1"]), max_size=4), min_size=30, max_size=60)


@settings(max_examples=examples(100))
@given(seconds, st.sets(st.integers(1, 59)))
def test_restarts_leave_no_trace(happened: list[list[str]], restarts: set[int]) -> None:
    lively = replace(RULES["entrance-overload"], on_delay=3000, off_delay=3000, limits=RULES["health"].limits)

    def play(*, restarted: bool) -> list[Episode]:
        feed = Feed(GATES)
        feed.place = feed.alarms.place = replace(feed.place, rules={**RULES, lively.name: lively})
        changes: list[Episode] = []
        for second, lanes in enumerate(happened, start=TEN):
            if restarted and second - TEN in restarts:
                feed.restart()
            changes += feed.tell(*feed.flows(second, [(lane, IN) for lane in lanes]).values())
        return changes

    assert play(restarted=True) == play(restarted=False)


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(0, 2**32), st.sets(st.integers(1, 589), max_size=4))
def test_seconds_that_are_judged_together_are_judged_as_if_one_by_one(seed: int, cuts: set[int]) -> None:
    rng = np.random.default_rng(seed)
    busy = np.repeat(rng.integers(0, 3, 10), 59)  # how many come in and are refused, minute by minute
    lanes = [lane for each in GATES for lane in each.lanes]

    def events(second: int) -> list[tuple[str, Measure]]:
        n = int(busy[second])
        used = [(lane, IN) for lane in lanes] if second % 50 == 0 else []  # every lane is open all the time
        return [*used, *([("N1-1", IN)] * n), *([("N2-1", DENIED)] * (n // 2)), *([("N2-2", UNWELL)] * (second == 99))]

    def play(stops: list[int]) -> list[Episode]:
        feed, changes = Feed(GATES), list[Episode]()
        feed.tell(LogFlow("log", "person", 0, 1000 * TEN, [], []))
        for start, end in pairwise([0, *stops]):
            flows = [feed.flows(TEN + second, events(second))["log"] for second in range(start, end)]
            changes += feed.tell(*flows)
        return [each for each in changes if not each.rule.startswith("silence")]

    assert play(sorted({*cuts, 590})) == play(list(range(1, 591)))
    assert play([590]) == play(list(range(1, 591)))
