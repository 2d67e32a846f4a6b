"""Ends a worker that has work and makes no progress; a new process resumes at the checkpoint.

Clients of a broker have been seen to hang for good after it was away: the process seems healthy, and its figures grow
old. `StallDetector` decides, from plain facts and without a clock. `start_watchdog` polls on a thread of its own, so
that it also notices when the worker's event loop hangs.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import structlog

from streams.contract.topics import SOURCES
from streams.logging import loggable_text
from streams.sources.brokers import Brokers, BrokersError, PartitionKey
from streams.worker.process_ends import EndProcess, StalledError

log = structlog.get_logger()

TICK_SECONDS: Final = 1.0
_OURS: Final = Path(__file__).parents[1]
_STARTS: Final = "it does not get to work after its start"
_LONGEST_START: Final = 4
"""In units of patience: over a slow line the requests at a start take tens of seconds."""


@dataclass(frozen=True)
class WorkerStatus:
    """How far a worker is at one moment."""

    turns: int  # grows as its event loop turns, once it has started
    recovering: Hashable | None  # None while it counts; otherwise anything that changes as its recovery makes progress
    storing: bool  # it waits for the store, which is no stall
    counted: Mapping[PartitionKey, int]  # next offsets in memory
    checkpointed: Mapping[PartitionKey, int]  # and in the newest snapshot
    end: Mapping[PartitionKey, int] | None  # those of the broker, None while it does not answer
    rehearsals: int = 0  # grows while lines are looked for on which the code fails


@dataclass
class StallDetector:
    """Counts for how many polls in a row something has made no progress: a process that was suspended has not hung."""

    patience: int
    _last: WorkerStatus | None = None
    _still: dict[str, int] = field(default_factory=dict)

    def observe(self, now: WorkerStatus) -> str | None:
        """Return what has made no progress for `patience` polls, if anything has."""
        before, self._last = self._last, now
        still = _stalled(before, now) if before else set()
        known = still
        if before and (now.end is None or now.storing):
            # It is unknown for now: earlier polls still count for what has made no progress since.
            known = still | _stalled(before, replace(now, end=before.end or {}, storing=False))
        self._still = {
            what: n + (what in still) for what, n in (dict.fromkeys(still, 0) | self._still).items() if what in known
        }
        patience = {_STARTS: self.patience * _LONGEST_START}
        return next((what for what, n in sorted(self._still.items()) if n >= patience.get(what, self.patience)), None)


def _stalled(before: WorkerStatus, now: WorkerStatus) -> set[str]:
    """Return what should have made progress between two polls and did not."""
    if now.turns == before.turns:
        return {"the event loop does not turn" if now.turns else _STARTS}
    if now.end is None or now.storing:
        return set()
    if now.recovering is not None:
        return {"the assignment of partitions does not end"} if now.recovering == before.recovering else set()
    if now.rehearsals != before.rehearsals:
        return set()
    behind = {
        f"{topic}/{partition}: records wait at offset {at}, and none is counted"
        for (topic, partition), at in now.counted.items()
        if at < now.end.get((topic, partition), 0) and before.counted.get((topic, partition)) == at
    }
    uncommitted = {
        f"{topic}/{partition}: counted, and no checkpoint since offset {at}"
        for (topic, partition), at in now.checkpointed.items()
        if at < now.counted.get((topic, partition), at) and before.checkpointed.get((topic, partition)) == at
    }
    return behind | uncommitted


def log_ends(brokers: Brokers) -> Mapping[PartitionKey, int] | None:
    """Return the offsets behind the last records that a worker may read; None when the brokers do not answer."""
    try:
        states = brokers.topic_states(SOURCES)
    except BrokersError:
        return None
    return {(topic, number): at for topic, state in states.items() for number, at in state.end.items()}


def waiting_at(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Name where each task of our own code waits, from the outside in: files and lines only; any thread may call."""
    places = []
    for task in asyncio.all_tasks(loop):
        frames, inner = list[Any](), cast("Any", task.get_coro())
        while frame := getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None):
            frames.append(frame)
            inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
        if any(Path(frame.f_code.co_filename).is_relative_to(_OURS) for frame in frames):
            places.append(" > ".join(f"{Path(each.f_code.co_filename).name}:{each.f_lineno}" for each in frames))
    return sorted(places)


def start_watchdog(
    status: Callable[[], WorkerStatus],
    *,
    seconds: float,
    end: EndProcess,
    tick: float = TICK_SECONDS,
    before_poll: Callable[[], object] = lambda: None,
    waiting_tasks: Callable[[], Sequence[str]] = tuple,
) -> threading.Thread:
    """Poll `status` every tick on a thread of its own, and end the process after so many seconds without progress.

    `before_poll` is called before every poll: it resets a timer that ends a process in which no thread runs any more.
    `waiting_tasks` returns the places in the code at which tasks wait, for the log.
    """
    watch = StallDetector(patience=max(2, round(seconds / tick)))

    def run() -> None:
        trouble, pause = None, threading.Event()  # time.sleep fails under libfaketime, with which clocks are tested
        while not trouble:
            pause.wait(tick)
            before_poll()
            try:
                trouble = watch.observe(status())
            except Exception as error:  # a watchdog that has ended is worse than one that missed a poll
                log.warning(
                    "the watchdog could not read the status",
                    reason=loggable_text(error),
                    kind=type(error).__name__,
                    exc_info=error,
                )
        with suppress(Exception):  # only for the log: the loop may be at any point
            log.error("the worker makes no progress", trouble=trouble, waiting=list(waiting_tasks()))
        end(StalledError(f"no progress for {seconds:g} s: {trouble}; restarting from the checkpoint"))

    thread = threading.Thread(target=run, name="watchdog", daemon=True)
    thread.start()
    return thread
