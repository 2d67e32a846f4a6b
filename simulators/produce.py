"""Sends deliveries to Kafka and keeps the ledger: written before it is sent, confirmed when the broker has it.

Next: `run.py`, which plays a whole scenario.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from kafka import KafkaProducer

from simulators.lines import make_lines
from streams.contract import KIND_OF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.day import Day, Ints
    from simulators.lag import Backlog
    from simulators.malformed import Malformed
    from simulators.pace import Batch, RealTime, Track

Result = Literal["ok", "fail", "info"]
_TOPIC_OF = {kind: topic for topic, kind in KIND_OF_TOPIC.items()}
_MOST_IN_FLIGHT = 30_000
"""Messages: what the producer may hold, some 10 MB of single events."""
_SETTLE_MS = 250
"""So often the broker's answers are entered in the ledger, or when there are `_MANY`."""
_MANY = 5_000
PROTOCOL = (2, 3)
"""The Kafka protocol that our kafka-python clients speak: brokers from 2.3 to 4.x understand it. Left to find out by
itself, kafka-python 3.0 cannot read the answer of the embedded broker, which does not know its newest question."""
_LARGEST_FRAME = 400_000
"""Bytes, not counting the last line: below the megabyte that brokers take by default."""
_BULK_FRAME = 50
"""Events a message when much is overdue: what a gateway uploads after a time without a connection."""


class LedgerWriter(Protocol):
    """What is used of `ledger.LedgerWriter`."""

    def passages(self, columns: Mapping[str, Any]) -> Ints:
        """Write passages and return their indexes."""

    def attempts(self, index: Ints, result: Result, *, at_ms: int) -> None:
        """Write what became of attempts to send passages."""

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

    def attempts(self, index: Ints, result: Result, *, at_ms: int) -> None:
        """Forget them."""

    def malformed(self, *, topic: str, sha256: Sequence[str], reason: Sequence[str], result: Result) -> None:
        """Forget them."""

    def skipped(self, *, device: str, epoch: int, count: int) -> None:
        """Forget it."""


def make_producer(bootstrap: str, **kafka: Any) -> KafkaProducer:  # noqa: ANN401 - settings of kafka-python
    """Return a producer that retries until the broker has stored everything, in order."""
    settings = {
        "api_version": PROTOCOL,
        "acks": "all",
        "compression_type": "lz4",
        "linger_ms": 5,
        "batch_size": 1 << 18,
        "delivery_timeout_ms": 2**31 - 1,
        "client_id": "gatepulse-simulator",
    }
    return KafkaProducer(bootstrap_servers=bootstrap, **(settings | kafka))


