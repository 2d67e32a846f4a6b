"""The operations of a history: sends, kills, outages, deletions and more, each with all its figures."""

from dataclasses import dataclass, field
from typing import Protocol

from tests.histories.stage import Stage
from tests.histories.truth import Line


class Operation(Protocol):
    """One thing that somebody or something does."""

    def do(self, stage: Stage) -> None:
        """Do it."""


@dataclass(frozen=True)
class Wait:
    """Let time pass."""

    seconds: float

    def do(self, stage: Stage) -> None:
        """Run everything that is due meanwhile."""
        stage.run(self.seconds)


@dataclass(frozen=True)
class Send:
    """A device, or somebody for it, sends a record of lines."""

    topic: str
    partition: int
    lines: tuple[Line, ...] = field(default=())

    def do(self, stage: Stage) -> None:
        """Append it."""
        stage.plant.send(self.topic, self.partition, self.lines)


@dataclass(frozen=True)
class Kill:
    """Kill a worker after so many more of its steps; another process of its name is started."""

    worker: str
    steps: int = 0

    def do(self, stage: Stage) -> None:
        """Let it end."""
        stage.kill(self.worker, self.steps)


@dataclass(frozen=True)
class Stop:
    """Stop a worker in good order; another process of its name is started."""

    worker: str

    def do(self, stage: Stage) -> None:
        """Ask it to end."""
        stage.on(self.worker, lambda each: each.stop())


@dataclass(frozen=True)
class Pause:
    """Stop a worker in its tracks; it goes on as if nothing had been."""

    worker: str
    seconds: float

    def do(self, stage: Stage) -> None:
        """Stop it."""
        stage.pause(self.worker, self.seconds)


@dataclass(frozen=True)
class Rebalance:
    """Spread the partitions anew, as when a worker comes or goes."""

    def do(self, stage: Stage) -> None:
        """Begin a new generation."""
        if stage.plant.broker.members:
            stage.plant.broker.rebalance()


@dataclass(frozen=True)
class BrokerAway:
    """The broker cannot be reached for a time."""

    seconds: float

    def do(self, stage: Stage) -> None:
        """Let no request arrive."""
        stage.plant.broker_server.away_until = stage.plant.loop.time() + self.seconds


@dataclass(frozen=True)
class StoreAway:
    """The store cannot be reached for a time."""

    seconds: float

    def do(self, stage: Stage) -> None:
        """Let no request arrive."""
        stage.plant.store_server.away_until = stage.plant.loop.time() + self.seconds


@dataclass(frozen=True)
class BrokerRepliesLost:
    """The broker does what it is asked, and its next replies are lost: clients ask again."""

    replies: int

    def do(self, stage: Stage) -> None:
        """Lose them."""
        stage.plant.broker_server.replies_to_lose = self.replies


@dataclass(frozen=True)
class StoreRepliesLost:
    """The store has the rows, and its next replies are lost: they are written again."""

    replies: int

    def do(self, stage: Stage) -> None:
        """Lose them."""
        stage.plant.store_server.replies_to_lose = self.replies


@dataclass(frozen=True)
class Latency:
    """Servers answer after so many seconds, about."""

    broker: float
    store: float

    def do(self, stage: Stage) -> None:
        """Set it."""
        stage.plant.broker_server.latency, stage.plant.store_server.latency = self.broker, self.store


@dataclass(frozen=True)
class Refuse:
    """The store refuses a table's rows for ever."""

    table: str

    def do(self, stage: Stage) -> None:
        """Refuse them."""
        stage.plant.store.refuses[self.table] = "refused in this history"


@dataclass(frozen=True)
class Cure:
    """Whatever the store refused it takes again, and an operator brings parked rows back."""

    def do(self, stage: Stage) -> None:
        """Take rows again."""
        stage.cure()


@dataclass(frozen=True)
class LoseFetched:
    """A worker loses the next records that it fetches of a topic, before they are counted."""

    worker: str
    topic: str

    def do(self, stage: Stage) -> None:
        """Lose them."""
        stage.on(self.worker, lambda each: each.drop_next.add(self.topic))


@dataclass(frozen=True)
class FetchAgain:
    """A worker is given records again that it had before."""

    worker: str

    def do(self, stage: Stage) -> None:
        """Move its positions back."""
        stage.on(self.worker, lambda each: each.rewind())


@dataclass(frozen=True)
class ClockJump:
    """The clock of a worker's machine is wrong from now on."""

    worker: str
    seconds: float

    def do(self, stage: Stage) -> None:
        """Set it, for its later lives too."""
        stage.plant.skews[self.worker] = round(self.seconds * 1000)
        stage.on(self.worker, lambda each: setattr(each, "skew_ms", round(self.seconds * 1000)))


@dataclass(frozen=True)
class Compact:
    """The broker compacts what it keeps the newest of."""

    def do(self, stage: Stage) -> None:
        """Keep the newest record of each key."""
        stage.compact()


@dataclass(frozen=True)
class Delete:
    """Retention, or somebody, deletes the first records of a partition, read or not."""

    topic: str
    partition: int
    records: int

    def do(self, stage: Stage) -> None:
        """Delete them."""
        stage.delete(self.topic, self.partition, self.records)


@dataclass(frozen=True)
class MakeAnew:
    """A topic is deleted and created again."""

    topic: str

    def do(self, stage: Stage) -> None:
        """Give it another id, and no records."""
        stage.make_anew(self.topic)


@dataclass(frozen=True)
class AddPartition:
    """A topic gets one partition more."""

    topic: str

    def do(self, stage: Stage) -> None:
        """Add it."""
        stage.add_partition(self.topic)


@dataclass(frozen=True)
class LoseSnapshots:
    """The changelog of a topic's snapshots is lost while no worker runs."""

    topic: str

    def do(self, stage: Stage) -> None:
        """Empty it."""
        stage.lose_snapshots(self.topic)


@dataclass(frozen=True)
class ForgetGroup:
    """The group's offsets are reset while no worker runs."""

    def do(self, stage: Stage) -> None:
        """Forget them."""
        stage.forget_group()


@dataclass(frozen=True)
class CopyStore:
    """Somebody backs the store up."""

    def do(self, stage: Stage) -> None:
        """Copy it."""
        stage.copy_store()


@dataclass(frozen=True)
class RestoreStore:
    """The store comes back from its newest backup while no worker runs."""

    def do(self, stage: Stage) -> None:
        """Go back."""
        stage.restore_store()


@dataclass(frozen=True)
class Shorten:
    """A broker comes back from an older copy: each partition of a topic lacks its last records and snapshots."""

    topic: str
    records: int
    snapshots: int

    def do(self, stage: Stage) -> None:
        """Lose them."""
        stage.shorten(self.topic, records=self.records, snapshots=self.snapshots)
