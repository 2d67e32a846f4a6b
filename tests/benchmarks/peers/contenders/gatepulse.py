"""The contender gatepulse: `gatepulse worker` doing its full job, with raw rows and all counts stored.

It is done when the view `progress` says so, asked from the other core, where its ClickHouse runs. Its first record is
in hand no earlier than its log says that the partitions are taken up; that is taken, so the fetch counts, too.
"""

import datetime as dt
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from infra.servers.clickhouse import ClickHouseError, EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import ClickHouseReader, connect
from sinks.sink import StoreError
from streams.contract.events import Topic
from tests.benchmarks.peers.contender import PROJECT, Measured, Place, run_program
from tests.benchmarks.peers.input import PARTITIONS, Feed
from tests.benchmarks.peers.job import Answer, Window, now_ms
from tests.benchmarks.peers.process import ContenderFailed, Pinned

_POLL: Final = 0.2
"""Seconds; asking more often would cost the store more than it adds to the precision of a run of ten seconds."""
_DONE: Final = "SELECT sum(received) FROM gatepulse.progress WHERE topic = %(topic)s"
_COUNTS: Final = """
SELECT entrance, direction, toUnixTimestamp(window_start) * 1000 AS minute, sum(passages) AS n
FROM gatepulse.entrance_counts_1m
WHERE kind = 'person'
GROUP BY entrance, direction, minute
"""


def full(place: Place, feed: Feed) -> Measured:
    """Run one worker, with a store of its own that is empty, until all is stored. Raises ContenderFailed."""
    _must_be_read(feed)
    store = EmbeddedClickHouse(place.folder / "clickhouse")
    try:
        store.start()
        store.wait_ready()
        _apply_schema(store)
        return _measure(place, feed, store)
    except (ClickHouseError, StoreError) as error:
        raise ContenderFailed(f"its store failed: {error}") from error
    finally:
        store.stop()


def without_store(place: Place, feed: Feed) -> Measured:
    """Run a worker whose rows are thrown away; see `gatepulse_without_store.py`. Raises ContenderFailed."""
    _must_be_read(feed)
    command = [sys.executable, "-m", "tests.benchmarks.peers.contenders.gatepulse_without_store"]
    measured = run_program(command, place, feed, env={**environment(place), "PYTHONPATH": str(PROJECT)})
    first_ms = resumed_ms(measured.said, feed.topic)
    return replace(measured, answer=replace(measured.answer, first_ms=first_ms))


def _must_be_read(feed: Feed) -> None:
    if feed.topic != Topic.TURNSTILES:
        raise ContenderFailed(f"a worker reads {Topic.TURNSTILES} only, and not {feed.topic}: give it a share of 1")


def environment(place: Place, **settings: str) -> Mapping[str, str]:
    """Set up a worker that was away for the day."""
    ours = {
        "KAFKA__BROKERS": place.brokers,
        "KAFKA__GROUP": place.folder.name,
        "KAFKA__PARTITIONS": str(PARTITIONS),
        "WORKER__DATA": str(place.folder / "faust"),
        "WORKER__METRICS_PORT": "0",
    }
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("GATEPULSE_")}
    return kept | {f"GATEPULSE_{key}": value for key, value in (ours | settings).items()}


def _apply_schema(store: EmbeddedClickHouse) -> None:
    with connect(store.address.owner) as client:
        schema.apply(client)


def _measure(place: Place, feed: Feed, store: EmbeddedClickHouse) -> Measured:
    address = store.address
    settings = {
        "STORE__HOST": address.host,
        "STORE__PORT": str(address.port),
        "STORE__USER": address.owner.user,
        "STORE__PASSWORD": address.owner.password,
        "STORE__READER": address.reader.user,
        "STORE__READER_PASSWORD": address.reader.password,
    }
    reader = ClickHouseReader(address.reader)
    command = [sys.executable, "-P", "-m", "infra.cli.main", "worker"]
    deadline = place.deadline
    try:
        with Pinned(command, place.folder / "said.log", env=environment(place, **settings)) as worker:
            while (done := _received(reader, feed.topic)) < feed.events:
                worker.glance(deadline, pause=_POLL)
                worker.must_run()
            last_ms = now_ms()
            worker.use.look()
            answer = Answer(resumed_ms(worker.said(), feed.topic), last_ms, done, _counts(reader))
            return Measured(answer, worker.started_ms, worker.use, worker.said())
    finally:
        reader.close()


def _received(reader: ClickHouseReader, topic: str) -> int:
    return int(reader.query(_DONE, {"topic": topic})[0][0])


def _counts(reader: ClickHouseReader) -> dict[Window, int]:
    return {(entrance, direction, minute): n for entrance, direction, minute, n in reader.query(_COUNTS)}


def resumed_ms(said: str, topic: str) -> float:
    """Return when a worker's log says that the partitions of a topic resumed, in ms since 1970."""
    for line in said.splitlines():
        if line.startswith("{") and '"partitions resumed"' in line:
            record = json.loads(line)
            if record["topic"] == topic and record["offsets"]:
                return dt.datetime.fromisoformat(record["timestamp"]).timestamp() * 1000
    raise ContenderFailed(f"the worker's log does not say that partitions of {topic} resumed")
