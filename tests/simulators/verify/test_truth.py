"""The truth computed from the ledger is what one gets by hand.

Times are UTC on 2021-11-05; the site's day begins at 16:00 UTC (midnight in Shanghai).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.ledger.ledger import LedgerError, LedgerWriter, Result, read_ledger
from simulators.verify import truth
from tests.support.size import examples
from tests.support.small_site import (
    REAL_TIME,
    SITE,
    at,
    columns,
    correction,
    drawn,
    ledger_of,
    passage,
    small_site,
    tables,
    write,
)


def table(directory: Path, name: str, rows: Sequence[Mapping[str, Any]], **other: Any) -> list[str]:
    return drawn(tables(ledger_of(directory, rows), **other)[name])


def test_windows_are_half_open(tmp_path: Path) -> None:
    # 8:00:00        8:00:10        8:00:20
    # |[a         b) |[c            |
    rows = [
        passage("8:00:00.000", seq=1),
        passage("8:00:09.999", seq=2),
        passage("8:00:10.000", seq=3),
        passage("7:59:59.999", seq=4),
    ]
    assert table(tmp_path / "10s", "entrance_counts_10s", rows) == [
        "07:59:50 person N1 in visitor | 1",
        "08:00:00 person N1 in visitor | 2",
        "08:00:10 person N1 in visitor | 1",
    ]
    assert table(tmp_path / "1m", "entrance_counts_1m", rows) == [
        "07:59:00 person N1 in visitor | 1",
        "08:00:00 person N1 in visitor | 3",
    ]


def test_only_what_passed_is_counted_and_the_rest_is_counted_apart(tmp_path: Path) -> None:
    rows = [
        passage("8:00:01", seq=1),
        passage("8:00:02", seq=2, outcome="granted"),
        passage("8:00:03", seq=3, outcome="denied", reason="no ticket"),
        passage("8:00:04", seq=4, outcome="denied", reason="no ticket"),
        passage("8:00:05", seq=5, outcome="denied", reason="temperature", category="staff"),
    ]
    ledger = tables(ledger_of(tmp_path, rows))
    assert drawn(ledger["entrance_counts_10s"]) == ["08:00:00 person N1 in visitor | 1"]
    assert drawn(ledger["entrance_outcomes_1m"]) == [
        "08:00:00 person N1 in staff denied | 1",
        "08:00:00 person N1 in visitor denied | 2",
        "08:00:00 person N1 in visitor granted | 1",
        "08:00:00 person N1 in visitor passed | 1",
    ]
    assert drawn(ledger["entrance_refusals_1m"]) == [
        "08:00:00 person N1 staff temperature | 1",
        "08:00:00 person N1 visitor no ticket | 2",
    ]


def test_a_day_is_a_day_of_the_sites_time_zone(tmp_path: Path) -> None:
    rows = [passage("15:59:59.999", seq=1), passage("16:00:00", seq=2)]
    assert table(tmp_path, "entrance_totals", rows) == [
        "2021-11-05 person N1 in visitor | 1",
        "2021-11-06 person N1 in visitor | 1",
    ]


def test_the_night_on_which_clocks_change_is_one_day(tmp_path: Path) -> None:
    # Berlin goes back from UTC+2 to UTC+1 on 31 October 2021 at 01:00 UTC: the day has 25 hours.
    moments = ["30T21:59:59.999", "30T22:00", "31T00:30", "31T01:30", "31T22:59:59.999", "31T23:00"]
    rows = []
    for seq, moment in enumerate(moments, 1):
        when = dt.datetime.fromisoformat(f"2021-10-{moment}+00:00")
        rows.append(passage("0:0:0", seq=seq, ts=round(when.timestamp() * 1000)))
    assert table(tmp_path, "entrance_totals", rows, site=small_site("Europe/Berlin")) == [
        "2021-10-30 person N1 in visitor | 1",
        "2021-10-31 person N1 in visitor | 4",
        "2021-11-01 person N1 in visitor | 1",
    ]


def test_the_site_counts_who_crosses_its_boundary_and_each_credential_once(tmp_path: Path) -> None:
    rows = [
        passage("8:00:01", seq=1, credential="anna"),
        passage("8:00:02", seq=2, credential="bo"),
        passage("8:30:00", seq=3, credential="anna", direction="out"),
        passage("8:40:00", seq=4, credential="anna"),  # comes back: an entry, but nobody new
        passage("8:50:00", seq=5),  # came in without a credential
        passage("8:55:00", seq=6, credential="carl", direction="out"),  # only seen leaving
        passage("8:56:00", seq=7, credential="dora", outcome="denied"),
        passage("9:00:00", device="H1-L01", credential="ewa"),  # within the site
        passage("9:00:00", device="P1-L01", credential="car"),
        passage("17:00:00", seq=8, credential="anna"),  # tomorrow in Shanghai
    ]
    #          day        kind   entries exits distinct unidentified
    assert table(tmp_path, "site_today", rows) == [
        "2021-11-05 person | 4 2 2 1",
        "2021-11-05 vehicle | 1 0 1 0",
        "2021-11-06 person | 1 0 1 0",
    ]


def test_a_passage_leaves_one_area_and_enters_another(tmp_path: Path) -> None:
    rows = [
        passage("8:00:01", seq=1),
        passage("8:00:02", seq=2),
        passage("8:00:15", device="H1-L01", seq=1),  # venue -> hall
        passage("8:00:25", device="H1-L01", seq=2, direction="out"),  # hall -> venue
        passage("8:00:31", seq=3, direction="out"),
        passage("8:00:32", device="P1-L01", direction="out"),  # below zero: drift, not clamped
    ]
    ledger = tables(ledger_of(tmp_path, rows))
    assert drawn(ledger["occupancy_history"]) == [
        "hall person 08:00:10 | 1",
        "hall person 08:00:20 | 0",
        "park vehicle 08:00:30 | -1",
        "venue person 08:00:00 | 2",
        "venue person 08:00:10 | 1",
        "venue person 08:00:20 | 2",
        "venue person 08:00:30 | 1",
    ]
    assert drawn(ledger["occupancy"]) == [
        "hall person | 08:00:25 0 none",
        "park vehicle | 08:00:32 -1 50",
        "venue person | 08:00:31 1 100",
    ]


def test_an_area_nobody_was_in_is_empty_and_of_no_time(tmp_path: Path) -> None:
    assert table(tmp_path, "occupancy", [passage("8:00:00")])[:2] == [
        "hall person | none 0 none",
        "park vehicle | none 0 50",
    ]


def test_corrections_take_effect_at_the_end_of_their_window_in_order(tmp_path: Path) -> None:
    #  window   8:00:00      8:00:10           8:00:20      8:00:30
    #  flow     +2           +1                             +1
    #  steps                 a: set 10, b: -3  c: +5
    #  inside   2            7                 12           13
    rows = [passage(f"8:00:{second}", seq=seq) for seq, second in enumerate(("01", "02", "19", "31"), 1)]
    writer = write(tmp_path, rows)
    steps = [
        correction("c", "8:00:20", delta=5),
        correction("b", "8:00:12", delta=-3),
        correction("a", "8:00:12", absolute=10),
        correction("other area", "8:00:12", area="park", absolute=4),
        correction("never sent", "8:00:12", absolute=99, result="fail"),
    ]
    writer.corrections(steps)
    writer.close()

    ledger = tables(read_ledger(tmp_path))

    assert drawn(ledger["occupancy_history"]) == [
        "park vehicle 08:00:10 | 4",
        "venue person 08:00:00 | 2",
        "venue person 08:00:10 | 7",
        "venue person 08:00:20 | 12",
        "venue person 08:00:30 | 13",
    ]
    assert drawn(ledger["occupancy"])[1:] == ["park vehicle | none 4 50", "venue person | 08:00:31 13 100"]
    assert drawn(ledger["corrections"])[0] == "a | venue person 08:00:12 none 10 duty recount"


def test_missing_counts_the_holes_of_every_epoch_from_one_on(tmp_path: Path) -> None:
    # epoch 0: . 2 3 . 5     two holes            epoch 1: 1 . 3      one hole
    rows = [
        passage("8:00:05", seq=5),
        passage("8:00:02", seq=2),
        passage("8:00:03", seq=3),
        passage("8:00:07", seq=1, epoch=1),
        passage("8:00:06", seq=3, epoch=1, outcome="denied"),
        passage("8:00:01", device="N1-L02", seq=1),
    ]
    #                                                   entrance last_seq missing last_ts
    assert table(tmp_path, "completeness", rows) == ["N1-L01 | N1 3 3 08:00:07", "N1-L02 | N1 1 0 08:00:01"]


def test_a_moved_device_is_where_its_newest_number_came_from(tmp_path: Path) -> None:
    rows = [passage("8:00:05", seq=2, entrance="H1"), passage("8:00:09", seq=1)]
    assert table(tmp_path, "completeness", rows) == ["N1-L01 | H1 2 0 08:00:09"]


def test_what_was_sent_depends_on_the_results_of_all_attempts(tmp_path: Path) -> None:
    rows = [passage("8:00:00", seq=seq) for seq in range(1, 7)]
    with LedgerWriter(tmp_path, meta={}) as writer:
        writer.passages(columns(rows))
        writer.attempts([0, 1, 1, 2], "ok", at_ms=1)
        writer.attempts([2, 3, 4], "fail", at_ms=1)
        writer.attempts([0, 4], "info", at_ms=1)
    sent = truth.sent_passages(read_ledger(tmp_path))
    # row      0   1      2        3     4          5
    # tries    ok  ok ok  fail ok  fail  fail info  none
    assert sent.rows.tolist() == [0, 1, 2, 4]
    assert sent.certain.tolist() == [True, True, True, False]


def test_after_a_crash_whatever_has_no_ok_may_have_been_sent(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, meta={})
    writer.passages(columns([passage("8:00:00", seq=seq) for seq in (1, 2, 3)]))
    writer.attempts([0], "ok", at_ms=1)
    writer.attempts([1], "fail", at_ms=1)
    writer.abandon()
    sent = truth.sent_passages(read_ledger(tmp_path))
    assert sent.rows.tolist() == [0, 1, 2]
    assert sent.certain.tolist() == [True, False, False]


def test_one_identity_for_two_different_events_is_an_error(tmp_path: Path) -> None:
    twice = [passage("8:00:00"), passage("8:00:00")]
    assert len(truth.sent_passages(ledger_of(tmp_path / "same", twice)).rows) == 1
    with pytest.raises(LedgerError, match=r"N1-L01:0:1: .* different ts"):
        truth.sent_passages(ledger_of(tmp_path / "different", [passage("8:00:00"), passage("8:00:01")]))
    with pytest.raises(LedgerError, match=r"different temperature \(nan and 36.5\)"):
        truth.sent_passages(ledger_of(tmp_path / "more", [passage("8:0:0"), passage("8:0:0", temperature=36.5)]))


def test_a_malformed_line_is_rejected_each_time_it_was_sent(tmp_path: Path) -> None:
    sure: Result = "ok"
    with LedgerWriter(tmp_path, meta={}) as writer:
        for result in (sure, sure, "info", "fail"):
            writer.malformed(topic="turnstile.passages", sha256=["aa"], reason=["json"], result=result)
        writer.malformed(topic="vehicle.passages", sha256=["bb"], reason=["schema"], result="info")
    rejections = tables(read_ledger(tmp_path))["rejections"]
    assert drawn(rejections) == ["turnstile.passages aa json | 2..3", "vehicle.passages bb schema | 0..1"]
    assert rejections.may_be_absent().tolist() == [False, True]


def test_every_line_sent_is_received_and_accounted_for(tmp_path: Path) -> None:
    writer = write(tmp_path, [passage("8:00:00", seq=1), passage("8:00:00", seq=2)])
    writer.attempts([0], "ok", at_ms=2)
    writer.attempts([1], "info", at_ms=2)
    writer.malformed(topic="turnstile.passages", sha256=["aa"], reason=["json"], result="ok")
    writer.corrections([correction("k", "8:00:00", delta=1)] * 2)
    writer.close()
    #                                                           received counted late rejected unaccounted
    assert drawn(tables(read_ledger(tmp_path))["progress"]) == [
        "corrections | 2 1..2 0 0 0",
        "turnstile.passages | 4..5 2 0 1 0",
    ]


def test_late_ones_in_doubt_leave_bounds_and_nothing_else_does(tmp_path: Path) -> None:
    # Number 1 surely came two days late, 2 and 4 perhaps; 3 came in time.
    days_ago = at("8:00:00") - 3 * 86_400_000
    with LedgerWriter(tmp_path, meta={"site": "small", "clock": REAL_TIME}) as writer:
        for seq, result in ((1, "ok"), (2, "info"), (3, "ok"), (4, "info")):
            ts = at("8:00:00") if seq == 3 else days_ago + seq
            device = "N1-L02" if seq == 4 else "N1-L01"
            index = writer.passages(columns([passage("8:00:00", device=device, seq=seq, ts=ts)]))
            writer.attempts(index, result, at_ms=at("8:00:00"))  # type: ignore[arg-type]  # two of the results
    views = tables(read_ledger(tmp_path))
    assert drawn(views["late_passages"]) == ["2021-11-02 person N1 in passed visitor | 1..3"]
    assert drawn(views["progress"]) == ["turnstile.passages | 2..4 1 1..3 0 0"]
    #                                   device  entrance  last_seq  missing  last_ts (ms)
    bounds = f"0..{days_ago + 4}"
    assert drawn(views["completeness"]) == [f"N1-L01 | N1 3 0..1 {at('8:00:00')}", f"N1-L02 | N1 0..4 0..4 {bounds}"]
    assert views["completeness"].may_be_absent().tolist() == [False, True]


def test_the_ledger_of_another_site_is_refused(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path / "a", [passage("8:00:00", device="X9-L01")])
    with pytest.raises(LedgerError, match="'X9'"):
        truth.check_site(ledger, SITE)
    with LedgerWriter(tmp_path / "b", meta={"site": "big"}):
        pass
    with pytest.raises(LedgerError, match="'big'"):
        truth.check_site(read_ledger(tmp_path / "b"), SITE)


def test_numbers_that_a_device_left_out_without_telling_are_noted(tmp_path: Path) -> None:
    writer = write(tmp_path, [passage("8:00:00", seq=4)])
    writer.skipped(device="N1-L01", epoch=0, count=1)
    writer.close()
    assert truth.gaps(read_ledger(tmp_path)) == [
        "the ledger lacks 3 sequence numbers, of which 1 were left out on purpose."
    ]


def test_an_empty_ledger_has_an_empty_truth(tmp_path: Path) -> None:
    views = tables(ledger_of(tmp_path, []))
    assert {name for name, view in views.items() if len(view)} == {"occupancy"}


events = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["N1-L01", "N1-L02", "H1-L01", "P1-L01"]),
        "clock": st.integers(0, 100_000).map(lambda second: f"0:0:{second}"),
        "direction": st.sampled_from(["in", "out"]),
        "outcome": st.sampled_from(["passed", "passed", "granted", "denied"]),
        "credential": st.sampled_from(["", "anna", "bo"]),
    }
)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(events, max_size=30), st.data())
def test_order_and_repetition_of_attempts_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, drawn_events: list[dict[str, Any]], data: st.DataObject
) -> None:
    rows = [passage(**event, seq=seq) for seq, event in enumerate(drawn_events, 1)]
    once = ledger_of(tmp_path_factory.mktemp("once"), rows)
    order = data.draw(st.permutations(range(len(rows))))
    again = data.draw(st.lists(st.sampled_from(range(len(rows))), max_size=10)) if rows else []
    with LedgerWriter(tmp_path_factory.mktemp("often"), meta={"site": "small"}) as writer:
        writer.passages(columns([rows[place] for place in order]))
        for place in again:
            writer.attempts([place], "ok", at_ms=1)
        writer.attempts(data.draw(st.permutations(range(len(rows)))), "ok", at_ms=2)
        often = read_ledger(writer.directory)
    left, right = tables(once), tables(often)
    assert {name: drawn(view) for name, view in left.items() if name != "progress"} == {
        name: drawn(view) for name, view in right.items() if name != "progress"
    }


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(events, max_size=40))
def test_the_parts_of_the_truth_agree_with_each_other(
    tmp_path_factory: pytest.TempPathFactory, drawn_events: list[dict[str, Any]]
) -> None:
    rows = [passage(**event, seq=seq) for seq, event in enumerate(drawn_events, 1)]
    views = tables(ledger_of(tmp_path_factory.mktemp("ledger"), rows))
    passed = sum(row["outcome"] == "passed" for row in rows)

    def total(name: str, column: str) -> int:
        return int(np.asarray(views[name].values[column]).sum())

    assert total("entrance_counts_10s", "passages") == passed
    assert total("entrance_counts_1m", "passages") == passed
    assert total("entrance_totals", "passages") == passed
    assert total("entrance_outcomes_1m", "events") == len(rows)
    assert total("entrance_refusals_1m", "refusals") == sum(row["outcome"] == "denied" for row in rows)
    inside = total("occupancy", "inside")
    assert inside == total("site_today", "entries") - total("site_today", "exits")
