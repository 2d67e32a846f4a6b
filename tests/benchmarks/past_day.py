"""Measures how fast a whole day is counted after an outage of a day: `python -m tests.benchmarks.past_day`.

Yesterday of the expo, persons and vehicles: over a million and a half events, each on a real Kafka since it happened.
Then a worker begins. In the end every view is compared with the ledger. `--frame 100` puts so many events into a
message; `--workers 2` has two of them; `--json FILE` keeps the figures. Exit code 1 unless every row is equal.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from infra.loadtest.sampling import ProcessSampler
from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.day import Day
from simulators.scenario.expo.expo import EXPO, expo_day
from simulators.sending.messages import KafkaMessage, make_messages
from simulators.sending.plan import Plan
from simulators.sending.producer import Answer, NotStoredError, Producer, Stored
from simulators.verify.report import Verdict, sentence
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader
from streams.contract.events import KIND_OF_TOPIC
from streams.kernels.counts.site_clock import SiteClock
from tests.faults.catalogue import Layout
from tests.faults.plant import Plant

ON_THE_WAY_MS: Final = 200
"""From the last event in a message to the broker."""
PATIENCE: Final = 600.0
_AS_SENT: Final = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
_STORED: Final = "SELECT sum(received) FROM gatepulse.progress"
_POLL_SECONDS: Final = 0.05
_MOST_ON_THE_WAY: Final = 50_000


@dataclass(frozen=True)
class Measured:
    """Seconds from the start of the workers on; `cores`: how many each process had on average until all was stored.

    `first_stored`: the first look that showed any, `first` of them.
    """

    events: int
    frame: int
    workers: int
    first: int
    first_stored: float
    all_stored: float
    proven: float
    cores: dict[str, float]
    equal: bool

    @property
    def rate(self) -> float:
        """Events stored a second, from the first look that showed any until all were."""
        return (self.events - self.first) / (self.all_stored - self.first_stored)


class NotStoredInTimeError(RuntimeError):
    """The workers did not store everything in time; the message says how far they are and where their logs are."""


def measure(folder: Path, *, frame: int, workers: int) -> tuple[Measured, Verdict]:
    """Fill the broker, let workers begin, and prove every view. Raises NotStoredInTimeError, and what servers raise."""
    with Plant(Layout(workers=0), folder) as plant:
        _keep_times(plant.bootstrap)
        day = expo_day(plant.site, date=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1), epoch=1)
        _say(f"{len(day):,} events into Kafka …")
        _fill(plant, day, folder / "ledger", frame=frame)
        _say("workers begin …")
        began = time.monotonic()
        with ProcessSampler(plant.pids) as watch:
            for _ in range(workers):
                plant.add_worker()
            first, seen, last = _until_stored(plant.reader(), len(day), plant.path / "logs")
        _say(f"stored after {last - began:.1f} s; comparing every view with the ledger …")
        verdict = verify(folder / "ledger", plant.reader(), plant.site)
        proven = time.monotonic()
    cores = {
        name: (samples[-1].cpu_seconds - samples[0].cpu_seconds) / (last - began)
        for (name, _), samples in watch.samples.items()
    }
    times = (seen - began, last - began, proven - began)
    return Measured(len(day), frame, workers, first, *times, cores, verdict.ok), verdict


def _keep_times(bootstrap: str) -> None:
    """Let the sources keep the times of the sender, however long ago."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, str(each), _AS_SENT) for each in KIND_OF_TOPIC])
    finally:
        admin.close()


def _fill(plant: Plant, day: Day, ledger: Path, *, frame: int) -> None:
    producer = Producer(plant.bootstrap)
    meta = Plan(EXPO, epoch=day.epoch, clock=SiteClock()).described(plant.site, day.epoch)
    with LedgerWriter(ledger, meta=meta) as writer:
        writer.passages(day.texts())
        sent = list(_sent(producer, day, frame))
        producer.close()
        index = np.array([row for message, _ in sent for row in message.index], np.int64)
        lines = [len(message.index) for message, _ in sent]
        stored = [_stored(answer) for _, (answer,) in sent]
        places = {
            "arrived_ms": [place.timestamp for place in stored],
            "partition": [place.partition for place in stored],
            "offset": [place.offset for place in stored],
        }
        where = {name: np.repeat(np.array(values, np.int64), lines) for name, values in places.items()}
        writer.attempts(index, "ok", at_ms=int(time.time() * 1000), stored=where)


def _stored(answer: Answer) -> Stored:
    if isinstance(answer, NotStoredError):
        raise answer
    return answer


def _sent(producer: Producer, day: Day, frame: int) -> Iterator[tuple[KafkaMessage, list[Answer]]]:
    """Send the day; each message with the list into which the broker's answer is put."""
    rows, times = np.arange(len(day)), day.ts
    for number, message in enumerate(make_messages(day, rows, rows, malformed=(), frame=frame)):
        answers: list[Answer] = []
        at = int(times[message.index[-1]]) + ON_THE_WAY_MS
        producer.send(message.topic, message.value, message.key, timestamp_ms=at, on_answer=answers.append)
        if number % _MOST_ON_THE_WAY == 0:
            producer.flush()
        yield message, answers
    producer.flush()


def _until_stored(reader: ClickHouseReader, events: int, logs: Path) -> tuple[int, float, float]:
    """Return how many events the first look showed that showed any, its moment, and that at which all were there."""
    first, seen, deadline = 0, 0.0, time.monotonic() + PATIENCE
    while True:
        ((stored,),) = reader.query(_STORED)
        now = time.monotonic()
        if stored and not first:
            first, seen = int(stored), now
        if stored >= events:
            return first, seen, now
        if now > deadline:
            raise NotStoredInTimeError(f"{stored:,} of {events:,} events are stored after {PATIENCE:g} s: see {logs}")
        time.sleep(_POLL_SECONDS)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> int:
    """Measure once, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame", type=int, default=1, help="events in a message")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="past-day-") as scratch:
        found, verdict = measure(Path(scratch) / "plant", frame=options.frame, workers=options.workers)
    if options.json:
        options.json.write_text(json.dumps({**asdict(found), "rate": found.rate}, indent=1) + "\n")
    cores = ", ".join(f"{name} {share:.2f}" for name, share in sorted(found.cores.items()))
    sys.stdout.write(
        f"{sentence(verdict)}\nfirst stored {found.first_stored:.1f} s, all {found.all_stored:.1f} s, proven "
        f"{found.proven:.1f} s after the start; {found.rate:,.0f} events/s; cores: {cores}\n"
    )
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
