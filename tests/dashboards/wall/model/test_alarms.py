"""The strip of alarms: their order and wording, and when it may say that there are none."""

from typing import Any

import pytest

from dashboards.messages.alarm_words import duration
from dashboards.wall.live.queries import ACKNOWLEDGEABLE
from dashboards.wall.model.figures import AlarmNow, Strip
from dashboards.wall.model.rows import LogRow
from dashboards.wall.model.snapshot import aged
from streams.kernels.alarms import log as kernel
from streams.kernels.alarms.episodes import Episode
from streams.text import Text
from tests.support.wall_site import NOON, OPTIONS, SITE, alarm, alarm_log, at, log, reading, snapshot


def strip(*rows: Episode, logs: list[LogRow] | None = None) -> Strip:
    return snapshot(reading(episodes=rows, logs=logs)).strip


def only(**given: Any) -> AlarmNow:
    (shown,) = strip(alarm(**given)).alarms
    return shown


def order(*rows: Episode) -> list[str]:
    return [each.where.en for each in strip(*rows).alarms]


# What is shown, and in which order.


def test_red_comes_before_orange_before_yellow() -> None:
    assert order(alarm("hall", level="yellow"), alarm("N1", level="red"), alarm("N2")) == ["North 1", "North 2", "Hall"]


def test_of_one_level_what_nobody_has_acknowledged_comes_first_and_then_the_newest() -> None:
    rows = [
        alarm("N1", state="acknowledged", actor="Li", raised_at=at("11:59:00")),
        alarm("N2", raised_at=at("11:30:00")),
        alarm("hall", raised_at=at("11:40:00")),
    ]
    assert order(*rows) == ["Hall", "North 2", "North 1"]


def test_what_is_over_and_not_acknowledged_stays_behind_what_goes_on() -> None:
    over = alarm("N1", level="red", state="cleared-unacknowledged", cleared_at=at("11:50:00"))
    shown = strip(over, alarm("N2", level="yellow")).alarms
    assert [(each.where.en, each.state) for each in shown] == [
        ("North 2", "raised"),
        ("North 1", "cleared-unacknowledged"),
    ]


def test_what_is_shelved_is_only_counted() -> None:
    shown = strip(alarm("N1", state="shelved"), alarm("N2", state="shelved"), alarm("hall"))
    assert (shown.shelved, [each.where.en for each in shown.alarms]) == (2, ["Hall"])


def test_a_level_of_a_later_version_is_taken_for_the_worst() -> None:
    assert order(alarm("N1", level="red"), alarm("N2", level="violet")) == ["North 2", "North 1"]


# In which words.


def test_an_alarm_says_what_where_whose_how_much_and_since_when() -> None:
    shown = only()
    assert (shown.what, shown.where) == (Text("入口超载", "entrance overload"), Text("北一口", "North 1"))
    assert shown.zone == Text("区", "Zone")
    assert shown.value == Text("14.2 人/分钟/通道，限值 11", "14.2 persons/min/lane, limit 11")
    assert shown.lasting == Text("11:45 起 15 分", "11:45, 15 min")
    assert shown.told == Text("未确认", "not acknowledged")


def test_who_has_acknowledged_it_is_named() -> None:
    assert only(state="acknowledged", actor="张三").told == Text("张三 已确认", "张三, acknowledged")


def test_hidden_characters_in_a_name_are_shown_as_blanks() -> None:
    assert only(state="acknowledged", actor="a\u202eb\n").told.zh == "a b  已确认"


def test_one_that_is_over_says_how_long_it_was() -> None:
    shown = only(state="cleared-unacknowledged", cleared_at=at("11:47:30"))
    assert shown.lasting == Text("11:45 历时 2 分", "11:45, lasted 2 min")
    assert shown.told == Text("已解除，未确认", "cleared, not acknowledged")


