"""Notices a worker that has work and does not get on, and ends it; a new process takes up at the checkpoint.

Clients of a broker have been seen to hang for good after it was away: the process looks healthy, and its figures grow
old. `Watch` decides, from plain facts and without a clock; `keep_watch` gathers the facts on a thread of its own, so
that it also notices when the worker's event loop stands still.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.ends import EndProcess, StalledError

log = structlog.get_logger()

Place = tuple[str, int]
"""Topic and partition."""

TICK_SECONDS: Final = 1.0
_ANSWER_MS: Final = 5_000
_STARTS: Final = "it does not get to work after its start"
_LONGEST_START: Final = 4
"""Patiences: over a slow line the questions at a start take tens of seconds."""


@dataclass(frozen=True)
class Standing:
    """How a worker stands at one moment.

    `turns` grows as its event loop turns, once it has got to work. `recovering` is None while it counts; otherwise
    anything that changes as its recovery gets on. `storing`: it waits for the store, which is nobody's fault here.
    `counted` and `kept` are next offsets by partition, in memory and in the newest snapshot; `end` those of the broker,
    None while it does not answer.
    """

    turns: int
    recovering: Hashable | None
    storing: bool
    counted: Mapping[Place, int]
    kept: Mapping[Place, int]
    end: Mapping[Place, int] | None


@dataclass
class Watch:
    """Counts for how many looks in a row something has stood still; time passes by looks alone.

    So a process that was stopped for an hour and goes on is not taken for one that stood still for an hour.
    """

    patience: int
    _last: Standing | None = None
    _still: dict[str, int] = field(default_factory=dict)

    def look(self, now: Standing) -> str | None:
        """Return what has stood still for as long as patience lasts, if anything has."""
        before, self._last = self._last, now
        still = _standing_still(before, now) if before else set()
        self._still = {what: self._still.get(what, 0) + 1 for what in still}
        patience = {_STARTS: self.patience * _LONGEST_START}
        return next((what for what, n in sorted(self._still.items()) if n >= patience.get(what, self.patience)), None)


def _standing_still(before: Standing, now: Standing) -> set[str]:
    """Say what should have got on between two looks and did not."""
    if now.turns == before.turns:
        return {"the event loop does not turn" if now.turns else _STARTS}
    if now.end is None or now.storing:
        return set()
    if now.recovering is not None:
        return {"the assignment of partitions does not end"} if now.recovering == before.recovering else set()
    behind = {
        f"{topic}/{partition}: records wait at offset {at}, and none is counted"
        for (topic, partition), at in now.counted.items()
        if at < now.end.get((topic, partition), 0) and before.counted.get((topic, partition)) == at
    }
    unkept = {
        f"{topic}/{partition}: counted, and no checkpoint since offset {at}"
        for (topic, partition), at in now.kept.items()
        if at < now.counted.get((topic, partition), at) and before.kept.get((topic, partition)) == at
    }
    return behind | unkept


class LogEnds:
    """Asks the broker, over a connection of its own, where source topics end."""

    def __init__(self, brokers: str, topics: tuple[str, ...], **kafka: Any) -> None:  # noqa: ANN401  # settings of kafka-python
        self._topics = topics
        self._settings = {"bootstrap_servers": brokers.split(","), "client_id": "gatepulse-watchdog", **kafka}
        self._consumer: KafkaConsumer | None = None

    def __call__(self) -> Mapping[Place, int] | None:
        """Return the offsets behind the last records; None when the broker does not answer."""
        try:
            consumer = self._consumer = self._consumer or KafkaConsumer(**self._settings)
            known = [(topic, consumer.partitions_for_topic(topic) or ()) for topic in self._topics]
            partitions = [TopicPartition(topic, number) for topic, numbers in known for number in numbers]
            found = consumer.end_offsets(partitions, timeout_ms=_ANSWER_MS)
        except KafkaError:
            return None
        return {(each.topic, each.partition): offset for each, offset in found.items()}

    def close(self) -> None:
        """Let go of the connection."""
        if self._consumer:
            self._consumer.close()


def keep_watch(
    standing: Callable[[], Standing], *, seconds: float, end: EndProcess, tick: float = TICK_SECONDS
) -> threading.Thread:
    """Look every tick on a thread of its own, and end the process once it has stood still for so many seconds."""
    watch = Watch(patience=max(2, round(seconds / tick)))

    def run() -> None:
        trouble, pause = None, threading.Event()  # time.sleep fails under libfaketime, with which clocks are tested
        while not trouble:
            pause.wait(tick)
            try:
                trouble = watch.look(standing())
            except Exception as error:  # noqa: BLE001  # a watch that ends in silence is worse than one look less
                log.warning("the watchdog could not look", reason=str(error), kind=type(error).__name__)
        end(StalledError(f"no progress for {seconds:g} s: {trouble}; restarting from the checkpoint"))

    thread = threading.Thread(target=run, name="watchdog", daemon=True)
    thread.start()
    return thread
