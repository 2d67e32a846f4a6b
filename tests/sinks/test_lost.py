"""Figures report how many records are lost for good, by day and kind, and by area since its last correction."""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from clickhouse_driver import Client

from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.columns import Block
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.takeup import Problem
from streams.sources.tables import Loss, SiteTime, SourceTables, StoredPartition, StoredProblem
from tests.sinks.test_occupancy import correction
from tests.sinks.test_views import DAY, sorted_rows
from tests.support.rows import NOON, TODAY, block
from tests.support.stores import Server

HOUR = 3_600_000
UTC_DAYS = SiteDays(ZoneInfo("UTC"))
UTC = SiteTime(UTC_DAYS, SiteClock())
SHANGHAI = SiteDays(ZoneInfo("Asia/Shanghai"), 240)
TURNSTILES, VEHICLES, CORRECTIONS = "turnstile.passages", "vehicle.passages", "corrections"
LOSS = Loss(
    TURNSTILES, 1, "demo-1/turnstile.passages/1", "records-deleted", first=0, after=1_200, records=1_200,
    from_ts=NOON - HOUR, to_ts=NOON, accepted_at=NOON + HOUR, actor="duty", reason="the disk was full",
)  # fmt: skip


def loss(records: int, *, hours: float = 0.0, topic: str = TURNSTILES) -> Loss:
    """Return a loss of records of which the last arrived so many hours after noon."""
    end = NOON + round(hours * HOUR)
    return replace(LOSS, topic=topic, log=f"{topic}/{hours}/{records}", records=records, from_ts=end - 1000, to_ts=end)


def note(address: StoreAddress, *losses: Loss, time: SiteTime = UTC) -> None:
    with SourceTables(address, "demo-1", "operator", time) as notes:
        notes.write_losses(losses)


def today(reader: ClickHouseReader) -> list[tuple[object, ...]]:
    return sorted_rows(reader, "day, kind, entries, lost", "site_today")


