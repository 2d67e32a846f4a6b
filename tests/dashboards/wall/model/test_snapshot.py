"""The wall's snapshot: figures, ages and completeness computed from rows."""

from typing import Any

import pytest

from dashboards.wall.model.figures import FlowNow, TodayTotals, WaitNow
from dashboards.wall.model.rows import HOUR, AreaRow, DeviceRow, FlowRow, SourceProblemRow, TodayRow, WallRows
from dashboards.wall.model.snapshot import aged, level
from streams.kernels.counts.site_clock import SiteClock
from tests.support.wall_site import NOON, OPTIONS, SITE, at, gate, log, queue, reading, snapshot, span

MINUTE = 60_000
SPAN = span()


def test_todays_figures_are_those_of_the_views() -> None:
    picture = snapshot()
    assert picture.today == {"person": TodayTotals(900, 300, 700, 5), "vehicle": TodayTotals(40, 10, 39, 0)}
    assert picture.day == "2026-11-07"


def test_inside_sums_the_areas_of_a_kind_and_takes_its_share_of_their_capacity() -> None:
    persons = snapshot().inside["person"]
    assert (persons.inside, persons.capacity, persons.share, persons.level) == (600, 1200, 50.0, "calm")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [(799, "calm"), (800, "yellow"), (899, "yellow"), (900, "orange"), (999, "orange"), (1000, "red"), (-5, "calm")],
)
def test_a_level_begins_exactly_at_its_per_cent(inside: int, expected: str) -> None:
    assert level(inside, 1000, SITE.levels) == expected


def test_drift_below_nobody_is_shown_and_not_clamped() -> None:
    picture = snapshot(reading(areas=[AreaRow("venue", "person", NOON, -3, 1000)]))
    assert picture.inside["person"].inside == -3


def test_an_area_without_capacity_leaves_the_sum_without_a_share() -> None:
    areas = [AreaRow("venue", "person", NOON, 5, 1000), AreaRow("hall", "person", NOON, 5, None)]
    persons = snapshot(reading(areas=areas)).inside["person"]
    assert (persons.inside, persons.capacity, persons.share) == (10, None, None)


def test_an_area_never_heard_from_is_unknown_and_not_empty() -> None:
    areas = [AreaRow("venue", "person", NOON, 5, 1000), AreaRow("hall", "person", None, 0, 200)]
    picture = snapshot(reading(areas=areas))
    assert [area.inside for area in picture.areas] == [5, None]
    assert (picture.inside["person"].inside, picture.inside["person"].unheard) == (5, 1)


def test_a_site_never_heard_from_shows_no_number_at_all() -> None:
    areas = [AreaRow("venue", "person", None, 0, 1000)]
    picture = snapshot(reading(logs=[], today=[], areas=areas, totals=[], flows=[], devices=[]))
    assert picture.today == {"person": TodayTotals(), "vehicle": TodayTotals()}
    assert picture.inside["person"].inside is None
    assert {row.today_in for row in picture.entrances} == {None}
    assert (picture.health.missing, picture.health.rejected, picture.age_ms) == (None, None, None)
    assert not picture.stale


def test_a_new_day_without_passages_is_zero_once_its_gates_were_heard() -> None:
    picture = snapshot(reading(at("00:00:30"), today=[], totals=[], flows=[]))
    assert picture.today["person"] == TodayTotals(0, 0, 0, 0)
    assert gate("N1", picture).today_in == 0


def test_a_kind_that_was_never_heard_stays_unknown_beside_one_that_was() -> None:
    devices = [DeviceRow("N1-L01", "N1", 0, NOON)]
    picture = snapshot(reading(today=[TodayRow("person", 1, 0, 1, 0)], totals=[], devices=devices))
    assert picture.today["vehicle"] == TodayTotals()


# Age is real time since everything was stored, by the slowest log of the live cluster.


def test_age_is_that_of_the_slowest_log() -> None:
    picture = snapshot(reading(logs=[log(NOON - 400), log(NOON - 2500, partition=1)]))
    assert picture.age_ms == 2500


def test_logs_of_a_dead_cluster_do_not_make_the_figures_old() -> None:
    picture = snapshot(reading(logs=[log(NOON - 900), log(NOON - 86_400_000, cluster="yesterday", rejected=9)]))
    assert (picture.age_ms, picture.health.logs, picture.health.rejected) == (900, 1, 0)


