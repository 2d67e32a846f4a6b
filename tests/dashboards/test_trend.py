"""The two hours behind the figures."""

from typing import Any

from dashboards.wall.reading import MINUTE, InsideRow, MinuteRow, TrendReading
from dashboards.wall.trend import Trend, draw
from tests.dashboards.place import span

SPAN = span()
LAST = SPAN.end - MINUTE


def drawn(**rows: Any) -> Trend:
    return draw(TrendReading(SPAN, **rows))


def test_it_has_one_value_for_each_minute_up_to_the_newest_full_one() -> None:
    trend = drawn(minutes=[MinuteRow(LAST, "in", 7)])
    assert (trend.start_ms, len(trend.entered), len(trend.departed), len(trend.inside)) == (
        SPAN.trend_start,
        120,
        120,
        120,
    )
    assert (trend.entered[-1], trend.departed[-1]) == (7, 0)


def test_minutes_before_the_first_passage_are_unknown_and_later_ones_without_passages_are_zero() -> None:
    trend = drawn(minutes=[MinuteRow(LAST - 2 * MINUTE, "out", 1)])
    assert (trend.departed[-4:], trend.entered[-4:]) == ([None, 1, 0, 0], [None, 0, 0, 0])


def test_an_occupancy_holds_until_the_next_one_is_known() -> None:
    # minute   -4   -3   -2   -1
    # venue    10   10   15   15
    # hall      ·    2    2    1
    inside = [
        InsideRow("venue", LAST - MINUTE, 15),
        InsideRow("hall", LAST - 2 * MINUTE, 2),
        InsideRow("hall", LAST, 1),
    ]
    trend = drawn(inside=[InsideRow("venue", 0, 10), *inside])
    assert trend.inside[-4:] == [10, 12, 17, 16]


def test_a_site_never_heard_from_has_no_trend() -> None:
    trend = drawn()
    assert {*trend.entered, *trend.departed, *trend.inside} == {None}
