"""Rows that the server refuses for a while are stored later; rows refused for ever block nothing else."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress
from sinks.memory import MemorySink
from sinks.rows import PROGRESS_TABLE
from sinks.sink import RowsRefused, StoreRefused, StoreUnavailable
from tests.support.rows import NOON, block
from tests.support.stores import Memory, Server

ENTERED = "gatepulse_store.entered"
LOG, OTHER = "demo-1/turnstile.passages/0", "demo-1/turnstile.passages/1"


@pytest.mark.parametrize(
    ("refuse", "accept", "words"),
    [
        (
            [
                f"SYSTEM STOP MERGES {ENTERED}",
                f"INSERT INTO {ENTERED} (credential) VALUES ('the first part')",
                f"ALTER TABLE {ENTERED} MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1",
            ],
            [
                f"ALTER TABLE {ENTERED} RESET SETTING parts_to_throw_insert",
                f"ALTER TABLE {ENTERED} RESET SETTING parts_to_delay_insert",
                f"SYSTEM START MERGES {ENTERED}",
            ],
            "Too many parts",
        ),
        (
            [f"ALTER TABLE {ENTERED} MODIFY SETTING table_readonly = 1"],
            [f"ALTER TABLE {ENTERED} MODIFY SETTING table_readonly = 0"],
            "readonly",
        ),
        (
            [f"ALTER TABLE {ENTERED} MODIFY SETTING min_free_disk_bytes_to_perform_insert = {10**15}"],
            [f"ALTER TABLE {ENTERED} RESET SETTING min_free_disk_bytes_to_perform_insert"],
            "enough free space",
        ),
    ],
    ids=["too many parts", "read-only", "disk full"],
)
def test_rows_are_written_once_the_table_takes_them_again(
    address: StoreAddress, altered: Callable[[str], None], refuse: list[str], accept: list[str], words: str
) -> None:
    said: list[str] = []

    def on_retry(table: str, error: StoreUnavailable, attempt: int) -> None:
        said.append(f"{table}: {error.reason}")
        if attempt == 2:
            for statement in accept:
                altered(statement)

    async def write() -> None:
        sink = ClickHouseSink(address, on_retry=on_retry, longest_pause=0.2)
        await asyncio.wait_for(sink.write([block("entered", {"credential": "late"})]), 20)
        await sink.close()

    for statement in refuse:
        altered(statement)
    asyncio.run(write())
    assert len(said) == 2
    assert words in said[0]
    assert "late" in [credential for _, _, credential in Server(address).rows("entered")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE gatepulse_store.rejections RENAME COLUMN detail TO details", "lacks a column"),
        ("ALTER TABLE gatepulse_store.rejections ADD CONSTRAINT small CHECK line > 7", "not ours: drop it"),
    ],
    ids=["schema drift", "constraint"],
)
def test_a_refused_table_keeps_no_other_from_being_stored_but_the_claim(
    address: StoreAddress, altered: Callable[[str], None], change: str, words: str
) -> None:
    altered(change)
    rejected = block("rejections", {}, {"offset": 8})
    with pytest.raises(RowsRefused, match=f"rejections: .*{words}") as refused:
        Server(address).write(block(PROGRESS_TABLE, {}), rejected, block("deliveries", {}))
    (refusal,) = refused.value.refusals
    assert refusal.block == rejected
    assert len(Server(address).rows("deliveries")) == 1
    assert Server(address).rows(PROGRESS_TABLE) == []


def test_the_store_in_memory_refuses_in_the_same_way() -> None:
    store = MemorySink()
    store.refuses = {"entered": "no.", "rejections": "never."}
    blocks = [block(table, {}) for table in (PROGRESS_TABLE, "rejections", "deliveries", "entered")]
    with pytest.raises(RowsRefused, match=r"entered: no. \(so are the rows of 1 more tables\) Take") as refused:
        asyncio.run(store.write(blocks))
    assert [refusal.error.table for refusal in refused.value.refusals] == ["entered", "rejections"]
    assert len(store.rows("deliveries")) == 1
    assert store.rows("entered") == store.rows("rejections") == store.rows(PROGRESS_TABLE) == []


def test_a_block_that_fits_no_table_is_refused_before_anything_is_stored() -> None:
    store = Memory()
    wrong = block("entered", {})
    with pytest.raises(StoreRefused, match="columns missing") as refused:
        store.write(block("deliveries", {}), type(wrong)("entered", {"day": [1]}))
    assert not isinstance(refused.value, RowsRefused)
    assert store.rows("deliveries") == []


# -- what readers see --------------------------------------------------------------------------------------------------


def parked(**columns: object) -> Any:
    """Return the note of a parked batch."""
    return block("parked_batches", {"id": "b1", "reason": "no", "version": 0, "resolved": 0} | columns)


def progress(reader: ClickHouseReader) -> dict[str, int]:
    """Return up to when (ms) each log is complete."""
    return dict(reader.query("SELECT log, toUnixTimestamp64Milli(complete_to) FROM gatepulse.progress"))


def test_a_log_is_complete_up_to_the_moment_before_its_oldest_parked_batch(
    server: Server, reader: ClickHouseReader
) -> None:
    claims = [{"log": log, "complete_to": NOON + 60_000} for log in (LOG, OTHER)]
    server.write(block(PROGRESS_TABLE, *claims))
    server.write(parked(complete_to=NOON + 2000), parked(id="b2", complete_to=NOON + 9000))
    assert progress(reader) == {LOG: NOON + 2000, OTHER: NOON + 60_000}
    server.write(block(PROGRESS_TABLE, claims[0] | {"complete_to": NOON + 90_000}))
    assert progress(reader)[LOG] == NOON + 2000
    server.write(parked(complete_to=NOON + 2000, resolved=1, version=1))
    assert progress(reader)[LOG] == NOON + 9000
    server.write(parked(id="b2", complete_to=NOON + 9000, resolved=1, version=1))
    assert progress(reader)[LOG] == NOON + 90_000


def test_a_log_whose_claim_is_older_than_what_is_parked_keeps_its_claim(
    server: Server, reader: ClickHouseReader
) -> None:
    server.write(block(PROGRESS_TABLE, {"complete_to": NOON}), parked(complete_to=NOON + 2000))
    assert progress(reader) == {LOG: NOON}


def test_the_view_shows_what_waits_and_a_note_written_again_does_not_bring_it_back(
    server: Server, reader: ClickHouseReader
) -> None:
    server.write(parked(rows=5), parked(log=OTHER, rows=5), parked(id="b2", table="entered"))
    assert reader.query("SELECT id, log, table, rows, reason FROM gatepulse.parked ORDER BY ALL") == [
        ("b1", LOG, "passages", 5, "no"), ("b1", OTHER, "passages", 5, "no"), ("b2", LOG, "entered", 1, "no"),
    ]  # fmt: skip
    server.write(parked(resolved=1, version=1), parked(log=OTHER, resolved=1, version=1))
    server.write(parked(rows=5))
    assert reader.query("SELECT id FROM gatepulse.parked") == [("b2",)]