def inside(reader: ClickHouseReader) -> dict[str, int]:
    """Return by how many each area may be off."""
    return dict(sorted_rows(reader, "concat(area, ' ', kind), lost", "occupancy"))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        # 11:00 to 12:00 UTC
        (UTC, (DAY, DAY)),
        # 19:00 to 20:00 in Shanghai, where a day begins at 04:00: ten hours later it is 05:00 to 06:00 of the next one
        (SiteTime(SHANGHAI, SiteClock()), (DAY, DAY)),
        (SiteTime(SHANGHAI, SiteClock(10 * HOUR)), (DAY + dt.timedelta(1), DAY + dt.timedelta(1))),
        # 03:30 to 04:30: the night before, and the day
        (SiteTime(SHANGHAI, SiteClock(8 * HOUR + HOUR // 2)), (DAY, DAY + dt.timedelta(1))),
        # a demonstration in which that hour is a day and a quarter
        (SiteTime(UTC_DAYS, SiteClock(NOON - HOUR, NOON - HOUR, speed=30.0)), (DAY, DAY + dt.timedelta(1))),
    ],
)
def test_a_loss_concerns_the_sites_own_days(
    address: StoreAddress, reader: ClickHouseReader, time: SiteTime, expected: tuple[dt.date, dt.date]
) -> None:
    note(address, LOSS, time=time)
    assert sorted_rows(reader, "kind, from_day, to_day", "losses") == [("person", *expected)]
    begin, end = (time.clock.now(ms) for ms in (LOSS.from_ts, LOSS.to_ts))
    [found] = sorted_rows(reader, "toUnixTimestamp64Milli(site_from), toUnixTimestamp64Milli(site_to)", "losses")
    assert found == (begin, end)
    assert [row[0] for row in today(reader)] == sorted(set(expected))


def test_a_clock_that_went_back_between_the_ends_of_a_loss_makes_no_days_out_of_order(
    address: StoreAddress, reader: ClickHouseReader
) -> None:
    note(address, replace(LOSS, from_ts=NOON, to_ts=NOON - 48 * HOUR))
    assert today(reader) == [(DAY, "person", 0, 1_200)]


def test_a_day_says_what_it_lacks_of_each_kind_even_if_nothing_was_counted(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    server.write(block("counts_day", {"passages": 9}, {"passages": 7, "day": TODAY - 1}))
    assert [row[-1] for row in today(reader)] == [0, 0]
    over_midnight = replace(loss(40, hours=13), from_ts=NOON + 11 * HOUR)
    note(address, loss(1_200), loss(300, hours=1), loss(8, topic=VEHICLES), over_midnight)
    note(address, loss(1_200))  # accepted once more
    note(address, loss(0, hours=2), loss(5, topic=CORRECTIONS))  # how many, nobody knows; and no passages
    assert today(reader) == [
        (DAY - dt.timedelta(1), "person", 7, 0),
        (DAY, "person", 9, 1_540),
        (DAY, "vehicle", 0, 8),
        (DAY + dt.timedelta(1), "person", 0, 40),
    ]


def test_who_is_inside_is_uncertain_until_an_area_is_counted_by_hand(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    server.write(
        block("site_areas", {"area": "hall"}, {"area": "yard"}, {"area": "yard", "kind": "vehicle"}),
        block(
            "corrections",
            correction(-HOUR / 1000, "a", absolute=50),  # before the loss
            correction(60, "b", delta=3),
        ),
    )
    note(address, loss(1_200), loss(8, topic=VEHICLES), loss(1, hours=1, topic=CORRECTIONS))
    assert inside(reader) == {"hall person": 1_201, "yard person": 1_201, "yard vehicle": 9}
    server.write(block("corrections", correction(70, "c", absolute=60)))
    assert inside(reader) == {"hall person": 1, "yard person": 1_201, "yard vehicle": 9}
    server.write(
        block("corrections", correction(2 * HOUR / 1000, "d", absolute=60), correction(0, "e", absolute=1, area="yard"))
    )
    assert inside(reader) == {"hall person": 0, "yard person": 1, "yard vehicle": 9}


def test_a_count_by_hand_at_the_end_of_whose_window_the_loss_still_went_on_says_nothing_of_it(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    server.write(block("corrections", correction(0, "a", absolute=50)))
    note(address, loss(4, hours=10 / 3600))  # the window ends at 12:00:10
    assert inside(reader) == {"hall person": 4}


def test_a_loss_that_an_older_version_noted_has_a_kind_and_the_days_of_utc(
    client: Client, reader: ClickHouseReader
) -> None:
    client.execute(
        "INSERT INTO gatepulse_store.losses (id, topic, records, from_ts, to_ts) VALUES",
        [
            (
                "old",
                VEHICLES,
                3,
                dt.datetime(2025, 10, 19, 12, tzinfo=dt.UTC),
                dt.datetime(2025, 10, 19, 13, tzinfo=dt.UTC),
            )
        ],
    )
    assert today(reader) == [(DAY, "vehicle", 0, 3)]


def update_recovered(address: StoreAddress) -> None:
    with SourceTables(address, "demo-1", "worker-1", UTC) as notes:
        notes.update_recovered()


def progress(log: str, first: int, after: int, *, partition: int = 1) -> Block:
    return block(
        "log_progress",
        {"log": log, "partition": partition, "first_offset": first, "next_offset": after, "records": after - first},
    )


@pytest.mark.parametrize(
    ("logs", "recovered"),
    [
        ([], 0),
        ([("@id", 0, 300)], 0),  # the log that ended where the loss begins
        ([("@id", 0, 300), ("@id+1500", 1500, 9000)], 0),  # and the one that begins behind it
        ([("@id", 0, 9000)], 1200),  # the brokers have the records again, and all was counted anew
        ([("@id+400", 400, 9000), ("@id+1500", 1500, 9000)], 1100),
        ([("@id", 0, 700)], 400),
        ([("@id~1", 0, 9000), ("@other", 0, 9000), ("", 0, 9000)], 0),  # other records under the same offsets
    ],
)
def test_what_is_counted_after_all_is_lost_no_more(
    address: StoreAddress,
    server: Server,
    reader: ClickHouseReader,
    logs: Sequence[tuple[str, int, int]],
    recovered: int,
) -> None:
    one = "demo-1/turnstile.passages/1"
    server.write(*(progress(f"{one}{suffix}", first, after) for suffix, first, after in logs))
    server.write(progress("demo-1/turnstile.passages/2@id", 0, 9000, partition=2))
    note(address, replace(LOSS, log=f"{one}@id", first=300, after=1500))
    for _ in range(2):
        update_recovered(address)
        assert sorted_rows(reader, "records, recovered", "losses") == [(1200 - recovered, recovered)]
    assert [row[-1] for row in today(reader)] == ([1200 - recovered] if recovered < 1200 else [])
    assert sum(inside(reader).values()) == 0  # no area is known


def test_what_is_counted_bit_by_bit_is_recovered_bit_by_bit(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    note(address, replace(LOSS, log="demo-1/turnstile.passages/1@id", first=300, after=1500), loss(7, topic=VEHICLES))
    for after, recovered in ((200, 0), (400, 100), (1000, 700), (9000, 1200)):
        server.write(progress("demo-1/turnstile.passages/1@id", 0, after))
        update_recovered(address)
        assert sorted_rows(reader, "kind, records, recovered, actor", "losses") == [
            ("person", 1200 - recovered, recovered, "duty"), ("vehicle", 7, 0, "duty"),
        ]  # fmt: skip


def test_an_offset_gap_is_never_recovered_by_the_log_that_passes_over_it(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    server.write(progress("demo-1/turnstile.passages/1@id", 0, 9000))
    note(address, replace(LOSS, log="demo-1/turnstile.passages/1@id", problem="offset-gap"))
    update_recovered(address)
    assert sorted_rows(reader, "records, recovered", "losses") == [(1200, 0)]


def test_what_a_log_passed_over_is_not_recovered(
    address: StoreAddress, server: Server, reader: ClickHouseReader
) -> None:
    server.write(
        block(
            "log_progress",
            {
                "log": "demo-1/turnstile.passages/1@id",
                "partition": 1,
                "next_offset": 9000,
                "records": 8000,
                "lost": 1000,
            },
        )
    )
    note(address, replace(LOSS, log="demo-1/turnstile.passages/1@id", first=300, after=1500))
    update_recovered(address)
    assert sorted_rows(reader, "records, recovered", "losses") == [(1000, 200)]


def test_problems_of_brokers_that_were_replaced_are_over(address: StoreAddress, reader: ClickHouseReader) -> None:
    problem = StoredProblem(TURNSTILES, 1, Problem.RECORDS_DELETED, "log", 0, 9, NOON)
    with SourceTables(address, "old", "worker-1", UTC) as old, SourceTables(address, "new", "worker-1", UTC) as new:
        old.write_problems([problem], resolved=False)
        assert sorted_rows(reader, "cluster", "source_problems") == [("old",)]
        time.sleep(0.01)  # the store's clock tells which was the last
        new.write_partitions([StoredPartition(TURNSTILES, 0, "id", 0, 0, True, NOON)])
        assert sorted_rows(reader, "cluster", "source_problems") == []
        time.sleep(0.01)
        new.write_problems([replace(problem, problem=Problem.TOPIC_MISSING, partition=-1)], resolved=False)
        assert sorted_rows(reader, "cluster, problem", "source_problems") == [("new", "topic-missing")]


def test_a_problem_that_only_another_version_knows_ends_nobody(address: StoreAddress, client: Client) -> None:
    client.execute(
        "INSERT INTO gatepulse_store.source_problems (cluster, topic, partition, problem) VALUES",
        [("demo-1", TURNSTILES, 0, "too-beautiful"), ("demo-1", TURNSTILES, 1, "compacted")],
    )
    with SourceTables(address, "demo-1", "worker-1", UTC) as notes:
        assert [each.problem for each in notes.problems()] == [Problem.COMPACTED]
