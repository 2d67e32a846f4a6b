"""The public views sum the newest rows over logs and segments, and expose nothing private."""

import datetime as dt
import re
from typing import Any

import pytest
from clickhouse_driver import Client

from sinks.clickhouse import ClickHouseReader
from sinks.rows import TABLES
from sinks.sink import StoreRefused
from streams.kernels.counts.identity import MOST_MISSING
from tests.support.rows import NOON, TODAY, block
from tests.support.stores import Server

A, B = "demo-1/turnstile.passages/0", "demo-2/turnstile.passages/0"
DAY = dt.date(2025, 10, 19)
VIEWS = {
    "passages": "kind device epoch seq ts entrance direction outcome category reason temperature health identified",
    "entrance_counts_10s": "window_start kind entrance direction category passages",
    "entrance_counts_1m": "window_start kind entrance direction category passages",
    "entrance_outcomes_1m": "window_start kind entrance direction outcome category events",
    "entrance_totals": "day kind entrance direction category passages",
    "entrance_refusals_1m": "window_start kind entrance category reason refusals",
    "site_today": "day kind entries exits distinct_entered unidentified lost",
    "alarm_changes": "episode change changed_at what rule subject kind zone level state value limit unit actor detail",
    "alarm_episodes": "episode rule subject level state raised_at acknowledged_at cleared_at value limit actor "
    "kind zone unit what change changed_at detail",
    "occupancy": "area kind as_of inside capacity lost",
    "occupancy_history": "area kind window_start inside",
    "completeness": "device entrance last_seq missing last_ts last_seen logs repeated",
    "corrections": "id area kind ts delta absolute actor reason",
    "rejections": "at topic partition offset line reason detail sha256",
    "parked": "id log table rows reason at",
    "progress": "log cluster topic partition next_offset received counted duplicate rejected complete_to worker late "
    "conflicts first_offset records lost",
    "late_passages": "day kind entrance direction outcome category events",
    "forecasts": "area kind level at capacity inside minutes earliest latest method",
    "forecast_errors": "area kind lead at checked error covered",
    "entrance_queues": "entrance at lanes saturated_for waiting wait wait_low wait_high to_clear to_clear_low "
    "to_clear_high plan_error",
    "advice": "advice entrance since at lanes_before lanes_after wait_before wait_after limit zh en decision actor "
    "reason decided_at needed_at wait_measured over_at",
    "passages_known": "kind device ts entrance direction outcome category identified known_at",
    "first_entries": "kind ts",
    "entered_known": "day kind known_at",
    "corrections_known": "id area kind ts delta absolute known_at",
    "alarm_changes_known": "episode change changed_at what rule subject kind zone level state value limit unit actor "
    "raised_at cleared_at known_at",
    "devices_known": "log device epoch version entrance ranges last_seq last_ts known_at closed",
    "progress_known": "log cluster next_offset complete_to rejected known_at",
    "parked_known": "id log complete_to known_at resolved_at",
    "area_flows_1h": "window_start area kind entered departed last_ts",
    "area_flows_10s": "window_start area kind entered departed last_ts",
    "source_partitions": "cluster topic partition incarnation log_begin log_end present since noted_at log worker",
    "source_problems": "topic partition problem log first after since worker cluster",
    "losses": "id topic partition log problem first after records from_ts to_ts accepted_at actor reason cluster kind "
    "site_from site_to from_day to_day recovered",
    "unsettled": "device epoch events logs",
    "conflicts": "device epoch seq entrance first_entrance at log topic partition offset line first_log first_offset "
    "first_line",
    "settled": "log cluster topic partition back conflicts conflicts_in_repeat",
    "device_conflicts": "device conflicts last_at",
    "replay_span": "first_ts last_ts known_since",
}
ASKED = {"first_entries": "(since='2025-10-19', until='2025-10-20', gates=['north'])"}
"""Views that need a parameter."""


def at(seconds: float) -> dt.datetime:
    """Return the moment that many seconds after noon."""
    return dt.datetime.fromtimestamp(NOON / 1000 + seconds, tz=dt.UTC)


