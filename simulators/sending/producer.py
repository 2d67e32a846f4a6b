"""Sends messages to Kafka so that none gets lost, twice in the log, or out of order; next: `produce.py`.

librdkafka does the work on threads of its own, at a tenth of what a client in Python takes: a simulator shares its
machine with what it tests, and must not be the load.
"""

import contextlib
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import confluent_kafka
import structlog
from confluent_kafka import KafkaError, KafkaException

log = structlog.get_logger()

_LOG_AFTER: Final = 5.0
"""Seconds after which a wait for the broker is logged, and then between two such lines."""
_POLL_SECONDS: Final = 0.25
"""Seconds of one wait for answers."""
_ANSWER_SECONDS: Final = 1.0
"""Seconds in which a broker that is there answers a query for the topics."""
_FINAL: Final = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_EXCEPTION,
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD,
})  # fmt: skip
"""Errors that sending again would only repeat."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the broker has a message, and the time (ms since 1970 UTC) that it bears there."""

    partition: int
    offset: int
    timestamp: int


class NotStoredError(RuntimeError):
    """The broker has not confirmed a message; `final`: sending it again would change nothing."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class NoBrokerError(RuntimeError):
    """No broker answered in time, or before the wait was ended: start it, or name another one."""


Answer: TypeAlias = Stored | NotStoredError
OnAnswer: TypeAlias = Callable[[Answer], None]


class Producer:
    """Retries until the broker has stored everything, once and in order; for one thread.

    The numbers of an idempotent producer keep the broker from storing twice what is sent again; its batches leave no
    gaps in the offsets. Keys are hashed as Java's and Python's clients do.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._last_answer = time.monotonic()
        self._reason = ""
        settings = {
            "bootstrap.servers": bootstrap,
            "client.id": "gatepulse-simulator",
            "enable.idempotence": True,
            "message.timeout.ms": 0,  # however long the broker is away
            "compression.type": "lz4",
            "linger.ms": 5,
            "batch.size": 1 << 18,
            "partitioner": "murmur2_random",
            "reconnect.backoff.max.ms": 1_000,
            "error_cb": self._complain,
            "logger": logging.getLogger("kafka.librdkafka"),
        }
        self._client = confluent_kafka.Producer(settings)

    def send(self, topic: str, value: bytes, key: bytes, *, timestamp_ms: int, on_answer: OnAnswer) -> None:
        """Queue a message; `on_answer` is called once with the broker's answer, during a later call of this object."""

        def deliver(error: KafkaError | None, message: confluent_kafka.Message) -> None:
            on_answer(_not_stored(error) if error else _stored(message))

        try:
            self._client.produce(topic, value, key, timestamp=timestamp_ms, on_delivery=deliver)
        except KafkaException as refused:
            on_answer(_not_stored(refused.args[0]))

    def settle(self, seconds: float = 0.0) -> None:
        """Handle answers, waiting `seconds` at most for the first; log a broker that has not answered for long."""
        now = time.monotonic()
        if self._client.poll(seconds) or not len(self._client):
            self._last_answer = now
        elif now - self._last_answer >= _LOG_AFTER:
            self._last_answer = now
            log.warning("waiting for the broker", brokers=self._bootstrap, error=self._reason)

    def flush(self, seconds: float = float("inf")) -> None:
        """Return when everything has been answered, or time is over."""
        until = time.monotonic() + seconds
        while len(self._client) and time.monotonic() < until:
            self.settle(_POLL_SECONDS)

    def partitions_for(self, topic: str) -> frozenset[int]:
        """Find out which partitions a topic has: none if the broker does not answer in time."""
        with contextlib.suppress(KafkaException):
            return frozenset(self._client.list_topics(topic, timeout=_LOG_AFTER).topics[topic].partitions)
        return frozenset()

    def close(self, seconds: float = 10.0) -> None:
        """Wait so long for outstanding answers, then close the connection."""
        self.flush(seconds)
        self._client.purge()
        self._client.close()

    def _complain(self, error: KafkaError) -> None:
        self._reason = error.str()


def make_producer(bootstrap: str, *, stop: Callable[[], bool] = lambda: False, patience: float = 60.0) -> Producer:
    """Return a producer once a broker answers.

    Raises NoBrokerError if none has after `patience` seconds, or if `stop()` is true before.
    """
    begun = time.monotonic()
    with contextlib.closing(confluent_kafka.Producer({"bootstrap.servers": bootstrap, "log_level": 0})) as probe:
        for attempt in itertools.count():
            with contextlib.suppress(KafkaException):
                probe.list_topics(timeout=_ANSWER_SECONDS)
                return Producer(bootstrap)
            if stop() or time.monotonic() - begun > patience:
                break
            if attempt % round(_LOG_AFTER / _ANSWER_SECONDS) == 0:
                log.warning("waiting for the broker", brokers=bootstrap)
    raise NoBrokerError(f"{bootstrap}: no broker answers there. Start it, or name another.")


def _stored(message: confluent_kafka.Message) -> Stored:
    return Stored(_known(message.partition()), _known(message.offset()), message.timestamp()[1])


def _known(number: int | None) -> int:
    assert number is not None  # noqa: S101 - what was stored has a place
    return number


def _not_stored(error: Any) -> NotStoredError:  # noqa: ANN401 - confluent-kafka has no type for what an exception bears
    return NotStoredError(error.str(), final=error.code() in _FINAL or error.fatal())
