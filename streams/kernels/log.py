"""What every log has: a name of its own for all time, a tally, and no holes; read `passages` next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.kernels.batch import Rejection


@dataclass(frozen=True, slots=True)
class LogName:
    """A partition of a topic in one incarnation of a cluster: offsets compare within it and nowhere else."""

    cluster: str
    topic: str
    partition: int

    def __str__(self) -> str:
        """Write the name as the store knows it."""
        return f"{self.cluster}/{self.topic}/{self.partition}"


class HoleError(RuntimeError):
    """Records between what was counted and what came next are not there; nothing behind the hole may be counted.

    The worker ends itself and takes up at its checkpoint. If the same hole appears again, the broker no longer has
    the records: raise the retention of the source topic.
    """

    def __init__(self, log: LogName, expected: int, got: int) -> None:
        super().__init__(
            f"{log}: expected offset {expected}, got {got}: {got - expected} records are not there; restarting "
            "from the checkpoint. If this repeats, the broker no longer has them: raise the topic's retention"
        )
        self.log, self.expected, self.got = log, expected, got


def check_no_hole(log: LogName, expected: int, got: int) -> None:
    """Raise HoleError where a batch begins above the next offset."""
    if got > expected:
        raise HoleError(log, expected, got)


@dataclass(slots=True)
class Tally:
    """What became of every line: received = counted + duplicate + rejected, always."""

    received: int = 0
    counted: int = 0
    duplicate: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def count(self, fresh: int, *, duplicates: int) -> None:
        """Note accepted lines."""
        self.received += fresh + duplicates
        self.counted += fresh
        self.duplicate += duplicates

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Note lines that could not be accepted."""
        self.received += len(rejections)
        self.rejected.update(each.reason for each in rejections)