def sorted_rows(reader: ClickHouseReader, columns: str, view: str) -> list[tuple[Any, ...]]:
    """Return some columns of a view, sorted."""
    return reader.query(f"SELECT {columns} FROM gatepulse.{view} ORDER BY ALL")


@pytest.mark.parametrize("counts", ["counts_10s", "counts_1m"])
def test_a_window_is_the_sum_over_logs_and_segments_of_the_newest_versions(
    server: Server, reader: ClickHouseReader, counts: str
) -> None:
    server.write(block(counts, {"log": A, "segment": 0, "passages": 5, "version": 9}))
    server.write(
        block(
            counts,
            {"log": A, "segment": 0, "passages": 3, "version": 6},  # older: comes too late to matter
            {"log": A, "segment": 1, "passages": 2, "version": 20},
            {"log": B, "segment": 0, "passages": 4, "version": 1},  # a new broker starts at 0 again
            {"log": A, "direction": "out", "passages": 1},
            {"log": A, "window_start": NOON + 60_000, "passages": 7},
        )
    )
    # window   log  segment  newest        direction   sum
    # 12:00    A    0        5             in
    # 12:00    A    1        2             in
    # 12:00    B    0        4             in          11
    # 12:00    A    0        1             out          1
    # 12:01    A    0        7             in           7
    view = counts.replace("counts", "entrance_counts")
    assert sorted_rows(reader, "window_start, direction, passages", view) == [
        (at(0), "in", 11),
        (at(0), "out", 1),
        (at(60), "in", 7),
    ]


def test_a_late_passage_changes_the_window_it_belongs_to(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("counts_10s", {"segment": 0, "passages": 5, "version": 9}))
    server.write(block("counts_10s", {"window_start": NOON + 10_000_000, "segment": 3, "passages": 1, "version": 60}))
    server.write(block("counts_10s", {"segment": 3, "passages": 2, "version": 70}))  # back in the first window
    assert sorted_rows(reader, "window_start, passages", "entrance_counts_10s") == [(at(0), 7), (at(10_000), 1)]


def test_only_passed_counts_and_the_other_outcomes_are_counted_apart(server: Server, reader: ClickHouseReader) -> None:
    outcomes = [{"outcome": o, "passages": n} for o, n in (("passed", 4), ("granted", 2), ("denied", 1))]
    server.write(*(block(counts, *outcomes) for counts in ("counts_10s", "counts_1m", "counts_day")))
    for view in ("entrance_counts_10s", "entrance_counts_1m", "entrance_totals"):
        assert sorted_rows(reader, "passages", view) == [(4,)]
    assert sorted_rows(reader, "outcome, events", "entrance_outcomes_1m") == [
        ("denied", 1),
        ("granted", 2),
        ("passed", 4),
    ]
    assert sorted_rows(reader, "entries", "site_today") == [(4,)]


def test_a_cell_that_is_empty_after_all_is_no_row(server: Server, reader: ClickHouseReader) -> None:
    server.write(*(block(counts, {"passages": 0}) for counts in ("counts_10s", "counts_1m", "counts_day")))
    server.write(block("refusals_1m", {"refusals": 0}))
    for view in ("entrance_counts_10s", "entrance_counts_1m", "entrance_totals", "entrance_refusals_1m"):
        assert sorted_rows(reader, "*", view) == []


def test_refusals_are_summed_by_reason(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "refusals_1m",
            {"log": A, "reason": "expired", "refusals": 2},
            {"log": B, "reason": "expired", "refusals": 3},
            {"log": B, "reason": "blocked", "refusals": 1},
        )
    )
    assert sorted_rows(reader, "category, reason, refusals", "entrance_refusals_1m") == [
        ("visitor", "blocked", 1),
        ("visitor", "expired", 5),
    ]


def test_totals_are_per_day_entrance_direction_and_category(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "counts_day",
            {"log": A, "passages": 10, "version": 5},
            {"log": A, "passages": 8, "version": 4},
            {"log": B, "passages": 1},
            {"category": "media", "passages": 2},
            {"day": TODAY - 1, "passages": 30},
        )
    )
    assert sorted_rows(reader, "day, category, passages", "entrance_totals") == [
        (DAY - dt.timedelta(1), "visitor", 30),
        (DAY, "media", 2),
        (DAY, "visitor", 11),
    ]


