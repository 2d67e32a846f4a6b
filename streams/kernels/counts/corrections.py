"""Deduplicates audited corrections of an occupancy by id; the store's views apply them.

A correction takes effect in event time, at the end of the 10 s window of its `ts`: `delta` adds, `absolute`
replaces. So a passage that arrives late still lands before or behind it as it happened.
"""

from dataclasses import dataclass, field
from typing import Final

from streams.kernels.counts.batch import SUSPECT_TIME, TOO_MANY_CORRECTIONS, LineCounts, Position, Rejection
from streams.kernels.counts.columns import Block, Column
from streams.kernels.counts.partition_log import PartitionId, PartitionLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.snapshot import Plain, check, head_of, tally_in

MOST_CORRECTIONS: Final = 100_000
"""Corrections that a log takes, each with an id that it remembers for ever: a hundred a day for more than two years."""


@dataclass(frozen=True, slots=True)
class Change:
    """A correction with its kind filled in and its place in the log."""

    position: Position
    id: str
    area: str
    kind: str
    ts: int
    actor: str
    reason: str
    delta: int | None
    absolute: int | None


@dataclass(frozen=True, slots=True)
class CorrectionBatch:
    """Accepted corrections with kind, position and line, in the order of the log; see batch.Batch."""

    first: int
    after: int
    lines: LineCounts
    raw: list[bytes]
    corrections: list[Change]
    rejections: list[Rejection] = field(default_factory=list)


class CorrectionLog(PartitionLog):
    """Counts one log of corrections."""

    def __init__(self, name: PartitionId, times: TimeRules, *, next_offset: int, most: int = MOST_CORRECTIONS) -> None:
        super().__init__(name, next_offset=next_offset)
        self.times, self.most = times, most
        self.seen: set[str] = set()
        self._fresh: list[Change] = []

    def apply(self, batch: CorrectionBatch) -> None:
        """Accept a batch; see PassageLog.apply."""
        self._check_no_gap(batch.first)
        new = [pair for pair in zip(batch.corrections, batch.raw, strict=True) if self._is_new(pair[0].position)]
        rejections = [each for each in batch.rejections if self._is_new(each.position)]
        fresh = len(self._fresh)
        duplicates = 0
        for change, raw in new:
            timestamp_error = self.times.timestamp_error(change.ts, change.position.arrived, before=None, after=None)
            if change.id in self.seen:
                duplicates += 1
            elif len(self.seen) >= self.most:
                detail = f"id: a log takes {self.most} corrections; this would be one more"
                rejections.append(Rejection.of(raw, change.position, reason=TOO_MANY_CORRECTIONS, detail=detail))
            elif timestamp_error is None:
                self.seen.add(change.id)
                self._fresh.append(change)
            else:  # not seen: the same correction may come again with a time that can be true
                rejections.append(Rejection.of(raw, change.position, reason=SUSPECT_TIME, detail=timestamp_error))
        self._advance(
            batch.after,
            received=batch.lines.of_offset(self.next_offset),
            records=batch.lines.records(self.next_offset),
            counted=len(self._fresh) - fresh,
            duplicate=duplicates,
            rejections=rejections,
        )

    def _is_new(self, position: Position) -> bool:
        return position.offset >= self.next_offset

    def drain(self) -> list[Block]:
        """Return the rows of the corrections since the last time."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return []
        columns: dict[str, Column] = {
            name: [getattr(change, name) for change in fresh]
            for name in ("id", "area", "kind", "ts", "delta", "absolute", "actor", "reason")
        }
        columns |= {
            "log": [str(self.name)] * len(fresh),
            "offset": [change.position.offset for change in fresh],
            "line": [change.position.line for change in fresh],
        }
        return [Block("corrections", columns)]


def freeze(log: CorrectionLog) -> Plain:
    """Write the state as of `next_offset`."""
    return {**head_of(log), "seen": sorted(log.seen)}


def thaw(plain: Plain, name: PartitionId, times: TimeRules) -> CorrectionLog:
    """Take a log up where `freeze` left it. Raises SnapshotError when it is another one's."""
    check(plain, name)
    log = CorrectionLog(name, times, next_offset=plain["next"])
    log.tally = tally_in(plain)
    log.seen = set(plain["seen"])
    return log
