"""Alarms from the store's figures: missing events over all logs, and numbers repeated with other content."""

from dataclasses import replace

import pytest

from streams.kernels.alarms.areas import MOST_COMING
from streams.kernels.alarms.inputs import OccupancyReading, SourceProblem
from tests.support.alarm_feed import TEN, Feed, gate, steps

QUIET = OccupancyReading(0, [], {}, {})


def judged(feed: Feed, reading: OccupancyReading, *, start: int, seconds: int) -> list[tuple[str, str, str]]:
    """Let seconds pass in which the store says the same."""
    changes = []
    for second in range(start, start + seconds):
        (flow,) = feed.flows(second, []).values()
        flow = replace(flow, missing={"N1": 500})  # as one log sees it, of which a device has moved to another
        changes += feed.tell(flow, readings=[replace(reading, at=second * 1000)])
    return steps(changes)


def test_missing_events_are_those_of_all_logs_together() -> None:
    feed = Feed([gate("N1"), gate("N2")])
    assert judged(feed, QUIET, start=TEN, seconds=400) == []
    raised = judged(feed, replace(QUIET, missing={"N2": 11}), start=TEN + 400, seconds=400)
    assert raised == [("drift-entrance", "N2", "raised")]


def test_without_the_stores_word_each_log_says_what_it_lacks() -> None:
    feed = Feed([gate("N1"), gate("N2")])
    assert judged(feed, OccupancyReading(0, []), start=TEN, seconds=400) == [("drift-entrance", "N1", "raised")]


def test_a_conflict_raises_an_alarm_at_its_entrance_until_an_hour_has_passed() -> None:
    feed = Feed([gate("N1"), gate("N2")])
    raised = judged(feed, replace(QUIET, conflicts={"N2": 1}), start=TEN, seconds=5)
    assert raised == [("conflicts", "N2", "raised")]
    feed.restart()
    assert judged(feed, QUIET, start=TEN + 5, seconds=70) == [("conflicts", "N2", "cleared")]


@pytest.mark.parametrize("ahead", [-3_600_000, -90_000, 0, 90_000, 3_600_000])
def test_what_a_worker_reads_is_judged_though_its_clock_contradicts_the_brokers(ahead: int) -> None:
    feed, changes = Feed([gate("N1")]), []
    problems = [SourceProblem("turnstile.passages/0", "broker-clock", TEN * 1000 + ahead)]
    for second in range(TEN, TEN + 60):
        (flow,) = feed.flows(second, []).values()
        at = (second + 1) * 1000
        reading = OccupancyReading(at + ahead, [], {}, {}, problems)
        changes += feed.tell(replace(flow, complete_to=at + ahead), readings=[reading], arrived=at)
    assert steps(changes) == [("source-time", "turnstile.passages/0", "raised")]
    assert 5_000 <= changes[0].raised_at - TEN * 1000 - min(ahead, 0) <= 10_000


def test_what_is_read_while_the_logs_stand_still_is_bounded_and_the_newest_counts() -> None:
    feed = Feed([gate("N1"), gate("N2")])
    assert judged(feed, QUIET, start=TEN, seconds=2) == []
    areas = feed.alarms.areas
    for second in range(MOST_COMING + 100):
        areas.ingest([replace(QUIET, at=(TEN + 10 + second) * 1000)])
    assert [each.at // 1000 - TEN for each in areas.coming][:: MOST_COMING - 1] == [110, MOST_COMING + 109]
