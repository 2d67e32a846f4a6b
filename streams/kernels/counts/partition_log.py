"""What the counted states of all partitions have in common: identity, next offset, tally; read `passages` next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.kernels.counts.batch import Rejection
from streams.kernels.counts.columns import Block


@dataclass(frozen=True, slots=True)
class PartitionId:
    """A partition of a topic, in one incarnation of both cluster and topic: offsets compare within it and nowhere else.

    A log is a function of its records from `first` on: begun at the same offset again, it writes the same rows again.
    """

    cluster: str
    topic: str
    partition: int
    # The id that the brokers gave to the topic when it was created; "" where they give none, and for logs that were
    # begun before ids were looked at.
    incarnation: str = ""
    first: int = 0  # the offset at which counting began
    # How often the brokers came back with other records under the same offsets, as from an older copy of their disks.
    copy: int = 0

    @classmethod
    def parse(cls, text: str) -> "PartitionId":
        """Undo `str`. Raises ValueError."""
        cluster, topic, rest = text.rsplit("/", 2)
        partition, _, begin = rest.partition("@")
        begin, _, copy = begin.partition("~")
        incarnation, _, first = begin.partition("+")
        return cls(cluster, topic, int(partition), incarnation, int(first or 0), int(copy or 0))

    def __str__(self) -> str:
        # What tells the log from others of the same partition is "" or `@incarnation+first~copy`, 0 left out.
        first, copy = f"+{self.first}" if self.first else "", f"~{self.copy}" if self.copy else ""
        begin = f"{self.incarnation}{first}{copy}"
        return f"{self.cluster}/{self.topic}/{self.partition}" + (f"@{begin}" if begin else "")


class OffsetGapError(RuntimeError):
    """Records between what was counted and what came next are not there; nothing behind the hole may be counted."""

    def __init__(self, log: PartitionId, expected: int, got: int) -> None:
        super().__init__(
            f"{log}: expected offset {expected}, got {got}: {got - expected} records are not there; restarting "
            "from the checkpoint. If this repeats, the broker no longer has them: raise the topic's retention"
        )
        self.log, self.expected, self.got = log, expected, got


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of every line: received = counted + duplicate + late + rejected, always.

    `received` is counted where lines come in and the others where their fate is decided, so that a line that is lost
    in between is noticed. A value that is replaced, once per batch: whoever reads it meanwhile, such as the thread
    that answers Prometheus, sees one moment.
    """

    received: int = 0
    counted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    first: int = field(default=0, compare=False)  # the offset at which the log began
    records: int = field(default=0, compare=False)  # how many were applied since

    @property
    def unaccounted(self) -> int:
        """How many lines have come in of which nothing became; anything but 0 is a fault of this program."""
        return self.received - self.counted - self.duplicate - self.late - sum(self.rejected.values())


class PartitionLog:
    """The counted state of a log of any topic: feed it with `apply`, collect what has changed with `drain`."""

    def __init__(self, name: PartitionId, *, next_offset: int) -> None:
        self.name, self.next_offset = name, next_offset
        self.tally = Tally(first=next_offset)
        self._rejections: list[Rejection] = []

    def apply(self, batch: Any, /) -> None:  # noqa: ANN401  # of the topic's codec
        """Count a batch. Raises OffsetGapError."""
        raise NotImplementedError

    def drain(self) -> list[Block]:
        """Return the rows of what has changed since the last time."""
        raise NotImplementedError

    def skip_to(self, offset: int) -> None:
        """Pass over the offsets before this one."""
        self.next_offset = offset

    def drain_rejections(self) -> list[Rejection]:
        """Return what could not be accepted since the last time."""
        rejections, self._rejections = self._rejections, []
        return rejections

    def _check_no_gap(self, first: int) -> None:
        if first > self.next_offset:
            raise OffsetGapError(self.name, self.next_offset, first)

    def _advance(
        self, after: int, *, received: int, records: int, counted: int, rejections: Sequence[Rejection],
        duplicate: int = 0, late: int = 0,
    ) -> None:  # fmt: skip
        """Note what became of a batch, which ends before the offset `after`."""
        self._rejections += rejections
        self.tally = Tally(
            received=self.tally.received + received,
            counted=self.tally.counted + counted,
            duplicate=self.tally.duplicate + duplicate,
            late=self.tally.late + late,
            rejected=Counter(self.tally.rejected) + Counter(each.reason for each in rejections),
            first=self.tally.first,
            records=self.tally.records + records,
        )
        self.next_offset = max(self.next_offset, after)
