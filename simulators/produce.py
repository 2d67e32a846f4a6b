"""Sends deliveries to Kafka and keeps the ledger: written before it is sent, confirmed when the broker has it.

Next: `run.py`, which plays a whole scenario.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import structlog
from kafka.errors import (
    AuthorizationError,
    IllegalStateError,
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from simulators.messages import make_messages, parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.day import Ints
    from simulators.lag import Backlog
    from simulators.messages import Message
    from simulators.pace import Batch, RealTime, Track

log = structlog.get_logger()

Result = Literal["ok", "fail", "info"]
_FINAL = (
    AuthorizationError, IllegalStateError, InvalidTopicError, KafkaConfigurationError, MessageSizeTooLargeError,
    RecordListTooLargeError,
)  # fmt: skip
"""Errors that sending again would only repeat; IllegalStateError is that of a producer that has been closed."""
_MOST_IN_FLIGHT = 30_000
"""Messages: what the producer may hold, some 10 MB of single events."""
_MOST_BYTES = 64 << 20
"""Bytes in such messages: a broker that is away for minutes must not fill the memory with frames."""
_SETTLE_MS = 250
"""So often the broker's answers are entered in the ledger, or when there are `_MANY`."""
_MANY = 5_000
_BULK_FRAME = 50
"""Events a message when much is overdue: what a gateway uploads after a time without a connection."""


class LedgerWriter(Protocol):
    """What is used of `ledger.LedgerWriter`."""

    def passages(self, columns: Mapping[str, Any]) -> Ints:
        """Write passages and return their indexes."""

    def attempts(self, index: Ints, result: Result, *, at_ms: int, stored: Mapping[str, Ints] | None = None) -> None:
        """Write what became of attempts to send passages, and where the broker has them."""

    def malformed(self, *, topic: str, sha256: Sequence[str], reason: Sequence[str], result: Result) -> None:
        """Write what became of malformed lines."""

    def skipped(self, *, device: str, epoch: int, count: int) -> None:
        """Write that a device left out sequence numbers."""


class NoLedger:
    """Keeps nothing: for runs that prove nothing."""

    def __init__(self) -> None:
        self._rows = 0

    def passages(self, columns: Mapping[str, Any]) -> Ints:
        """Return numbers for the passages, and forget them."""
        first, self._rows = self._rows, self._rows + len(columns["ts"])
        return np.arange(first, self._rows)

    def attempts(self, index: Ints, result: Result, *, at_ms: int, stored: Mapping[str, Ints] | None = None) -> None:
        """Forget them."""

    def malformed(self, *, topic: str, sha256: Sequence[str], reason: Sequence[str], result: Result) -> None:
        """Forget them."""

    def skipped(self, *, device: str, epoch: int, count: int) -> None:
        """Forget it."""


@dataclass(frozen=True, eq=False, slots=True)
class _Answer:
    """What the broker says of a message (an error, or where it has it), and the time that it was sent with."""

    message: Message
    sent_ms: int
    reply: Any


@dataclass
class Sent:
    """Counts of what became of everything so far; `events` are passages, each counted once."""

    events: int = 0
    lost: int = 0
    ok: int = 0
    unknown: int = 0
    malformed: int = 0
    messages: int = 0