@pytest.mark.parametrize(
    ("raised", "zh"),
    [
        (at("12:00:05"), "12:00 起 25 秒"),
        (at("09:58:00"), "09:58 起 2 小时 2 分"),
        (at("23:00:00", "2026-11-06"), "11-06 23:00 起 13 小时"),
        (NOON + 5000, "12:00 起 0 秒"),
    ],
)
def test_how_long_is_told_in_minutes_once_there_are_some(raised: int, zh: str) -> None:
    assert only(raised_at=raised).lasting.zh == zh


@pytest.mark.parametrize(
    ("subject", "rule", "kind", "expected"),
    [
        ("N1-L02", "silence-lane", "", Text("北一口 N1-L02", "North 1 N1-L02")),
        ("hall", "area-capacity", "person", Text("一号馆（人员）", "Hall (persons)")),
        ("small", "area-capacity", "vehicle", Text("小展馆（车辆）", "Small hall (vehicles)")),
        ("GW-7", "silence-gateway", "", Text("GW-7", "GW-7")),
    ],
)
def test_every_kind_of_place_has_its_name(subject: str, rule: str, kind: str, expected: Text) -> None:
    assert only(subject=subject, rule=rule, kind=kind).where == expected


@pytest.mark.parametrize(("value", "shown"), [(99.97, "99.9"), (100.0, "100"), (12_345.0, "12,345"), (-5.0, "-5")])
def test_a_figure_is_cut_off_and_not_rounded_up(value: float, shown: str) -> None:
    assert only(value=value, unit="%").value.en == f"{shown} %, limit 11"


def test_a_rule_a_unit_or_a_zone_of_a_later_version_is_shown_by_its_own_name() -> None:
    shown = only(rule="queue", unit="metres", zone="Z-X")
    assert (shown.what.zh, shown.value.zh, shown.zone.zh) == ("queue", "14.2 metres，限值 11", "Z-X")


def test_a_duration_has_its_two_largest_units() -> None:
    assert [duration(ms).en for ms in (-1, 0, 61_000, 3_600_000, 90_061_000)] == [
        "0 s",
        "0 s",
        "1 min 1 s",
        "1 h",
        "1 d 1 h",
    ]


# That there is no alarm must be proven.


def test_no_alarm_is_proven_while_alarms_are_judged_up_to_now() -> None:
    shown = strip(logs=[log(NOON - 800), alarm_log(NOON - 900)])
    assert (shown.watch, shown.age_ms, shown.alarms) == ("ok", 900, [])


@pytest.mark.parametrize(("age", "watch"), [(5000, "ok"), (5001, "behind"), (-5001, "behind")])
def test_alarms_that_are_judged_late_prove_nothing_while_the_figures_are_fresh(age: int, watch: str) -> None:
    picture = snapshot(reading(episodes=(), logs=[log(NOON - 800), alarm_log(NOON - age)]))
    assert (picture.strip.watch, picture.age_ms, picture.stale) == (watch, 800, False)
    assert (picture.health.logs, picture.health.logs_behind) == (1, 0)  # the strip says it itself


def test_alarms_that_nobody_judges_are_told_from_none() -> None:
    assert strip(logs=[log(NOON - 800)]).watch == "unheard"


def test_what_a_dead_cluster_judged_proves_nothing() -> None:
    assert strip(logs=[log(NOON - 800), alarm_log(NOON - 900, cluster="yesterday")]).watch == "unheard"


def test_a_store_without_the_view_proves_nothing() -> None:
    assert snapshot(reading(episodes=None)).strip.watch == "no-view"


def test_the_strip_grows_older_with_the_clock() -> None:
    now = snapshot(reading(episodes=[alarm()], logs=[log(NOON), alarm_log(NOON)]))
    later = aged(now, NOON + 60_000, SITE, OPTIONS).strip
    assert (later.watch, later.age_ms, later.alarms[0].lasting.en) == ("behind", 60_000, "11:45, 16 min")
    assert aged(snapshot(reading(episodes=None)), NOON, SITE, OPTIONS).strip.watch == "no-view"


def test_the_wall_shows_as_many_cleared_alarms_as_can_still_be_acknowledged() -> None:
    assert ACKNOWLEDGEABLE == kernel._MOST_CLEARED
