"""The contender Quix Streams: a tumbling event-time window for each entrance and direction, state in RocksDB.

Chosen: the message key is the entrance, so no repartitioning; `current()`, the newest count after each event, since a
wall wants it before the minute is over; commits every 5 s with a changelog topic, as by default; orjson.
"""

from datetime import timedelta
from typing import Any

import orjson
from quixstreams import Application
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import Topic

from tests.benchmarks.peers.job import Job, answer, now_ms, read_job


class Count:
    """Counts until every event is there; the newest result of each window is kept."""

    def __init__(self, job: Job) -> None:
        self.job, self.first_ms, self.last_ms, self.events = job, 0.0, 0.0, 0
        self.newest: dict[tuple[str, int], dict[str, int]] = {}
        self.app = Application(
            broker_address=job.brokers, consumer_group=job.group, auto_offset_reset="earliest",
            state_dir=f"{job.folder}/state", loglevel="WARNING",
        )  # fmt: skip

    def flow(self, topic: Topic) -> StreamingDataFrame:
        """Build the dataframe."""
        passages = self.app.dataframe(topic).apply(self.read, expand=True)
        passages = passages[passages["outcome"] == "passed"]
        passages = passages.set_timestamp(lambda passage, *_: passage["ts"])
        windows = passages.tumbling_window(timedelta(minutes=1), grace_ms=timedelta(seconds=10))
        counted = windows.reduce(initializer=begin, reducer=add).current()
        return counted.update(self.keep, metadata=True)

    def read(self, value: bytes) -> list[dict[str, Any]]:
        """Split and decode one record."""
        self.first_ms = self.first_ms or now_ms()
        passages = [orjson.loads(line) for line in value.split(b"\n")]
        self.events += len(passages)
        if self.events == self.job.events:
            self.app.stop()  # after this message
        return passages

    def keep(self, window: dict[str, Any], key: bytes, *_: object) -> None:
        """Keep a window's newest count."""
        self.newest[key.decode(), window["start"]] = window["value"]
        self.last_ms = now_ms()

    def run(self) -> None:
        """Read all messages, then answer."""
        topic = self.app.topic(self.job.topic, value_deserializer="bytes", key_deserializer="bytes")
        self.flow(topic)
        self.app.run()
        counts = (
            (entrance, direction, start, n)
            for (entrance, start), both in self.newest.items()
            for direction, n in both.items()
        )
        answer(self.first_ms, self.last_ms, self.events, counts)


def begin(passage: dict[str, Any]) -> dict[str, int]:
    """Return the count of a window's first passage."""
    return {passage["direction"]: 1}


def add(counted: dict[str, int], passage: dict[str, Any]) -> dict[str, int]:
    """Count one more."""
    counted[passage["direction"]] = counted.get(passage["direction"], 0) + 1
    return counted


if __name__ == "__main__":
    Count(read_job()).run()
