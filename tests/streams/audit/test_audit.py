"""An audit finds every wrong row, none in a healthy store, and ignores rows that are still being written."""

import datetime as dt
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from clickhouse_driver import Client
from rich.console import Console

from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.audit.compare import LISTED, Auditor, AuditResult, RowDifference
from streams.audit.interval import Interval, IntervalError, moment
from streams.audit.report import sentence, show, to_json
from streams.audit.views import VIEWS
from streams.kernels.counts.calendar import DAY_MS, SiteDays
from streams.kernels.counts.columns import Block
from streams.site.model import Site
from tests.support.counted_rows import DAY, DAYS, MIDNIGHT, rows_of
from tests.support.deliveries import Delivery, logs_of, settle
from tests.support.deliveries import stored as stored_of
from tests.support.events import Event
from tests.support.rows import block
from tests.support.small_site import SITE, small_site
from tests.support.stores import Server

LANES = {"person": ("N1-L01", "N1-L02", "H1-L01"), "vehicle": ("P1-L01",)}
SIZE = 900


def day_of(draw: np.random.Generator, lanes: Sequence[str], category: str) -> list[Event]:
    """Draw the events of a day and of the hour after it, in the order of time; devices number theirs."""
    seqs = dict.fromkeys(lanes, 0)
    events = []
    for ts in np.sort(draw.integers(MIDNIGHT - 3_600_000, MIDNIGHT + DAY_MS + 3_600_000, SIZE)).tolist():
        device = str(draw.choice(lanes))
        seqs[device] += 1
        outcome = str(draw.choice(["passed", "passed", "passed", "granted", "denied"]))
        events.append(
            Event(
                seq=seqs[device],
                device=device,
                ts=ts,
                entrance=device[:2],
                direction=str(draw.choice(["in", "out"])),
                outcome=outcome,
                category=category,
                credential=str(draw.choice(["", "anna", "bo"])),
                reason=str(draw.choice(["ticket", "health"])) if outcome == "denied" else "",
            )
        )
    return events


def correction(name: str, clock: str, **other: Any) -> dict[str, Any]:
    """Return a correction of the hall at a time of the day."""
    return {"id": name, "area": "hall", "ts": moment(f"{DAY}T{clock}", DAYS), **other}


@pytest.fixture
def stored(server: Server) -> Server:
    """A store that holds what workers have written of a day at three gates, with corrections."""
    draw = np.random.default_rng(20251119)
    server.write(
        *rows_of(day_of(draw, LANES["person"], "visitor")),
        *rows_of(day_of(draw, LANES["vehicle"], "car"), "vehicle"),
        block(
            "corrections",
            correction("b", "10:00:03", delta=-5),
            correction("a", "10:00:03", absolute=20),
            correction("c", "10:00:04", delta=2),
            correction("d", "15:00:00", delta=7),
            {**correction("e", "00:00:00", absolute=3), "area": "park", "kind": "vehicle"},
        ),
    )
    return server


