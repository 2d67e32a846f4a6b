"""The contender Faust: an agent, a record type, and a tumbling table on event time, as its documentation teaches.

Chosen: the table in memory with its changelog in Kafka, four partitions as the topic has, uvloop, orjson (Faust takes
it where it is installed). Keys are entrance and direction; a window is kept for two days. Times are in ms, as in the
event. A message with several events is read as bytes, and its lines are decoded by the same record type.
"""

import os
from collections.abc import Iterator
from typing import Any

import faust
import uvloop

from tests.benchmarks.peers.job import MINUTE_MS, Job, answer, now_ms, read_job

TWO_DAYS_MS = 2 * 86_400_000


class Passage(faust.Record, serializer="json"):
    """What is read of an event."""

    entrance: str
    direction: str
    outcome: str
    ts: float


class Count:
    """The app, and what its agent has seen; the process ends when every event is counted."""

    def __init__(self, job: Job) -> None:
        self.job, self.events, self.first_ms, self.line_ts = job, 0, 0.0, 0.0
        self.app = faust.App(
            job.group, broker=f"kafka://{job.brokers}", store="memory://", datadir=job.folder, web_enabled=False,
            topic_partitions=4, consumer_auto_offset_reset="earliest", table_standby_replicas=0,
            worker_redirect_stdouts=False,
        )  # fmt: skip
        windows = self.app.Table("counts", default=int).tumbling(MINUTE_MS, expires=TWO_DAYS_MS)
        if job.frame == 1:
            self.counts = windows.relative_to_field(Passage.ts)  # type: ignore[arg-type]  # a descriptor, on the class
            self.app.agent(self.app.topic(job.topic, value_type=Passage))(self.count_events)
        else:
            self.counts = windows.clone(relative_to=lambda _: self.line_ts)
            topic = self.app.topic(job.topic, value_type=bytes, value_serializer="raw")
            self.app.agent(topic)(self.count_frames)

    async def count_events(self, passages: Any) -> None:
        """Count messages of one event."""
        async for passage in passages:
            self.count(passage)

    async def count_frames(self, frames: Any) -> None:
        """Count messages of several events."""
        async for frame in frames:
            for line in frame.split(b"\n"):
                passage = Passage.loads(line, default_serializer="json")
                self.line_ts = passage.ts
                self.count(passage)

    def count(self, passage: Passage) -> None:
        """Count one event; conclude with the last."""
        self.first_ms = self.first_ms or now_ms()
        if passage.outcome == "passed":
            self.counts[passage.entrance, passage.direction] += 1
        self.events += 1
        if self.events == self.job.events:
            answer(self.first_ms, now_ms(), self.events, self.cells())
            os._exit(0)

    def cells(self) -> Iterator[tuple[str, str, int, int]]:
        """Return what the table holds."""
        for ((entrance, direction), (start, _)), n in self.counts.table.items():
            yield entrance, direction, int(start), n


if __name__ == "__main__":
    uvloop.install()
    faust.Worker(Count(read_job()).app, loglevel="info").execute_from_commandline()
