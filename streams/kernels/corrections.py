"""Audited corrections of an occupancy, each id once; the store's views compute what they mean for the occupancy.

A correction takes effect in event time, at the end of the 10 s window of its `ts`: `delta` adds, `absolute`
replaces. So a passage that arrives late still lands before or behind it as it happened.
"""

from dataclasses import dataclass, field

from sinks.rows import Block
from streams.kernels.batch import Position, Rejection
from streams.kernels.log import LogName, Tally, check_no_hole
from streams.kernels.snapshot import FORMAT, Plain, check, tally_in, tally_out


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
    """Accepted corrections with kind and position, in the order of the log."""

    first: int
    after: int
    corrections: list[Change]
    rejections: list[Rejection] = field(default_factory=list)


class CorrectionLog:
    """One log of corrections; the same life as a PassageLog."""

    def __init__(self, name: LogName, *, next_offset: int) -> None:
        self.name = name
        self.next_offset = next_offset
        self.tally = Tally()
        self.seen: set[str] = set()
        self._fresh: list[Change] = []
        self._rejections: list[Rejection] = []

    def apply(self, batch: CorrectionBatch) -> None:
        """Accept a batch; see PassageLog.apply."""
        check_no_hole(self.name, self.next_offset, batch.first)
        rejections = [each for each in batch.rejections if each.position.offset >= self.next_offset]
        self.tally.reject(rejections)
        self._rejections += rejections
        for change in batch.corrections:
            if change.position.offset >= self.next_offset:
                fresh = change.id not in self.seen
                self.tally.count(int(fresh), duplicates=int(not fresh))
                if fresh:
                    self.seen.add(change.id)
                    self._fresh.append(change)
        self.next_offset = max(self.next_offset, batch.after)

    def take(self) -> list[Block]:
        """Return the rows of the corrections since the last time."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return []
        columns = {
            name: [getattr(change, name) for change in fresh]
            for name in ("id", "area", "kind", "ts", "delta", "absolute", "actor", "reason")
        }
        return [
            Block(
                "corrections",
                {
                    **columns,
                    "log": [str(self.name)] * len(fresh),
                    "offset": [change.position.offset for change in fresh],
                    "line": [change.position.line for change in fresh],
                },
            )
        ]

    def take_rejections(self) -> list[Rejection]:
        """Return what could not be accepted since the last time."""
        rejections, self._rejections = self._rejections, []
        return rejections


def freeze(log: CorrectionLog) -> Plain:
    """Write the state as of `next_offset`."""
    return {
        "format": FORMAT,
        "log": str(log.name),
        "next": log.next_offset,
        "tally": tally_out(log.tally),
        "seen": sorted(log.seen),
    }


def thaw(plain: Plain, name: LogName) -> CorrectionLog:
    """Take a log up where `freeze` left it. Raises SnapshotError when it is another one's."""
    check(plain, name)
    log = CorrectionLog(name, next_offset=plain["next"])
    log.tally = tally_in(plain["tally"])
    log.seen = set(plain["seen"])
    return log
