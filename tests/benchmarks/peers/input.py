"""Fills the topics that are counted, and computes the true counts: simulated passages of persons.

Each contender reads all of its topic, so one that is slow gets a topic of its own with the first part of the same
events. Topics are filled once, and kept for all rounds. Each message bears the time of its last event: it has waited on
the broker since then.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient

from simulators.scenario.day import PASSED, PERSON, Day, SiteCodes
from simulators.scenario.expo.expo import PEAK_DAY, expo_day
from simulators.sending.messages import KafkaMessage, make_messages
from streams.contract import topics
from streams.contract.events import DIRECTIONS, Topic
from streams.settings import KafkaSettings
from streams.site.reader import load_site
from tests.benchmarks.peers.job import MINUTE_MS, Window

PARTITIONS: Final = 4
_PATIENCE: Final = 120.0
_AS_SENT: Final = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}


@dataclass(frozen=True)
class Feed:
    """One topic that is full: its events in messages of up to `frame` lines, and what is to be counted."""

    topic: str
    frame: int
    events: int
    messages: int
    truth: dict[Window, int]


class FillError(RuntimeError):
    """The broker did not take the input; the message says what it said."""


def persons(events: int) -> list[Day]:
    """Return the first `events` passages of persons from the expo's peak day on, day by day."""
    site, days, lacking, date = load_site("expo"), list[Day](), events, PEAK_DAY
    last_seq = np.zeros(len(SiteCodes(site).devices), np.int64)
    while lacking:
        day = expo_day(site, date=date)
        day = replace(day, seq=day.seq + last_seq[day.device])
        days.append(day.take(np.flatnonzero(day.kind == PERSON)[:lacking]))
        lacking -= len(days[-1])
        last_seq = np.maximum(last_seq, day.last_seq)
        date += dt.timedelta(days=1)
    return days


def first(days: list[Day], events: int) -> list[Day]:
    """Return the first `events` of some days."""
    parts, lacking = [], events
    for day in days:
        parts.append(day.take(slice(lacking)))
        lacking -= len(parts[-1])
    return [part for part in parts if len(part)]


def count_truth(days: list[Day]) -> dict[Window, int]:
    """Count who passed, by entrance, direction and minute; with numpy, and no code of any contender."""
    truth: dict[Window, int] = {}
    for day in days:
        passed = day.take(day.outcome == PASSED)
        cells = np.stack([passed.entrance, passed.direction, passed.ts // MINUTE_MS], axis=1)
        found, times = np.unique(cells, axis=0, return_counts=True)
        for (entrance, direction, minute), n in zip(found.tolist(), times.tolist(), strict=True):
            window = (str(day.names.entrances[entrance]), DIRECTIONS[direction], minute * MINUTE_MS)
            truth[window] = truth.get(window, 0) + n
    return truth


def fill(bootstrap: str, days: list[Day], *, topic: str, frame: int) -> Feed:
    """Create a topic as the workers do, and fill it, each entrance in its order. Raises FillError."""
    _create(bootstrap, topic)
    producer = Producer({
        "bootstrap.servers": bootstrap, "compression.type": "lz4", "partitioner": "murmur2_random",
        "linger.ms": 20, "batch.size": 1 << 18, "enable.idempotence": True,
        "log_level": 3, "queue.buffering.max.messages": 200_000,
    })  # fmt: skip
    messages = sum(_send(producer, topic, message, ts) for message, ts in _messages(days, frame))
    if producer.flush(_PATIENCE):
        raise FillError(f"{topic}: the broker at {bootstrap} did not take the input within {_PATIENCE:g} s")
    return Feed(
        topic=topic,
        frame=frame,
        events=sum(map(len, days)),
        messages=messages,
        truth=count_truth(days),
    )


def delete_others(bootstrap: str, kept: set[str]) -> None:
    """Delete what a contender has left on the broker: changelogs, snapshots, what it published."""
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        others = [name for name in admin.list_topics() if name not in kept and not name.startswith("__")]
        if others:
            admin.delete_topics(others)
    finally:
        admin.close()


def _messages(days: list[Day], frame: int) -> Iterator[tuple[KafkaMessage, int]]:
    for day in days:
        rows = np.arange(len(day))
        for message in make_messages(day, rows, rows, malformed=(), frame=frame):
            yield message, int(day.ts[message.index[-1]])


def _send(producer: Producer, topic: str, message: KafkaMessage, ts: int) -> int:
    while True:
        try:
            producer.produce(topic, key=message.key, value=message.value, timestamp=ts, on_delivery=_must_be_kept)
        except BufferError:  # the producer's memory is full
            producer.poll(0.1)
        else:
            producer.poll(0)
            return 1


def _must_be_kept(error: object, _: object) -> None:
    if error is not None:
        raise FillError(f"the broker refused a message: {error}")


def _create(bootstrap: str, topic: str) -> None:
    """Create an input topic, set as gatepulse sets its own, but that messages bear the times they are given."""
    wanted = next(each for each in topics.plans(KafkaSettings(partitions=PARTITIONS)) if each.name == Topic.TURNSTILES)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        topics.create(admin, [replace(wanted, name=topic, config={**wanted.config, **_AS_SENT})])
    finally:
        admin.close()