@dataclass
class Pauses:
    """Stands for the time that passes: what happens in each pause; the first is the long one."""

    happens: list[Callable[[], object]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        """Let it happen."""
        self.seconds.append(seconds)
        if self.happens:
            self.happens.pop(0)()


def audit(
    reader: ClickHouseReader, start: str = "", end: str = "", *, site: Site = SITE, pauses: Pauses | None = None
) -> AuditResult:
    """Audit the day, or a part of it, without waiting."""
    days = site.days
    interval = Interval(moment(start or f"{DAY}", days), moment(end or f"{DAY + dt.timedelta(1)}", days), days)
    return Auditor(reader, site, patience=3.0, sleep=pauses or Pauses()).audit(interval)


def different(result: AuditResult) -> dict[str, int]:
    """Tell how many rows differ in each view where some do."""
    return {name: view.different for name, view in result.views.items() if view.different}


def removed(table: str, where: str) -> str:
    return f"ALTER TABLE gatepulse_store.{table} DELETE WHERE {where} SETTINGS mutations_sync = 2"


def changed(table: str, change: str, rest: str) -> str:
    """Return a statement that writes rows of `table` again, changed, in a newer version."""
    newer = f"{change}, version + 1 AS version"
    return f"INSERT INTO gatepulse_store.{table} SELECT * REPLACE ({newer}) FROM gatepulse_store.{table} FINAL {rest}"


NOON = f"window_start >= '{DAY} 04:00:00'"  # 12:00 in Shanghai
ONE = "ORDER BY ALL LIMIT 1"
SOME = 0
PLANTED: dict[str, tuple[str, dict[str, int]]] = {
    "a window counted twice over": (
        changed("counts_10s", "passages * 2 AS passages", f"WHERE outcome = 'passed' AND {NOON} {ONE}"),
        {"entrance_counts_10s": 1},
    ),
    "a minute that is gone": (
        removed("counts_1m", f"outcome = 'granted' AND {NOON} AND window_start < '{DAY} 04:20:00'"),
        {"entrance_outcomes_1m": SOME},
    ),
    "a window nobody passed in": (
        changed("counts_10s", "'staff' AS category", f"WHERE outcome = 'passed' AND {NOON} {ONE}"),
        {"entrance_counts_10s": 1},
    ),
    "a refusal too many": (
        changed("refusals_1m", "refusals + 1 AS refusals", f"WHERE {NOON} {ONE}"),
        {"entrance_refusals_1m": 1},
    ),
    "a day too few": (
        changed(
            "counts_day", "passages - 1 AS passages",
            f"WHERE day = '{DAY}' AND outcome = 'passed' AND direction = 'out' AND entrance = 'N1' {ONE}",
        ),
        {"entrance_totals": 1, "site_today": 1},
    ),
    "somebody without a name": (
        changed("counts_day", "anonymous + 1 AS anonymous", f"WHERE day = '{DAY}' AND outcome = 'passed'"
                " AND direction = 'in' AND entrance = 'P1'"),
        {"site_today": 1},
    ),
    "a gate that is not at the boundary": (
        changed("counts_day", "0 AS boundary", f"WHERE day = '{DAY}' AND entrance = 'P1' AND outcome = 'passed'"
                " AND direction = 'out'"),
        {"site_today": 1},
    ),
    "somebody left in a window": (
        changed("area_flows_10s", "departed + 1 AS departed", f"WHERE area = 'venue' AND {NOON} {ONE}"),
        {"occupancy_history": 1, "occupancy": 1},
    ),
    "a window without flows": (
        removed("area_flows_10s", f"area = 'hall' AND {NOON} AND window_start < '{DAY} 04:20:00'"),
        {"occupancy_history": SOME, "occupancy": 1},
    ),
    "somebody left in an hour": (
        changed("area_flows_1h", "departed + 1 AS departed", f"WHERE area = 'hall' AND {NOON} {ONE}"),
        {"occupancy": 1},
    ),
}  # fmt: skip
LOST = {
    "entrance_counts_10s": 1, "entrance_counts_1m": 1, "entrance_outcomes_1m": 1, "entrance_totals": 1,
    "occupancy_history": 1,
}  # fmt: skip


@pytest.mark.usefixtures("stored")
def test_what_workers_have_counted_is_what_the_passages_say(reader: ClickHouseReader) -> None:
    pauses = Pauses()
    result = audit(reader, pauses=pauses)
    assert different(result) == {}
    assert result.ok
    assert list(result.views) == [view.name for view in VIEWS]
    assert all(view.compared for view in result.views.values())
    assert result.views["entrance_totals"].compared == 6  # three gates, in and out
    assert pauses.seconds == []  # nothing had to be asked again


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("planted", PLANTED)
def test_a_wrong_count_is_found_and_named(reader: ClickHouseReader, client: Client, planted: str) -> None:
    statement, views = PLANTED[planted]
    client.execute(statement)
    result = audit(reader)
    found = different(result)
    assert set(found) == set(views)
    assert {name: n for name, n in views.items() if n != SOME}.items() <= found.items()
    assert {each.view for each in result.differences} == set(views)
    assert not result.ok
    assert all(each.published != each.recomputed for each in result.differences)


@pytest.mark.usefixtures("stored")
def test_a_lost_passage_is_missed_in_every_view_that_counted_it(reader: ClickHouseReader, client: Client) -> None:
    [(device, seq)] = client.execute(
        "SELECT device, seq FROM gatepulse_store.deliveries WHERE entrance = 'H1' AND outcome = 'passed'"
        f" AND ts > '{DAY} 04:00:00' AND ts < '{DAY} 12:00:00' {ONE}"
    )
    client.execute(removed("deliveries", f"device = '{device}' AND seq = {seq}"))
    # it went from one area to another, so two histories lack it; the hall's gate leads nowhere outside
    assert different(audit(reader)) == LOST | {"occupancy_history": 2}


def test_a_difference_says_which_row_and_both_values(server: Server, reader: ClickHouseReader) -> None:
    server.write(*rows_of([Event(seq=n, ts=MIDNIGHT + n) for n in (1, 2, 3)]))
    server.write(block("counts_10s", {"log": "other", "entrance": "N1", "window_start": MIDNIGHT, "passages": 2}))
    server.write(block("counts_10s", {"log": "other", "entrance": "N1", "window_start": MIDNIGHT + 10_000}))
    result = audit(reader)
    # 00:00:00  three came, and five are shown      00:00:10  nobody came, and one is shown
    window = {"kind": "person", "entrance": "N1", "direction": "in", "category": "visitor"}
    assert result.differences == (
        RowDifference("entrance_counts_10s", {"window_start": "2025-11-18 16:00:00", **window}, 5, 3),
        RowDifference("entrance_counts_10s", {"window_start": "2025-11-18 16:00:10", **window}, 1, None),
    )
    object_ = json.loads(to_json(result))
    assert not object_["ok"]
    assert (object_["from"], object_["to"]) == ("2025-11-19T00:00:00+08:00", "2025-11-20T00:00:00+08:00")
    assert object_["views"]["entrance_counts_10s"] == {"compared": 2, "different": 2}
    assert object_["differences"][0] == {
        "view": "entrance_counts_10s", "window_start": "2025-11-18 16:00:00", **window, "published": 5, "recomputed": 3,
    }  # fmt: skip
    assert sentence(result) == (
        "DIFFERENT: 2025-11-19T00:00:00+08:00 – 2025-11-20T00:00:00+08:00, 9 views, 9 rows compared, "
        "2 differ from the passages."
    )
    drawn = io.StringIO()
    show(result, Console(file=drawn, width=120))
    assert "2025-11-18 16:00:10 person N1 in visitor 1 no row" in " ".join(drawn.getvalue().split())


def test_all_that_differ_are_counted_and_few_are_listed(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("counts_10s", *({"window_start": MIDNIGHT + n * 10_000} for n in range(25))))
    result = audit(reader)
    assert different(result) == {"entrance_counts_10s": 25}
    assert [each.key["window_start"][-5:] for each in result.differences] == [
        "00:00", "00:10", "00:20", "00:30", "00:40", "00:50", "01:00", "01:10", "01:20", "01:30",
    ]  # fmt: skip
    assert len(result.differences) == LISTED


ONE_MORE = Event(seq=2, ts=MIDNIGHT + 2)


def in_flight(server: Server, rows: Sequence[Block]) -> list[Block]:
    """Store the passages of a flush; return what it would write next."""
    server.write(*(each for each in rows if each.table == "deliveries"))
    return [each for each in rows if each.table != "deliveries"]


def progress(*, received: int, seconds: float = 0, cluster: str = "demo") -> Block:
    """Return how far a log is stored, so many seconds after midnight."""
    log = f"{cluster}/person.passages/0"
    at = MIDNIGHT + int(seconds * 1000)
    return block("log_progress", {"log": log, "cluster": cluster, "received": received, "complete_to": at})


def test_rows_on_their_way_are_no_difference(server: Server, reader: ClickHouseReader) -> None:
    rest = in_flight(server, rows_of([Event(ts=MIDNIGHT), ONE_MORE]))
    pauses = Pauses([lambda: server.write(*rest)])
    result = audit(reader, pauses=pauses)
    assert result.ok
    assert result.differences == ()
    assert result.views["entrance_counts_10s"].compared == 1
    assert pauses.seconds == [2.0]


def test_a_flush_that_hangs_is_waited_for(server: Server, reader: ClickHouseReader) -> None:
    rest = in_flight(server, rows_of([Event(ts=MIDNIGHT), ONE_MORE]))
    server.write(progress(received=0))

    def nothing() -> None:
        """Let time pass."""

    def its_end() -> None:
        server.write(*rest, progress(received=2, seconds=1))

    pauses = Pauses([nothing, nothing, its_end])
    assert audit(reader, pauses=pauses).ok
    assert pauses.seconds == [2.0, 0.25, 0.25]


def test_a_log_that_stands_still_is_not_waited_for_for_ever(server: Server, reader: ClickHouseReader) -> None:
    in_flight(server, rows_of([Event(ts=MIDNIGHT)]))
    server.write(progress(received=0))
    server.write(progress(received=0, cluster="gone", seconds=-3600))
    pauses = Pauses()
    assert different(audit(reader, pauses=pauses))["entrance_counts_10s"] == 1
    assert sum(pauses.seconds) == 3.0


def test_a_log_of_brokers_that_are_gone_is_not_waited_for(server: Server, reader: ClickHouseReader) -> None:
    in_flight(server, rows_of([Event(ts=MIDNIGHT)]))
    server.write(progress(received=0), progress(received=0, cluster="gone", seconds=-3600))
    pauses = Pauses([lambda: server.write(progress(received=0, seconds=1))])
    assert not audit(reader, pauses=pauses).ok
    assert pauses.seconds == [2.0]


def test_a_row_that_changes_meanwhile_is_not_judged(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("counts_10s", {"window_start": MIDNIGHT, "version": 1}))
    more = block("counts_10s", {"window_start": MIDNIGHT, "passages": 2, "version": 2})
    assert audit(reader, pauses=Pauses([lambda: server.write(more)])).ok
    assert not audit(reader).ok  # it rests now


def test_only_whole_windows_are_compared(server: Server, reader: ClickHouseReader) -> None:
    #  10 s       00:00:00   00:00:10 … 00:00:50   00:01:00   00:01:10 …  00:02:00
    #  from 00:00:05 ──┤          └───── whole ─────────────────────┘ ├── to 00:01:15
    #  the minutes 00:00 and 00:01 are both cut
    starts = range(MIDNIGHT, MIDNIGHT + 130_000, 10_000)
    server.write(block("counts_10s", *({"window_start": start} for start in starts)))
    server.write(block("counts_1m", *({"window_start": MIDNIGHT + n * 60_000} for n in range(3))))
    result = audit(reader, f"{DAY}T00:00:05", f"{DAY}T00:01:15")
    assert different(result) == {"entrance_counts_10s": 6}
    assert result.views["entrance_counts_1m"].compared == 0
    result = audit(reader, f"{DAY}T00:01", f"{DAY}T00:02:00")
    assert different(result) == {"entrance_counts_10s": 6, "entrance_counts_1m": 1, "entrance_outcomes_1m": 1}


def test_the_first_moment_is_in_and_the_last_is_out(server: Server, reader: ClickHouseReader) -> None:
    times = (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY_MS - 1, MIDNIGHT + DAY_MS)
    server.write(*rows_of([Event(seq=n, ts=ts) for n, ts in enumerate(times, start=1)]))
    result = audit(reader)
    assert result.ok
    assert result.views["entrance_counts_10s"].compared == 2
    assert result.views["entrance_totals"].compared == 1
    assert result.views["site_today"].compared == 1


@pytest.mark.parametrize(
    ("zone", "day_starts", "day", "half_hours"),
    [
        ("Europe/Berlin", 0, dt.date(2025, 3, 30), 46),
        ("Europe/Berlin", 0, dt.date(2025, 10, 26), 50),
        ("Europe/Berlin", 240, dt.date(2025, 10, 25), 50),
        ("Europe/Berlin", 150, dt.date(2025, 10, 26), 50),
        ("Asia/Kathmandu", 240, dt.date(2025, 10, 26), 48),
        ("Australia/Lord_Howe", 0, dt.date(2025, 4, 6), 49),
        ("Africa/Cairo", 0, dt.date(2025, 4, 25), 46),
        ("Asia/Beirut", 60, dt.date(2025, 3, 30), 48),
    ],
)
def test_a_day_on_which_the_clocks_change_is_a_whole_day(
    server: Server, reader: ClickHouseReader, client: Client, zone: str, day_starts: int, day: dt.date, half_hours: int
) -> None:
    here = ZoneInfo(zone)
    site, first = replace(small_site(zone), day_starts=day_starts), SiteDays(here, day_starts).begin(day)
    every_half_hour = [Event(seq=n + 1, ts=first + n * 1_800_000) for n in range(-4, half_hours + 4)]
    numbered = [replace(each, seq=n) for n, each in enumerate(every_half_hour, start=1)]
    server.write(*rows_of(numbered, zone=here, day_starts=day_starts))
    result = audit(reader, f"{day}", f"{day + dt.timedelta(1)}", site=site)
    assert result.ok
    assert result.views["entrance_counts_10s"].compared == half_hours
    assert result.views["entrance_totals"].compared == 1
    client.execute(changed("counts_day", "passages + 1 AS passages", f"WHERE day = '{day}'"))
    [wrong, _] = audit(reader, f"{day}", f"{day + dt.timedelta(1)}", site=site).differences
    assert (wrong.view, wrong.published, wrong.recomputed) == ("entrance_totals", half_hours + 1, half_hours)


def test_what_was_inside_before_the_interval_is_taken_as_it_is_shown(
    server: Server, reader: ClickHouseReader, client: Client
) -> None:
    server.write(*rows_of([Event(seq=n, ts=MIDNIGHT - 60_000 + n * 20_000) for n in range(1, 6)]))
    earlier = f"WHERE window_start < '{DAY - dt.timedelta(1)} 16:00:00'"
    client.execute(changed("area_flows_10s", "entered + 7 AS entered", earlier))
    result = audit(reader, f"{DAY}", f"{DAY}T00:01")
    assert different(result) == {"occupancy": 1}  # now, which is not a matter of the interval
    assert result.views["occupancy_history"].compared == 3


def test_an_absolute_correction_is_held_against_what_was_counted_by_hand(
    server: Server, reader: ClickHouseReader, client: Client
) -> None:
    server.write(*rows_of([Event(seq=n, ts=MIDNIGHT + n * 10_000) for n in range(1, 6)]))
    server.write(block("corrections", {"id": "a", "area": "venue", "ts": MIDNIGHT + 31_000, "absolute": 100}))
    assert audit(reader).ok
    fourth = f"WHERE window_start = '{DAY - dt.timedelta(1)} 16:00:40'"
    client.execute(changed("area_flows_10s", "entered + 1 AS entered", fourth))
    #  00:00:10   :20   :30 = 100   :40 + 1 (shown: + 2)   :50
    [wrong] = audit(reader).differences
    assert wrong.view == "occupancy_history"
    assert (wrong.key["window_start"], wrong.published, wrong.recomputed) == ("2025-11-18 16:00:40", 102, 101)


def test_an_entrance_that_left_the_profile_leaves_the_rest_comparable(
    server: Server, reader: ClickHouseReader, client: Client
) -> None:
    server.write(*rows_of([Event(ts=MIDNIGHT, entrance="N2", device="N2-L01")]))
    result = audit(reader)
    assert result.ok
    assert set(result.views) == {view.name for view in VIEWS} - {"site_today", "occupancy_history"}
    assert result.notes == (
        "site_today, occupancy_history cannot be recomputed: the site profile does not have the entrances N2",
    )
    client.execute(changed("counts_day", "passages + 1 AS passages", ""))
    assert different(audit(reader)) == {"entrance_totals": 1}


def test_an_interval_without_anything_says_so(server: Server, reader: ClickHouseReader) -> None:
    server.write(*rows_of([Event(ts=MIDNIGHT - 60_000)]))
    result = audit(reader, f"{DAY}T01:00", f"{DAY}T02:00")
    assert result.ok
    assert result.views["entrance_counts_10s"].compared == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [("2025-11-19", "2025-11-18"), ("2025-11-19", "2025-11-19"), ("2025-11-19T00:00:01", "2025-11-19T00:00:19")],
)
def test_an_interval_without_a_whole_window_is_refused(start: str, end: str) -> None:
    with pytest.raises(IntervalError, match=r"no whole window of 10 s in it; let --to be later"):
        Interval(moment(start, DAYS), moment(end, DAYS), DAYS)


