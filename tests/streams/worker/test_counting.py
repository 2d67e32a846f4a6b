"""Rows are stored before snapshots and snapshots before the commit; no crash between them shows in the tables."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sinks.rows import TABLES
from streams.contract.codec import Records
from streams.contract.events import Topic
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.takeup import AcceptedLoss, Blocked, Problem
from streams.worker.flush import CutOffError
from streams.worker.partition_state import CLOCK_ERROR_MS, Start, clock_error
from tests.support.events import NINE, PLACE
from tests.support.lines import ARRIVED, correction, line, records
from tests.support.rehearsal import CLUSTER, CrashError, Worker, World, start_of, work

TURNSTILES, CORRECTIONS = Topic.TURNSTILES.value, Topic.CORRECTIONS.value
LOG = f"{CLUSTER}/{TURNSTILES}/0"
DAY = 86_400_000


def day() -> World:
    """Two partitions of passages and one of corrections: frames, repetitions, holes, wrong times, lines of no event."""
    north = [line(seq=i + 1, ts=NINE + i * 4000, credential=f"c{i}") for i in range(6)]
    late, wrong = line(device="N1-L02", ts=NINE - 3 * DAY), line(seq=7, ts=NINE - 3 * DAY)
    hall = [line(device="H1-L01", entrance="H1", seq=2 * i + 1, direction="out") for i in range(5)]
    return World(
        {
            (TURNSTILES, 0): [
                north[0],
                north[1] + b"\nbad\n" + north[0],
                b"",
                north[2],
                north[3],
                b"\n".join(north),
                late + b"\n" + wrong,
            ],
            (TURNSTILES, 1): [hall[0], line(entrance="V9"), hall[1] + b"\n" + hall[2], hall[3], hall[1], hall[4]],
            (CORRECTIONS, 0): [
                correction(),
                b"bad",
                correction(id="c-2", delta=...),
                correction(id="c-3"),
                correction(),
            ],
        }
    )


def quiet(*frames: bytes) -> World:
    return World({(TURNSTILES, 0): frames, (CORRECTIONS, 0): ()})


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def scenario() -> None:
        await story()

    asyncio.run(scenario())


def rows(world: World, table: str) -> list[dict[str, Any]]:
    return [dict(zip(TABLES[table].columns, row, strict=True)) for row in world.sink.rows(table)]


# -- the order ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("problem", "at"), [("offset-gap", 5), ("records-deleted", 2), ("log-replaced", 2)])
def test_at_the_start_only_offsets_that_never_had_a_record_are_passed_over(problem: str, at: int) -> None:
    """Records that were gone when their loss was accepted may be back: they are read."""
    counting = Worker(quiet(line(), line(seq=2))).countings[TURNSTILES]
    name = PartitionId(CLUSTER, counting.topic, 0)
    gap = AcceptedLoss(str(name), 2, 5, problem)
    assert counting.assign([Start(name, 2, accepted=[gap])]) == {0: at}
    (log,) = counting.partitions
    assert log.next_offset == at


def test_rows_come_before_the_snapshot_and_the_snapshot_before_the_release() -> None:
    world = quiet(line(), b"bad")

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=True)

    run(story)
    # the corrections' empty log is kept too: it begins at offset 0, and that must not be asked again
    assert world.steps == ["reject", "write", "write more", "publish", "keep", "release", "keep", "release"]
    assert world.released == {(TURNSTILES, 0): 2, (CORRECTIONS, 0): 0}


def test_between_checkpoints_rows_are_stored_and_nothing_is_released() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=False)

    run(story)
    assert world.steps == ["write", "write more", "publish"]
    assert len(rows(world, "deliveries")) == 1
    assert world.kept == {}


def test_the_totals_of_a_quiet_log_are_published_when_it_is_taken_up_again() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=True)
        world.steps.clear()
        another = Worker(world)
        await another.flusher.flush(snapshot=False)
        await another.flusher.flush(snapshot=False)

    run(story)
    assert world.steps.count("publish") == len(world.kept)


def test_a_log_that_has_not_moved_on_is_not_kept_again() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=True)
        world.steps.clear()
        await worker.flusher.flush(snapshot=True)

    run(story)
    assert {"keep", "release", "publish"}.isdisjoint(world.steps)


def test_a_snapshot_that_was_kept_and_not_committed_is_kept_again_by_the_next_worker_and_committed() -> None:
    # keep │ crash │ release: on a quiet topic no further record would ever move the commit on
    world = quiet(line())
    world.crash_at = len(["write", "write more", "publish", "keep"])

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        with pytest.raises(CrashError, match="release"):
            await worker.flusher.flush(snapshot=True)
        await Worker(world).flusher.flush(snapshot=True)

    run(story)
    assert world.released[TURNSTILES, 0] == 1


def test_blank_records_move_the_checkpoint_on() -> None:
    world = quiet(b"", b"\n\n")

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=True)

    run(story)
    assert world.released[TURNSTILES, 0] == 2


def test_what_is_counted_while_rows_are_written_belongs_to_the_next_checkpoint() -> None:
    world = quiet(line(), line(seq=2))

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=1)

        async def meanwhile() -> None:
            worker.sink.during_write = None
            await worker.read(most=1)

        worker.sink.during_write = meanwhile
        await worker.flusher.flush(snapshot=True)

    run(story)
    assert world.kept[TURNSTILES, 0]["next"] == world.released[TURNSTILES, 0] == 1
    assert len(rows(world, "deliveries")) == 1


def test_rejected_lines_are_published_before_the_snapshot_that_forgets_them() -> None:
    world = quiet(b"bad\n" + line() + b"\nworse")
    world.crash_at = 1

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        with pytest.raises(CrashError, match="write"):
            await worker.flusher.flush(snapshot=True)

    run(story)
    assert world.rejected == [(LOG, 0, 0), (LOG, 0, 2)]
    assert world.kept == {}
    work(world)
    assert {*world.rejected} == {(LOG, 0, 0), (LOG, 0, 2)}
    assert [(each["offset"], each["line"], each["reason"]) for each in rows(world, "rejections")] == [
        (0, 0, "not-json"),
        (0, 2, "not-json"),
    ]


def test_two_flushes_at_once_go_one_after_the_other() -> None:
    world = day()

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=1)

        async def later() -> None:
            await asyncio.sleep(0)

        worker.sink.during_write = later
        await asyncio.gather(worker.flusher.flush(snapshot=True), worker.flusher.flush(snapshot=True))

    run(story)
    first_write = world.steps.index("write")
    assert world.steps[first_write : first_write + 2] == ["write", "write more"]
    assert world.steps.index("release") < len(world.steps) - world.steps[::-1].index("write")


# -- what follows the rows ---------------------------------------------------------------------------------------------


async def settled(*tasks: "asyncio.Task[None]") -> list[bool]:
    """Let everything happen that waits for nothing; return which tasks are done."""
    for _ in range(100):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


def test_rows_are_stored_while_the_flush_before_is_still_published_and_no_more_than_one_is_behind() -> None:
    #  flush 1   rows │ publish ........................ │ keep, release
    #  flush 2        │ rows │ (waits for flush 1)       │ publish, keep, release
    #  flush 3        │      │ (waits for flush 2)       │ rows
    world = quiet(line(), line(seq=2), line(seq=3))

    async def story() -> None:
        worker, published = Worker(world), asyncio.Event()
        worker.outlets[TURNSTILES].during_publish = published.wait  # type: ignore[assignment]  # its answer is not read
        await worker.read(most=1)
        await worker.flusher.flush_rows(snapshot=True)
        await worker.read(most=1)
        second = asyncio.create_task(worker.flusher.flush_rows(snapshot=True))
        assert await settled(second) == [False]
        await worker.read(most=1)
        third = asyncio.create_task(worker.flusher.flush_rows(snapshot=True))
        assert await settled(second, third) == [False, False]
        assert world.steps == ["write", "write more", "publish", "write", "write more"]
        assert len(rows(world, "deliveries")) == 2
        assert not world.kept
        assert not world.released
        published.set()
        await asyncio.gather(second, third)
        await worker.flusher.flush(snapshot=False)

    run(story)
    assert world.steps[5:8] == ["keep", "release", "keep"]  # of the first flush, both topics, before any of the second
    assert world.released[TURNSTILES, 0] == world.kept[TURNSTILES, 0]["next"] == 3


@pytest.mark.parametrize("failing", ["publish", "keep", "release"])
def test_what_goes_wrong_behind_the_rows_fails_the_next_flush_and_nothing_is_released_after_it(failing: str) -> None:
    world = quiet(line(), line(seq=2))
    world.crash_on = failing

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=1)
        await worker.flusher.flush_rows(snapshot=True)
        await worker.read(most=1)
        with pytest.raises(CrashError, match=failing):
            await worker.flusher.flush_rows(snapshot=True)
        with pytest.raises(CutOffError):
            await worker.flusher.flush(snapshot=True)

    run(story)
    assert world.released == {}
    assert {plain["next"] for plain in world.kept.values()} <= {1}
    work(world)
    assert world.released[TURNSTILES, 0] == 2
    assert len(rows(world, "deliveries")) == 2


def test_a_failure_behind_the_rows_is_not_kept_back_by_a_store_that_is_away() -> None:
    world = quiet(line(), line(seq=2))
    world.crash_at = 2

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=1)
        await worker.flusher.flush_rows(snapshot=True)
        assert await settled() == []
        worker.sink.during_write = asyncio.Event().wait  # type: ignore[assignment]  # for ever
        await worker.read(most=1)
        with pytest.raises(CrashError, match="publish"):
            await worker.flusher.flush_rows(snapshot=True)

    run(story)


def test_a_flush_that_is_cut_off_while_it_waits_for_the_one_before_is_the_last() -> None:
    world = quiet(line(), line(seq=2))

    async def story() -> None:
        worker = Worker(world)
        worker.outlets[TURNSTILES].during_publish = asyncio.Event().wait  # type: ignore[assignment]  # for ever
        await worker.read(most=1)
        await worker.flusher.flush_rows(snapshot=True)
        await worker.read(most=1)
        second = asyncio.create_task(worker.flusher.flush_rows(snapshot=True))
        await settled(second)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        with pytest.raises(CutOffError):
            await worker.flusher.flush(snapshot=True)

    run(story)
    assert not world.kept
    assert not world.released


def test_a_whole_flush_returns_when_its_offsets_are_released() -> None:
    world = quiet(line(), line(seq=2))

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=1)
        await worker.flusher.flush_rows(snapshot=True)
        await worker.read(most=1)
        await worker.flusher.flush(snapshot=True)
        assert world.released[TURNSTILES, 0] == 2

    run(story)


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_the_day_is_counted_as_it_was() -> None:
    world = day()
    worker = work(world)
    tallies = {str(log.name): log.tally for counting in worker.countings.values() for log in counting.partitions}
    assert [
        (each.received, each.counted, each.duplicate, sum(each.rejected.values())) for each in tallies.values()
    ] == [
        (14, 6, 5, 2),  # and one is late
        (7, 5, 1, 1),
        (5, 2, 1, 2),
    ]
    fates = Counter(each["fate"] for each in rows(world, "deliveries"))
    assert fates == {"counted": 11, "duplicate": 6, "late": 1, "suspect": 1}
    assert sum(each["passages"] for each in rows(world, "counts_10s")) == 11
    assert len(rows(world, "rejections")) == 5
    assert [each["passages"] for each in rows(world, "late_day")] == [1]
    assert [each["id"] for each in rows(world, "corrections")] == ["c-1", "c-3"]


def test_a_crash_between_any_two_steps_is_not_seen_in_the_tables() -> None:
    whole = day()
    work(whole)
    assert len(whole.steps) >= 30
    for step in range(len(whole.steps)):
        world = day()
        work(world, crashes=[step])
        assert world.tables() == whole.tables(), f"crash instead of step {step}, {whole.steps[step]}"
        assert world.kept == whole.kept
        assert world.released == whole.released
        assert {*world.rejected} == {*whole.rejected}


@pytest.mark.parametrize("first", range(3, 40, 4))
def test_nor_are_two_crashes(first: int) -> None:
    whole = day()
    work(whole)
    for second in range(0, len(whole.steps), 3):
        world = day()
        work(world, crashes=[first, second])
        assert world.tables() == whole.tables(), f"crashes after {first} and {second} more steps"
        assert world.released == whole.released


def test_progress_says_the_same_after_any_crash() -> None:
    for step in range(0, 40, 3):
        world = day()
        work(world, crashes=[step])
        figures = {each["log"]: each for each in rows(world, "log_progress")}
        assert {name: (each["received"], each["next_offset"]) for name, each in figures.items()} == {
            LOG: (14, 7), f"{CLUSTER}/{TURNSTILES}/1": (7, 6), f"{CLUSTER}/{CORRECTIONS}/0": (5, 5),
        }  # fmt: skip
        for each in figures.values():
            assert each["received"] == each["counted"] + each["duplicate"] + each["late"] + each["rejected"]


# -- assignments -------------------------------------------------------------------------------------------------------


def test_a_log_is_taken_up_where_its_snapshot_ends_and_a_new_one_at_the_earliest_record() -> None:
    world = quiet(line(), line(seq=2))
    work(world)
    counting = Worker(world).countings[TURNSTILES]
    starts = [start_of(counting, 0, world.kept[TURNSTILES, 0]), start_of(counting, 3, None, first=700)]
    assert counting.assign(starts) == {0: 2, 3: 700}
    assert counting.problems() == []
    assert [str(log.name) for log in counting.partitions] == [LOG, f"{CLUSTER}/{TURNSTILES}/3"]


def test_an_unreadable_snapshot_and_a_clock_that_differs_are_problems_of_a_partition_that_is_read() -> None:
    world = quiet(line())
    work(world)
    counting = Worker(world).countings[TURNSTILES]
    counting.assign([replace(start_of(counting, 0, world.kept[TURNSTILES, 0]), unreadable=5)])
    (partition,) = counting.partitions
    counting._states[0].clock_error = CLOCK_ERROR_MS + 1
    assert counting.problems() == [
        Blocked(Problem.SNAPSHOT_UNREADABLE, partition.name, 0, 5),
        Blocked(Problem.BROKER_CLOCK, partition.name),
    ]
    assert counting.blocked == {}


def test_nothing_is_kept_or_released_when_partitions_were_assigned_anew_while_rows_were_written() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)

        async def rebalance() -> None:
            worker.take_up()

        worker.sink.during_write = rebalance
        await worker.flusher.flush(snapshot=True)

    run(story)
    assert (world.kept, world.released) == ({}, {})
    assert len(rows(world, "deliveries")) == 1  # harmless: the same rows will be written again


def test_nothing_is_released_when_partitions_were_assigned_anew_while_snapshots_were_kept() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        await worker.read(most=9)
        worker.outlets[TURNSTILES].during_keep = worker.take_up
        await worker.flusher.flush(snapshot=True)
        worker.outlets[TURNSTILES].during_keep = lambda: None
        assert (TURNSTILES, 0) not in world.released
        await worker.read(most=9)
        await worker.flusher.flush(snapshot=True)

    run(story)
    assert world.released[TURNSTILES, 0] == 1
    assert len(rows(world, "deliveries")) == 1


def test_records_of_an_older_assignment_are_passed_over() -> None:
    world = quiet(line())

    async def story() -> None:
        worker = Worker(world)
        counting = worker.countings[TURNSTILES]
        older = counting.generation
        worker.take_up()
        await counting.apply(0, records(line()), generation=older)
        await counting.apply(7, records(line()), generation=counting.generation)  # not this worker's
        assert [log.next_offset for log in counting.partitions] == [0]

    run(story)


def test_a_jump_of_the_offsets_is_an_error() -> None:
    async def story() -> None:
        worker = Worker(quiet(line()))
        await worker.read(most=1)
        with pytest.raises(OffsetGapError, match=f"{LOG}: expected offset 1, got 4: 3 records"):
            await worker.apply(TURNSTILES, 0, line(seq=2), first=4)

    run(story)


def test_records_that_come_again_are_passed_over() -> None:
    async def story() -> None:
        worker = Worker(quiet())
        await worker.apply(TURNSTILES, 0, line(), b"bad", first=0)
        await worker.apply(TURNSTILES, 0, line(), b"bad", line(seq=2), first=0)
        (log,) = worker.countings[TURNSTILES].partitions
        assert (log.tally.received, log.tally.duplicate, log.next_offset) == (3, 0, 3)

    run(story)


# -- backpressure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [line() + b"\n" + line(seq=2), line() + b"\n" + line(), b"bad\nworse"],
    ids=["accepted", "duplicates", "rejected"],
)
def test_reading_waits_while_too_much_is_not_stored_and_goes_on_when_it_was_taken(frame: bytes) -> None:
    async def story() -> None:
        worker = Worker(quiet(frame, frame, frame), most_waiting=4)
        counting = worker.countings[TURNSTILES]
        await worker.read(most=1)
        await worker.read(most=1)  # four lines are waiting now
        reading = asyncio.create_task(worker.read(most=1))
        await asyncio.sleep(0.01)
        assert not reading.done()
        assert [log.next_offset for log in counting.partitions] == [2]
        await worker.flusher.flush(snapshot=False)
        await asyncio.wait_for(reading, 1)
        assert [log.next_offset for log in counting.partitions] == [3]

    run(story)


def test_reading_goes_on_while_rows_are_being_written() -> None:
    async def story() -> None:
        worker = Worker(quiet(line(), line(seq=2)), most_waiting=1)
        await worker.read(most=1)

        async def meanwhile() -> None:
            await asyncio.wait_for(worker.read(most=1), 1)

        worker.sink.during_write = meanwhile
        await worker.flusher.flush(snapshot=False)

    run(story)


def test_who_waits_when_partitions_are_assigned_anew_reads_nothing_of_the_old_assignment() -> None:
    async def story() -> None:
        worker = Worker(quiet(line(), line(seq=2)), most_waiting=1)
        counting = worker.countings[TURNSTILES]
        await worker.read(most=1)
        reading = asyncio.create_task(worker.apply(TURNSTILES, 0, line(seq=2), first=1))
        await asyncio.sleep(0)
        worker.take_up()
        await asyncio.wait_for(reading, 1)
        assert [log.next_offset for log in counting.partitions] == [0]

    run(story)


# -- progress and timings ----------------------------------------------------------------------------------------------


async def _progress(world: World) -> list[dict[str, Any]]:
    worker = Worker(world)
    await worker.read(most=9)
    await worker.flusher.flush(snapshot=False)
    return [each for each in rows(world, "log_progress") if each["topic"] == TURNSTILES]


def test_a_log_that_is_caught_up_is_complete_up_to_that_moment() -> None:
    world = quiet(line())
    world.caught_up = ARRIVED + 60_000
    (row,) = asyncio.run(_progress(world))
    assert row == {
        "log": LOG, "cluster": CLUSTER, "topic": TURNSTILES, "partition": 0, "next_offset": 1, "received": 1,
        "counted": 1, "duplicate": 0, "late": 0, "rejected": 0, "complete_to": ARRIVED + 60_000, "worker": "w",
        "first_offset": 0, "records": 1, "lost": 0, "tail": ARRIVED,
    }  # fmt: skip


def test_a_log_that_is_behind_is_complete_up_to_the_newest_record() -> None:
    (row,) = asyncio.run(_progress(quiet(line(), b"", b"bad")))
    assert row["complete_to"] == ARRIVED + 2
    assert row["next_offset"] == 3


def test_a_log_of_which_nothing_is_known_says_nothing() -> None:
    assert asyncio.run(_progress(quiet())) == []


def test_a_producer_whose_clock_is_ahead_takes_nobody_into_the_future() -> None:
    async def story() -> None:
        world = quiet()
        worker = Worker(world)
        counting = worker.countings[TURNSTILES]
        ahead = int(time.time() * 1000) + 3_600_000
        await counting.apply(0, records(line(), arrived=[ahead]), generation=counting.generation)
        await worker.flusher.flush(snapshot=False)
        (row,) = rows(world, "log_progress")
        assert row["complete_to"] <= time.time() * 1000

    run(story)


def test_timings_are_taken_of_what_was_stored() -> None:
    async def story() -> None:
        worker = Worker(quiet(line() + b"\n" + line(seq=2) + b"\nbad"))
        await worker.flusher.flush(snapshot=False)
        timings = worker.flusher.timings
        assert sum(timings.insert.counts) == 0  # nothing to store
        await worker.read(most=1)
        await worker.flusher.flush(snapshot=False)
        await worker.flusher.flush(snapshot=True)
        assert sum(timings.end_to_end.counts) == 2
        assert sum(timings.insert.counts) == 2  # rows, and progress again
        assert sum(timings.checkpoint.counts) == 1

    run(story)


def test_the_flusher_flushes_and_keeps_snapshots_by_itself() -> None:
    async def story() -> None:
        world = day()
        worker = Worker(world)
        flushing = asyncio.create_task(worker.flusher.run(flush_seconds=0.001, checkpoint_seconds=0.001))
        while await worker.read(most=1):
            await asyncio.sleep(0)
        deadline = time.monotonic() + 5
        while len(world.released) < 3 or world.released[TURNSTILES, 0] < 6:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)

    run(story)


async def stored(world: World, offset: int) -> None:
    """Wait until all records of turnstiles below an offset are stored."""
    deadline = time.monotonic() + 10
    while max((row["next_offset"] for row in rows(world, "log_progress")), default=0) < offset:
        assert time.monotonic() < deadline, f"not stored up to {offset}"
        await asyncio.sleep(0.001)


def test_a_backlog_is_flushed_with_the_snapshots_or_as_soon_as_reading_waits() -> None:
    async def story() -> None:
        world = quiet(line(), line(seq=2), line(seq=3))  # they have waited on the broker for long
        worker = Worker(world, most_waiting=2)
        flushing = asyncio.create_task(worker.flusher.run(flush_seconds=0.001, checkpoint_seconds=600))
        await worker.read(most=1)
        await stored(world, 1)
        await worker.read(most=1)
        await asyncio.sleep(0.3)
        assert max(row["next_offset"] for row in rows(world, "log_progress")) == 1
        await worker.read(most=1)  # and now there is no room for more
        await stored(world, 3)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)

    run(story)


def test_what_has_just_arrived_is_flushed_whenever_flushes_are_due() -> None:
    async def story() -> None:
        world = quiet()
        worker = Worker(world)
        counting = worker.countings[TURNSTILES]
        flushing = asyncio.create_task(worker.flusher.run(flush_seconds=0.001, checkpoint_seconds=600))
        for offset in range(3):
            now = int(time.time() * 1000)
            some = records(line(seq=offset + 1), first=offset, arrived=[now])
            await counting.apply(0, some, generation=counting.generation)
            await stored(world, offset + 1)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)

    run(story)


def test_a_worker_alone_and_two_in_turn_store_the_same() -> None:
    whole = day()
    work(whole)
    for most in (1, 3, 6):
        world = day()

        async def in_turn(world: World = world, most: int = most) -> None:
            for _ in itertools.count():
                worker = Worker(world)
                if not await worker.read(most=most):
                    return
                await worker.flusher.flush(snapshot=True)

        asyncio.run(in_turn())
        assert world.tables() == whole.tables()


# -- days that begin at another time -----------------------------------------------------------------------------------


def test_a_change_of_the_days_counts_no_event_in_two_of_them_whenever_a_worker_ends() -> None:
    """Passages at half past two: of this date, or of the one before once days begin at four."""
    half_past_two = NINE - 6 * 3_600_000 - 1_800_000
    later = replace(PLACE, days=SiteDays(PLACE.days.zone, 240))
    frames = [line(seq=i + 1, ts=half_past_two + i * 4000, credential=f"c{i}") for i in range(8)]

    async def half(world: World) -> None:
        worker = Worker(world)
        for _ in range(4):
            await worker.read(most=1)
            await worker.flusher.flush(snapshot=True)

    async def rest(world: World) -> None:
        worker, flushes = Worker(world, place=later), 0
        while await worker.read(most=2):
            flushes += 1
            world.caught_up = NINE if worker.next[TURNSTILES, 0] == 8 else None
            await worker.flusher.flush(snapshot=flushes % 2 == 0)
        world.caught_up = NINE
        await worker.flusher.flush(snapshot=True)
        await worker.apply(TURNSTILES, 0, line(seq=9, ts=half_past_two + 60_000), first=8)
        await worker.flusher.flush(snapshot=True)

    for crash in range(14):
        world = quiet(*frames)
        world.crash_at = 8 + crash
        with contextlib.suppress(CrashError):
            asyncio.run(half(world))
            world.crash_at = len(world.steps) + crash
        with contextlib.suppress(CrashError):
            asyncio.run(rest(world))
        world.crash_at = None
        asyncio.run(rest(world))
        counted = {row["day"]: row["passages"] for row in rows(world, "counts_day")}
        assert sum(counted.values()) == 9
        assert counted[min(counted)] >= 1  # what came once the change had taken effect
        assert len(counted) == 2


def arrived(*times: int, first: int = 7) -> Records:
    places = np.arange(first, first + len(times))
    return Records(b"\n" * (len(times) - 1), places, np.array(times), np.ones(len(times), np.int64))


def test_a_clock_that_differs_is_known_from_the_records_that_prove_it_until_others_prove_that_it_is_right() -> None:
    now, hour = 10**12, 3_600_000
    assert clock_error(0, (-1, 0), arrived(now + hour), now=now) == hour
    assert clock_error(0, (7, now), arrived(now - hour), now=now) == -hour
    assert clock_error(0, (6, now), arrived(now - hour), now=now) == 0  # it may have waited as long
    for known in (-hour, hour):
        assert clock_error(known, (6, now), arrived(now - 2 * hour), now=now) == known
        assert abs(clock_error(known, (6, now), arrived(now - 300), now=now)) <= 300
