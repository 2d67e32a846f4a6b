"""The day behind the figures."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.wall.hours import milliseconds
from dashboards.wall.reading import STEP, InsideRow, Span, StepRow, TrendReading, span_at
from dashboards.wall.scopes import Scope
from dashboards.wall.trend import Trend, draw
from streams.site import Site
from streams.site_plan import EntrancePlan
from tests.dashboards.place import PERSONS, SITE, at, log, span

SPAN = span()
LAST = at("11:55:00")
FIRST = at("07:00:00")
"""The site opens at eight; the trend begins an hour earlier."""


def drawn(site: Site = SITE, scope: Scope = PERSONS, **rows: Any) -> Trend:
    return draw(TrendReading(SPAN, scope, **rows), site)


def span_in(site: Site, moment: str) -> Span:
    noon = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(site.time_zone))
    return span_at(milliseconds(noon), site, flow_minutes=5)


def test_it_has_one_value_for_each_step_of_the_day_up_to_the_newest_full_one() -> None:
    trend = drawn(steps=[StepRow(LAST, "in", "visitor", 7)])
    assert (trend.start_ms, trend.step_ms, trend.steps) == (FIRST, 5 * 60_000, 14 * 12)
    assert {len(trend.entered["visitor"]), len(trend.departed), len(trend.inside)} == {5 * 12}
    assert (trend.entered["visitor"][-1], trend.departed[-1]) == (7, 0)


def test_a_step_that_is_not_over_is_not_shown() -> None:
    begun = span([log(at("11:58:30"))])
    trend = draw(TrendReading(begun, PERSONS, [StepRow(LAST, "in", "visitor", 7)]), SITE)
    assert FIRST + len(trend.inside) * STEP == LAST


def test_steps_before_the_first_passage_are_unknown_and_later_ones_without_passages_are_zero() -> None:
    trend = drawn(steps=[StepRow(LAST - 2 * STEP, "out", "visitor", 1)])
    assert (trend.departed[-4:], trend.entered["visitor"][-4:]) == ([None, 1, 0, 0], [None, 0, 0, 0])


def test_an_occupancy_holds_until_the_next_one_is_known() -> None:
    # step   -4   -3   -2   -1
    # venue  10   10   15   15
    # hall    ·    2    2    1
    inside = [
        InsideRow("venue", LAST - STEP, 15),
        InsideRow("hall", LAST - 2 * STEP, 2),
        InsideRow("hall", LAST, 1),
    ]
    trend = drawn(inside=[InsideRow("venue", 0, 10), *inside])
    assert trend.inside[-4:] == [10, 12, 17, 16]


def test_a_site_never_heard_from_has_no_trend() -> None:
    trend = drawn()
    assert {*trend.entered["visitor"], *trend.departed, *trend.inside} == {None}
    assert trend.behind is None


def test_yesterday_stands_behind_it_over_the_whole_day() -> None:
    before = at("11:00:00", "2026-11-06")
    trend = drawn(
        before=[StepRow(before, "in", "visitor", 50), StepRow(before, "out", "visitor", 9)],
        inside_before=[InsideRow("venue", before, 300)],
    )
    assert trend.behind is not None
    assert trend.behind.name == "yesterday"
    place = 4 * 12
    assert (trend.behind.entered[place - 1 : place + 2], trend.behind.inside[place - 1 : place + 2]) == (
        [0, 50, 0],
        [None, 300, 300],
    )
    assert len(trend.behind.entered) == trend.steps


@pytest.mark.parametrize(("scope", "expected"), [(PERSONS, 100), (Scope("person", "hall"), None)])
def test_without_a_yesterday_it_is_the_plan_of_the_scopes_entrances(scope: Scope, expected: float | None) -> None:
    plan = EntrancePlan(expected=((8 * 60, 1200.0), (9 * 60, 0.0)))
    gates = tuple(replace(gate, plan=plan) if gate.id == "N1" else gate for gate in SITE.entrances)
    trend = drawn(replace(SITE, entrances=gates), scope)
    if expected is None:
        assert trend.behind is None
    else:
        assert trend.behind is not None
        assert (trend.behind.name, trend.behind.entered[11:13], trend.behind.entered[24]) == ("plan", [0, expected], 0)


def test_a_day_on_which_the_clocks_change_has_as_many_steps_as_it_has_hours() -> None:
    site = replace(SITE, time_zone="Europe/Berlin", opening=replace(SITE.opening, week=(None,) * 7))
    longer = span_in(site, "2026-10-25 12:00")
    assert (longer.trend.end - longer.trend.start) // STEP == 25 * 12
