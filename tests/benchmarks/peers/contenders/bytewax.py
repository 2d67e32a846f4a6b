"""bytewax: a keyed tumbling window on event time, as its documentation has it, on one worker.

Chosen: Kafka records in batches of 10,000; `flat_map_batch` and the like, which take a whole batch per call; orjson;
a grace of 10 s, since each entrance's events come in order. `tail=False`: it ends, and closes all windows, at the end
of the topic. Its result comes when a window closes. No recovery store, so nothing would survive a crash.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from tests.benchmarks.peers.job import EAGER, MINUTE_MS, Job, answer, now_ms, read_job

BATCH = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Keyed = tuple[str, int]
"""Entrance and direction, and the event's time in ms."""


class Reading:
    """Splits and decodes records; notes when the first one came and how many events there were."""

    def __init__(self) -> None:
        self.first_ms, self.events = 0.0, 0

    def passed(self, messages: list[KafkaSourceMessage]) -> list[Keyed]:
        """Return who passed."""
        self.first_ms = self.first_ms or now_ms()
        passages = [orjson.loads(line) for message in messages for line in message.value.split(b"\n")]
        self.events += len(passages)
        return [
            (f"{each['entrance']} {each['direction']}", each["ts"]) for each in passages if each["outcome"] == "passed"
        ]


class Collected(DynamicSink[Any], StatelessSinkPartition[Any]):
    """Keeps the counts of closed windows: the number of a window is that of its minute."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, str, int, int]] = []

    def build(self, *_: object) -> "Collected":
        """Be the one partition of the one worker."""
        return self

    def write_batch(self, items: Sequence[tuple[str, tuple[int, int]]]) -> None:
        """Keep some."""
        for key, (minute, n) in items:
            entrance, direction = key.split(" ")
            self.counts.append((entrance, direction, minute * MINUTE_MS, n))


def happened(passed: Keyed) -> datetime:
    """Return an event's own time."""
    return EPOCH + timedelta(milliseconds=passed[1])


def flow(job: Job, reading: Reading, collected: Collected) -> Dataflow:
    """Build the dataflow."""
    dataflow = Dataflow("count")
    source = KafkaSource([job.brokers], [job.topic], tail=False, batch_size=BATCH, add_config=EAGER)
    records = op.input("records", dataflow, source)
    passed = op.flat_map_batch("passed", records, reading.passed)
    clock = EventClock(happened, wait_for_system_duration=timedelta(seconds=10))
    minutes = TumblingWindower(length=timedelta(minutes=1), align_to=EPOCH)
    counted = win.count_window("minutes", passed, clock, minutes, key=lambda each: each[0])
    op.output("counts", counted.down, collected)
    return dataflow


if __name__ == "__main__":
    given, first, last = read_job(), Reading(), Collected()
    cli_main(flow(given, first, last))
    answer(first.first_ms, now_ms(), first.events, last.counts)