@pytest.mark.parametrize(("age", "stale"), [(5000, False), (5001, True), (-5001, True), (-40, False)])
def test_figures_are_stale_beyond_the_limit_and_so_they_are_with_a_clock_that_is_ahead(age: int, stale: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert snapshot(reading(logs=[log(NOON - age)])).stale is stale


def test_age_grows_while_the_figures_stay() -> None:
    now = snapshot()
    later = aged(now, NOON + 60_000, SITE, OPTIONS)
    assert (later.age_ms, later.stale, later.today) == (61_000, True, now.today)


def test_age_is_real_time_when_the_site_clock_runs_faster() -> None:
    clock = SiteClock(at("09:00:00"), NOON, 60)
    picture = snapshot(reading(NOON + 10_000, logs=[log(NOON + 8000)]), clock)
    assert picture.age_ms == 2000
    assert (picture.site_ms, picture.as_of_ms) == (at("09:10:00"), at("09:08:00"))


# What is asked for follows what is stored.


def test_the_flow_is_that_of_the_newest_full_minutes_that_are_stored() -> None:
    # now 12:00:30, stored to 11:57:10: the minutes up to 11:56
    found = span([log(at("11:57:10"))])
    assert found.end == at("11:57:00")


def test_the_day_begins_in_the_sites_time_zone_when_its_first_moment_is_stored() -> None:
    midnight = at("00:00:00", "2026-11-08")
    assert span([log(midnight - 1)], midnight + 500).day.isoformat() == "2026-11-07"
    assert span([log(midnight)], midnight + 500).day.isoformat() == "2026-11-08"


def test_without_any_log_the_span_ends_at_the_sites_present() -> None:
    assert span([]).end == at("12:00:00")


# What is known to be missing, and which devices were not seen.


def test_missing_events_show_at_their_entrance_and_in_the_total() -> None:
    devices = [DeviceRow("N1-L01", "N1", 37, NOON), DeviceRow("N2-L01", "N2", 2, NOON)]
    picture = snapshot(reading(devices=devices))
    assert (gate("N1", picture).missing, gate("N2", picture).missing, picture.health.missing) == (37, 2, 39)
    assert [(row.device, row.entrance, row.missing) for row in picture.health.worst] == [
        ("N1-L01", "N1", 37),
        ("N2-L01", "N2", 2),
    ]


def test_missing_events_of_a_device_that_no_entrance_has_still_count() -> None:
    picture = snapshot(reading(devices=[DeviceRow("old-7", "gone", 4, NOON)]))
    assert picture.health.missing == 4


def test_a_figure_with_a_hole_keeps_its_number_and_says_how_large_the_hole_is() -> None:
    areas = [AreaRow("venue", "person", NOON, 5, 1000, 0), AreaRow("hall", "person", NOON, 5, 200, 1_200)]
    picture = snapshot(reading(today=[TodayRow("person", 900, 300, 700, 5, 1_200)], areas=areas))
    assert (picture.today["person"].entries, picture.today["person"].lost, picture.today["vehicle"].lost) == (
        900,
        1_200,
        0,
    )
    assert [(area.id, area.inside, area.lost) for area in picture.areas] == [("venue", 5, 0), ("hall", 5, 1_200)]
    assert (picture.inside["person"].inside, picture.inside["person"].lost) == (10, 1_200)  # the same records


def test_a_day_of_which_only_a_loss_is_known_has_unknown_figures_and_not_zero() -> None:
    picture = snapshot(reading(today=[TodayRow("person", 0, 0, 0, 0, 9)], totals=[], devices=[]))
    assert (picture.today["person"].entries, picture.today["person"].lost) == (None, 9)


def test_what_is_not_read_and_what_is_lost_is_said_in_words_the_worst_first() -> None:
    rows = [
        SourceProblemRow("turnstile.passages", 3, "records-deleted"),
        SourceProblemRow("corrections", -1, "topic-missing"),
    ]
    notices = snapshot(reading(unsettled=1, lost=1200, problems=rows)).health.notices
    assert [each.kind for each in notices] == ["source", "source", "lost", "unsettled"]
    assert notices[0].said.en == "records deleted unread (turnstile.passages/3)"
    assert notices[1].said.zh == "主题不存在（corrections）"
    assert notices[2].said.en == "incomplete: 1,200 records were lost"


def test_what_may_be_counted_twice_is_said_until_it_is_settled() -> None:
    (notice,) = snapshot(reading(unsettled=1230)).health.notices
    assert (notice.kind, notice.size) == ("unsettled", 1230)
    assert notice.said.en == "1,230 passages may be counted twice, being corrected"
    assert snapshot(reading()).health.notices == []


def test_lanes_are_heard_silent_or_never_heard() -> None:
    #           N1-L01        N1-L02             N1-L03
    # last      12:00:28      11:45:28 (15 min)  never
    devices = [DeviceRow("N1-L01", "N1", 0, NOON - 2000), DeviceRow("N1-L02", "N1", 0, NOON - 15 * MINUTE - 1001)]
    row = gate("N1", snapshot(reading(devices=devices)))
    assert (row.lanes, row.heard, row.silent) == (3, 1, 1)


def test_silence_is_measured_to_what_is_stored_so_that_a_slow_store_silences_no_lane() -> None:
    last = NOON - 20 * MINUTE
    row = gate("N1", snapshot(reading(logs=[log(last)], devices=[DeviceRow("N1-L01", "N1", 0, last)])))
    assert (row.heard, row.silent) == (1, 0)


@pytest.mark.parametrize(("clock", "silent"), [("07:59:59", 0), ("08:10:00", 0), ("08:15:02", 1), ("20:00:02", 0)])
def test_silence_counts_from_opening_and_not_while_the_site_is_closed(clock: str, silent: int) -> None:
    yesterday = [DeviceRow("N1-L01", "N1", 0, at("19:00:00", "2026-11-06"))]
    assert gate("N1", snapshot(reading(at(clock), devices=yesterday))).silent == silent


def test_rejected_lines_and_logs_behind_are_counted() -> None:
    logs = [log(NOON - 100, rejected=2), log(NOON - 9000, partition=1, rejected=3)]
    health = snapshot(reading(logs=logs)).health
    assert (health.rejected, health.logs, health.logs_behind) == (5, 2, 1)


# Entrances in the order of their flow.


def order(**rows: Any) -> list[tuple[str, int | None]]:
    return [(row.id, row.rank) for row in snapshot(reading(**rows)).entrances if row.group == "person"]


def test_the_busier_entrance_comes_first_whatever_the_day_brought() -> None:
    assert order() == [("N2", 1), ("N1", 2)]


def test_equal_flow_is_ranked_by_the_days_total() -> None:
    assert order(flows=[]) == [("N1", 1), ("N2", 2)]


def test_equals_share_a_rank_in_the_order_of_the_profile() -> None:
    assert order(flows=[], totals=[]) == [("N1", 1), ("N2", 1)]


def test_an_entrance_never_heard_from_comes_last_without_rank() -> None:
    devices = [DeviceRow("N2-L01", "N2", 0, NOON)]
    assert order(flows=[], totals=[], devices=devices) == [("N2", 1), ("N1", None)]


def test_inner_doors_and_vehicles_are_ranked_by_themselves() -> None:
    ranks = {row.id: (row.group, row.rank) for row in snapshot().entrances}
    assert (ranks["H1"], ranks["P1"]) == (("inner", 1), ("vehicle", 1))


def test_flow_is_passages_per_minute() -> None:
    row = gate("N1", snapshot())
    assert (row.flow_in, row.flow_out, row.today_in, row.today_out) == (10.0, 2.0, 600, 200)


def test_the_average_is_of_the_time_since_an_entrance_was_first_used_within_the_hour() -> None:
    minutes_ago = SPAN.end - 20 * MINUTE
    rows = [FlowRow("N1", "in", 9, 0, 9, 60, minutes_ago), FlowRow("N1", "out", 1, 0, 1, 40, minutes_ago + MINUTE)]
    assert gate("N1", snapshot(reading(flows=rows))).average == 100 / 20
    assert gate("N2", snapshot(reading(flows=rows))).average == 0


def test_a_wait_is_shown_with_its_interval_while_its_reckoning_is_fresh() -> None:
    row = gate("N1", snapshot(reading(queues=[queue("N1", 4.5)])))
    assert (row.wait, row.open_lanes) == (WaitNow(4.5, 2.25, 9.0), 2)
    old = gate("N1", snapshot(reading(queues=[queue("N1", 4.5, at=SPAN.end - 4 * MINUTE)])))
    assert (old.wait, old.open_lanes) == (None, None)
    untold = gate("N1", snapshot(reading(queues=[queue("N1", None)])))
    assert (untold.wait, untold.open_lanes) == (None, 2)


def test_an_entrance_is_as_old_as_the_newest_event_of_any_of_its_lanes() -> None:
    devices = [DeviceRow("N1-L01", "N1", 0, NOON - 9000), DeviceRow("N1-L02", "N1", 0, NOON - 3000)]
    picture = snapshot(reading(devices=devices))
    assert (gate("N1", picture).newest_ms, gate("N2", picture).newest_ms) == (NOON - 3000, None)


def test_the_flow_of_the_last_minute_is_told_beside_that_of_the_minutes_before_it() -> None:
    rows = [FlowRow("N1", "in", 12, 30, 42, 42, SPAN.end - HOUR), FlowRow("N2", "in", 3, 20, 23, 23, SPAN.end - HOUR)]
    (flow,) = snapshot(reading(flows=rows)).flows
    assert flow == FlowNow("person", "", 15, 0, 10.0, 0.0)


def test_the_flow_is_unknown_until_an_entrance_was_heard() -> None:
    assert snapshot(WallRows(NOON, SPAN)).flows == [FlowNow("person", "")]


def test_the_quiet_hour_is_the_next_one_on_the_sites_clock() -> None:
    assert snapshot().quiet_ms == at("04:00:00", "2026-11-08")
    assert snapshot(reading(at("03:59:59"))).quiet_ms == at("04:00:00")


def test_areas_come_in_the_order_of_the_profile() -> None:
    rows = [AreaRow(area.id, kind, NOON, 1, None) for area in reversed(SITE.areas) for kind in area.kinds]
    assert [area.id for area in snapshot(reading(areas=rows)).areas] == ["venue", "hall", "park"]
