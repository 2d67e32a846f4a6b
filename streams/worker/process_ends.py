"""Counts why worker processes ended, notes at which records, and ends the process on an error. Read `watchdog` next.

A process that ends instead of going on is what keeps the counts right; a process that ends again and again is a
trouble that somebody must see. So the next process of the same name tells Prometheus about the ones before it.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from sinks.sink import StoreError, StoreRefused
from streams.kernels.counts.partition_log import OffsetGapError
from streams.logging import loggable_text
from streams.worker.flush import CutOffError
from streams.worker.partition_state import OffsetRange

log = structlog.get_logger()

EndProcess = Callable[[BaseException], None]
"""Ends this process for a reason."""


@contextmanager
def ending(end: EndProcess) -> Iterator[None]:
    """End the process on any error in a block: Faust would go on without it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it is
        end(error)


STARTING: Final = "start"
"""The reason of an end before a worker has begun to work."""
_FAILED: Final = 70  # EX_SOFTWARE of sysexits.h


class StartError(RuntimeError):
    """A worker cannot start; the message says what is in its way."""


class StalledError(RuntimeError):
    """The worker has work and does not get on; a new process takes it up at the checkpoint."""


class SourceChangedError(RuntimeError):
    """What the brokers have, or what an operator decided, is not what it was when partitions were assigned."""


_REASONS: Final[dict[type[BaseException], str]] = {
    OffsetGapError: "hole",
    StalledError: "stalled",
    SourceChangedError: "source-changed",
    StoreRefused: "refused",
}


def is_unexpected(error: BaseException) -> bool:
    """Tell whether an end may be the fault of records that were being counted: no hole, store, broker or disk is.

    Nor is a flush that was cut off: it was by a worker that is being stopped, or by an error that was noted itself.
    """
    blameless = isinstance(error, (StoreError, KafkaError, OSError, CutOffError))
    return reason_of(error) in {"error", "stalled"} and (isinstance(error, MessageSizeTooLargeError) or not blameless)


def reason_of(error: BaseException) -> str:
    """Name the kind of end: hole, stalled, source-changed, refused, or error for what nobody expected."""
    return next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), "error")


def replace_json(file: Path, value: object) -> None:
    """Write a file as a whole: who reads it meanwhile, or after a crash, sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, sort_keys=True))
    fresh.replace(file)


@dataclass(frozen=True)
class Ends(Collector):
    """The ends of the workers of one name, in one file; Prometheus reads them."""

    file: Path

    def counts(self) -> Counter[str]:
        """Read how often workers of this name ended, by reason; a file that cannot be read counts as none."""
        try:
            return Counter(json.loads(self.file.read_text()))
        except (OSError, ValueError):
            return Counter()

    def note(self, reason: str) -> None:
        """Count an end."""
        counts = self.counts()
        counts[reason] += 1
        replace_json(self.file, counts)

    @contextmanager
    def while_starting(self) -> Iterator[None]:
        """Count an end in a block that starts a worker, and let whoever called say why."""
        try:
            yield
        except Exception as error:
            with suppress(OSError):
                self.note(STARTING)
            if type(error).__module__.partition(".")[0] in {"kafka", "aiokafka"}:
                raise StartError(f"the brokers do not answer as they should: {error!r}; see kafka.brokers") from error
            raise

    def end(self, error: BaseException) -> None:
        """End at once, as kill -9 would: what is not checkpointed is counted again after the restart."""
        reason = reason_of(error)
        log.critical("worker ends", end=reason, reason=loggable_text(error), kind=type(error).__name__, exc_info=error)
        with suppress(OSError):  # a full disk must not keep the process alive
            self.note(reason)
        logging.shutdown()
        os._exit(_FAILED)

    def collect(self) -> Iterator[Metric]:
        """List the ends by reason, and holes on their own."""
        counts = self.counts()
        ends = CounterMetricFamily(
            "gatepulse_worker_ends", "workers of this name that ended themselves", labels=["reason"]
        )
        for reason in sorted({*_REASONS.values(), "error", STARTING, *counts}):
            ends.add_metric([reason], counts[reason])
        yield ends
        yield CounterMetricFamily(
            "gatepulse_holes", "gaps in a log's offsets that were met and not counted over", value=counts["hole"]
        )


@dataclass(frozen=True)
class Suspects:
    """The offsets of each log, by its name, at which workers of one name ended for an unknown reason, in one file.

    The next worker rehearses them (`isolation`).
    """

    file: Path

    def read(self) -> dict[str, OffsetRange]:
        """Read them; a file that cannot be read names none, so that a worker ends once more and writes it anew."""
        try:
            return {
                str(log): (int(first), int(after)) for log, (first, after) in json.loads(self.file.read_text()).items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def note(self, stretches: Mapping[str, OffsetRange]) -> None:
        """Add stretches; one that overlaps what is known of its log is joined with it, another takes its place."""
        known = self.read()
        for log, (first, after) in stretches.items():
            begun, ended = known.get(log, (first, after))
            overlaps = begun <= after and first <= ended
            known[log] = (min(first, begun), max(after, ended)) if overlaps else (first, after)
        replace_json(self.file, known)


class AtWork:
    """What a worker is at right now, in a file that its successor finds; a write takes some microseconds.

    A worker that is killed, as by a kernel that is out of memory, cannot write anything.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.left: dict[str, OffsetRange] = Suspects(file).read()
        """The offsets in work of the predecessor that was killed."""
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.begin({})

    def begin(self, stretches: Mapping[str, OffsetRange]) -> None:
        """Write the offsets in work; none once they are done."""
        with suppress(OSError):  # a full disk must not keep a worker from its work
            encoded = json.dumps(stretches).encode()
            os.ftruncate(self._file, os.pwrite(self._file, encoded, 0))
