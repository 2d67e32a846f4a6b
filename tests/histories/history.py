"""A history: a layout and a list of operations drawn from a seed, the same each time it is played."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

from streams.contract.events import Topic
from tests.histories.clock import EPOCH_MS, drawing
from tests.histories.operations import (
    AddPartition,
    BrokerAway,
    BrokerRepliesLost,
    ClockJump,
    Compact,
    CopyStore,
    Cure,
    Delete,
    FetchAgain,
    ForgetGroup,
    Kill,
    Latency,
    LoseFetched,
    LoseSnapshots,
    MakeAnew,
    Operation,
    Pause,
    Rebalance,
    Refuse,
    RestoreStore,
    Send,
    Shorten,
    Stop,
    StoreAway,
    StoreRepliesLost,
    Wait,
)
from tests.histories.oracle import compare
from tests.histories.stage import Stage
from tests.histories.truth import SEGMENT, Correction, Line, Passage

NAMES: Final = ("w1", "w2")
_TABLES: Final = ("deliveries", "counts_10s", "counts_day", "area_flows_10s", "devices", "rejections", "corrections")
_ENTRANCES: Final = {Topic.TURNSTILES: ("N1", "H1"), Topic.VEHICLES: ("P1",)}
_UNFIT: Final = (
    (b"{", "not-json"),
    (b"[1]", "wrong-shape"),
    (b"\xff", "not-utf8"),
    (b'{"device": "a"}', "wrong-shape"),
)


@dataclass(frozen=True)
class History:
    """Where it plays, and what happens. `firsts`: where the source topics' partitions begin."""

    seed: str
    workers: tuple[str, ...]
    firsts: tuple[int, ...]
    alarms: bool
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a history: how it went on, so that two plays can be compared."""

    steps: int
    ends: tuple[tuple[str, str], ...]


def play(history: History) -> Outcome:
    """Play a history and compare. Raises ViolationError, StandstillError, DifferenceError."""
    stage = Stage(history.seed, workers=history.workers, firsts=history.firsts, alarms=history.alarms)
    try:
        for operation in history.operations:
            operation.do(stage)
        stage.come_to_rest()
        compare(stage.plant, stage.current())
        return Outcome(stage.plant.loop.steps, tuple(stage.ends))
    finally:
        stage.close()


class _Devices:
    """Devices that number what they send; each belongs to a partition."""

    def __init__(self, order: random.Random, partitions: int) -> None:
        self.order, self.partitions = order, partitions
        self.next: Counter[tuple[str, int]] = Counter()
        self.epochs: Counter[str] = Counter()
        self.sent: list[tuple[str, int, Line]] = []
        self.defective = order.random() < 0.1

    def record(self, now: int) -> Send:
        """Send some lines as one record, sometimes old ones again."""
        order = self.order
        if self.sent and order.random() < 0.15:
            topic, partition, line = order.choice(self.sent)
            if order.random() < 0.3:  # through another partition, as after partitions were added
                partition = order.randrange(self.partitions + 1)
            if order.random() < 0.15 and isinstance(line.says, Passage):
                line = Line(replace(line.says, direction="out" if line.says.direction == "in" else "in"))
            return Send(topic, partition, (line,))
        draw = order.random()
        topic = Topic.CORRECTIONS if draw < 0.06 else Topic.VEHICLES if draw < 0.3 else Topic.TURNSTILES
        partition = order.randrange(self.partitions)
        make = self._correction if topic == Topic.CORRECTIONS else self._passage
        lines = tuple(self._line(topic, partition, now, make) for _ in range(order.choice((1, 1, 1, 2, 5))))
        self.sent += [(topic.value, partition, line) for line in lines if line.says]
        return Send(topic.value, partition, lines)

    def _line(self, topic: Topic, partition: int, now: int, make: Callable[[Topic, int, int], Line]) -> Line:
        draw = self.order.random()
        if draw < 0.05:
            text, why = self.order.choice(_UNFIT)
            return Line(unfit=why, text=text)
        if draw < 0.06:
            return Line()
        if draw < 0.1 and self.defective:
            return Line(unfit="unprocessable", text=b'{"device": "kaputt"}')
        return make(topic, partition, now)

    def _passage(self, topic: Topic, partition: int, now: int) -> Line:
        order = self.order
        entrance = order.choice(_ENTRANCES[topic])
        device = f"{entrance}-{partition}{order.choice('ab')}"
        if order.random() < 0.02:
            self.epochs[device] += 1
        key = (device, self.epochs[device])
        self.next[key] += order.choice((1, 1, 1, 1, 1, 2, 3))
        vehicle = topic == Topic.VEHICLES
        outcome = order.choice(("passed", "passed", "passed", "granted", "denied"))
        return Line(
            Passage(
                device, key[1], self.next[key], now - self._age(), entrance, order.choice(("in", "in", "out")), outcome,
                "car" if vehicle else order.choice(("visitor", "staff")), "expired" if outcome == "denied" else "",
                order.choice(("", "p1", "p2", f"p{self.next[key]}")),
            )
        )  # fmt: skip

    def _age(self) -> int:
        """Draw how many ms a passage is old when it is sent; less than nothing: its clock is ahead."""
        draw = self.order.random()
        if draw < 0.9:
            return self.order.randrange(2000)
        return self.order.choice((20_000, 60_000, 3_600_000, 50 * 3_600_000, -1000, -400_000))

    def _correction(self, _: Topic, partition: int, now: int) -> Line:
        self.next["c", partition] += 1
        amount = self.order.randrange(-5, 100)
        name, absolute = f"c{partition}-{self.next['c', partition]}", self.order.random() < 0.5
        ts = now - abs(self._age())
        return Line(Correction(name, "venue", ts, None if absolute else amount, amount if absolute else None))


def draw(seed: str) -> History:
    """Draw a history."""
    order = drawing(seed)
    partitions = order.choice((1, 2, 2, 3))
    firsts = tuple(order.choice((0, 0, SEGMENT - 1 - order.randrange(12))) for _ in range(partitions))
    workers = NAMES[: order.choice((1, 1, 2))]
    devices = _Devices(order, partitions)
    operations: list[Operation] = []
    passed, troubles = 0.0, _troubles(order, workers)
    for _ in range(order.randrange(6, 24)):
        what = order.random()
        if what < 0.5:
            operations += [devices.record(EPOCH_MS + int(passed * 1000)) for _ in range(order.choice((1, 1, 2, 4)))]
        elif what < 0.75:
            pause = Wait(order.choice((0.05, 0.3, 0.3, 1.0, 2.5)))
            operations.append(pause)
            passed += pause.seconds
        else:
            operations.append(order.choice(troubles)())
    return History(seed, workers, firsts, alarms=order.random() < 0.2, operations=tuple(operations))


def _troubles(order: random.Random, workers: Sequence[str]) -> list[Callable[[], Operation]]:
    """Choose which kinds of trouble a history has: a few of them often rather than all of them rarely."""

    def some() -> str:
        return order.choice(workers)

    everything: list[Callable[[], Operation]] = [
        lambda: Kill(some(), order.randrange(60)),
        lambda: Kill(some(), order.randrange(400)),
        lambda: Stop(some()),
        lambda: Pause(some(), order.choice((0.5, 2.0, 5.0, 8.0))),
        Rebalance,
        lambda: BrokerAway(order.choice((0.3, 1.0, 4.0))),
        lambda: StoreAway(order.choice((0.3, 1.0, 4.0))),
        lambda: BrokerRepliesLost(order.randrange(1, 4)),
        lambda: StoreRepliesLost(order.randrange(1, 6)),
        lambda: Latency(order.choice((0.001, 0.02, 0.15)), order.choice((0.001, 0.02, 0.3))),
        lambda: Refuse(order.choice(_TABLES)),
        Cure,
        lambda: LoseFetched(some(), order.choice((Topic.TURNSTILES, Topic.VEHICLES)).value),
        lambda: FetchAgain(some()),
        Compact,
        *_of_people(order),
    ]
    if order.random() < 0.1:
        everything = [*everything, lambda: ClockJump(some(), order.choice((-3600.0, -1.0, 1.0, 3600.0)))]
    return order.sample(everything, order.randrange(2, 7))


def _of_people(order: random.Random) -> list[Callable[[], Operation]]:
    """List what people do to brokers and stores."""

    def topic() -> str:
        return order.choice((Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)).value

    store: Iterator[Operation] = cycle((CopyStore(), RestoreStore()))
    return [
        lambda: Delete(topic(), order.randrange(3), order.randrange(1, 12)),
        lambda: MakeAnew(topic()),
        lambda: AddPartition(topic()),
        lambda: LoseSnapshots(topic()),
        ForgetGroup,
        lambda: next(store),
        lambda: next(store),
        lambda: Shorten(topic(), order.randrange(1, 5), order.choice((0, 0, 1, 2, 4))),
    ]
