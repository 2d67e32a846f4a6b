"""Each alarm rule raises and clears at its default limits."""

from collections.abc import Callable

import pytest

from streams.kernels.alarms.inputs import Command, Inside, OccupancyReading
from streams.kernels.alarms.rules import RULES, AlarmSite
from tests.support.alarm_feed import DENIED, IN, OUT, TEN, UNWELL, Events, Feed, always, crowd, gate, steps

GATES = [gate("N1"), gate("N2")]


def hall(inside: int, capacity: int | None = 1000) -> list[Inside]:
    return [Inside("hall", "person", inside, capacity)]


@pytest.mark.parametrize(
    ("rule", "limits", "dead_band", "on", "off"),
    [
        ("entrance-overload", {"orange": 11}, 2, 180, 300),
        ("area-capacity", {"yellow": 80, "orange": 90, "red": 100}, 3, 10, 120),
        ("silence-entrance", {"orange": 60}, 0, 0, 30),
    ],
)
def test_the_figures_of_the_field_are_the_defaults(
    rule: str, limits: dict[str, float], dead_band: float, on: int, off: int
) -> None:
    found = RULES[rule]
    assert {each.level: each.value for each in found.limits} == limits
    assert (found.dead_band, found.on_delay, found.off_delay) == (dead_band, 1000 * on, 1000 * off)
    assert all(each.repeat == 600_000 for each in RULES.values())


def test_an_entrance_is_overloaded_after_three_minutes_of_more_than_11_a_minute_and_lane() -> None:
    # 30 a minute through two lanes: the 23rd within a minute, the first too many, comes after 44 s
    changes = Feed(GATES).play(crowd(30), start=TEN, end=TEN + 300)
    assert steps(changes) == [("entrance-overload", "N1", "raised")]
    assert changes[0].raised_at == 1000 * (TEN + 45 + 180)
    assert (changes[0].unit, changes[0].limit, changes[0].value) == ("persons/min/lane", 11, 15)


def test_as_many_as_the_limit_are_no_overload() -> None:
    # 20 a minute through two lanes is 10 each
    assert Feed(GATES).play(crowd(20), start=TEN, end=TEN + 900) == []


def test_who_leaves_is_no_inflow() -> None:
    assert Feed(GATES).play(crowd(30, out=True), start=TEN, end=TEN + 900) == []


def test_an_overload_ends_after_five_minutes_below_9() -> None:
    feed = Feed(GATES)
    feed.play(crowd(30), start=TEN, end=TEN + 300)
    assert feed.play(crowd(20), start=TEN + 300, end=TEN + 800) == []  # 10 a minute and lane: within the dead band
    feed.tell(commands=[Command("1", "ack", next(iter(feed.alarms.episodes)), "duty-officer", 0)])
    changes = feed.play(crowd(15), start=TEN + 800, end=TEN + 1300)
    assert steps(changes) == [("entrance-overload", "N1", "cleared")]
    assert changes[0].value == 15


def test_lanes_that_are_used_in_the_other_direction_are_not_open_for_those_who_come() -> None:
    def events(second: int) -> Events:
        return [("N1-1", IN)] if second % 3 == 0 else [("N1-2", OUT)] if second % 3 == 1 else []

    changes = Feed(GATES).play(events, start=TEN, end=TEN + 600)  # 20 a minute through one lane
    assert steps(changes) == [("entrance-overload", "N1", "raised")]


def test_an_area_is_announced_at_80_percent_after_ten_seconds() -> None:
    feed = Feed(GATES)
    changes = feed.play(crowd(2), start=TEN, end=TEN + 60, inside=lambda at: hall(799 if at < TEN + 20 else 800))
    assert steps(changes) == [("area-capacity", "hall", "raised")]
    assert (changes[0].level, changes[0].value, changes[0].zone, changes[0].kind) == ("yellow", 80, "Z", "person")
    assert changes[0].raised_at == 1000 * (TEN + 21 + 10)  # published at the end of second 20


def test_an_area_without_a_capacity_has_no_level() -> None:
    assert Feed(GATES).play(crowd(2), start=TEN, end=TEN + 60, inside=lambda _: hall(10_000, None)) == []


def test_the_site_has_a_capacity_of_its_own() -> None:
    feed = Feed(GATES, capacity={"person": 100})

    def inside(_: int) -> list[Inside]:
        return [*hall(60, None), Inside("yard", "person", 31, None), Inside("park", "vehicle", 500, None)]

    changes = feed.play(crowd(2), start=TEN, end=TEN + 60, inside=inside)
    assert [(each.subject, each.level, each.value, each.zone) for each in changes] == [("site", "orange", 91, "")]


def test_what_was_read_from_the_store_too_long_ago_neither_raises_nor_clears() -> None:
    feed = Feed(GATES)
    feed.play(crowd(2), start=TEN, end=TEN + 60, inside=lambda _: hall(850))
    assert feed.play(crowd(2), start=TEN + 60, end=TEN + 200) == []
    feed.tell(readings=[OccupancyReading(1000 * (TEN + 200), hall(10))])
    assert feed.play(crowd(2), start=TEN + 200, end=TEN + 400) == []  # low, but for half a minute only
    changes = feed.play(crowd(2), start=TEN + 400, end=TEN + 560, inside=lambda _: hall(10))
    assert [(each.what, each.value) for each in changes] == [("cleared", 85)]


def test_fewer_than_nobody_inside_is_drift_shown_as_it_is() -> None:
    feed = Feed(GATES)
    changes = feed.play(crowd(2), start=TEN, end=TEN + 100, inside=lambda at: hall(-6 if at >= TEN + 20 else -5))
    assert [(each.rule, each.level, each.value, each.unit) for each in changes] == [("drift", "orange", 6, "persons")]
    assert changes[0].raised_at == 1000 * (TEN + 21 + 60)


def refused(denied: int, passed: int) -> Callable[[int], Events]:
    """Refuse and admit so many at the beginning."""
    return lambda second: (
        [("N1-1", DENIED)] * (denied * (second == TEN + 5)) + [("N1-2", IN)] * (passed * (second == TEN + 5))
    )


def test_many_refusals_are_an_alarm_when_they_are_a_large_share() -> None:
    changes = Feed(GATES).play(refused(20, 80), start=TEN, end=TEN + 60)
    assert [(each.rule, each.level, each.value) for each in changes] == [("refusals", "yellow", 20)]


def test_few_refusals_say_nothing_however_large_their_share() -> None:
    assert Feed(GATES).play(refused(19, 1), start=TEN, end=TEN + 400) == []


def test_five_persons_who_are_unwell_are_an_alarm_at_once() -> None:
    def events(second: int) -> Events:
        return [("N2-1", UNWELL)] if second in {TEN + 10 * n for n in range(1, 6)} else []

    changes = Feed(GATES).play(events, start=TEN, end=TEN + 90)
    assert [(each.rule, each.subject, each.value) for each in changes] == [("health", "N2", 5)]
    assert changes[0].raised_at == 1000 * (TEN + 51)


def test_the_zone_of_an_area_is_that_with_the_most_lanes_into_it() -> None:
    gates = [gate("A", 2, zone="W"), gate("B", 3, zone="E"), gate("C", 2, zone="W"), gate("D", 9, inner="park")]
    place = AlarmSite("site", gates, {}, RULES, always, 1, 1000)
    assert [place.zone_of_area(area) for area in ("hall", "park", "roof")] == ["W", "Z", ""]