@dataclass(frozen=True, eq=False, slots=True)
class Message:
    """One Kafka message: the ledger rows of its passages, and its malformed lines."""

    topic: str
    key: bytes
    value: bytes
    index: tuple[int, ...]
    malformed: tuple[Malformed, ...]

    @property
    def events(self) -> int:
        """Lines in it."""
        return len(self.index) + len(self.malformed)


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
        self._replies: deque[tuple[Message, Any]] = deque()
        self._in_flight = 0
        self._events_in_flight = 0
        self._settled_ms = 0

    def send(self, track: Track, batch: Batch) -> None:
        """Write new passages to the ledger, then hand everything to the producer."""
        schedule = track.schedule
        rows = schedule.row[batch.deliveries]
        self._write_new(track, rows[rows >= 0])
        kept = rows[(rows < 0) | ~schedule.lost[rows]]
        frame = self.frame or (_BULK_FRAME if batch.behind else 1)
        for message in make_messages(schedule.day, kept, track.index, malformed=schedule.malformed, frame=frame):
            self._send(message)
        self.settle()

    def waiting(self) -> int:
        """Return how many events the workers have yet to count: in the fullest partition, and on their way there."""
        return self._events_in_flight + (self.backlog.fullest() if self.backlog else 0)

    def settle(self, *, at_once: bool = False) -> None:
        """Write to the ledger what the broker has answered since the last time, unless that was a moment ago."""
        now = self.real.now_ms()
        if not at_once and len(self._replies) < _MANY and now - self._settled_ms < _SETTLE_MS:
            return
        self._settled_ms = now
        replies = [self._replies.popleft() for _ in range(len(self._replies))]
        self._in_flight -= len(replies)
        self._events_in_flight -= sum(message.events for message, _ in replies)
        stored: list[Message] = []
        unknown: list[Message] = []
        for message, reply in replies:
            if isinstance(reply, Exception):
                unknown.append(message)
                continue
            stored.append(message)
            if self.backlog:
                self.backlog.stored((reply.topic, reply.partition), reply.offset, message.events)
        self.sent.ok += self._write("ok", stored)
        self.sent.unknown += self._write("info", unknown)

    def flush(self) -> None:
        """Return when the broker has answered everything, and the ledger says so."""
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
        while self._in_flight >= _MOST_IN_FLIGHT:
            self.settle(at_once=True)
            self.real.wait(0.005)
        self._in_flight += 1
        self._events_in_flight += message.events
        self.sent.messages += 1
        future = self.producer.send(message.topic, message.value, message.key)
        # Both are called by the producer's own thread; appending to a deque needs no lock.
        future.add_callback(lambda reply: self._replies.append((message, reply)))
        future.add_errback(lambda error: self._replies.append((message, error)))

    def _write(self, result: Result, messages: Sequence[Message]) -> int:
        """Enter one attempt for each passage and malformed line; return the number of passages."""
        index = np.array([row for message in messages for row in message.index], np.int64)
        if len(index):
            self.ledger.attempts(index, result, at_ms=self.real.now_ms())
        for topic in {message.topic for message in messages if message.malformed}:
            lines = [line for message in messages if message.topic == topic for line in message.malformed]
            names, reasons = [line.sha256 for line in lines], [line.reason for line in lines]
            self.ledger.malformed(topic=topic, sha256=names, reason=reasons, result=result)
            self.sent.malformed += len(lines)
        return len(index)


def make_messages(
    day: Day, rows: Ints, index: Ints, *, malformed: Sequence[Malformed], frame: int
) -> Iterator[Message]:
    """Yield the messages of `rows` (events, or -1 - number of a malformed line), up to `frame` lines each.

    A frame has lines of one entrance only; lines of an entrance keep their order. `index` is each event's row in
    the ledger.
    """
    names = day.names
    events = rows[rows >= 0]
    lines = iter(make_lines(day.take(events)))
    entrances = iter(names.entrances[day.entrance[events]].tolist())
    frames = {each.id: _Frame(_TOPIC_OF[each.kind], each.id.encode()) for each in names.site.entrances}
    for row, ledger_row in zip(rows.tolist(), index[rows].tolist(), strict=True):
        if row < 0:
            line = malformed[-1 - row]
            open_frame = frames[line.entrance]
            open_frame.add(line.line, malformed=line)
        else:
            open_frame = frames[next(entrances)]
            open_frame.add(next(lines), index=ledger_row)
        if len(open_frame.lines) >= frame or open_frame.size > _LARGEST_FRAME:
            yield open_frame.close()
    yield from (open_frame.close() for open_frame in frames.values() if open_frame.lines)


class _Frame:
    """Lines of one entrance that become one message."""

    __slots__ = ("index", "key", "lines", "malformed", "size", "topic")

    def __init__(self, topic: str, key: bytes) -> None:
        self.topic, self.key = topic, key
        self._clear()

    def add(self, line: bytes, *, index: int | None = None, malformed: Malformed | None = None) -> None:
        """Append a line: a passage with its row in the ledger, or a malformed one."""
        self.lines.append(line)
        self.size += len(line)
        if malformed:
            self.malformed.append(malformed)
        elif index is not None:
            self.index.append(index)

    def close(self) -> Message:
        """Return the message and start the next one."""
        message = Message(self.topic, self.key, b"\n".join(self.lines), tuple(self.index), tuple(self.malformed))
        self._clear()
        return message

    def _clear(self) -> None:
        self.lines: list[bytes] = []
        self.index: list[int] = []
        self.malformed: list[Malformed] = []
        self.size = 0
