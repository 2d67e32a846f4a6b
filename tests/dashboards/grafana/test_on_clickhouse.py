"""The panels' SQL gives, on a real store, what numpy counts over the same passages."""

import datetime as dt
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import Client

from dashboards.grafana.sql import both, day_of
from dashboards.messages.alarm_words import place_titles
from sinks.clickhouse import ClickHouseReader
from streams.site.model import Site
from streams.text import Kind
from tests.dashboards.grafana.boards import VEHICLES_ONLY, sql_of
from tests.dashboards.grafana.conftest import Ask
from tests.dashboards.grafana.day import END, MINUTE, START, STOP, Passages
from tests.support.odd_sites import ODD_DAYS, expo
from tests.support.small_site import MIDNIGHT, SITE

REPEATED = [("Europe/Berlin", dt.date(2026, 10, 25), "02:30"), ("America/New_York", dt.date(2026, 11, 1), "01:15")]
"""Days that begin at a time that the clock shows twice."""
DAY = 86_400_000
SHANGHAI = 8 * 3_600_000
Chosen = np.ndarray[Any, np.dtype[np.bool_]]


def utc(ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC)


def name(thing: str) -> str:
    return both(place_titles(SITE)[thing])


def passed(passages: Passages, kind: Kind) -> Chosen:
    return np.asarray((passages["outcome"] == "passed") & (passages["kind"] == kind))


