"""Connects to Kafka, now or as soon as a broker is there, so that nothing sent gets lost; next: `produce.py`."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from typing import TYPE_CHECKING, Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError, RetriableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = structlog.get_logger()

_EVER = 2**31 - 1
"""Milliseconds: longer than any outage."""
_SPEAK_AFTER_MS = 5_000
"""A wait for the broker is told on stderr after so long, and so often."""
_SPEAK_EVERY = 20
"""So many times it is looked for the broker in that time."""
_USUAL_PORT = "9092"


class NoBrokerError(RuntimeError):
    """No broker answered before somebody gave up waiting: start it, or name another one."""


def make_producer(bootstrap: str, *, stop: Callable[[], bool] = lambda: False, **kafka: Any) -> KafkaProducer:  # noqa: ANN401 - settings of kafka-python
    """Return a producer that retries until the broker has stored everything, once and in order.

    Waits for a broker that does not answer yet. Raises NoBrokerError if `stop` says so meanwhile. The numbers of an
    idempotent producer keep it from storing twice what it sends again; its batches leave no gaps in the offsets.
    """
    settings = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 5,
        "batch_size": 1 << 18,
        "delivery_timeout_ms": _EVER,
        "bootstrap_timeout_ms": _SPEAK_AFTER_MS,
        "max_block_ms": _SPEAK_AFTER_MS,  # of one attempt: the sender goes on
        "reconnect_backoff_max_ms": 1_000,
        "client_id": "gatepulse-simulator",
    }
    while True:
        _wait_until_reachable(bootstrap, stop)
        try:
            return KafkaProducer(bootstrap_servers=bootstrap, **(settings | kafka))
        except RetriableError as error:
            log.warning("waiting for the broker", brokers=bootstrap, error=str(error))
            if stop():
                raise NoBrokerError(_no_broker(bootstrap)) from error


def get_ready(producer: KafkaProducer, topics: Iterable[str]) -> None:
    """Let a producer find out where the topics are, so that its first message need not wait for that."""
    for topic in topics:
        with contextlib.suppress(KafkaTimeoutError):  # who sends waits for it, and says so
            producer.partitions_for(topic)


def _wait_until_reachable(bootstrap: str, stop: Callable[[], bool]) -> None:
    """Return when something listens at one of the addresses; raises NoBrokerError if `stop` says so before."""
    for attempt in itertools.count():
        if any(map(_listens, bootstrap.split(","))):
            return
        if stop():
            raise NoBrokerError(_no_broker(bootstrap))
        if attempt % _SPEAK_EVERY == 0:
            log.warning("waiting for the broker", brokers=bootstrap)
        time.sleep(_SPEAK_AFTER_MS / 1000 / _SPEAK_EVERY)


def _listens(address: str) -> bool:
    host, colon, port = address.strip().rpartition(":")
    if not colon:
        host, port = port, _USUAL_PORT
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SPEAK_AFTER_MS / 1000).close()
    except (OSError, ValueError):
        return False
    return True


def _no_broker(bootstrap: str) -> str:
    return f"{bootstrap}: no broker answers there. Start it, or name another."
