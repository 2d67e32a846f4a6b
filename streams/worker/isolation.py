"""Finds by bisection the lines on which our own code fails, so that everything else is counted.

A **rehearsal** counts records on a copy of a log's state, with all that follows from it, and raises what the code
raises. Lines are blanked out until none does: a blank line is no event, and the others keep their numbers. Lines are
looked at in the order of the log, each on top of those before it that can be counted. `Caution` rehearses records where
a worker ended before; `rehearsal` makes the attempts. Read `counting` next.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from streams.contract.codec import Records, positions
from streams.kernels.counts.batch import UNPROCESSABLE, LineCounts, Rejection
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.worker.partition_state import L, OffsetRange, PartitionState

log = structlog.get_logger()
PIECE_LINES: Final = 64
"""Lines that are counted together where lines are being isolated, unless a single record has more."""
MOST_ISOLATED: Final = 64
"""Lines of one piece that are isolated one by one. Of a piece with more of them the rest is isolated as a whole."""
CAUTION_OFFSETS: Final = 1 << 14
"""Offsets behind an isolated line for which the log is rehearsed: such lines come in rows."""
_NO_DEFECT: Final = (MemoryError, OffsetGapError)
"""Errors that say nothing of a line."""


class StateFullError(ValueError):
    """A log's state has no room for these lines: its snapshot would be larger than its topic takes."""


class RehearsalError(RuntimeError):
    """A rehearsal apart did not come to its end: what went wrong there, in a word."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class BlankedRecords:
    """Records, some lines of which may be blanked out, and a rejection for each of those lines."""

    records: Records
    rejections: list[Rejection] = field(default_factory=list)


Rehearse = Callable[[BlankedRecords], None]
"""Count a piece on a copy of the state that a log has at the moment; raise what the code raises."""

B = TypeVar("B")


def isolate(records: Records, rehearse: Rehearse) -> BlankedRecords:
    """Blank out the lines that cannot be counted; return what can be counted then, with a rejection of each of them.

    Raises what the code raises where blanking all lines does not help: then no line is to blame.
    """
    try:
        rehearse(BlankedRecords(records))
    except _NO_DEFECT:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is: it is looked for below
        failed, search = error, _Search(records, rehearse)
    else:
        return BlankedRecords(records)
    rehearse(BlankedRecords(search.blanked(range(len(search.lines)))))
    if isinstance(failed, StateFullError):  # each look at such a state takes long
        search.why = {row: kind_of(failed) for row, line in enumerate(search.lines) if line.strip()}
    else:
        search.search(0, len(search.lines))
    part = search.part()
    rehearse(part)
    return part


def pieces(records: Records, most_lines: int = PIECE_LINES) -> Iterator[Records]:
    """Cut records into parts of so many lines, or of one record that has more."""
    lines = records.value.split(b"\n")
    ends = np.cumsum(records.lines)
    first = 0
    while first < len(records.offset):
        begun = int(ends[first - 1]) if first else 0
        after = max(first + 1, int(np.searchsorted(ends, begun + most_lines, side="right")))
        value = b"\n".join(lines[begun : int(ends[after - 1])])
        part = slice(first, after)
        yield Records(value, records.offset[part], records.arrived[part], records.lines[part])
        first = after


def rejecting(batch: B, rejections: Sequence[Rejection]) -> B:
    """Add rejections of lines that were blanked out to what was read of the others, as lines that were received."""
    if not rejections:
        return batch
    read: Any = batch
    both = sorted([*read.rejections, *rejections], key=lambda each: (each.position.offset, each.position.line))
    changed: dict[str, Any] = {"rejections": both}
    if hasattr(batch, "lines"):
        lines: LineCounts = read.lines
        places = np.searchsorted(lines.record, [each.position.offset for each in rejections])
        changed["lines"] = LineCounts(lines.record, lines.count + np.bincount(places, minlength=len(lines.record)))
    answer: B = dataclasses.replace(read, **changed)
    return answer


def kind_of(error: Exception) -> str:
    """Name the kind of an error, without anything of what it is about."""
    return error.kind if isinstance(error, RehearsalError) else type(error).__name__


class _Search:
    """The search through the lines of one piece: which cannot be counted, and why."""

    def __init__(self, records: Records, rehearse: Rehearse) -> None:
        self.records, self.rehearse = records, rehearse
        self.lines = records.value.split(b"\n")
        self.why: dict[int, str] = {}

    def search(self, start: int, end: int) -> None:
        """Look at the lines from one up to before another; those before them have been looked at."""
        error = self._failure(end)
        if error is not None and end - start == 1:
            error = self._failure(end)  # once more: a fluke must not cost an event
        if error is None:
            return
        if end - start == 1 or len(self.why) >= MOST_ISOLATED:
            self.why |= dict.fromkeys(range(start, end), kind_of(error))
            return
        middle = (start + end) // 2
        self.search(start, middle)
        self.search(middle, end)

    def part(self) -> BlankedRecords:
        """Return the records without what was found, and a rejection of each."""
        places = positions(self.records)
        rejections = [
            Rejection.of(
                self.lines[row],
                places[row],
                reason=UNPROCESSABLE,
                detail=f"gatepulse itself fails on this line ({kind}); it is set aside, and all others are counted",
            )
            for row, kind in sorted(self.why.items())
        ]
        return BlankedRecords(self.blanked(self.why), rejections)

    def _failure(self, end: int) -> Exception | None:
        try:
            self.rehearse(BlankedRecords(self.blanked({*self.why, *range(end, len(self.lines))})))
        except _NO_DEFECT:
            raise
        except Exception as error:  # noqa: BLE001  # this is what is looked for
            return error
        return None

    def blanked(self, rows: Collection[int]) -> Records:
        """Return the records without some lines."""
        shown = [b"" if row in rows else line for row, line in enumerate(self.lines)]
        return dataclasses.replace(self.records, value=b"\n".join(shown))


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
        """Yield what can be counted, all at once if possible; each is to be applied before the next is awaited."""
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
        try:
            await asyncio.to_thread(self._counted(name, plain), BlankedRecords(records))
        except _NO_DEFECT:
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