@dataclass
class Sender:
    """Sends batches of tracks. `frame` events of one entrance make a message; None: 1, or many when far behind."""

    producer: Any
    ledger: LedgerWriter
    real: RealTime
    frame: int | None = None
    backlog: Backlog | None = None
    sent: Sent = field(default_factory=Sent)

    def __post_init__(self) -> None:
        """Start with nothing on its way."""
        self._answers: deque[_Answer] = deque()
        self._in_flight = 0
        self._bytes_in_flight = 0
        self._events_in_flight = 0
        self._settled_ms = 0

    def send(self, track: Track, batch: Batch) -> None:
        """Write new passages to the ledger, then hand everything to the producer."""
        schedule = track.schedule
        rows = schedule.row[batch.deliveries]
        self._write_new(track, rows[rows >= 0])
        kept = rows[(rows < 0) | ~schedule.lost[rows]]
        frame = self.frame or (_BULK_FRAME if batch.behind else 1)
        for part, uploaded in parts(kept, schedule.uploaded):
            size = max(frame, _BULK_FRAME) if uploaded else frame
            for message in make_messages(schedule.day, part, track.index, malformed=schedule.malformed, frame=size):
                self._send(message)
        self.settle()

    def waiting(self) -> int:
        """Return how many events the workers have yet to count: in the fullest partition, and on their way there."""
        return self._events_in_flight + (self.backlog.fullest() if self.backlog else 0)

    def settle(self, *, at_once: bool = False) -> None:
        """Write to the ledger what the broker has answered since the last time, unless that was a moment ago."""
        now = self.real.now_ms()
        if not at_once and len(self._answers) < _MANY and now - self._settled_ms < _SETTLE_MS:
            return
        self._settled_ms = now
        answers = [self._answers.popleft() for _ in range(len(self._answers))]
        self._in_flight -= len(answers)
        self._bytes_in_flight -= sum(len(each.message.value) for each in answers)
        self._events_in_flight -= sum(each.message.events for each in answers)
        stored = [each for each in answers if not isinstance(each.reply, Exception)]
        unknown = [each for each in answers if isinstance(each.reply, Exception)]
        if self.backlog:
            for each in stored:
                self.backlog.stored((each.reply.topic, each.reply.partition), each.reply.offset, each.message.events)
        self.sent.ok += self._write("ok", stored)
        self.sent.unknown += self._write("info", unknown)
        for each in unknown:
            if isinstance(each.reply, KafkaError) and not isinstance(each.reply, _FINAL):
                log.warning("sending again", topic=each.message.topic, error=str(each.reply))
                self._send(each.message)

    def flush(self) -> None:
        """Return when the broker has answered everything, and the ledger says so."""
        while self._in_flight:
            self.producer.flush()
            self.settle(at_once=True)

    def _write_new(self, track: Track, rows: Ints) -> None:
        """Enter passages that are to be sent for the first time; those that get lost are never sent at all."""
        schedule = track.schedule
        new = np.unique(rows[track.index[rows] < 0])
        if not len(new):
            return
        track.index[new] = self.ledger.passages(schedule.day.take(new).texts())
        lost = new[schedule.lost[new]]
        if len(lost):
            self.ledger.attempts(track.index[lost], "fail", at_ms=self.real.now_ms())
        for skip, row in zip(schedule.skips, schedule.gap_rows, strict=True):
            if row in new:
                self.ledger.skipped(device=skip.device, epoch=schedule.day.epoch, count=skip.count)
        self.sent.events += len(new)
        self.sent.lost += len(lost)

    def _send(self, message: Message) -> None:
        while self._in_flight >= _MOST_IN_FLIGHT or self._bytes_in_flight > _MOST_BYTES:
            self.settle(at_once=True)
            self.real.wait(0.005)
        self._in_flight += 1
        self._bytes_in_flight += len(message.value)
        self._events_in_flight += message.events
        self.sent.messages += 1
        future, sent_ms = self._hand_over(message)
        # Both are called by the producer's own thread; appending to a deque needs no lock.
        future.add_callback(lambda reply: self._answers.append(_Answer(message, sent_ms, reply)))
        future.add_errback(lambda error: self._answers.append(_Answer(message, sent_ms, error)))

    def _hand_over(self, message: Message) -> tuple[Any, int]:
        """Give a message to the producer, with the time that it has; wait for a broker or a topic that is not there."""
        while True:
            sent_ms = self.real.now_ms()
            try:
                return self.producer.send(message.topic, message.value, message.key, timestamp_ms=sent_ms), sent_ms
            except KafkaTimeoutError as error:
                log.warning("waiting for the broker", topic=message.topic, error=str(error))

    def _write(self, result: Result, answers: Sequence[_Answer]) -> int:
        """Enter one attempt for each passage and malformed line; return the number of passages."""
        messages = [each.message for each in answers]
        index = np.array([row for message in messages for row in message.index], np.int64)
        if len(index):
            self.ledger.attempts(index, result, at_ms=self.real.now_ms(), stored=_where(answers))
        for topic in {message.topic for message in messages if message.malformed}:
            lines = [line for message in messages if message.topic == topic for line in message.malformed]
            names, reasons = [line.sha256 for line in lines], [line.reason for line in lines]
            self.ledger.malformed(topic=topic, sha256=names, reason=reasons, result=result)
            self.sent.malformed += len(lines)
        return len(index)


def _where(answers: Sequence[_Answer]) -> Mapping[str, Ints]:
    """Return the time that each passage has in Kafka, and its place there where the broker has told it.

    The time is the broker's where it sets times itself, as it is asked to for our topics, and else the one that the
    passage was sent with; the latter too where the broker has not answered, or says that it was stored before it was
    sent (the embedded broker says 1234 of everything).
    """
    passages = [len(each.message.index) for each in answers]
    failed = any(isinstance(each.reply, Exception) for each in answers)
    places = {"arrived_ms": [each.sent_ms if failed else max(each.sent_ms, each.reply.timestamp) for each in answers]}
    if not failed:
        places["partition"] = [each.reply.partition for each in answers]
        places["offset"] = [each.reply.offset for each in answers]
    return {name: np.repeat(np.array(values, np.int64), passages) for name, values in places.items()}
