"""Defects to plant in the product, which histories must find."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import numpy as np

from sinks import sink
from sinks.rows import PROGRESS_TABLE, TableRows
from streams.kernels.counts import changes, passages, settlement, snapshot
from streams.kernels.counts import offset_bucket as segment
from streams.kernels.counts import takeup as takeup_kernel
from streams.kernels.counts.admission import Devices
from streams.kernels.counts.batch import Batch, Ints
from streams.kernels.counts.cells import BUCKET_BITS, Cells
from streams.kernels.counts.identity import Ranges
from streams.kernels.counts.snapshot import Plain
from streams.worker import flush, settling, takeup
from streams.worker.agents import KafkaOutlet
from streams.worker.counting import Counting
from streams.worker.flush import Flusher
from streams.worker.partition_state import FlushBatch, PartitionState
from streams.worker.snapshot_chain import ChainLink, Chains, SnapshotRecord

Planting = Callable[[], Any]


def _pass_over_all(self: PartitionState[Any], first: int) -> None:
    if first > self.partition.next_offset:
        self.partition.skip_to(first)


def _go_on(facts: takeup_kernel.PartitionFacts, *, take_up: Any = takeup_kernel.take_up) -> takeup_kernel.Decision:
    if facts.snapshot is None or not takeup_kernel.same_topic(facts.snapshot.log, facts.base):
        decision: takeup_kernel.Decision = take_up(facts)
        return decision
    return takeup_kernel.Resume(facts.snapshot, max(facts.snapshot.next, facts.begin))


async def _keep_first(self: Flusher, *, snapshot: bool) -> None:
    drained = {each: each.drain(snapshot=snapshot) for each in self.countings}
    for each, some in drained.items():
        await each.checkpoint(some)
    await self._store([each for some in drained.values() for each in some])
    await asyncio.gather(*map(flush._reject, drained, drained.values()))
    for each, some in drained.items():
        await each.outlet.publish([one.partition for one in some if one.publish])


async def _release_what_is_applied(
    self: Counting[Any], drained: Sequence[FlushBatch], *, checkpoint: Any = Counting.checkpoint
) -> None:
    await checkpoint(self, drained)
    for partition in [each.partition.name.partition for each in drained if each.snapshot is not None]:
        state = self._states.get(partition)
        if state is not None:
            self.outlet.release(partition, state.partition.next_offset)


def _claim_first(
    blocks: Sequence[TableRows], *, merged: Callable[[Sequence[TableRows]], list[TableRows]] = sink.merged
) -> list[TableRows]:
    return sorted(merged(blocks), key=lambda block: block.table != PROGRESS_TABLE)


def _thaw_without_times(plain: Mapping[str, Any], *rest: Any, thaw: Any = snapshot.thaw) -> Any:
    return thaw({name: value for name, value in plain.items() if name != "times"}, *rest)


def _take_without_version(
    self: segment.OffsetBucket, log: Any, version: int, *, take: Any = segment.OffsetBucket.drain
) -> Any:
    del version
    return take(self, log, 0)


def _one_too_far(self: Counting[Any], *rest: Any, assign: Any = Counting.assign) -> Any:
    return {partition: at + 1 if at else 0 for partition, at in assign(self, *rest).items()}


def _whole_batch(self: Batch, first: int) -> Batch:
    del first
    return self


def _by_number_alone(some: settlement.Columns, *, decide: Any = settlement.decide) -> settlement.Decided:
    decided: settlement.Decided = decide({**some, "content": [0] * len(some["seq"])})
    return decided


async def _say_first(self: settling.Settling, work: settling.Work, *, settle: Any = settling.Settling._settle) -> int:
    await self.sink.write(work.done)
    settled: int = await settle(self, work)
    return settled


def _nothing_same(order: Ints, *columns: Any) -> Any:
    del columns
    return np.zeros(len(order), dtype=np.bool_)


async def _park_nothing(self: Flusher, refusals: Sequence[Any], drained: Sequence[Any]) -> None:
    """Pass over what is refused."""


def _last_read(self: Chains) -> ChainLink | None:
    return max(self.links.values(), key=lambda each: each.number, default=None)


@contextmanager
def _middle_left_out() -> Iterator[None]:
    """Join the last changes of a chain to its whole snapshot, whatever they say of themselves."""

    def path(self: Chains, link: ChainLink, *, path: Any = Chains.path) -> list[ChainLink]:
        first, *rest = path(self, link)
        return [first, *rest[-1:]]

    def add(self: changes._WholeLog, some: Plain, *, add: Any = changes._WholeLog.add) -> None:
        add(self, {**some, "after": self.head["next"]})

    with mock.patch.object(Chains, "path", path), mock.patch.object(changes._WholeLog, "add", add):
        yield


async def _only_whole(
    self: KafkaOutlet, snapshots: Mapping[int, SnapshotRecord], *, write: Any = KafkaOutlet.write_snapshots
) -> Mapping[int, int]:
    whole = {partition: each for partition, each in snapshots.items() if b"/" not in each.key}
    written: Mapping[int, int] = await write(self, whole)
    return written


def _drain_for_good(self: Cells, *, drain: Any = Cells.drain_changed) -> Any:
    drained = drain(self)
    self.drained.clear()
    return drained


async def _no_rejections(self: KafkaOutlet, log: Any, rejections: Any) -> None:
    """Tell nobody."""


PLANTED: Final[Mapping[str, Planting]] = {
    "a snapshot before its rows": lambda: mock.patch.object(Flusher, "_flush_rows", _keep_first),
    "a commit past the head": lambda: mock.patch.object(Counting, "checkpoint", _release_what_is_applied),
    "an offset not compared with the one before": lambda: mock.patch.object(
        PartitionState, "pass_over", _pass_over_all
    ),
    "the brokers' first and last offsets not looked at": lambda: mock.patch.object(takeup, "take_up", _go_on),
    "a topic that was made anew mistaken for the old one": lambda: mock.patch.object(
        takeup_kernel, "same_topic", return_value=True
    ),
    "what the store has not looked at": lambda: mock.patch.object(takeup.TakeUp, "_stored", return_value=None),
    "records counted again below the next offset": lambda: mock.patch.object(Batch, "from_offset", _whole_batch),
    "a number not looked up": lambda: mock.patch.object(Ranges, "received", return_value=False),
    "a stale snapshot wins": lambda: mock.patch.object(Chains, "newest", _last_read),
    "changes in the middle of a chain left out": _middle_left_out,
    "changes that are not written": lambda: mock.patch.object(KafkaOutlet, "write_snapshots", _only_whole),
    "devices that changed before the last flush forgotten": lambda: mock.patch.object(
        Devices, "forget_changed", lambda self: self.changed.clear()
    ),
    "cells that changed before the last flush forgotten": lambda: mock.patch.object(
        Cells, "drain_changed", _drain_for_good
    ),
    "a claim before its rows": lambda: mock.patch.object(sink, "merged", _claim_first),
    "a segment's end off by one": lambda: mock.patch.object(
        passages, "bucket_of", lambda offset: (offset + 1) >> BUCKET_BITS
    ),
    "a row without its version": lambda: mock.patch.object(segment.OffsetBucket, "drain", _take_without_version),
    "a start one offset too far": lambda: mock.patch.object(Counting, "assign", _one_too_far),
    "a snapshot without the times of neighbours": lambda: mock.patch.object(snapshot, "thaw", _thaw_without_times),
    "a duplicate by its number alone": lambda: mock.patch.object(settling, "decide", _by_number_alone),
    "settled before it is retracted": lambda: mock.patch.object(settling.Settling, "_settle", _say_first),
    "an identity not recognised through another log": lambda: mock.patch.object(settlement, "_same", _nothing_same),
    "a refused table forgotten": lambda: mock.patch.object(Flusher, "_park", _park_nothing),
    "a rejection that is not published": lambda: mock.patch.object(KafkaOutlet, "reject", _no_rejections),
}
"""By the words that say what is wrong."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a defect for a time."""
    with PLANTED[name]():
        yield
