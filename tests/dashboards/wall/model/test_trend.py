"""The trend of the day in steps, with yesterday to compare."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.wall.model.rows import STEP, InsideRow, Span, StepRow, TrendRows, span_at
from dashboards.wall.model.scopes import Scope
from dashboards.wall.model.trend import Trend, trend_of
from streams.site.model import EntrancePlan, Site
from tests.support.wall_site import PERSONS, SITE, at, log, span

SPAN = span()
LAST = at("11:55:00")
FIRST = at("07:00:00")
"""The site opens at eight; the trend begins an hour earlier."""


def drawn(site: Site = SITE, scope: Scope = PERSONS, **rows: Any) -> Trend:
    return trend_of(TrendRows(SPAN, scope, **rows), site)


def span_in(site: Site, moment: str) -> Span:
    noon = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(site.time_zone))
    return span_at(round(noon.timestamp() * 1000), site)


def test_it_has_one_value_for_each_step_of_the_day_up_to_the_newest_full_one() -> None:
    trend = drawn(steps=[StepRow(LAST, "in", "visitor", 7)])
    assert (trend.start_ms, trend.step_ms, trend.steps) == (FIRST, 5 * 60_000, 14 * 12)
    assert {len(trend.entered["visitor"]), len(trend.departed), len(trend.inside)} == {5 * 12}
    assert (trend.entered["visitor"][-1], trend.departed[-1]) == (7, 0)


def test_a_step_that_is_not_over_is_not_shown() -> None:
    begun = span([log(at("11:58:30"))])
    trend = trend_of(TrendRows(begun, PERSONS, [StepRow(LAST, "in", "visitor", 7)]), SITE)
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


def full(site: Site, moment: str, **rows: Any) -> Trend:
    """Draw a trend of one of a site's days as of a local time."""
    return trend_of(TrendRows(span_in(site, moment), PERSONS, **rows), site)


def ms(site: Site, moment: str, fold: int = 0) -> int:
    local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(site.time_zone), fold=fold)
    return round(local.timestamp() * 1000)


NIGHT = replace(
    SITE, time_zone="Europe/Berlin", day_starts=240, opening=replace(SITE.opening, week=((1020, 1560),) * 7)
)
"""Open from five in the afternoon until two; its days begin at four."""
ALL_DAY = replace(SITE, time_zone="Europe/Berlin", opening=replace(SITE.opening, week=(None,) * 7))


@pytest.mark.parametrize("moment", ["2026-11-07 18:00", "2026-11-08 01:30", "2026-11-08 03:59"])
def test_the_day_of_a_site_that_is_open_past_midnight_goes_on_until_it_ends(moment: str) -> None:
    span = span_in(NIGHT, moment)
    assert span.day.isoformat() == "2026-11-07"
    assert (span.trend.start, span.trend.end) == (ms(NIGHT, "2026-11-07 16:00"), ms(NIGHT, "2026-11-08 03:00"))
    assert (span.before.start, span.before.end) == (ms(NIGHT, "2026-11-06 16:00"), ms(NIGHT, "2026-11-07 03:00"))
    assert span_in(NIGHT, "2026-11-08 04:00").day.isoformat() == "2026-11-08"


def test_its_plan_goes_on_past_midnight() -> None:
    plan = EntrancePlan(expected=((17 * 60, 600.0), (24 * 60 + 30, 60.0), (26 * 60, 0.0)), day_starts=240)
    gates = tuple(replace(gate, plan=plan) if gate.id == "N1" else gate for gate in NIGHT.entrances)
    trend = full(replace(NIGHT, entrances=gates), "2026-11-08 01:00")
    assert trend.behind is not None
    per_step = dict(
        zip(range(trend.start_ms, trend.start_ms + trend.steps * STEP, STEP), trend.behind.entered, strict=True)
    )
    times = ["07 16:55", "07 17:00", "08 00:25", "08 00:30", "08 01:55", "08 02:00"]
    assert [per_step[ms(NIGHT, f"2026-11-{time}")] for time in times] == [0, 50, 50, 5, 5, 0]


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        (
            "2026-10-25",
            "2026-10-24 02:30",
            [("2026-10-25 02:30", 0), ("2026-10-25 02:30", 1)],
        ),  # two o'clock comes twice
        ("2026-10-25", "2026-10-24 10:00", [("2026-10-25 10:00", 0)]),
        ("2026-10-26", "2026-10-25 10:00", [("2026-10-26 10:00", 0)]),
        ("2027-03-28", "2027-03-27 10:00", [("2027-03-28 10:00", 0)]),
        ("2027-03-29", "2027-03-28 10:00", [("2027-03-29 10:00", 0)]),
    ],
)
def test_yesterday_stands_where_the_clock_showed_the_same(day: str, hour: str, expected: list[tuple[str, int]]) -> None:
    before = ms(ALL_DAY, hour)
    rows = {"before": [StepRow(before, "in", "visitor", 7)], "inside_before": [InsideRow("venue", before, 300)]}
    trend = full(ALL_DAY, f"{day} 23:00", **rows)
    assert trend.behind is not None
    assert len(trend.behind.entered) == len(trend.behind.inside) == trend.steps
    places = [place for place, passages in enumerate(trend.behind.entered) if passages]
    assert [trend.start_ms + place * STEP for place in places] == [ms(ALL_DAY, *each) for each in expected]
    first = trend.behind.inside.index(300)
    assert trend.start_ms + first * STEP == ms(ALL_DAY, *expected[0])


def test_an_hour_that_came_twice_yesterday_is_their_mean() -> None:
    twice = [
        StepRow(ms(ALL_DAY, "2026-10-25 02:30", fold), "in", "visitor", count) for fold, count in ((0, 10), (1, 5))
    ]
    trend = full(ALL_DAY, "2026-10-26 12:00", before=twice)
    assert trend.behind is not None
    assert trend.behind.entered[30] == 7.5
    assert sum(trend.behind.entered) == 7.5
