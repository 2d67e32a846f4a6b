"""Rehearses records where a worker ended before, so that only the line on which our code fails is rejected.

`isolation` finds the lines, `rehearsal` makes the attempts. Read `counting` next.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import structlog

from streams.contract.codec import Records
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.worker.isolation import CAUTION_OFFSETS, BlankedRecords, Rehearse, isolate, kind_of, pieces
from streams.worker.partition_state import L, PartitionState
from streams.worker.suspects import OffsetRange

log = structlog.get_logger()
Rehearsal = Callable[[PartitionId, Plain], Rehearse]
"""Returns what counts records on a copy of a state; see `rehearsal`."""


@dataclass
class Caution:
    """Which offsets are rehearsed before they are counted; `suspects` by log."""

    rehearsal: Rehearsal
    suspects: Mapping[str, OffsetRange]
    rehearsals: int = 0
    """Grows with every rehearsal; any thread may read it."""

    def covers(self, state: PartitionState[L], records: Records) -> bool:
        """Return whether any of these records is suspect."""
        first, after = state.suspect
        return records.first < after and records.after > first

    async def countable(
        self, state: PartitionState[L], records: Records, freeze: Callable[[], Plain]
    ) -> AsyncIterator[BlankedRecords]:
        """Yield what can be counted, to be applied before the next is awaited; `freeze` returns the state as it is.

        Other tasks run meanwhile. All records come at once if they can be counted together.
        """
        if await self._succeeds(state.partition.name, records, freeze()):
            yield BlankedRecords(records)
            return
        for part in pieces(records):
            found = await asyncio.to_thread(isolate, part, self._counted(state.partition.name, freeze()))
            yield found
            if found.rejections:
                state.suspect = state.suspect[0], max(state.suspect[1], part.after + CAUTION_OFFSETS)
            _log_isolated(state.partition.name, found)

    async def _succeeds(self, name: PartitionId, records: Records, plain: Plain) -> bool:
        """Return whether all of the records can be counted."""
        try:
            await asyncio.to_thread(self._counted(name, plain), BlankedRecords(records))
        except (MemoryError, OffsetGapError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is: the lines that it is about are looked for
            log.warning("records cannot be counted together", log=str(name), kind=kind_of(error))
            return False
        return True

    def _counted(self, name: PartitionId, plain: Plain) -> Rehearse:
        rehearse = self.rehearsal(name, plain)

        def counted(part: BlankedRecords) -> None:
            self.rehearsals += 1
            rehearse(part)

        return counted


def _log_isolated(name: PartitionId, found: BlankedRecords) -> None:
    for each in found.rejections:
        log.error(
            "a line is set aside: gatepulse itself fails on it",
            topic=name.topic,
            partition=name.partition,
            offset=each.position.offset,
            line=each.position.line,
            sha256=each.sha256,
        )
