"""Exactly the lines on which our own code fails are rejected, and everything else is counted."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.rows import TABLES
from streams.contract.codec import Records
from streams.contract.events import Topic
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.worker.isolation import (
    CAUTION_OFFSETS,
    MOST_ISOLATED,
    BlankedRecords,
    Caution,
    StateFullError,
    isolate,
    pieces,
    rejecting,
)
from streams.worker.partition_state import TopicHandler
from streams.worker.rehearsal import rehearsal
from tests.support.events import NINE, PLACE
from tests.support.lines import correction, line, records
from tests.support.rehearsal import CLUSTER, TRADES, Worker, World
from tests.support.size import examples

NAME = PartitionId(CLUSTER, Topic.TURNSTILES.value, 0)
TURNSTILES, CORRECTIONS = Topic.TURNSTILES.value, Topic.CORRECTIONS.value


class DefectError(Exception):
    """A defect of our own, which says what it was about."""


def handler(topic: str = TURNSTILES) -> TopicHandler[Any]:
    return TRADES[topic](PLACE)


def spoilt(where: str, poison: Callable[[int], bool], sound: TopicHandler[Any]) -> TopicHandler[Any]:
    """Plant a defect: events with some numbers make a step raise, as long as they are in what the step reads."""

    def check(numbers: Collection[int]) -> None:
        bad = [number for number in numbers if poison(number)]
        if bad:
            raise DefectError(f"no idea what to do with {bad}")

    def ranges(log: PassageLog) -> list[int]:
        pairs = [
            pair for each in log.devices.known.values() for pair in zip(each.ranges.low, each.ranges.high, strict=True)
        ]
        return [number for low, high in pairs for number in range(low, high + 1)]

    def read(records: Records) -> Any:
        batch = sound.read(records)
        if where == "read":
            check(batch.seq.tolist())
        return batch

    class Log(PassageLog):
        def apply(self, batch: Any) -> None:
            if where == "apply":
                check(batch.seq[batch.offset >= self.next_offset].tolist())
            super().apply(batch)

        def drain(self) -> Any:
            if where == "drain":
                check([seq for each, _ in self._fresh for seq in each.batch.seq.tolist()])
            return super().drain()

    def made(log: PassageLog) -> PassageLog:
        log.__class__ = Log
        return log

    def freeze(log: PassageLog) -> Any:
        if where == "freeze":
            check(ranges(log))
        return sound.freeze(log)

    return replace(
        sound,
        read=read,
        begin=lambda name, first: made(sound.begin(name, first)),
        freeze=freeze,
        thaw=lambda plain, name: made(sound.thaw(plain, name)),
    )


def frames_of(sizes: list[int]) -> list[bytes]:
    """Write events with numbers 1, 2, 3 ..., so many a record; every third record ends with a blank line."""
    numbers, frames = iter(range(1, 1 + sum(sizes))), []
    for place, size in enumerate(sizes):
        lines = [line(seq=next(numbers), ts=NINE, credential=f"c{place}") for _ in range(size)]
        frames.append(b"\n".join([*lines, b""] if place % 3 == 2 else lines))
    return frames


@settings(deadline=None, max_examples=examples(240))
@given(st.data())
def test_exactly_the_lines_on_which_any_step_fails_are_set_aside_and_all_others_are_counted(
    data: st.DataObject,
) -> None:
    sizes = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12))
    total = sum(sizes)
    poison = data.draw(st.sets(st.integers(1, max(total, 1)), max_size=total))
    where = data.draw(st.sampled_from(["read", "apply", "drain", "freeze"]))
    defective = spoilt(where, poison.__contains__, handler())
    log = defective.begin(NAME, 0)
    for part in pieces(records(*frames_of(sizes)), most_lines=data.draw(st.integers(1, 20))):
        piece = isolate(part, rehearsal(defective, forked=False)(NAME, defective.freeze(log)))
        log.apply(rejecting(defective.read(piece.records), piece.rejections))
    rejections = log.drain_rejections()
    expected = poison & set(range(1, total + 1))
    assert {int(each.first_bytes.split(b'"seq":')[1].split(b",")[0]) for each in rejections} == expected
    assert {each.reason for each in rejections} <= {"unprocessable"}
    assert (log.tally.received, log.tally.counted) == (total, total - len(expected))
    assert log.tally.unaccounted == 0
    assert log.next_offset == len(sizes)


def test_what_is_said_of_a_line_that_is_set_aside_has_no_value_of_it() -> None:
    defective = spoilt("apply", lambda number: number == 2, handler())
    frame = b"\n".join(frames_of([1, 1, 1]))
    piece = isolate(
        records(frame), rehearsal(defective, forked=False)(NAME, defective.freeze(defective.begin(NAME, 0)))
    )
    [rejection] = piece.rejections
    assert (rejection.position.offset, rejection.position.line) == (0, 1)
    assert rejection.detail == (
        "gatepulse itself fails on this line (DefectError); it is set aside, and all others are counted"
    )


def test_a_record_of_nothing_but_such_lines_is_set_aside_in_a_bounded_number_of_looks() -> None:
    tried = []

    def rehearse(piece: BlankedRecords) -> None:
        tried.append(piece)
        if piece.records.value.strip():
            raise DefectError

    [record] = frames_of([5000])
    piece = isolate(records(record), rehearse)
    assert len(piece.rejections) == 5000
    assert len(tried) < 40 * MOST_ISOLATED


def test_a_failure_that_does_not_come_twice_costs_no_event() -> None:
    failures = iter([True, False, False, False, True] + [False] * 100)

    def rehearse(piece: BlankedRecords) -> None:
        if piece.records.value.strip() and next(failures):
            raise DefectError

    assert isolate(records(*frames_of([1, 1])), rehearse).rejections == []


def test_lines_for_which_a_state_has_no_room_are_set_aside_together_and_quickly() -> None:
    tried = []

    def rehearse(piece: BlankedRecords) -> None:
        tried.append(piece)
        if piece.records.value.strip():
            raise StateFullError

    assert len(isolate(records(*frames_of([20, 0, 20])), rehearse).rejections) == 40
    assert len(tried) == 3


@pytest.mark.parametrize("error", [MemoryError(), OffsetGapError(NAME, 1, 2)])
def test_what_says_nothing_of_a_line_ends_the_worker_as_ever(error: Exception) -> None:
    def rehearse(_: BlankedRecords) -> None:
        raise error

    with pytest.raises(type(error)):
        isolate(records(line()), rehearse)


def test_a_state_that_fails_without_any_line_is_no_lines_fault() -> None:
    def rehearse(_: BlankedRecords) -> None:
        raise DefectError("the state itself")

    with pytest.raises(DefectError, match="the state itself"):
        isolate(records(line()), rehearse)


def test_records_are_cut_between_records_and_a_large_one_stays_whole() -> None:
    parts = list(pieces(records(*frames_of([2, 1, 9, 1, 1]), first=7), most_lines=4))
    assert [part.offset.tolist() for part in parts] == [[7, 8], [9], [10, 11]]
    assert b"\n".join(part.value for part in parts) == records(*frames_of([2, 1, 9, 1, 1])).value


# -- in a worker -------------------------------------------------------------------------------------------------------


def worker_with(world: World, defect: TopicHandler[Any], suspects: dict[str, tuple[int, int]]) -> Worker:
    worker = Worker(world)
    counting = worker.countings[TURNSTILES]
    counting.handler, counting.caution = defect, Caution(rehearsal(defect, forked=False), suspects)
    worker.take_up()
    return worker


def world() -> World:
    frames = [line(seq=number, ts=NINE, credential=f"c{number}") for number in range(1, 8)]
    return World({(TURNSTILES, 0): frames, (CORRECTIONS, 0): [correction()]})


def test_a_worker_ends_once_and_its_successor_sets_the_line_aside_and_counts_the_rest() -> None:
    there, defect = world(), spoilt("apply", lambda number: number == 4, handler())

    async def ends() -> dict[str, tuple[int, int]]:
        worker = worker_with(there, defect, {})
        with pytest.raises(DefectError):
            await worker.work(most=2)
        return worker.countings[TURNSTILES].in_flight()

    suspects = asyncio.run(ends())
    assert suspects == {str(NAME): (2, 4)}  # what was being applied

    async def goes_on() -> None:
        worker = worker_with(there, defect, suspects)
        await worker.work(most=2)

    asyncio.run(goes_on())
    passages = [dict(zip(TABLES["deliveries"].columns, row, strict=True)) for row in there.sink.rows("deliveries")]
    assert sorted(row["seq"] for row in passages) == [1, 2, 3, 5, 6, 7]
    assert there.rejected == [(str(NAME), 3, 0)]
    assert there.released[TURNSTILES, 0] == 7


def test_a_defect_in_what_follows_from_counting_makes_everything_suspect_that_is_not_kept() -> None:
    there, defect = world(), spoilt("drain", lambda number: number == 5, handler())

    async def ends() -> dict[str, tuple[int, int]]:
        worker = worker_with(there, defect, {})
        with pytest.raises(DefectError):
            await worker.work(most=3)
        return worker.countings[TURNSTILES].in_flight()

    suspects = asyncio.run(ends())
    assert suspects == {str(NAME): (0, 6)}
    asyncio.run(worker_with(there, defect, suspects).work(most=3))
    assert there.rejected == [(str(NAME), 4, 0)]
    assert there.released[TURNSTILES, 0] == 7


def test_more_such_lines_behind_the_first_end_no_worker() -> None:
    there, defect = world(), spoilt("apply", lambda number: number in {2, 6}, handler())
    worker = worker_with(there, defect, {str(NAME): (1, 2)})
    asyncio.run(worker.work(most=1))
    assert there.rejected == [(str(NAME), 1, 0), (str(NAME), 5, 0)]
    assert worker.countings[TURNSTILES]._states[0].suspect == (1, 6 + CAUTION_OFFSETS)
