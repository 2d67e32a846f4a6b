"""Publishes the figures that alarms are computed from to the topic `alarm.inputs`, and decodes its records.

Each worker publishes what its partitions have counted, whether the store can be reached or not. The worker that has the
topic `alarm.inputs` judges the alarms. Read `kernels.alarms` first.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import structlog

from sinks.sink import StoreError
from streams.contract.codec import Records, positions
from streams.contract.events import Reason
from streams.kernels.alarms.inputs import AlarmInput, Inside, LogFlow, OccupancyReading, SourceProblem
from streams.kernels.alarms.log import AlarmBatch
from streams.kernels.counts.batch import UNPROCESSABLE, Rejection
from streams.kernels.counts.partition_log import PartitionLog
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.site_clock import SiteClock
from streams.worker.counting import Counting
from streams.worker.stored_figures import StoredFigures

log = structlog.get_logger()

PUBLISH_SECONDS: Final = 0.25
_LITTLE: Final = 0.07  # s; a little more than consumer.LONGEST_FETCH_MS
_READ_SECONDS: Final = 1.0
MOST_CELLS: Final = 8000
"""Of one line: some 100 kB, far below what a topic takes."""
Send = Callable[[bytes], Awaitable[None]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AlarmInput).decode


def read_inputs(records: Records) -> AlarmBatch:
    """Decode the lines of alarm inputs; what cannot be read is rejected, since nobody but gatepulse writes them."""
    inputs: list[tuple[int, int, AlarmInput]] = []
    rejections: list[Rejection] = []
    for line, position in zip(records.value.split(b"\n"), positions(records), strict=True):
        if not line:
            continue  # nobody writes one: it was blanked out
        try:
            inputs.append((position.offset, position.arrived, _decode(line)))
        except msgspec.MsgspecError as error:
            reason = Reason.WRONG_SHAPE.value
            rejections.append(Rejection.of(line, position, reason=reason, detail=str(error)))
    return AlarmBatch(records.first, records.after, inputs, rejections)


def flow_of(passages: PassageLog, complete_to: int) -> LogFlow:
    """Return what a partition has counted since the last call; it is complete up to a moment (ms of site time)."""
    cells, lanes = passages.live.drain(passages.entrances, passages.live_rules.grace)
    missing = {entrance: n for entrance, n in passages.devices.missing.items() if n}
    return LogFlow(str(passages.name), passages.kind, passages.next_offset, complete_to, cells, lanes, missing)


def until_next(now: float) -> float:
    """Return the seconds from a moment (s UTC) until counts are published again: on each quarter, and a little after.

    Alarms judge full seconds, as soon as these are complete and the grace, a quarter, has passed. By the little the
    newest answer of the brokers proves that.
    """
    return PUBLISH_SECONDS - (now - _LITTLE) % PUBLISH_SECONDS


@dataclass(eq=False, kw_only=True)
class AlarmInputPublisher:
    """Publishes what this worker's partitions have counted; the worker that judges publishes what is inside, too."""

    countings: Sequence[Counting[PassageLog]]
    clock: SiteClock
    judges: Callable[[], bool]
    stored: StoredFigures
    logs: Callable[[], Sequence[PartitionLog]]  # of all topics: how many of their lines were set aside goes along
    _unpublishable: Counter[str] = field(default_factory=Counter)

    async def publish_changes(self, send: Send) -> None:
        """Publish for ever what is counted; `send` returns once the broker has it."""
        while True:
            await asyncio.sleep(until_next(time.time()))
            for each in self.changes():
                await send(_encode(each))

    async def publish_store_figures(self, send: Send) -> None:
        """Publish for ever what is inside; a task of its own, as a slow store must not delay `publish_changes`."""
        while True:
            await asyncio.sleep(_READ_SECONDS)
            if self.judges():
                await self._publish_occupancy(send)

    def changes(self) -> Iterator[AlarmInput]:
        """Return what has changed since the last call, in lines that are not too long.

        No line claims to be complete before all of it is published: a second that is judged meanwhile would lack the
        rest.
        """
        flows = [flow for counting in self.countings for flow in self._flows(counting)]
        if sum(len(flow.columns) for flow in flows) > MOST_CELLS:
            for flow in flows:
                yield from (AlarmInput(flows=[part]) for part in _parts(flow))
            flows = [replace(flow, cells=flow.columns.part(0, 0)) for flow in flows]
        unprocessable = self._unprocessable()
        if flows or unprocessable:
            yield AlarmInput(flows=flows, unprocessable=unprocessable)

    def _unprocessable(self) -> dict[str, int]:
        """Count the lines that were set aside, by log; a log whose flow cannot be published counts as one more."""
        found = {str(each.name): each.tally.rejected.get(UNPROCESSABLE, 0) for each in self.logs()}
        return {name: n + self._unpublishable[name] for name, n in found.items() if n + self._unpublishable[name]}

    def _flows(self, counting: Counting[PassageLog]) -> Iterator[LogFlow]:
        for passages, complete_to in counting.progress():
            try:
                flow = flow_of(passages, self.clock.now(complete_to) if complete_to else 0)
            except Exception:  # counting goes on, and alarms do not wait for this log for long
                if not self._unpublishable[str(passages.name)]:
                    log.exception("alarm inputs of a log cannot be published", log=str(passages.name))
                self._unpublishable[str(passages.name)] = 1
                continue
            if len(flow.columns) or flow.lanes or complete_to:
                yield flow

    async def _publish_occupancy(self, send: Send) -> None:
        at = self.clock.now(int(time.time() * 1000))
        try:
            occupancy = await asyncio.to_thread(self.stored.inside)
        except StoreError as error:
            log.warning("the occupancy cannot be read from the store", reason=str(error))
            return
        defects = self.stored.defects()
        if defects is None:
            return
        inside = [
            Inside(area, kind, n, occupancy.capacity.get((area, kind))) for (area, kind), n in occupancy.inside.items()
        ]
        problems = [SourceProblem(where, what, self.clock.now(since)) for where, what, since in occupancy.problems]
        if inside or problems:
            missing, conflicts = dict(defects.missing), dict(defects.conflicts)
            await send(_encode(AlarmInput(readings=[OccupancyReading(at, inside, missing, conflicts, problems)])))


def _parts(flow: LogFlow) -> Iterator[LogFlow]:
    """Cut the cells of a flow into parts, none of which claims to be complete."""
    for start in range(0, len(flow.columns), MOST_CELLS):
        yield replace(flow, complete_to=0, cells=flow.columns.part(start, start + MOST_CELLS), lanes=[])
