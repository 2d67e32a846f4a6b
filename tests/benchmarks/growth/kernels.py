"""Measures one worker's work on one log without Kafka or a store, part by part; next: `plant.py`.

A case runs in a process of its own, so that its peak of memory is its own. Times are processor time of one core.
"""

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.contract.events import Topic
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.site_totals import entrance_totals
from streams.settings import WorkerSettings
from streams.worker.alarm_inputs import flow_of
from streams.worker.app import handler_of
from streams.worker.partition_state import TopicHandler
from streams.worker.snapshot_chain import ChainWriter
from streams.worker.snapshot_records import join_records, pack, without_collection
from tests.benchmarks.growth.cases import A_FLUSH, A_JOIN, PARTS, Case, Measured
from tests.benchmarks.growth.places import site
from tests.benchmarks.growth.traffic import Traffic

START_MS: Final = 1_790_000_000_000
_FLUSHES_A_SNAPSHOT: Final = round(WorkerSettings().checkpoint_seconds / WorkerSettings().flush_seconds)
_NAME: Final = PartitionId("growth", Topic.TURNSTILES, 0)
_encode = msgspec.json.Encoder().encode


class WrongCountError(RuntimeError):
    """Other counts came out than were sent: what was measured is worth nothing."""


@dataclass
class _Meter:
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        self.spent[name] += time.process_time() - started


class _Run:
    """One log under way."""

    def __init__(self, handler: TopicHandler[PassageLog]) -> None:
        self.handler, self.log = handler, handler.begin(_NAME, 0)
        self.written: list[bytes] = []  # what a start reads: the last whole snapshot, and the changes behind it
        self.chain = ChainWriter(_NAME.partition)
        self.forget()

    def forget(self) -> None:
        """Begin to measure anew."""
        self.meter = _Meter()
        self.rows = self.records = self.flushes = self.snapshots = self.largest = 0

    def until(self, traffic: Traffic, sent: int, *, a_poll: int, a_flush: int) -> None:
        """Count until so many passages have been sent, and flush as often as is due."""
        while traffic.sent < sent:
            end = min(traffic.sent + a_flush, sent)
            while traffic.sent < end:
                self.count(traffic, min(a_poll, end - traffic.sent))
            self.flush()

    def count(self, traffic: Traffic, most: int) -> None:
        """Count the next passages, as one message."""
        records = traffic.next(most).records(self.log.next_offset)
        with self.meter.part("decode"):
            batch = self.handler.read(records)
        with self.meter.part("apply"):
            self.log.apply(batch)

    def flush(self) -> None:
        """Do what a worker does at a flush, and make a snapshot at every fourth one."""
        log, meter = self.log, self.meter
        with meter.part("drain"):
            blocks = log.drain()
        with meter.part("publish"):
            _encode(AlarmInput(flows=[flow_of(log, log.live.newest)]))
        with meter.part("totals"):
            totals = [_encode(each) for each in entrance_totals(log)]
        self.rows += sum(map(_rows, blocks))
        self.records += len(totals)
        self.flushes += 1
        if self.flushes % _FLUSHES_A_SNAPSHOT == 0:
            self.keep()

    def keep(self) -> None:
        """Make a snapshot, as a worker does: most say what has changed since the one before."""
        changes = self.handler.changes
        assert changes is not None
        with self.meter.part("snapshot"):
            with without_collection():
                plain = None if self.chain.wants_whole else changes.freeze(self.log)
                whole = plain is None
                plain = self.handler.freeze(self.log) if plain is None else plain
            changes.note_saved(self.log)
            record = self.chain.record({**plain, "era": 0, "lost": 0, "tail": 0}, pack, whole=whole)
        self.written = [record.value] if whole else [*self.written, record.value]
        self.largest = max(self.largest, len(record.value))
        self.snapshots += 1


def measure(case: Case) -> Measured:
    """Run one case in this process. Raises WrongSizeError, WrongCountError."""
    place, events = site(case.entrances, case.devices), case.warm_up + case.events
    traffic = Traffic(place, events=events, start_ms=START_MS, seconds=events / case.pace)
    run = _Run(handler_of(Topic.TURNSTILES, place, TimeRules(SiteClock(), 300_000, 172_800_000)))
    before = _memory("VmRSS")
    run.until(traffic, case.warm_up, a_poll=A_JOIN, a_flush=A_FLUSH)
    run.forget()
    tenth = -(-case.events // 10 // case.a_flush) * case.a_flush
    run.until(traffic, case.warm_up + min(tenth, case.events), a_poll=case.a_poll, a_flush=case.a_flush)
    early = _memory("VmHWM") - before
    run.until(traffic, events, a_poll=case.a_poll, a_flush=case.a_flush)
    run.keep()
    memory = _memory("VmHWM") - before
    _check(run, events)
    return Measured(case, run.meter.spent, run.rows, run.records, early, memory, run.largest, run.snapshots, _thaw(run))


def _thaw(run: _Run) -> float:
    """Return how long it takes to take the last snapshots up, and see that they say what the log says."""
    changes = run.handler.changes
    assert changes is not None
    gc.collect()
    started = time.process_time()
    plain = join_records(run.written, changes.join)
    with without_collection():
        log = run.handler.thaw(plain, _NAME)
    took = time.process_time() - started
    if log.next_offset != run.log.next_offset or log.tally != run.log.tally:
        raise WrongCountError(f"the snapshot says {log.tally}, the log {run.log.tally}")
    return took


def _check(run: _Run, events: int) -> None:
    """Raise WrongCountError unless every passage was counted: otherwise something else was measured."""
    tally = run.log.tally
    if tally.counted != events or tally.unaccounted:
        raise WrongCountError(f"counted {tally.counted:,} passages, expected {events:,}: {tally}")


def _rows(block: Block) -> int:
    return len(next(iter(block.columns.values())))


def _memory(key: str) -> float:
    """Return the memory (MB) that this process has (VmRSS), or has had at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1000


def run_cases(cases: list[Case], say: Callable[[Measured], None]) -> list[Measured]:
    """Run the cases one after the other, each in a new process; raises what one of them raises."""
    found: list[Measured] = []
    options: dict[str, Any] = {"max_workers": 1, "max_tasks_per_child": 1, "mp_context": get_context("spawn")}
    with ProcessPoolExecutor(**options) as pool:
        for measured in pool.map(measure, cases):
            found.append(measured)
            say(measured)
    return found
