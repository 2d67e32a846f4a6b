"""Measures how fast doubly counted events are retracted: `python -m tests.benchmarks.settle --events 1000000`.

As after a lost snapshot: two logs of the same events, of 200 lanes, on an embedded store. Prints the seconds of every
round; the last one is a look at nothing new.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks import schema
from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress, connect
from streams.kernels.counts.batch import Batch
from streams.kernels.counts.columns import DictColumn
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.lines.texts import PackedTexts
from streams.worker.settling import Settling
from tests.support.deliveries import SITE, claim
from tests.support.events import NINE, Event, batch
from tests.support.processes import running

LANES: Final = 200
_AT_ONCE: Final = 20_000


def batches(events: int) -> Iterator[Batch]:
    """Yield passages of all lanes, in turn, at 40 a second."""
    for first in range(0, events, _AT_ONCE):
        after = min(first + _AT_ONCE, events)
        offset = np.arange(first, after)
        lane, seq = offset % LANES, offset // LANES + 1
        ts = NINE + offset * 25
        one = batch([Event(int(at)) for at in offset], first=first, after=after)
        yield replace(
            one,
            device=DictColumn.of([f"N{1 + n % 2}-L{n:03}" for n in lane.tolist()]),
            entrance=DictColumn.of([f"N{1 + n % 2}" for n in lane.tolist()]),
            seq=seq,
            ts=ts,
            arrived=ts + 500,
            direction=(lane % 3 == 0).astype(np.int64),
            credential=PackedTexts.of([f"c{n}" for n in offset.tolist()]),
        )


async def store(sink: ClickHouseSink, name: PartitionId, parts: Iterator[Batch]) -> None:
    """Count passages in a log, and store it."""
    log = PassageLog(name, "person", SITE, next_offset=0)
    for part in parts:
        log.apply(part)
        await sink.write(log.drain())
    await sink.write([claim(log)])


async def measure(owner: StoreAddress, events: int) -> None:
    """Store, settle, and say how long it took."""
    sink, reader = ClickHouseSink(owner), ClickHouseReader(owner, seconds=300)
    for partition in range(2):
        await store(sink, PartitionId("bench", "turnstile.passages", partition), batches(events))
    counted = "SELECT (SELECT sum(passages) FROM gatepulse.entrance_totals), (SELECT count() FROM gatepulse.passages)"
    say = sys.stdout.write
    say(f"counted, passages: {reader.query(counted)}\n")
    settling, begun, n = Settling(reader, sink, SITE), time.perf_counter(), -1
    while n:
        at, before = time.perf_counter(), time.process_time()
        n = await settling.once()
        took, own = time.perf_counter() - at, time.process_time() - before
        say(f"{n} deliveries settled in {took:.2f} s, {own:.2f} s of this process\n")
    say(f"together {time.perf_counter() - begun:.1f} s; counted, passages: {reader.query(counted)}; unsettled: ")
    say(f"{reader.query('SELECT count() FROM gatepulse.unsettled')}; ")
    say(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB\n")
    await sink.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run on an embedded store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(EmbeddedClickHouse(Path(folder) / "clickhouse")) as server,
    ):
        at = server.address
        owner = at.owner
        with connect(owner) as client:
            schema.apply(client)
        asyncio.run(measure(owner, given.events))


if __name__ == "__main__":
    main()