def test_a_time_is_the_sites_unless_it_says_otherwise() -> None:
    assert moment("2025-11-19T08:00", DAYS) == moment("2025-11-19T00:00Z", DAYS)
    assert moment("2025-11-19", DAYS) == moment("2025-11-18T16:00+00:00", DAYS)
    with pytest.raises(IntervalError, match=r"'noon' is not a time; expected one like 2026-11-05"):
        moment("noon", DAYS)


def test_what_came_through_two_logs_is_not_settled_yet_and_equal_after(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    events = [Event(seq=n, ts=MIDNIGHT + n * 60_000) for n in range(1, 11)]
    deliveries = [
        Delivery(event, partition, event.ts + partition) for event in events for partition in (0, 1)
    ]  # fmt: skip
    server.write(*stored_of(logs_of(deliveries)))
    result = audit(reader)
    assert (result.ok, result.unsettled) == (False, 10)
    assert different(result) == {"passages": 1}
    assert sentence(result).startswith("NOT SETTLED YET: 2025-11-19T00:00:00+08:00")
    assert json.loads(to_json(result))["unsettled"] == 10
    settle(address)
    result = audit(reader)
    assert (result.ok, result.unsettled) == (True, 0)


def test_what_is_lost_for_good_is_named_by_log_and_day_and_makes_nothing_different(
    stored: Server, reader: ClickHouseReader, client: Client
) -> None:
    del stored
    noon = dt.datetime.combine(DAY, dt.time(4), dt.UTC)  # in Shanghai
    rows = [("a", "turnstile.passages", "t/1", 1_200, noon), ("b", "turnstile.passages", "t/1", 30, noon),
            ("c", "vehicle.passages", "v/0", 8, noon), ("d", "vehicle.passages", "v/0", 5, noon - dt.timedelta(2)),
            ("e", "vehicle.passages", "v/0", 0, noon)]  # fmt: skip
    client.execute(
        "INSERT INTO gatepulse_store.losses (id, topic, log, records, site_from, site_to, from_day, to_day) VALUES",
        [(*row, row[-1], row[-1].date(), row[-1].date()) for row in rows],
    )
    try:
        result = audit(reader)
        assert (result.ok, result.different) == (True, 0)
        assert [(each.log, each.kind, each.days, each.records) for each in result.lost] == [
            ("t/1", "person", f"{DAY}", 1_230),
            ("v/0", "vehicle", f"{DAY}", 8),
        ]
        assert f"incomplete: t/1 lost 1,230 records of {DAY}" in result.notes
        assert sentence(result).startswith("EQUAL: ")
        assert sentence(result).endswith(" INCOMPLETE: 1,238 records are lost for good.")
        assert [each["records"] for each in json.loads(to_json(result))["lost"]] == [1_230, 8]
    finally:
        client.execute("TRUNCATE TABLE gatepulse_store.losses")
    assert "INCOMPLETE" not in sentence(audit(reader))