def test_today_counts_the_boundary_only_and_each_credential_once(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "counts_day",
            {"entrance": "north", "direction": "in", "passages": 9, "anonymous": 2},
            {"entrance": "south", "direction": "in", "passages": 4, "anonymous": 1},
            {"entrance": "south", "direction": "out", "passages": 5, "anonymous": 3},
            {"entrance": "between", "direction": "in", "boundary": 0, "passages": 100, "anonymous": 50},
            {"kind": "vehicle", "passages": 1},
        ),
        block("entered", {"credential": "a"}, {"credential": "b"}, {"credential": "a"}),
    )
    server.write(block("entered", {"credential": "b"}, {"day": TODAY - 1, "credential": "b"}))
    # kind      entries       exits   distinct   unidentified
    # person    9 + 4 = 13    5       a, b       2 + 1
    # vehicle   1             0       none       0
    assert sorted_rows(reader, "*", "site_today") == [
        (DAY - dt.timedelta(1), "person", 0, 0, 1, 0, 0),
        (DAY, "person", 13, 5, 2, 3, 0),
        (DAY, "vehicle", 1, 0, 0, 0, 0),
    ]


def test_a_passage_is_shown_once_even_across_months(server: Server, reader: ClickHouseReader) -> None:
    month = 31 * 86_400_000
    server.write(block("deliveries", {"seq": 1}, {"seq": 1}, {"seq": 2}))
    server.write(block("deliveries", {"seq": 1, "ts": NOON + month}, {"seq": 2, "epoch": 1}))  # a corrected clock
    assert sorted_rows(reader, "device, epoch, seq", "passages") == [
        ("lane-1", 0, 1),
        ("lane-1", 0, 2),
        ("lane-1", 1, 2),
    ]


def test_late_passages_are_summed_over_logs_and_segments_of_the_newest_versions(
    server: Server, reader: ClickHouseReader
) -> None:
    server.write(block("late_day", {"log": A, "passages": 4, "version": 9}))
    server.write(
        block(
            "late_day",
            {"log": A, "passages": 2, "version": 5},  # older
            {"log": A, "segment": 1, "passages": 3, "version": 20_000},
            {"log": B, "passages": 1},
            {"log": A, "outcome": "denied", "passages": 7},
            {"log": A, "day": TODAY - 9, "passages": 0},
        )
    )
    assert sorted_rows(reader, "day, kind, entrance, direction, outcome, category, events", "late_passages") == [
        (DAY, "person", "north", "in", "denied", "visitor", 7),
        (DAY, "person", "north", "in", "passed", "visitor", 8),
    ]
    assert sorted_rows(reader, "*", "entrance_totals") == sorted_rows(reader, "*", "entrance_outcomes_1m") == []


def test_progress_tells_what_was_late_and_nothing_of_it_to_those_who_wrote_before(
    server: Server, reader: ClickHouseReader, client: Client
) -> None:
    server.write(block("log_progress", {"log": A, "received": 8, "counted": 5, "late": 3}))
    client.execute("INSERT INTO gatepulse_store.log_progress (log, received) VALUES", [(B, 8)])  # a version without it
    assert sorted_rows(reader, "log, received, counted, late", "progress") == [(A, 8, 5, 3), (B, 8, 0, 0)]


def test_whether_a_passage_was_identified_is_shown_and_not_by_what(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("deliveries", {"seq": 1, "credential": "anna"}, {"seq": 2, "credential": ""}))
    assert sorted_rows(reader, "seq, identified", "passages") == [(1, 1), (2, 0)]


