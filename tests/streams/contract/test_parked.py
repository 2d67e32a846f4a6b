"""Rows that the store refuses for ever are parked in Kafka, no log claims them as stored, and a retry stores them."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sinks.rows import PROGRESS_TABLE, TABLES, TableRows
from sinks.sink import Refusal, StoreRefused, as_list
from streams.contract.events import Topic
from streams.contract.parked import LARGEST_PARKED, ParkedBatch, header, park, rows_of, status_rows
from streams.kernels.counts.columns import Block
from streams.worker.flush import CutOffError
from tests.streams.worker.test_counting import day, quiet, rows
from tests.support.lines import ARRIVED, line
from tests.support.rehearsal import CLUSTER, CrashError, Worker, World
from tests.support.rows import NOON, block

TURNSTILES = Topic.TURNSTILES.value
LOG, OTHER = f"{CLUSTER}/{TURNSTILES}/0", f"{CLUSTER}/{TURNSTILES}/1"


def refusal(of: Block) -> Refusal:
    return Refusal(of, StoreRefused(of.table, "no.", "Act."))


def parked(of: Block, *, log: str = LOG, at: int = NOON) -> list[tuple[ParkedBatch, bytes]]:
    return park(refusal(of), logs={log: NOON - 5}, worker="w1", at=at)


def plain(of: Block) -> dict[str, list[object]]:
    return {name: as_list(column) for name, column in of.columns.items()}


# -- a batch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", sorted(set(TABLES) - {PROGRESS_TABLE}))
def test_rows_of_every_table_come_back_as_they_were(table: str) -> None:
    written = block(table, {}, {"ranges": [(1, 3), (5, 2**63)], "temperature": None}, {"ranges": []})
    ((head, value),) = parked(written)
    assert plain(rows_of(value)) == plain(written)
    assert header(value) == head
    assert (head.table, head.rows, head.reason, head.advice) == (table, 3, "no.", "Act.")


def test_a_name_is_that_of_the_rows_and_their_logs_whenever_they_are_parked() -> None:
    one, two = block("entered", {}), block("entered", {"credential": "c2"})
    names = {
        head.id
        for each in (parked(one), parked(one, at=NOON + 1), parked(two), parked(one, log=OTHER))
        for head, _ in each
    }
    assert len(names) == 3


def test_many_rows_are_cut_into_records_that_a_broker_takes_and_none_is_lost() -> None:
    one = block("rejections", {})
    count = 250_000
    columns = {name: list(values) * count for name, values in one.columns.items()}
    columns["offset"] = list(range(count))
    columns["sha256"] = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    pieces = parked(Block("rejections", columns))
    assert len(pieces) > 1
    assert max(len(value) for _, value in pieces) <= LARGEST_PARKED
    assert [offset for _, value in pieces for offset in rows_of(value).columns["offset"]] == list(range(count))
    assert len({head.id for head, _ in pieces}) == len(pieces)


def test_the_store_is_told_of_each_log_and_that_it_is_over() -> None:
    ((head, _),) = park(refusal(block("entered", {})), logs={LOG: 5, OTHER: 7}, worker="w1", at=NOON)
    note = status_rows([head], resolved=False).columns
    assert [*zip(note["log"], note["complete_to"], note["resolved"], note["version"], strict=True)] == [
        (LOG, 5, 0, 0), (OTHER, 7, 0, 0),
    ]  # fmt: skip
    assert [*status_rows([head], resolved=True).columns["version"]] == [1, 1]


# -- a worker ----------------------------------------------------------------------------------------------------------


class Picky:
    """A store in which each write is a step of the world; `during` runs within each."""

    def __init__(self, world: World, *refuses: str) -> None:
        self.world = world
        self.during: Callable[[], Awaitable[None]] | None = None
        world.sink.refuses = dict.fromkeys(refuses, "the store takes no such rows.")

    async def write(self, blocks: Sequence[TableRows]) -> None:
        """Write down which tables are written, then write them."""
        self.world.step(
            "write " + " ".join(sorted({each.table for each in blocks} & {PROGRESS_TABLE, "parked_batches"}))
        )
        if self.during:
            await self.during()
        await self.world.sink.write(blocks)

    async def close(self) -> None:
        """Do nothing."""


def worker_of(world: World, *refuses: str) -> Worker:
    worker = Worker(world)
    worker.flusher.sink = Picky(world, *refuses)
    return worker


def retry_all(world: World) -> None:
    """Store what is parked, as `gatepulse parked retry --all` does."""
    world.sink.refuses = {}
    asyncio.run(world.sink.write([rows_of(value) for value in world.parked.values()]))
    asyncio.run(world.sink.write([status_rows([header(value)], resolved=True) for value in world.parked.values()]))
    world.parked.clear()


async def flushed(world: World, *refuses: str) -> Worker:
    worker = worker_of(world, *refuses)
    await worker.read(most=9)
    await worker.flusher.flush(snapshot=True)
    return worker


def counts(world: World) -> dict[str, list[dict[str, Any]]]:
    return {name: each for name, each in world.tables().items() if name != "parked_batches"}


def test_rows_are_parked_and_noted_before_the_claim_and_the_snapshot() -> None:
    world = quiet(line(), b"bad")
    asyncio.run(flushed(world, "counts_10s", "rejections"))
    assert world.steps == [
        "reject", f"write {PROGRESS_TABLE}", "park", "park", "write parked_batches", f"write {PROGRESS_TABLE}",
        "publish", "keep", "release", "keep", "release",
    ]  # fmt: skip
    assert rows(world, "counts_10s") == rows(world, "rejections") == []
    assert len(rows(world, "deliveries")) == len(rows(world, PROGRESS_TABLE)) == 1


def test_the_note_names_the_logs_whose_rows_they_are_and_the_moment_before_their_oldest_record() -> None:
    world = quiet(line(), line(seq=2), b"bad")
    asyncio.run(flushed(world, "counts_10s"))
    (note,) = rows(world, "parked_batches")
    (value,) = world.parked.values()
    assert (note["id"], note["log"], note["table"], note["rows"]) == (header(value).id, LOG, "counts_10s", 1)
    assert (note["complete_to"], note["resolved"]) == (ARRIVED - 1, 0)
    assert note["reason"] == "the store takes no such rows."


def test_the_moment_is_that_of_the_records_since_the_last_flush() -> None:
    world = quiet(line(), line(seq=2), line(seq=3))

    async def story() -> None:
        worker = worker_of(world)
        await worker.read(most=2)
        await worker.flusher.flush(snapshot=False)
        world.sink.refuses = {"counts_10s": "no."}
        await worker.read(most=1)
        await worker.flusher.flush(snapshot=False)

    asyncio.run(story())
    assert [note["complete_to"] for note in rows(world, "parked_batches")] == [ARRIVED + 2 - 1]


@pytest.mark.parametrize("table", ["deliveries", "counts_10s", "counts_day", "devices", "entered", "rejections"])
def test_what_is_parked_can_be_stored_at_any_later_time(table: str) -> None:
    whole = day()
    asyncio.run(worker_of(whole).work())
    for accepted_again in (False, True):
        world = day()

        async def story(world: World = world, *, accepted_again: bool = accepted_again) -> None:
            worker = worker_of(world, table)
            await worker.read(most=2)
            await worker.flusher.flush(snapshot=True)
            if accepted_again:  # newer rows of the same keys are stored before the parked ones
                world.sink.refuses = {}
            await worker.work()

        asyncio.run(story())
        assert world.parked
        assert world.released == whole.released
        assert counts(world)[table] != counts(whole)[table] or accepted_again
        retry_all(world)
        assert counts(world) == counts(whole)


def test_a_crash_between_any_two_steps_loses_no_parked_row() -> None:
    whole, refused = day(), ("counts_10s", "entered")
    asyncio.run(worker_of(whole).work())
    calm = day()
    asyncio.run(worker_of(calm, *refused).work())
    assert calm.steps.count("park") > 4
    for step in range(len(calm.steps)):
        world = day()
        world.crash_at = step
        with pytest.raises(CrashError):
            asyncio.run(worker_of(world, *refused).work())
        asyncio.run(worker_of(world, *refused).work())
        noted = {note["id"] for note in rows(world, "parked_batches")}
        assert noted == set(world.parked), f"crash instead of step {step}, {calm.steps[step]}"
        assert world.released == calm.released
        retry_all(world)
        assert counts(world) == counts(whole), f"crash instead of step {step}, {calm.steps[step]}"


def test_a_replay_that_cuts_the_log_in_the_same_way_parks_under_the_same_names() -> None:
    calm, world = quiet(line(), b"bad"), quiet(line(), b"bad")
    asyncio.run(flushed(calm, "counts_10s"))
    world.crash_at = calm.steps.index("keep")
    with pytest.raises(CrashError):
        asyncio.run(flushed(world, "counts_10s"))
    before = set(world.parked)
    asyncio.run(flushed(world, "counts_10s"))
    assert set(world.parked) == before == set(calm.parked)


@pytest.mark.parametrize("also", ["parked_batches", PROGRESS_TABLE])
def test_nothing_is_kept_or_released_when_the_note_or_the_claim_is_refused_too(also: str) -> None:
    world = quiet(line())
    with pytest.raises(StoreRefused, match=also):
        asyncio.run(flushed(world, "counts_10s", also))
    assert (world.kept, world.released) == ({}, {})


def test_a_claim_that_alone_is_refused_is_not_parked() -> None:
    world = quiet(line())
    with pytest.raises(StoreRefused, match=PROGRESS_TABLE):
        asyncio.run(flushed(world, PROGRESS_TABLE))
    assert (world.parked, world.kept, world.released) == ({}, {}, {})


def test_a_later_flush_does_not_claim_what_is_parked_and_goes_on_with_the_rest() -> None:
    world = quiet(line(), line(seq=2), line(seq=3))

    async def story() -> None:
        worker = worker_of(world, "counts_10s")
        while await worker.read(most=1):
            await worker.flusher.flush(snapshot=True)

    asyncio.run(story())
    assert world.released[TURNSTILES, 0] == 3
    assert len(world.parked) == len(rows(world, "parked_batches")) == 3
    assert min(note["complete_to"] for note in rows(world, "parked_batches")) == ARRIVED - 1


# -- the flusher and a store that is slow ------------------------------------------------------------------------------


def test_since_when_a_write_waits_for_the_store_is_told() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = worker_of(world)
        flusher = worker.flusher
        assert (flusher.waiting_for_store_since, flusher.store_waiting()) == (None, 0.0)
        seen: list[float | None] = []

        async def during() -> None:
            seen.append(flusher.waiting_for_store_since)
            assert flusher.store_waiting() >= 0

        assert isinstance(flusher.sink, Picky)
        flusher.sink.during = during
        before = time.monotonic()
        await worker.read(most=9)
        await flusher.flush(snapshot=False)
        (since,) = seen
        assert since is not None
        assert before <= since <= time.monotonic()
        assert flusher.waiting_for_store_since is None

    asyncio.run(story())


def test_after_a_flush_that_was_cut_off_none_follows() -> None:
    """Its rows are in nobody's hands: a snapshot taken now would forget them."""
    world = quiet(line(), line(seq=2))

    async def story() -> None:
        worker = worker_of(world)
        assert isinstance(worker.flusher.sink, Picky)
        worker.flusher.sink.during = asyncio.Event().wait  # type: ignore[assignment]  # it never returns
        await worker.read(most=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(worker.flusher.flush(snapshot=True), 0.01)
        worker.flusher.sink.during = None
        await worker.read(most=1)
        with pytest.raises(CutOffError):
            await worker.flusher.flush(snapshot=True)

    asyncio.run(story())
    assert (world.kept, world.released) == ({}, {})
