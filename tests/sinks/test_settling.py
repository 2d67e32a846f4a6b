"""An event counts once, through however many logs it came; conflicting contents are reported."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sinks.clickhouse import ClickHouseReader, StoreAddress
from sinks.rows import TABLES
from streams.kernels.counts.columns import Block
from streams.kernels.counts.identity import MOST_MISSING
from streams.kernels.counts.passages import PassageLog
from streams.worker.settling import Settling, Work
from tests.support.deliveries import SITE, Delivery, logs_of, settle, shown, stored, truth
from tests.support.events import HORIZON, NINE, Event
from tests.support.rows import block
from tests.support.stores import Server


def lane(first: int, last: int, *, partition: int, after: int = 0, **other: Any) -> list[Delivery]:
    """Return passages of one lane, ten seconds apart, that arrive one after the other."""
    return [
        Delivery(
            Event(seq=n, ts=NINE + n * 10_000, credential=f"c{n}", **other), partition, NINE + n * 10_000 + 500 + after
        )
        for n in range(first, last + 1)
    ]


def test_what_comes_again_through_another_partition_counts_once(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = [*lane(1, 20, partition=0), *lane(16, 20, partition=2, after=60_000)]
    server.write(*stored(logs_of(deliveries)))
    assert reader.query("SELECT sum(passages) FROM gatepulse.entrance_totals") == [(25,)]
    assert reader.query("SELECT device, events, logs FROM gatepulse.unsettled") == [("N1-L01", 5, 2)]
    assert settle(address) == 5
    assert shown(reader) == truth(deliveries)
    assert reader.query("SELECT * FROM gatepulse.unsettled") == []
    assert settle(address) == 0


def story(seed: int) -> list[Delivery]:
    """Draw events of some lanes, and deliveries of each through some partitions; now and then with other content."""
    draw = np.random.default_rng(seed)
    deliveries = []
    for seq in range(1, 61):
        device, entrance = [("N1-L01", "N1"), ("N2-L01", "N2"), ("H1-L01", "H1")][seq % 3]
        outcome = str(draw.choice(["passed", "passed", "passed", "granted", "denied"]))
        event = Event(
            seq=(seq + 2) // 3, device=device, ts=NINE + seq * 7_000, entrance=entrance,
            direction=str(draw.choice(["in", "out"])), outcome=outcome, credential=str(draw.choice(["", "anna", "bo"])),
            reason=str(draw.choice(["ticket", "health"])) if outcome == "denied" else "",
        )  # fmt: skip
        arrived = event.ts + (HORIZON + 5_000_000 if draw.random() < 0.1 else 500)
        for n in range(int(draw.choice([1, 1, 2, 3]))):
            other: dict[str, Any] = (
                {"entrance": "N2", "credential": "cy", "direction": "in"} if draw.random() < 0.15 and n else {}
            )
            delay = int(draw.integers(0, 900_000)) if n else 0
            deliveries.append(Delivery(replace(event, **other), int(draw.integers(0, 3)), arrived + delay))
    return deliveries


@pytest.mark.parametrize("seed", range(4))
def test_any_assignment_to_partitions_ends_in_the_same_figures(
    server: Server, reader: ClickHouseReader, address: StoreAddress, seed: int
) -> None:
    deliveries = story(seed)
    draw = np.random.default_rng(seed)
    # What arrives is stored by and by, a partition ahead of the others at times, and settled in between.
    by_partition = {p: [each for each in deliveries if each.partition == p] for p in range(3)}
    for _ in range(2):
        for logs in [logs_of(each) for each in by_partition.values()]:
            for log in logs.values():
                part = sorted(by_partition[log.name.partition], key=lambda one: one.arrived)
                upto = int(draw.integers(0, len(part) + 1))
                server.write(*stored(logs_of(part[:upto])))
        settle(address)
    server.write(*stored(logs_of(deliveries)))
    settle(address)
    assert shown(reader) == truth(deliveries)
    assert reader.query("SELECT * FROM gatepulse.unsettled") == []
    identity = "received = counted + duplicate + late + rejected + conflicts AND next_offset = first_offset + records"
    assert reader.query(f"SELECT DISTINCT {identity} FROM gatepulse.progress") == [(1,)]
    counted = reader.query("SELECT sum(counted), sum(late) FROM gatepulse.progress")
    found = truth(deliveries)
    assert counted == [(len(found["passages"]), sum(found["late_passages"].values()))]
    assert settle(address) == 0


def test_what_only_came_again_is_looked_at_once_and_changes_nothing(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = [*lane(1, 5, partition=0), *lane(3, 5, partition=0, after=60_000)]
    server.write(*stored(logs_of(deliveries)))
    assert settle(address) == 0
    assert reader.query("SELECT sum(duplicate) FROM gatepulse.progress") == [(3,)]
    assert shown(reader) == truth(deliveries)


def test_more_devices_than_one_question_can_name_are_settled(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = [
        Delivery(Event(seq=1, device=f"N1-{n:061}", ts=NINE + n), partition, NINE + 500 + n + 60_000 * partition)
        for partition in (0, 1)
        for n in range(2_200)
    ]
    server.write(*stored(logs_of(deliveries)))
    assert settle(address) == 2_200
    assert reader.query("SELECT sum(passages) FROM gatepulse.entrance_totals") == [(2_200,)]
    assert reader.query("SELECT * FROM gatepulse.unsettled") == []


def test_a_number_that_comes_again_with_other_content_is_a_conflict_and_the_first_counts(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = [
        *lane(1, 5, partition=0),
        *lane(3, 3, partition=0, after=60_000),  # the same once more: a duplicate
        *lane(4, 4, partition=0, after=60_000, direction="out"),
        *lane(5, 5, partition=1, after=60_000, entrance="N2"),
    ]
    server.write(*stored(logs_of(deliveries)))
    assert settle(address) == 2
    asked = (
        "SELECT seq, entrance, first_entrance, partition, offset, first_offset FROM gatepulse.conflicts ORDER BY seq"
    )
    assert reader.query(asked) == [(4, "N1", "N1", 0, 6, 3), (5, "N2", "N1", 1, 0, 4)]
    assert reader.query("SELECT device, conflicts FROM gatepulse.device_conflicts") == [("N1-L01", 2)]
    asked = (
        "SELECT partition, received, counted, duplicate, late, rejected, conflicts FROM gatepulse.progress ORDER BY 1"
    )
    assert reader.query(asked) == [(0, 7, 5, 1, 0, 0, 1), (1, 1, 0, 0, 0, 0, 1)]
    assert shown(reader) == truth(deliveries)


def test_a_visitor_whose_only_entry_was_retracted_is_none_of_the_days_visitors(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    first, again = lane(1, 1, partition=0), lane(1, 1, partition=1, after=60_000)
    again = [replace(each, event=replace(each.event, credential="other")) for each in again]
    server.write(*stored(logs_of([*first, *again])))
    settle(address)
    assert reader.query("SELECT entries, distinct_entered FROM gatepulse.site_today") == [(1, 1)]
    later = [Delivery(Event(seq=2, ts=NINE + 90_000, credential="other"), 1, NINE + 90_500)]
    server.write(*stored(logs_of([*first, *again, *later])))
    settle(address)
    assert reader.query("SELECT entries, distinct_entered FROM gatepulse.site_today") == [(2, 2)]


def test_nothing_is_settled_before_its_log_claims_to_be_stored(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = [*lane(1, 20, partition=0), *lane(16, 20, partition=2, after=60_000)]
    blocks = stored(logs_of(deliveries))
    server.write(*(block for block in blocks if block.table != "log_progress"))
    assert settle(address) == 0
    server.write(*blocks)
    assert settle(address) == 5
    assert shown(reader) == truth(deliveries)


def test_what_is_parked_is_waited_for(server: Server, reader: ClickHouseReader, address: StoreAddress) -> None:
    deliveries = [*lane(1, 20, partition=0), *lane(16, 20, partition=2, after=60_000)]
    server.write(*stored(logs_of(deliveries)), block("parked_batches", {"log": "demo/turnstile.passages/2"}))
    assert settle(address) == 0
    server.write(block("parked_batches", {"log": "demo/turnstile.passages/2", "resolved": 1, "version": 2}))
    assert settle(address) == 5
    assert shown(reader) == truth(deliveries)


def test_what_is_parked_once_the_work_was_found_is_settled_all_the_same(
    server: Server, reader: ClickHouseReader, address: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = [*lane(1, 20, partition=0), *lane(16, 20, partition=2, after=60_000)]
    server.write(*stored(logs_of(deliveries)))
    find = Settling._overlaps  # the moment between finding and settling is right behind it

    async def found_then_parked(settling: Settling) -> Work:
        work = await find(settling)
        await asyncio.to_thread(server.write, block("parked_batches", {"log": "demo/turnstile.passages/2"}))
        return work

    monkeypatch.setattr(Settling, "_overlaps", found_then_parked)
    assert settle(address) == 5
    assert shown(reader) == truth(deliveries)


def test_what_came_before_the_settlement_was_known_counts_from_the_version_before(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    deliveries = lane(1, 20, partition=0)
    rows = [each for each in stored(logs_of(deliveries)) if each.table != "deliveries"]
    server.write(*rows, as_before(logs_of(deliveries)))  # a worker of the version before, still running
    again = lane(16, 20, partition=2, after=60_000)
    server.write(*stored(logs_of(again)))
    settle(address)
    assert shown(reader) == truth([*deliveries, *again])


def as_before(logs: dict[int, PassageLog]) -> Block:
    """Return the rows of `passages`, as they were written."""
    [rows] = [each for log in logs.values() for each in log.drain() if each.table == "deliveries"]
    return Block("passages", {name: rows.columns[name] for name in TABLES["passages"].columns})


def test_numbers_that_a_log_only_claims_are_not_retracted_and_what_came_twice_is(
    server: Server, reader: ClickHouseReader, address: StoreAddress
) -> None:
    # A device that numbers its events by a clock leaves a hole at each; both logs have closed nearly all of them.
    place, step = replace(SITE, most_ranges=3, stretch=4), 10**15

    def delivery(number: int, partition: int, after: int = 0) -> Delivery:
        ts = NINE + number // 10**11
        return Delivery(Event(seq=number, ts=ts, credential=f"c{number}"), partition, ts + 500 + after)

    alone = delivery(9 * step // 2, 1, 60_000)
    deliveries = [
        *(delivery(n * step, 0) for n in range(1, 13)),
        *(delivery(n * step, 1, 60_000) for n in range(5, 12)),
        alone,
    ]
    server.write(*stored(logs_of(deliveries, place=place)))
    assert reader.query("SELECT missing, logs FROM gatepulse.completeness") == [(MOST_MISSING, 2)]
    closed = reader.query("SELECT closed FROM gatepulse.devices_known WHERE closed > 0 ORDER BY closed")
    assert closed == [(9 * step // 2 - 5,), (9 * step - 9,)]
    assert settle(address) == 7
    assert shown(reader) == truth(deliveries)
    assert reader.query("SELECT * FROM gatepulse.unsettled") == []
    assert reader.query(f"SELECT count() FROM gatepulse.passages WHERE seq = {alone.event.seq}") == [(1,)]
    assert settle(address) == 0