def test_completeness_is_the_union_of_ranges_over_logs_and_epochs(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "devices",
            {"device": "whole", "ranges": [(1, 9)], "last_seq": 9},
            {"device": "late start", "ranges": [(4, 9)], "last_seq": 9},
            {"device": "two logs", "log": A, "ranges": [(1, 5), (9, 12)], "last_seq": 12},
            {"device": "two logs", "log": B, "ranges": [(4, 7), (11, 20)], "last_seq": 20, "entrance": "south"},
            {"device": "epochs", "epoch": 0, "ranges": [(1, 3), (6, 6)], "last_seq": 6, "last_ts": NOON + 5},
            {"device": "epochs", "epoch": 2, "ranges": [(2, 2)], "last_seq": 2, "last_ts": NOON, "entrance": "south"},
            {"device": "inside", "log": A, "ranges": [(1, 100)], "last_seq": 100},
            {"device": "inside", "log": B, "ranges": [(10, 20), (30, 40)], "last_seq": 40},
            {"device": "nothing", "ranges": [], "last_seq": 0},
            {"device": "closed", "log": A, "ranges": [(3, 50), (60, 70)], "closed": 7, "last_seq": 70},
            {"device": "closed", "log": B, "ranges": [(1, 20)], "closed": 5, "last_seq": 20},
            {"device": "closed", "log": B, "epoch": 1, "ranges": [(1, 4)], "closed": 1, "last_seq": 4},
            {"device": "huge", "log": A, "ranges": [(1, 2**63 - 1)], "closed": 2**63 - 9, "last_seq": 2**63 - 1},
            {"device": "huge", "log": B, "ranges": [(1, 2**63 - 1)], "closed": 2**63 - 9, "last_seq": 2**63 - 1},
        ),
    )
    server.write(block("devices", {"device": "whole", "ranges": [(1, 5)], "last_seq": 5, "version": 0}))  # older
    # two logs  A 1-5 9-12, B 4-7 11-20: union 1-7 9-20     8 is missing
    # epochs    0: 1-3 6 (4, 5 missing), 2: 2 (1 missing)   3 missing, 2 is the last of the newest epoch
    # closed    A 3-50 60-70, B 1-20: union 1-50 60-70       9 are missing, 7 + 5 that are closed, 1 of epoch 1
    assert sorted_rows(reader, "device, entrance, last_seq, missing, logs", "completeness") == [
        ("closed", "north", 4, 22, 1),
        ("epochs", "south", 2, 3, 1),
        ("huge", "north", 2**63 - 1, MOST_MISSING, 2),
        ("inside", "north", 100, 0, 2),
        ("late start", "north", 9, 3, 1),
        ("nothing", "north", 0, 0, 1),
        ("two logs", "south", 20, 1, 2),
        ("whole", "north", 9, 0, 1),
    ]
    found = reader.query("SELECT last_ts, last_seen FROM gatepulse.completeness WHERE device = 'epochs'")
    assert found == [(at(0.005), at(0.999))]


def test_the_largest_sequence_numbers_do_not_overflow(server: Server, reader: ClickHouseReader) -> None:
    last = 2**63
    server.write(block("devices", {"ranges": [(1, 1), (last, last)], "last_seq": last}))
    assert sorted_rows(reader, "last_seq, missing", "completeness") == [(last, min(last - 2, MOST_MISSING))]


def test_what_devices_lack_that_number_by_a_clock_adds_up(server: Server, reader: ClickHouseReader) -> None:
    numbers = {f"clock-{n}": 2**63 - 1 - n for n in range(40)}
    rows = [
        {"device": name, "epoch": epoch, "ranges": [(seq, seq)], "last_seq": seq}
        for name, seq in numbers.items()
        for epoch in (0, 1, 2**63 - 1)
    ]
    server.write(block("devices", *rows))
    [(missing, exact)] = reader.query("SELECT sum(missing), sum(toInt128(missing)) FROM gatepulse.completeness")
    assert missing == exact == 40 * 3 * MOST_MISSING


def test_progress_and_rejections_show_the_newest_of_each(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block("log_progress", {"next_offset": 9, "complete_to": NOON + 2000}), block("rejections", {"line": 1})
    )
    server.write(
        block("log_progress", {"next_offset": 5, "complete_to": NOON + 1000}), block("rejections", {"line": 1})
    )
    assert sorted_rows(reader, "log, next_offset, complete_to", "progress") == [(A, 9, at(2))]
    assert sorted_rows(reader, "offset, line", "rejections") == [(7, 1)]


