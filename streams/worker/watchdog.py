"""Notices a worker that has work and does not get on, and ends it; a new process takes up at the checkpoint.

Clients of a broker have been seen to hang for good after it was away: the process looks healthy, and its figures grow
old. `Watch` decides, from plain facts and without a clock; `keep_watch` gathers the facts on a thread of its own, so
that it also notices when the worker's event loop stands still.
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
"""Patiences: over a slow line the questions at a start take tens of seconds."""


@dataclass(frozen=True)
class WorkerStatus:
    """How a worker stands at one moment.

    `turns` grows as its event loop turns, once it has got to work. `recovering` is None while it counts; otherwise
    anything that changes as its recovery gets on. `storing`: it waits for the store, which is nobody's fault here.
    `counted` and `kept` are next offsets by partition, in memory and in the newest snapshot; `end` those of the broker,
    None while it does not answer. `rehearsals` grows while lines are looked for on which the code fails.
    """

    turns: int
    recovering: Hashable | None
    storing: bool
    counted: Mapping[PartitionKey, int]
    checkpointed: Mapping[PartitionKey, int]
    end: Mapping[PartitionKey, int] | None
    rehearsals: int = 0


@dataclass
class StallDetector:
    """Counts for how many looks in a row something has stood still; time passes by looks alone.

    So a process that was stopped for an hour and goes on is not taken for one that stood still for an hour.
    """

    patience: int
    _last: WorkerStatus | None = None
    _still: dict[str, int] = field(default_factory=dict)

    def observe(self, now: WorkerStatus) -> str | None:
        """Return what has stood still for as long as patience lasts, if anything has."""
        before, self._last = self._last, now
        still = _standing_still(before, now) if before else set()
        known = still
        if before and (now.end is None or now.storing):
            # It is unknown for now: what stood still before still counts, unless it has progressed.
            known = still | _standing_still(before, replace(now, end=before.end or {}, storing=False))
        self._still = {
            what: n + (what in still) for what, n in (dict.fromkeys(still, 0) | self._still).items() if what in known
        }
        patience = {_STARTS: self.patience * _LONGEST_START}
        return next((what for what, n in sorted(self._still.items()) if n >= patience.get(what, self.patience)), None)


def _standing_still(before: WorkerStatus, now: WorkerStatus) -> set[str]:
    """Say what should have got on between two looks and did not."""
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


def nothing() -> None:
    """Put nothing off."""


def nowhere() -> Sequence[str]:
    """Name no place."""
    return ()


def waiting_at(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Name where each task of our own code waits, from the outside in: files and lines only; any thread may ask."""
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
    standing: Callable[[], WorkerStatus],
    *,
    seconds: float,
    end: EndProcess,
    tick: float = TICK_SECONDS,
    put_off: Callable[[], object] = nothing,
    where: Callable[[], Sequence[str]] = nowhere,
) -> threading.Thread:
    """Look every tick on a thread of its own, and end the process once it has stood still for so many seconds.

    `put_off` is called before every look: it puts off what ends a process in which no thread gets to run any more.
    `where` names the places at which its tasks wait, for the log.
    """
    watch = StallDetector(patience=max(2, round(seconds / tick)))

    def run() -> None:
        trouble, pause = None, threading.Event()  # time.sleep fails under libfaketime, with which clocks are tested
        while not trouble:
            pause.wait(tick)
            put_off()
            try:
                trouble = watch.observe(standing())
            except Exception as error:  # a watch that ends in silence is worse than one look less
                log.warning(
                    "the watchdog could not look",
                    reason=loggable_text(error),
                    kind=type(error).__name__,
                    exc_info=error,
                )
        with suppress(Exception):  # it is only said, of a loop that may be at any point
            log.error("the worker stands still", trouble=trouble, waiting=list(where()))
        end(StalledError(f"no progress for {seconds:g} s: {trouble}; restarting from the checkpoint"))

    thread = threading.Thread(target=run, name="watchdog", daemon=True)
    thread.start()
    return thread
