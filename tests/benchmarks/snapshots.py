"""Measures what a worker's snapshots cost: processor time and bytes a second, and taking them up again.

One log of passages and the alarms that follow from it, second by second as in a worker, without Kafka or a store:
`python -m tests.benchmarks.snapshots --devices 20000 --rate 1000 --seconds 60`. Each state that is taken up is compared
with the one that was counted.
"""

import argparse
import gc
import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from streams.contract.events import Topic
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.alarms.log import AlarmBatch
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.worker.alarm_inputs import flow_of
from streams.worker.app import handler_of
from streams.worker.partition_state import Changes, TopicHandler
from streams.worker.snapshot_chain import ChainWriter
from streams.worker.snapshot_records import join_records, pack, without_collection
from tests.benchmarks.growth.places import site
from tests.benchmarks.growth.traffic import Traffic

START_MS: Final = 1_790_000_000_000
_BEFORE_SECONDS: Final = 20
_POLLS_A_SECOND: Final = 20
_FLUSHES_A_SECOND: Final = 4
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AlarmInput).decode


@dataclass
class Saver:
    """Writes the snapshots of one log as a worker does, and remembers what a start has to read."""

    handler: TopicHandler[Any]
    log: Any
    changes: Changes[Any]
    chain: ChainWriter = field(default_factory=lambda: ChainWriter(0))
    records: list[bytes] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)  # processor seconds of each snapshot
    written: list[int] = field(default_factory=list)  # bytes of each

    def save(self) -> None:
        """Write what has changed, or the whole state if that is due."""
        started = time.process_time()
        with without_collection():
            plain = None if self.chain.wants_whole else self.changes.freeze(self.log)
            whole = plain is None
            plain = self.handler.freeze(self.log) if plain is None else plain
        self.changes.note_saved(self.log)
        value = self.chain.record({**plain, "era": 0, "lost": 0, "tail": 0}, pack, whole=whole).value
        self.spent.append(time.process_time() - started)
        self.written.append(len(value))
        self.records = [value] if whole else [*self.records, value]

    def forget(self) -> None:
        """Begin to measure anew."""
        self.spent, self.written = [], []

    def say(self, name: str) -> None:
        """Take the state up, compare it, and print the figures."""
        gc.collect()
        started = time.process_time()
        plain = join_records(self.records, self.changes.join)
        with without_collection():
            again = self.handler.thaw(plain, self.log.name)
        took = time.process_time() - started
        if self.handler.freeze(again) != self.handler.freeze(self.log):
            raise RuntimeError(f"{name}: another state was taken up than was counted")
        spent = np.array(self.spent) * 1000
        print(  # noqa: T201  # the result
            f"{name}: {spent.mean():.1f} ms a second, median {np.median(spent):.1f}, most {spent.max():.1f}; "
            f"{np.mean(self.written) / 1000:.0f} kB a second; taken up in {took * 1000:.0f} ms from "
            f"{len(self.records)} records of {sum(map(len, self.records)) / 1000:.0f} kB"
        )


class Run:
    """A log of passages and the alarms."""

    def __init__(self, *, devices: int, rate: int, seconds: int) -> None:
        self.rate, self.warm_up = rate, 5 * devices
        events, place = self.warm_up + rate * (seconds + _BEFORE_SECONDS), site(200, devices)
        self.traffic = Traffic(place, events=events, start_ms=START_MS, seconds=events / rate)
        times = TimeRules(SiteClock(), 300_000, 172_800_000)
        self.passages, self.alarms = (
            _saver(handler_of(topic, place, times), PartitionId("snapshots", topic, 0))
            for topic in (Topic.TURNSTILES, Topic.ALARM_INPUTS)
        )

    def warm(self) -> None:
        """Count a few passages of each device, and some seconds as they are measured."""
        while self.traffic.sent < self.warm_up:
            self._count(min(4000, self.warm_up - self.traffic.sent))
            self._flush()
        for _ in range(_BEFORE_SECONDS):
            self.second()
        self.passages.forget()
        self.alarms.forget()

    def second(self) -> None:
        """Count a second of passages."""
        for _ in range(_FLUSHES_A_SECOND):
            for _ in range(_POLLS_A_SECOND // _FLUSHES_A_SECOND):
                self._count(self.rate // _POLLS_A_SECOND)
            self._flush()
        self.passages.save()
        self.alarms.save()

    def _count(self, most: int) -> None:
        saver = self.passages
        saver.log.apply(saver.handler.read(self.traffic.next(most).records(saver.log.next_offset)))

    def _flush(self) -> None:
        complete_to = START_MS + round(self.traffic.sent * 1000 / self.rate)
        line = _decode(_encode(AlarmInput(flows=[flow_of(self.passages.log, complete_to)])))
        alarms = self.alarms.log
        offset = alarms.next_offset
        alarms.apply(AlarmBatch(offset, offset + 1, [(offset, 0, line)]))
        alarms.drain()
        alarms.drain_changes()
        self.passages.log.drain()


def _saver(handler: TopicHandler[Any], name: PartitionId) -> Saver:
    if handler.changes is None:
        raise TypeError(f"{name}: its snapshots are all whole")
    return Saver(handler, handler.begin(name, 0), handler.changes)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("devices", 20_000), ("rate", 1_000), ("seconds", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    run = Run(devices=chosen.devices, rate=chosen.rate, seconds=chosen.seconds)
    run.warm()
    for _ in range(chosen.seconds):
        run.second()
    run.passages.say("passages")
    run.alarms.say("alarms")


if __name__ == "__main__":
    main()
