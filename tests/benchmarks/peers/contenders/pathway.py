"""Pathway: a table of the topic, filtered, grouped by entrance, direction and minute, and reduced to counts.

Chosen: its own JSON reader for messages of one event, so that Python does not touch them; a column for the minute, not
`windowby`, which does the same with more; one worker; `static`, so that it ends at the end of the topic. Messages of
several events are split and decoded by a function of ours: it has no reader for them. No persistence.

It does not tell when its first record came: its time starts with `pw.run`, so connecting counts, too.
"""

from typing import Any

import orjson
import pathway as pw

from tests.benchmarks.peers.job import EAGER, MINUTE_MS, Job, answer, now_ms, read_job


class Passage(pw.Schema):
    """What is read of an event."""

    entrance: str
    direction: str
    outcome: str
    ts: int


Cell = tuple[str, str, str, int]


def decode(value: bytes) -> tuple[Cell, ...]:
    """Split and decode one message."""
    passages = map(orjson.loads, value.split(b"\n"))
    return tuple((each["entrance"], each["direction"], each["outcome"], each["ts"]) for each in passages)


def read(job: Job) -> Any:
    """Return the table of all events."""
    settings = {"bootstrap.servers": job.brokers, "group.id": job.group, "auto.offset.reset": "earliest", **EAGER}
    if job.frame == 1:
        return pw.io.kafka.read(settings, topic=job.topic, format="json", schema=Passage, mode="static")
    frames = pw.io.kafka.read(settings, topic=job.topic, format="raw", mode="static")
    cells = frames.select(cell=pw.apply_with_type(decode, tuple[Cell, ...], pw.this.data)).flatten(pw.this.cell)
    names = {name: pw.this.cell[place] for place, name in enumerate(("entrance", "direction", "outcome", "ts"))}
    return cells.select(**names)


def count(job: Job) -> None:
    """Build the tables, run them, and answer with the newest count of each cell."""
    events = read(job)
    passed = events.filter(pw.this.outcome == "passed").with_columns(minute=pw.this.ts // MINUTE_MS)
    key = pw.this.entrance, pw.this.direction, pw.this.minute
    counts = passed.groupby(*key).reduce(*key, n=pw.reducers.count())
    newest: dict[tuple[str, str, int], int] = {}

    def keep(*, row: dict[str, Any], is_addition: bool, **_: object) -> None:
        if is_addition:
            newest[row["entrance"], row["direction"], row["minute"]] = row["n"]

    pw.io.subscribe(counts, on_change=keep)
    first_ms = now_ms()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    last_ms = now_ms()
    cells = ((entrance, direction, minute * MINUTE_MS, n) for (entrance, direction, minute), n in newest.items())
    answer(first_ms, last_ms, job.events, cells)


if __name__ == "__main__":
    count(read_job())
