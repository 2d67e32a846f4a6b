"""A line on which our own code fails raises an alarm, which clears an hour after the last one."""

from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.alarms.log import AlarmBatch
from streams.kernels.alarms.snapshot import freeze, thaw
from tests.support.alarm_feed import NAME, TEN, Feed, crowd, gate, steps

LOG = "cluster/turnstile.passages/3"
SUBJECT = "turnstile.passages/3"


def say(feed: Feed, lines: int) -> None:
    offset = feed.alarms.next_offset
    feed.alarms.apply(AlarmBatch(offset, offset + 1, [(offset, 0, AlarmInput(unprocessable={LOG: lines}))]))


def set_aside(changes: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(subject, what) for rule, subject, what in changes if rule == "unprocessable" and what != "repeated"]


def test_a_line_that_is_set_aside_is_an_alarm_until_an_hour_has_passed_without_another() -> None:
    feed = Feed([gate("N1")])
    say(feed, 1)
    assert set_aside(steps(feed.play(crowd(2), start=TEN, end=TEN + 60))) == [(SUBJECT, "raised")]
    assert set_aside(steps(feed.play(crowd(2), start=TEN + 60, end=TEN + 1800))) == []
    say(feed, 2)
    assert set_aside(steps(feed.play(crowd(2), start=TEN + 1800, end=TEN + 3 * 1800))) == []
    assert set_aside(steps(feed.play(crowd(2), start=TEN + 3 * 1800, end=TEN + 3 * 1800 + 60))) == [
        (SUBJECT, "cleared")
    ]


def test_a_later_one_is_an_alarm_of_its_own_and_counts_from_one() -> None:
    feed = Feed([gate("N1")])
    say(feed, 5)
    feed.play(crowd(2), start=TEN, end=TEN + 4000)
    say(feed, 6)
    changes = [each for each in feed.play(crowd(2), start=TEN + 4000, end=TEN + 4060) if each.rule == "unprocessable"]
    assert [(each.subject, each.what, each.value, each.level) for each in changes] == [
        (SUBJECT, "raised", 1.0, "orange")
    ]


def test_what_is_told_again_changes_nothing_and_a_restart_leaves_no_trace() -> None:
    feed = Feed([gate("N1")])
    say(feed, 1)
    feed.play(crowd(2), start=TEN, end=TEN + 60)
    feed.alarms = thaw(freeze(feed.alarms), NAME, feed.place)
    say(feed, 1)
    assert set_aside(steps(feed.play(crowd(2), start=TEN + 60, end=TEN + 3500))) == []
    assert set_aside(steps(feed.play(crowd(2), start=TEN + 3500, end=TEN + 3700))) == [(SUBJECT, "cleared")]
