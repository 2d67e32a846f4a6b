"""The contender "bare": a plain loop over librdkafka and orjson that counts in a dict, the upper bound for Python.

It keeps nothing, restarts from nothing, checks nothing, and stores nothing.
"""

from collections import Counter

import orjson
from confluent_kafka import Consumer

from tests.benchmarks.peers.job import EAGER, MINUTE_MS, Job, answer, now_ms, read_job

BATCH = 10_000


def count(job: Job) -> None:
    """Count until every event is there."""
    consumer = Consumer({
        "bootstrap.servers": job.brokers, "group.id": job.group, "auto.offset.reset": "earliest", **EAGER,
    })  # fmt: skip
    consumer.subscribe([job.topic])
    counts: Counter[tuple[str, str, int]] = Counter()
    events, first_ms = 0, 0.0
    while events < job.events:
        for message in consumer.consume(BATCH, timeout=0.1):
            first_ms = first_ms or now_ms()
            for line in (message.value() or b"").split(b"\n"):
                passage = orjson.loads(line)
                events += 1
                if passage["outcome"] == "passed":
                    counts[passage["entrance"], passage["direction"], passage["ts"] // MINUTE_MS] += 1
    last_ms = now_ms()
    consumer.close()
    cells = ((entrance, direction, minute * MINUTE_MS, n) for (entrance, direction, minute), n in counts.items())
    answer(first_ms, last_ms, events, cells)


if __name__ == "__main__":
    count(read_job())