def test_a_worker_whose_clock_was_ahead_does_not_hide_what_is_stored_after_it_came_right(
    server: Server, reader: ClickHouseReader
) -> None:
    ahead, right = NOON + 3_600_000, NOON + 1000
    for offset, complete_to in ((9, ahead), (9, right), (12, right + 1000)):
        server.write(block("log_progress", {"next_offset": offset, "complete_to": complete_to}))
        assert sorted_rows(reader, "next_offset, complete_to", "progress") == [
            (offset, at((complete_to - NOON) / 1000))
        ]


def test_an_episode_is_as_its_newest_change_says_however_changes_are_written(
    server: Server, reader: ClickHouseReader
) -> None:
    cleared = {"change": 2, "what": "cleared", "state": "cleared-unacknowledged", "cleared_at": NOON + 5000}
    for _ in range(2):  # a worker that was started again writes them again
        server.write(block("alarm_changes", cleared), block("alarm_changes", {}))
    assert sorted_rows(reader, "state, cleared_at, change", "alarm_episodes") == [("cleared-unacknowledged", at(5), 2)]
    assert sorted_rows(reader, "change, what", "alarm_changes") == [(1, "raised"), (2, "cleared")]


@pytest.mark.parametrize("view", VIEWS)
def test_the_reader_sees_each_view_with_its_columns(reader: ClickHouseReader, server: Server, view: str) -> None:
    server.write(*(block(table, {}) for table in TABLES))
    assert list(reader.columns(f"SELECT * FROM gatepulse.{view}{ASKED.get(view, '')}")) == VIEWS[view].split()


def test_there_are_no_other_views_and_none_shows_a_credential(client: Client) -> None:
    columns = client.execute("SELECT table, name FROM system.columns WHERE database = 'gatepulse'")
    assert {table for table, _ in columns} == set(VIEWS) - set(ASKED)
    assert not [name for _, name in columns if "credential" in name or "plate" in name]


@pytest.mark.parametrize("table", [*TABLES, "schema_migrations", "corrections_10s"])
def test_the_reader_cannot_look_behind_the_views(reader: ClickHouseReader, table: str) -> None:
    with pytest.raises(StoreRefused, match="The user has no right to this"):
        reader.query(f"SELECT count() FROM gatepulse_store.{table}")


def test_the_reader_changes_nothing(reader: ClickHouseReader) -> None:
    for statement in ("CREATE VIEW gatepulse.mine AS SELECT 1", "DROP VIEW gatepulse.passages", "SET max_threads = 9"):
        with pytest.raises(StoreRefused):
            reader.query(statement)


@pytest.mark.parametrize(
    ("view", "condition"),
    [
        ("entrance_counts_10s", "window_start = toDateTime('2025-10-19 12:00:00', 'UTC')"),
        ("entrance_counts_1m", "window_start >= toDateTime('2025-10-19 12:30:00', 'UTC')"),
        ("entrance_outcomes_1m", "window_start >= toDateTime('2025-10-19 12:30:00', 'UTC')"),
        ("entrance_refusals_1m", "window_start >= toDateTime('2025-10-19 12:30:00', 'UTC')"),
        ("entrance_totals", "day = '2025-10-19'"),
        ("site_today", "day = '2025-10-19'"),
        ("occupancy_history", "area = 'hall'"),
        ("passages", "device = 'lane-1'"),
        ("completeness", "device = 'lane-1'"),
    ],
)
def test_a_filter_reaches_the_index(client: Client, server: Server, view: str, condition: str) -> None:
    server.write(*(block(table, {}) for table in TABLES))
    plan = client.execute(f"EXPLAIN indexes = 1 SELECT * FROM gatepulse.{view} WHERE {condition}")
    used = "\n".join(line for (line,) in plan).partition("PrimaryKey")[2]
    assert re.search(rf"Condition: .*\b{condition.split(maxsplit=1)[0]}\b", used)
