"""Why worker processes ended, counted in a file: whoever knows it is about to be gone. Read `watchdog` next.

A process that ends instead of going on is what keeps the counts right; a process that ends again and again is a
trouble that somebody must see. So the next process of the same name tells Prometheus about the ones before it.
"""

import contextlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from sinks.sink import StoreRefused
from streams.kernels.log import HoleError

log = structlog.get_logger()

EndProcess = Callable[[BaseException], None]
"""Ends this process for a reason."""

_FAILED: Final = 70  # EX_SOFTWARE of sysexits.h


class StalledError(RuntimeError):
    """The worker has work and does not get on; a new process takes it up at the checkpoint."""


class LostSnapshotError(RuntimeError):
    """A log was counted before, its snapshot is gone, and so are its first records: it cannot be counted again.

    Restore the changelog topic from a backup, or give the cluster a new name (kafka.cluster) to begin a new log.
    """


_REASONS: Final[dict[type[BaseException], str]] = {
    HoleError: "hole",
    StalledError: "stalled",
    LostSnapshotError: "lost-snapshot",
    StoreRefused: "refused",
}


def reason_of(error: BaseException) -> str:
    """Name the kind of end: hole, stalled, lost-snapshot, refused, or error for what nobody expected."""
    return next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), "error")


@dataclass(frozen=True)
class Ends:
    """The ends of the workers of one name, kept in one file."""

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
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(dict(sorted(counts.items()))))
        fresh.replace(self.file)

    def end(self, error: BaseException) -> None:
        """End at once, as kill -9 would: what is not checkpointed is counted again after the restart."""
        reason = reason_of(error)
        log.critical("worker ends", end=reason, reason=str(error), kind=type(error).__name__, exc_info=error)
        with contextlib.suppress(OSError):  # a full disk must not keep the process alive
            self.note(reason)
        logging.shutdown()
        os._exit(_FAILED)


class EndsCollector(Collector):
    """Shows the ends of the workers of one name to Prometheus."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def collect(self) -> Iterator[Metric]:
        """List the ends by reason, and holes on their own."""
        counts = self._ends.counts()
        ends = CounterMetricFamily(
            "gatepulse_worker_ends", "workers of this name that ended themselves", labels=["reason"]
        )
        for reason in sorted({*_REASONS.values(), "error", *counts}):
            ends.add_metric([reason], counts[reason])
        yield ends
        yield CounterMetricFamily(
            "gatepulse_holes", "gaps in a log's offsets that were met and not counted over", value=counts["hole"]
        )
