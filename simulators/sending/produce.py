"""Sends deliveries to Kafka and writes the ledger: an event before it is sent, its outcome when the broker answers.

Next: `run.py`, which plays a whole scenario.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from simulators.ledger.ledger import LedgerWriter, Result
from simulators.scenario.day import Ints
from simulators.sending.lag import Backlog
from simulators.sending.messages import KafkaMessage, make_messages, parts
from simulators.sending.pace import DueDeliveries, MachineTime, Track
from simulators.sending.producer import Answer, NotStoredError, Producer, Stored

log = structlog.get_logger()

_MOST_IN_FLIGHT = 30_000
"""Messages: what the producer may hold, some 10 MB of single events."""
_MOST_BYTES = 64 << 20
"""Bytes in such messages: a broker that is away for minutes must not fill the memory with frames."""
_SETTLE_MS = 250
"""Milliseconds between two writes of the broker's answers to the ledger; `_MANY` answers are written at once."""
_MANY = 5_000
_POLL_SECONDS = 0.005
"""Seconds of one wait for answers when too much is on its way."""
_BULK_FRAME = 50
"""Events a message when much is overdue: what a gateway uploads after a time without a connection."""


@dataclass
class SendCounts:
    """Counts of what became of everything so far.

    `events` are passages, each counted once; `lost` of them never left. `sent` counts their stored deliveries, and
    `unknown` those that may have arrived or not.
    """

    events: int = 0
    lost: int = 0
    sent: int = 0
    unknown: int = 0
    malformed: int = 0
    messages: int = 0


class EventSender:
    """Sends batches of tracks. `frame` events of one entrance make a message; None: 1, or many when far behind.

    Without a `ledger` nothing is written: for runs that prove nothing.
    """

    def __init__(
        self,
        producer: Producer,
        ledger: LedgerWriter | None,
        real: MachineTime,
        *,
        frame: int | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self.backlog = backlog
        self.counts = SendCounts()
        self._producer, self._ledger, self._real, self._frame = producer, ledger, real, frame
        # Messages, when (ms) they were sent, what came of them.
        self._answers: list[tuple[KafkaMessage, int, Answer]] = []
        self._in_flight = 0
        self._bytes_in_flight = 0
        self._events_in_flight = 0
        self._settled_ms = 0

    def send(self, track: Track, batch: DueDeliveries) -> None:
        """Write new passages to the ledger, then hand everything to the producer."""
        schedule = track.schedule
        rows = schedule.row[batch.deliveries]
        self._write_new(track, rows[rows >= 0])
        sent = rows[(rows < 0) | ~schedule.lost[rows]]
        frame = self._frame or (_BULK_FRAME if batch.behind else 1)
        for part, uploaded in parts(sent, schedule.uploaded):
            size = max(frame, _BULK_FRAME) if uploaded else frame
            for message in make_messages(schedule.day, part, track.index, malformed=schedule.malformed, frame=size):
                self._send(message)
        self.settle()

    def waiting(self) -> int:
        """Return how many events the workers have yet to count: in the fullest partition, and on their way there."""
        return self._events_in_flight + (self.backlog.fullest() if self.backlog else 0)

    def settle(self, *, at_once: bool = False) -> None:
        """Write to the ledger what the broker has answered since the last time, unless that was a moment ago."""
        self._producer.settle()
        now = self._real.now_ms()
        if not at_once and len(self._answers) < _MANY and now - self._settled_ms < _SETTLE_MS:
            return
        self._settled_ms = now
        answers, self._answers = self._answers, []
        self._in_flight -= len(answers)
        self._bytes_in_flight -= sum(len(message.value) for message, _, _ in answers)
        self._events_in_flight -= sum(message.events for message, _, _ in answers)
        stored = [(message, at, place) for message, at, place in answers if isinstance(place, Stored)]
        failed = [(message, at, error) for message, at, error in answers if isinstance(error, NotStoredError)]
        if self.backlog:
            for message, _, place in stored:
                self.backlog.stored((message.topic, place.partition), place.offset, message.events)
        # The time is the broker's where it sets times itself, as it is configured to for our topics; but not where that
        # is before the message was sent (the embedded broker always returns 1234).
        where = {
            "arrived_ms": [max(at, place.timestamp) for _, at, place in stored],
            "partition": [place.partition for _, _, place in stored],
            "offset": [place.offset for _, _, place in stored],
        }
        self.counts.sent += self._write("ok", [message for message, _, _ in stored], where)
        unknown = {"arrived_ms": [at for _, at, _ in failed]}
        self.counts.unknown += self._write("info", [message for message, _, _ in failed], unknown)
        for final, event in ((True, "given up"), (False, "sending again")):
            errors = [str(error) for _, _, error in failed if error.final == final]
            if errors:
                log.warning(event, messages=len(errors), error=errors[0])
        for message, _, error in failed:
            if not error.final:
                self._send(message)

    def flush(self) -> None:
        """Return when the broker has answered everything, and the ledger has the answers."""
        while self._in_flight:
            self._producer.flush()
            self.settle(at_once=True)

    def _write_new(self, track: Track, rows: Ints) -> None:
        """Enter passages that are to be sent for the first time; those that get lost are never sent at all."""
        schedule = track.schedule
        new = np.unique(rows[track.index[rows] < 0])
        if not len(new):
            return
        lost = new[schedule.lost[new]]
        if self._ledger:
            track.index[new] = self._ledger.passages(schedule.day.take(new).texts())
            if len(lost):
                self._ledger.attempts(track.index[lost], "fail", at_ms=self._real.now_ms())
            for skip, row in zip(schedule.skips, schedule.gap_rows, strict=True):
                if row in new:
                    self._ledger.skipped(device=skip.device, epoch=schedule.day.epoch, count=skip.count)
        else:
            track.index[new] = self.counts.events + np.arange(len(new))
        self.counts.events += len(new)
        self.counts.lost += len(lost)

    def _send(self, message: KafkaMessage) -> None:
        while self._in_flight >= _MOST_IN_FLIGHT or self._bytes_in_flight > _MOST_BYTES:
            self._producer.settle(_POLL_SECONDS)
            self.settle(at_once=True)
        self._in_flight += 1
        self._bytes_in_flight += len(message.value)
        self._events_in_flight += message.events
        self.counts.messages += 1
        sent_ms = self._real.now_ms()
        self._producer.send(
            message.topic, message.value, message.key, timestamp_ms=sent_ms,
            on_answer=lambda answer: self._answers.append((message, sent_ms, answer)),
        )  # fmt: skip

    def _write(self, result: Result, messages: Sequence[KafkaMessage], where: Mapping[str, Sequence[int]]) -> int:
        """Enter an attempt for each passage and malformed line, `where` its message is; return how many passages."""
        index = np.array([row for message in messages for row in message.index], np.int64)
        if len(index) and self._ledger:
            passages = [len(message.index) for message in messages]
            stored = {name: np.repeat(np.array(values, np.int64), passages) for name, values in where.items()}
            self._ledger.attempts(index, result, at_ms=self._real.now_ms(), stored=stored)
        for topic in dict.fromkeys(message.topic for message in messages if message.malformed):
            lines = [line for message in messages if message.topic == topic for line in message.malformed]
            self.counts.malformed += len(lines)
            if self._ledger:
                names, reasons = [line.sha256 for line in lines], [line.reason for line in lines]
                self._ledger.malformed(topic=topic, sha256=names, reason=reasons, result=result)
        return len(index)
