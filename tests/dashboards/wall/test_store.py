"""The wall reads from a real store, as the reader user, what was stored."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.sync_api import Page

from dashboards.wall.http.run import store_source
from dashboards.wall.live.queries import ACKNOWLEDGEABLE
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import (
    AreaRow,
    ChangeRow,
    DeviceRow,
    EntranceTotalRow,
    FlowRow,
    ForecastRow,
    InsideRow,
    QueueRow,
    StepRow,
    Stretch,
    TodayRow,
)
from dashboards.wall.model.snapshot import snapshot_of
from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import ClickHouseSink, StoreAddress
from sinks.rows import TABLES
from sinks.sink import StoreRefused
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.columns import Block
from streams.kernels.counts.site_clock import SiteClock
from streams.site.screens import Screen, Tile
from tests.support.wall_site import SITE, at, gate
from tests.support.wall_sources import until, wall

NOW = at("12:00:30")
DAY = at("08:00:00") // 86_400_000
HOUR = 3_600_000
PERSONS, VEHICLES = "live/turnstile.passages/0", "live/vehicle.passages/0"
ALARMS = "live/alarm.inputs/0"
_NUMBERS = ("first_offset", "records", "lost", "tail", "closed")


@dataclass(frozen=True)
class Store:
    """A server with the schema and these rows, written the way a worker writes them."""

    owner: StoreAddress
    reader: StoreAddress

    def write(self, table: str, *rows: dict[str, Any]) -> None:
        """Store rows; columns that they leave out are NULL."""
        columns = {
            name: [row.get(name, 0 if name in _NUMBERS else None) for row in rows] for name in TABLES[table].columns
        }
        with ThreadPoolExecutor(1) as thread:  # see the browser's fixture
            thread.submit(lambda: asyncio.run(self._write(Block(table, columns)))).result()

    async def _write(self, block: Block) -> None:
        sink = ClickHouseSink(self.owner)
        await sink.write([block])
        await sink.close()

    def progress(self, complete_to: int, *, rejected: int = 0) -> None:
        """Store that all logs are complete to a real time."""
        for name in (PERSONS, VEHICLES, ALARMS):
            cluster, topic, partition = name.split("/")
            self.write(
                "log_progress",
                {"log": name, "cluster": cluster, "topic": topic, "partition": int(partition), "next_offset": 9,
                 "received": 9, "counted": 9, "duplicate": 0, "late": 0, "rejected": rejected,
                 "complete_to": complete_to, "worker": "w"},
            )  # fmt: skip


@pytest.fixture
def store(address: StoreAddress, clickhouse: EmbeddedClickHouse) -> Store:
    """Return a store with the schema, empty."""
    return Store(address, clickhouse.address.reader)


def counts(entrance: str, direction: str, passages: int, **other: Any) -> dict[str, Any]:
    kind = SITE.entrance(entrance).kind
    cell = {"kind": kind, "entrance": entrance, "direction": direction, "outcome": "passed", "category": "visitor"}
    source = {"log": VEHICLES if kind == "vehicle" else PERSONS, "segment": 0, "version": 9}
    return cell | source | {"passages": passages} | other


def seed(store: Store) -> None:
    """Store a morning: 30 minutes ago 70 came in by N1, in the last minutes some more, 37 of N1-L01 are missing."""
    store.write("site_areas", *({"area": area.id, "kind": kind, "capacity": area.capacity.get(kind), "loaded_at": NOW}
                                for area in SITE.areas for kind in area.kinds))  # fmt: skip
    day = {"day": DAY, "boundary": 1, "anonymous": 0}
    store.write(
        "counts_day",
        counts("N1", "in", 80, **day), counts("N1", "in", 5, **day | {"segment": 1, "anonymous": 2}),
        counts("N2", "in", 20, **day), counts("N2", "out", 10, **day), counts("H1", "in", 40, **day | {"boundary": 0}),
        counts("P1", "in", 7, **day), counts("N1", "in", 9, **day | {"outcome": "denied"}),
        counts("N1", "in", 999, **day | {"day": DAY - 1}),
    )  # fmt: skip
    store.write(
        "counts_1m",
        counts("N1", "in", 70, window_start=at("11:30:00")), counts("N1", "in", 10, window_start=at("11:57:00")),
        counts("N1", "in", 5, window_start=at("11:59:00"), segment=1),
        counts("N2", "in", 20, window_start=at("11:58:00")),
        counts("N2", "out", 10, window_start=at("11:59:00")), counts("N2", "in", 9, window_start=at("12:00:00")),
        counts("N1", "in", 6, window_start=at("09:00:00")), counts("P1", "in", 7, window_start=at("11:59:00")),
    )  # fmt: skip
    flow: dict[str, Any] = {"log": PERSONS, "kind": "person", "departed": 0, "version": 9}
    flows = (
        flow | {"area": "venue", "window_start": at("09:00:10"), "entered": 6, "last_ts": at("09:00:12")},
        flow | {"area": "venue", "window_start": at("11:30:10"), "entered": 70, "last_ts": at("11:30:12")},
        flow | {"area": "venue", "window_start": at("11:59:50"), "entered": 29, "departed": 50,
                "last_ts": at("11:59:59")},
        flow | {"area": "hall", "window_start": at("11:59:50"), "entered": 40, "last_ts": at("11:59:58")},
        flow | {"area": "park", "window_start": at("11:59:00"), "entered": 7, "last_ts": at("11:59:03"),
                "kind": "vehicle", "log": VEHICLES},
    )  # fmt: skip
    rows = [row | {"segment": n} for n, row in enumerate(flows)]
    store.write("area_flows_10s", *rows)
    store.write("area_flows_1h", *(row | {"window_start": row["window_start"] // HOUR * HOUR} for row in rows))
    store.write("entered", *({"day": DAY, "kind": "person", "credential": f"c{n}"} for n in range(61)))
    device = {"log": PERSONS, "epoch": 0, "last_ts": NOW, "last_seen": NOW, "version": 9}
    store.write(
        "devices",
        device | {"device": "N1-L01", "entrance": "N1", "ranges": [(1, 50), (88, 100)], "last_seq": 100},
        device | {"device": "N2-L01", "entrance": "N2", "ranges": [(1, 30)], "last_seq": 30},
        device | {"device": "P1-L01", "entrance": "P1", "ranges": [(1, 7)], "last_seq": 7, "log": VEHICLES},
    )  # fmt: skip
    store.progress(NOW - 800, rejected=1)


OPTIONS = WallOptions(clock=SiteClock(), language="en")


def test_a_round_brings_what_was_stored(store: Store) -> None:
    seed(store)
    edges = enumerate((("11:55:00", 3), ("11:54:00", 4), ("11:53:00", 5)), start=1)
    store.write(
        "counts_1m",
        *(counts("N2", "in", passages, window_start=at(minute), segment=n) for n, (minute, passages) in edges),
    )
    source = store_source(store.reader, SITE, OPTIONS)
    found = source.read(NOW)
    assert sorted(found.today) == [TodayRow("person", 105, 10, 61, 2), TodayRow("vehicle", 7, 0, 0, 0)]
    assert sorted(found.areas) == [
        AreaRow("hall", "person", at("11:59:58"), 40, 200),
        AreaRow("park", "vehicle", at("11:59:03"), 7, 50),
        AreaRow("venue", "person", at("11:59:59"), 55, 1000),
    ]
    assert sorted(found.totals) == [
        EntranceTotalRow("H1", "in", 40),
        EntranceTotalRow("N1", "in", 85),
        EntranceTotalRow("N2", "in", 20),
        EntranceTotalRow("N2", "out", 10),
        EntranceTotalRow("P1", "in", 7),
    ]
    assert sorted(found.flows) == [
        # minute 11:59, before it 11:54-11:58, five minutes 11:55-11:59, hour, its first minute
        FlowRow("N1", "in", 5, 10, 15, 85, at("11:30:00")), FlowRow("N2", "in", 0, 27, 23, 32, at("11:53:00")),
        FlowRow("N2", "out", 10, 0, 10, 10, at("11:59:00")), FlowRow("P1", "in", 7, 0, 7, 7, at("11:59:00")),
    ]  # fmt: skip
    assert DeviceRow("N1-L01", "N1", 37, NOW) in found.devices
    picture = snapshot_of(found, SITE, OPTIONS)
    assert (picture.age_ms, picture.health.missing, picture.health.rejected) == (800, 37, 3)
    assert gate("N1", picture).flow_in == 3.0
    source.close()


def test_the_trend_has_the_steps_of_the_day_and_what_was_inside_before_them(store: Store) -> None:
    seed(store)
    store.write(
        "counts_1m",
        counts("N1", "in", 3, window_start=at("06:10:00")), counts("H1", "in", 40, window_start=at("11:59:00")),
        counts("N1", "in", 44, window_start=at("11:30:00", "2026-11-06")),
    )  # fmt: skip
    source = store_source(store.reader, SITE, OPTIONS)
    (found,) = source.read_trend(source.read(NOW).span)
    assert found.span.trend == Stretch(at("07:00:00"), at("21:00:00"))  # an hour around opening
    assert sorted(found.steps) == [
        StepRow(at("09:00:00"), "in", "visitor", 6), StepRow(at("11:30:00"), "in", "visitor", 70),
        StepRow(at("11:55:00"), "in", "visitor", 35), StepRow(at("11:55:00"), "out", "visitor", 10),
    ]  # fmt: skip
    assert sorted(found.inside) == [
        InsideRow("hall", at("11:55:00"), 40),
        InsideRow("venue", at("09:00:00"), 6),
        InsideRow("venue", at("11:30:00"), 76),
        InsideRow("venue", at("11:55:00"), 55),
    ]
    assert found.before == [StepRow(at("11:30:00", "2026-11-06"), "in", "visitor", 44)]
    assert found.inside_before == []
    source.close()


def test_an_area_has_a_trend_of_its_own_from_the_doors_that_lead_into_it(store: Store) -> None:
    seed(store)
    store.write(
        "counts_1m",
        counts("H1", "in", 40, window_start=at("11:50:00")), counts("H1", "out", 5, window_start=at("11:51:00")),
    )  # fmt: skip
    of_hall = Screen("hall", SITE.title, {"T": Tile("trend", "", "hall")}, ("T",), ("T",))
    of_venue = Screen("venue", SITE.title, {"T": Tile("trend", "", "venue")}, ("T",), ("T",))
    site = replace(SITE, screens=(of_hall, of_venue))
    source = store_source(store.reader, site, OPTIONS)
    hall, venue = source.read_trend(source.read(NOW).span)
    assert sorted(hall.steps) == [
        StepRow(at("11:50:00"), "in", "visitor", 40), StepRow(at("11:50:00"), "out", "visitor", 5),
    ]  # fmt: skip
    assert StepRow(at("11:50:00"), "out", "visitor", 40) in venue.steps
    assert {row.area for row in venue.inside} == {"venue"}
    source.close()


def test_queues_come_as_the_newest_of_each_entrance(store: Store) -> None:
    seed(store)
    row = {"entrance": "N1", "lanes": 2, "saturated_for": 0, "wait": 4.5, "wait_low": 3.0, "wait_high": 7.0}
    store.write(
        "entrance_queues",
        row | {"at": at("11:59:00")}, row | {"at": at("11:58:00"), "wait": 99.0}, row | {"at": at("11:40:00")},
        {"entrance": "N2", "at": at("11:59:00"), "lanes": 1, "saturated_for": 9},
    )  # fmt: skip
    source = store_source(store.reader, SITE, OPTIONS)
    found = source.read(NOW)
    assert sorted(found.queues) == [
        QueueRow("N1", at("11:59:00"), 2, 4.5, 3.0, 7.0), QueueRow("N2", at("11:59:00"), 1, None, None, None),
    ]  # fmt: skip
    source.close()


def change(name: str, number: int, **given: Any) -> dict[str, Any]:
    usual = {
        "episode": name, "rule": "entrance-overload", "subject": "N1", "kind": "", "zone": "Z", "level": "orange",
        "state": "raised", "what": "raised", "change": number, "value": 12.5, "limit": 11.0, "unit": "persons/min/lane",
        "raised_at": NOW - 60_000, "changed_at": NOW - 60_000 + number, "actor": "", "detail": "", "log": ALARMS,
    }  # fmt: skip
    return usual | given


def test_the_strip_has_what_is_open_and_what_is_over_but_not_acknowledged(store: Store) -> None:
    seed(store)
    over = {"state": "cleared-unacknowledged", "what": "cleared", "cleared_at": NOW - 1000}
    store.write(
        "alarm_changes",
        change("open", 1), change("open", 2, level="red", what="escalated", value=20.25),
        change("taken", 1), change("taken", 2, state="acknowledged", acknowledged_at=NOW, actor="张三"),
        change("over", 1), change("over", 2, **over),
        change("done", 1), change("done", 2, **over | {"state": "cleared"}),
        change("later", 1), change("later", 2, **over), change("later", 3, **over | {"state": "cleared"}),
    )  # fmt: skip
    source = store_source(store.reader, SITE, OPTIONS)
    found = source.read(NOW)
    assert found.episodes is not None
    rows = {row.episode: row for row in found.episodes}
    assert rows.keys() == {"open", "taken", "over"}
    assert rows["open"] == Episode(
        "open", "entrance-overload", "N1", "", "Z", "red", "raised", "escalated", 2, 20.25, 11.0, "persons/min/lane",
        NOW - 60_000, NOW - 60_000 + 2,
    )  # fmt: skip
    assert (rows["taken"].state, rows["taken"].actor) == ("acknowledged", "张三")
    assert (rows["over"].state, rows["over"].cleared_at) == ("cleared-unacknowledged", NOW - 1000)
    strip = snapshot_of(found, SITE, OPTIONS).strip
    assert (strip.watch, strip.age_ms, [each.episode for each in strip.alarms]) == (
        "ok",
        800,
        ["open", "taken", "over"],
    )
    assert source.read_changes("open") == [ChangeRow(1, "orange", "raised", ""), ChangeRow(2, "red", "raised", "")]
    assert source.read_changes("' OR 1=1 --") == []
    source.close()


def test_cleared_alarms_that_nobody_can_acknowledge_any_more_are_not_shown(store: Store) -> None:
    seed(store)
    old = {"state": "cleared-unacknowledged", "cleared_at": NOW}
    store.write(
        "alarm_changes",
        *(change(f"old-{n}", 1, raised_at=NOW - 10_000 + n, **old) for n in range(ACKNOWLEDGEABLE + 9)),
        *(change(f"open-{n}", 1, raised_at=NOW - 90_000) for n in range(ACKNOWLEDGEABLE + 9)),
    )
    source = store_source(store.reader, SITE, OPTIONS)
    found = [row.episode for row in source.read(NOW).episodes or ()]
    assert sum(name.startswith("open") for name in found) == ACKNOWLEDGEABLE + 9
    assert sorted(int(name[4:]) for name in found if name.startswith("old")) == list(range(9, ACKNOWLEDGEABLE + 9))
    source.close()


def test_forecasts_come_as_the_newest_of_each_area_kind_and_level(store: Store) -> None:
    seed(store)
    row = {"area": "hall", "kind": "person", "level": 80, "capacity": 200, "inside": 40, "method": "flows"}
    store.write(
        "forecasts",
        row | {"at": NOW - 60_000, "minutes": 30, "earliest": 20, "latest": 50},
        row | {"at": NOW, "minutes": 25, "earliest": 18, "latest": None},
        row | {"at": NOW, "level": 90, "minutes": None, "earliest": None, "latest": None},
    )
    source = store_source(store.reader, SITE, OPTIONS)
    assert sorted(source.read(NOW).forecasts, key=lambda row: row.level) == [
        ForecastRow("hall", "person", 80, NOW, 25, 18, None),
        ForecastRow("hall", "person", 90, NOW, None, None, None),
    ]
    source.close()


def test_a_store_with_an_older_schema_has_its_figures_and_no_more(store: Store, altered: Callable[[str], None]) -> None:
    seed(store)
    for view in ("alarm_episodes", "forecasts"):
        altered(f"DROP VIEW gatepulse.{view} SYNC")
    source = store_source(store.reader, SITE, OPTIONS)
    found = source.read(NOW)
    assert (found.episodes, found.forecasts, len(found.today)) == (None, (), 2)
    assert snapshot_of(found, SITE, OPTIONS).strip.watch == "no-view"

    altered("CREATE VIEW gatepulse.alarm_episodes AS SELECT 1 AS one")  # there, but not what it should be
    with pytest.raises(StoreRefused):
        source.read(NOW)
    source.close()


def test_an_empty_store_is_unknown_throughout(store: Store) -> None:
    source = store_source(store.reader, SITE, OPTIONS)
    picture = snapshot_of(source.read(NOW), SITE, OPTIONS)
    assert (picture.age_ms, picture.today["person"].entries, picture.health.missing) == (None, None, None)
    source.close()


def test_the_page_shows_the_stores_numbers(store: Store, page: Page) -> None:
    seed(store)
    real = time.time_ns() // 1_000_000
    store.progress(real + 60_000)  # stored into the future, so that nothing is stale while we look
    options = replace(OPTIONS, clock=SiteClock(NOW - 61_000, real), stale_after_ms=3_600_000)
    source = store_source(store.reader, SITE, options)
    with wall(source, options) as running:
        page.goto(running.url)
        page.wait_for_selector("html[data-fresh='ok']")
        names = ("person.entries", "person.distinct", "vehicle.entries", "person.inside", "person.entered")
        shown = {name: page.locator(f"[data-figure='{name}']").inner_text() for name in names}
        assert shown == dict(zip(names, ("105", "61", "7", "95", "5"), strict=True))
        assert "37 missing" in page.locator(".row[data-entrance='N1'] .name").inner_text()
        assert page.locator(".row[data-entrance='N1'] .flow").inner_text() == "3"


def test_a_wall_that_the_store_refuses_says_so_and_stays_up(store: Store) -> None:
    wrong = replace(store.reader, password="wrong")  # noqa: S106 - that it is wrong is the point
    options = replace(OPTIONS, period_s=0.05)
    with wall(store_source(wrong, SITE, options), options) as running:
        until(lambda: running.feed.newest.beat.snapshot.store == "lost")
        lost = running.feed.newest.beat.number
        until(lambda: running.feed.newest.beat.number > lost + 2)


def test_a_store_that_goes_away_leaves_its_last_figures_until_it_is_back(
    store: Store, clickhouse: EmbeddedClickHouse
) -> None:
    seed(store)
    real = time.time_ns() // 1_000_000
    store.progress(real)
    options = replace(OPTIONS, period_s=0.05, clock=SiteClock(NOW, real))
    with wall(store_source(store.reader, SITE, options), options) as running:
        until(lambda: running.feed.newest.beat.snapshot.store == "ok")
        clickhouse.stop()
        try:
            until(lambda: running.feed.newest.beat.snapshot.store == "lost")
            assert running.feed.newest.beat.snapshot.today["person"].entries == 105
        finally:
            clickhouse.start()
            clickhouse.wait_ready()
        until(lambda: running.feed.newest.beat.snapshot.store == "ok")