def on_the_day(passages: Passages) -> Chosen:
    """Pick what happened on the local day in which the data end."""
    return np.asarray((passages["ts"] + SHANGHAI) // DAY == (END + SHANGHAI) // DAY)


@pytest.mark.parametrize(
    ("kind", "gate", "site", "noun"), [("person", "N1", SITE, "persons"), ("vehicle", "P1", VEHICLES_ONLY, "vehicles")]
)
def test_todays_entries_are_those_of_the_local_day_from_outside(
    kind: Kind, gate: str, site: Site, noun: str, passages: Passages, ask: Ask
) -> None:
    entered = passed(passages, kind) & (passages["entrance"] == gate) & (passages["direction"] == "in")
    entered &= on_the_day(passages)
    assert ask(sql_of(f"{noun.capitalize()} entered today", site=site)) == [(entered.sum(),)]
    different = set(passages["credential"][entered]) - {""}
    assert ask(sql_of(f"Different {noun} today", site=site)) == [(len(different),)]


def test_a_past_range_shows_the_day_in_which_it_ends(ask: Ask) -> None:
    sql = sql_of("Persons entered today")
    [(today,)] = ask(sql, end=STOP)
    assert today > 0
    # The site's day begins at 16:00 UTC of the day before.
    midnight = MIDNIGHT - SHANGHAI
    assert ask(sql, end=midnight) == [(today,)]
    assert ask(sql, end=midnight - 1000) == [(0,)]


@pytest.mark.parametrize(("zone", "day", "starts"), [*ODD_DAYS, *REPEATED])
def test_today_is_the_sites_day_on_odd_days_too(reader: ClickHouseReader, zone: str, day: dt.date, starts: str) -> None:
    """Every quarter of an hour, from the day before to the day after."""
    site = expo(zone, starts)
    begin, end = site.days.bounds(day)
    sql = f"""
SELECT toUnixTimestamp(at), toInt32({day_of("at", site)}), toInt32({day_of("fine", site)})
FROM (
    SELECT fromUnixTimestamp({begin // 1000 - 90_000} + 60 * number) AS at, toDateTime64(at, 3, 'UTC') AS fine
    FROM numbers({(end - begin) // MINUTE + 3000})
)
"""
    found = reader.query(sql)
    expected = site.days.of(np.array([second for second, *_ in found], np.int64) * 1000).tolist()
    assert [day for _, day, _ in found] == [day for _, _, day in found] == expected
    assert len(set(expected)) >= 3


def inside(passages: Passages, area: str, before: int) -> int:
    """Count who is inside an area: entered less departed, and the correction."""
    came = {"venue": [("N1", "in"), ("H1", "out")], "hall": [("H1", "in")], "park": [("P1", "in")]}[area]
    went = {"venue": [("N1", "out"), ("H1", "in")], "hall": [("H1", "out")], "park": [("P1", "out")]}[area]
    counted = (passages["outcome"] == "passed") & (passages["ts"] < before)
    moved = [
        (counted & (passages["entrance"] == gate) & (passages["direction"] == way)).sum()
        for way_list in (came, went)
        for gate, way in way_list
    ]
    corrected = -5 if area == "hall" and before > MIDNIGHT + 10 * 3_600_000 + 10_000 else 0
    return int(sum(moved[: len(came)]) - sum(moved[len(came) :])) + corrected


FOR_EVER = 1 << 60


def test_what_figures_lack_for_good_is_that_of_the_day_and_of_the_area_that_lacks_most(owner: Client, ask: Ask) -> None:
    assert ask(sql_of("Incomplete: records lost")) == [(0, 0)]
    today, noon = (END + SHANGHAI) // DAY, dt.datetime.fromtimestamp(MIDNIGHT / 1000, dt.UTC) + dt.timedelta(hours=12)
    day = dt.date(1970, 1, 1) + dt.timedelta(today)
    rows = [
        ("a", "turnstile.passages", 40, day, noon), ("b", "vehicle.passages", 2, day, noon),
        ("c", "turnstile.passages", 500, day - dt.timedelta(1), noon - dt.timedelta(1)),
    ]  # fmt: skip
    owner.execute(
        "INSERT INTO gatepulse_store.losses (id, topic, records, from_day, to_day, site_to) VALUES",
        [(name, topic, records, of, of, at) for name, topic, records, of, at in rows],
    )
    try:
        assert ask(sql_of("Incomplete: records lost")) == [(42, 542)]
        areas_now = sql_of("Areas now", "areas")
        assert "不完整 ± / Incomplete ±" in areas_now
        found = {row[0]: row[3] for row in ask(areas_now)}
        assert found[name("venue")] == 540
    finally:
        owner.execute("TRUNCATE TABLE gatepulse_store.losses")


def test_inside_now_is_the_sum_over_the_areas(passages: Passages, ask: Ask) -> None:
    persons = inside(passages, "venue", FOR_EVER) + inside(passages, "hall", FOR_EVER)
    assert ask(sql_of("Persons inside now")) == [(persons,)]
    assert ask(sql_of("Vehicles inside now", "vehicles")) == [(inside(passages, "park", FOR_EVER),)]
    shares: dict[str, float] = dict(ask(sql_of("Areas, % of capacity")))
    assert shares == {
        name("venue"): inside(passages, "venue", FOR_EVER),  # its capacity is 100
        name("park"): inside(passages, "park", FOR_EVER) * 2,
    }
    assert ask(sql_of("Vehicles, % of capacity", "areas")) == [(name("park"), shares[name("park")])]


def test_an_area_for_persons_and_vehicles_is_named_with_its_kind(ask: Ask) -> None:
    mixed = replace(SITE, areas=(replace(SITE.area("park"), kinds=("person", "vehicle")),))
    assert f"{name('park')} · 车辆 / vehicles" in dict(ask(sql_of("Areas, % of capacity", site=mixed)))
    assert "·" not in "".join(dict(ask(sql_of("Areas, % of capacity"))))


def test_the_ranking_is_over_the_last_full_minutes_of_the_data(passages: Passages, ask: Ask) -> None:
    end = END - END % MINUTE
    recent = (passages["ts"] >= end - 5 * MINUTE) & (passages["ts"] < end)
    flow = (passed(passages, "person") & (passages["entrance"] == "N1") & recent).sum() / 5
    assert flow > 0
    assert ask(sql_of("Entrances by flow")) == [(name("N1"), flow)]


@pytest.mark.parametrize("step", [60, 300, 3600])
def test_flows_over_time_are_whole_buckets_up_to_where_the_data_end(step: int, passages: Passages, ask: Ask) -> None:
    width = step * 1000
    first, last = START - START % width, END - END % width
    chosen = passed(passages, "person") & (passages["entrance"] == "N1")
    chosen &= (passages["ts"] >= first) & (passages["ts"] < last)
    expected = {}
    for bucket in np.unique(passages["ts"][chosen] // width):
        of_bucket = chosen & (passages["ts"] // width == bucket)
        ways = [(of_bucket & (passages["direction"] == way)).sum() * 60 / step for way in ("in", "out")]
        expected[utc(int(bucket) * width)] = tuple(ways)
    found = ask(sql_of("Flow in and out"), step=step)
    assert {row[0]: row[1:] for row in found} == expected
    assert [row[0] for row in found] == sorted(expected)


def test_only_what_was_chosen_is_counted(passages: Passages, ask: Ask) -> None:
    chosen = {"entrance": ["H1"], "category": ["staff"]}
    only = passed(passages, "person") & (passages["entrance"] == "H1") & (passages["category"] == "staff")
    today = only & on_the_day(passages)
    ways = [int((today & (passages["direction"] == way)).sum()) for way in ("in", "out")]
    assert [ask(sql_of(f"{way} today", "entrances"), **chosen) for way in ("In", "Out")] == [
        [(count,)] for count in ways
    ]
    assert ask(sql_of("Entrances today", "entrances"), **chosen) == [(name("H1"), *ways)]
    assert ask(sql_of("In today by category", "entrances"), **chosen) == [("工 / Staff", ways[0])]
    first, last = START - START % MINUTE, END - END % MINUTE
    inward = only & (passages["direction"] == "in") & (passages["ts"] >= first) & (passages["ts"] < last)
    for title in ("In by entrance", "Flow in by category"):
        assert sum(row[2] for row in ask(sql_of(title, "entrances"), **chosen)) == inward.sum()


def test_refusals_are_a_share_of_all_who_tried(passages: Passages, ask: Ask) -> None:
    first, last = START - START % MINUTE, END - END % MINUTE
    tried = (passages["kind"] == "person") & (passages["ts"] >= first) & (passages["ts"] < last)
    denied = tried & (passages["outcome"] == "denied")
    both_ = denied.sum() + (tried & (passages["outcome"] == "passed")).sum()
    [(share,)] = ask(sql_of("Refused", "entrances"))
    assert share == pytest.approx(denied.sum() * 100 / both_)
    by_reason = ask(sql_of("Refusals by reason", "entrances"))
    assert sum(row[2] for row in by_reason if row[1] == "health") == (denied & (passages["reason"] == "health")).sum()
    assert ask(sql_of("Refused", "entrances"), entrance=["P1"]) == [(None,)]


def test_inside_over_time_is_the_value_at_the_end_of_each_bucket(passages: Passages, ask: Ask) -> None:
    step = 3600
    width = step * 1000
    found = ask(sql_of("Persons inside", "areas"), step=step)
    assert {row[1] for row in found} == {name("venue"), name("hall")}
    for bucket, place, count in found:
        area = {name("venue"): "venue", name("hall"): "hall"}[place]
        assert count == inside(passages, area, round(bucket.timestamp() * 1000) + width), (bucket, area)
    assert len(found) == 2 * (END // width - START // width)  # each area moves in each hour


def test_areas_now_name_each_area_with_its_share(passages: Passages, ask: Ask) -> None:
    rows = {row[0]: row[1:6] for row in ask(sql_of("Areas now", "areas"))}
    hall = inside(passages, "hall", FOR_EVER)
    park = inside(passages, "park", FOR_EVER)
    assert rows[name("hall")] == ("人员 / persons", hall, None, None, None)
    assert rows[name("park")] == ("车辆 / vehicles", park, None, 50, park * 2)
    assert ask(sql_of("Areas now", "areas"), area=["hall"])[0][0] == name("hall")


def test_the_age_is_that_of_the_oldest_live_log(ask: Ask) -> None:
    assert ask(sql_of("As of")) == [(END,)]
    [(age,)] = ask(sql_of("Data age"))
    assert age == pytest.approx(time.time() - END / 1000, abs=5)


def test_missing_events_are_the_holes_in_the_devices_numbers(passages: Passages, ask: Ask) -> None:
    holes = 0
    for device in np.unique(passages["device"]):
        numbers = passages["seq"][passages["device"] == device]
        holes += int(numbers.max()) - len(numbers)
    assert ask(sql_of("Known missing events")) == [(holes,)]
    assert sum(row[2] for row in ask(sql_of("Devices", "entrances"))) == holes


def test_open_alarms_are_listed_with_the_gravest_first(ask: Ask) -> None:
    assert ask(sql_of("Open alarms")) == [(2,)]
    listed = sql_of("Open alarms", place=1)
    first, second = ask(listed)
    team = both(SITE.zones[0].team)
    unit = "人/分钟/通道 / persons/min/lane"
    assert first[:7] == ("red", "入口超载 / entrance overload", name("N1"), team, 14.3, 11.0, unit)
    assert first[8] == "升级 / escalated"
    assert second[:3] == ("orange", "计数漂移 / drift of the count", name("hall"))
    assert len(ask(listed.replace("LIMIT 12", "LIMIT 1"))) == 1


def test_alarms_mark_the_span_in_which_they_were_on(ask: Ask) -> None:
    text = f"入口超载 / entrance overload: {name('N1')}"
    assert ask(sql_of("Red alarms")) == [(utc(END - MINUTE), utc(STOP), text)]
    lasting, over = ask(sql_of("Orange alarms"))
    assert lasting[1] == utc(STOP)  # raised before the range, and still on
    assert over == (utc(END - 60 * MINUTE), utc(END - MINUTE), text)
    assert ask(sql_of("Yellow alarms")) == []


def test_only_young_forecasts_are_shown(ask: Ask) -> None:
    [row] = ask(sql_of("Expected to reach capacity"))
    assert row == (name("venue"), 80, 25, 18, None, utc(END - MINUTE))
    assert ask(sql_of("How wrong forecasts were", "areas")) == [(name("venue"), "人员 / persons", 15, 12, 3.25, 87.5)]


def test_queues_are_the_newest_reckoning_of_each_entrance(ask: Ask) -> None:
    assert ask(sql_of("Queues, estimated", "entrances")) == [
        (name("N1"), 2, 40.0, 4.5, None, utc(END - MINUTE)),
        (name("H1"), 1, None, None, None, utc(END - MINUTE)),
    ]


def test_corrections_of_the_range_are_listed(ask: Ask) -> None:
    [row] = ask(sql_of("Corrections by hand", "areas"))
    assert row[1:] == (name("hall"), "人员 / persons", -5, None, "duty", "recount")
    assert ask(sql_of("Corrections by hand", "areas"), area=["park"]) == []
