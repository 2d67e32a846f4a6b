"""Repeats the audit every few minutes and exports the result as metrics; the last module to read.

The reader who audits may not write, and that is as it should be: what checks the store cannot change it. So results go
to the log and to Prometheus, not into a table.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sinks.sink import StoreError, StoreReader
from streams.audit.compare import Auditor, AuditResult
from streams.audit.interval import TEN_SECONDS_MS, Interval, IntervalError
from streams.audit.report import difference_line
from streams.kernels.counts.calendar import DAY_MS, SiteDays
from streams.kernels.counts.site_clock import SiteClock
from streams.sources.tables import live_progress

log = structlog.get_logger()

LOOK_BACK_MS: Final = 3_600_000
"""A repeated audit begins so long before the end of the one before: what comes late is mostly not later than this."""

FULL_EVERY: Final = 20
"""Every so many rounds the usual interval is audited again, for what was later, and for whole days."""


class NothingStoredError(IntervalError):
    """No worker has stored anything: give --from and --to, or try again once one has."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


def complete_to(reader: StoreReader, clock: SiteClock) -> int:
    """Return the event time up to which everything is stored (ms), rounded down to a window's edge."""
    stored = min((one.complete_to for one in live_progress(reader)), default=None)
    if stored is None:
        raise NothingStoredError
    return clock.now(stored) // TEN_SECONDS_MS * TEN_SECONDS_MS


def usual(end: int, days: SiteDays) -> Interval:
    """Return the interval that is audited if nothing else is said: the last 24 h, from the start of the day on."""
    return Interval(days.begin(days.day(end - DAY_MS)), end, days)


def following(last: AuditResult, end: int) -> Interval:
    """Return what to audit after `last`: what is new, and an hour before it; what differed, for a day."""
    before = last.interval
    start = before.end - LOOK_BACK_MS if last.ok else max(before.start, end - DAY_MS)
    return Interval(min(start, end - TEN_SECONDS_MS), end, before.site_days)


@dataclass(eq=False)
class AuditLoop(Collector):
    """Audits again and again; Prometheus reads the newest result, and nothing before there is one."""

    auditor: Auditor
    clock: SiteClock
    on_result: Callable[[AuditResult], None]
    round_: int = 0
    last: AuditResult | None = None
    at: float = 0.0  # when the last audit ended
    took: float = 0.0  # seconds from its first query to its last

    def collect(self) -> Iterator[Metric]:
        """List the metrics of the newest audit."""
        result = self.last
        if result is None:
            return
        different = 0 if result.unsettled else result.different  # until events are settled, a difference says nothing
        for name, text, value in (
            ("differences", "rows that are not what the raw passages say", different),
            ("compared_rows", "rows that were compared", result.compared),
            ("unsettled_events", "events that may be counted through two logs still", result.unsettled),
            ("timestamp_seconds", "when the newest audit ended", self.at),
            ("seconds", "how long the newest audit took: as long before its end it began to compare", self.took),
        ):
            yield GaugeMetricFamily(f"gatepulse_audit_{name}", text, value=value)

    def run(self, every: float) -> None:
        """Audit every so many seconds, for ever; a store that does not answer is queried the next time."""
        while True:
            begun = time.monotonic()
            self.once()
            time.sleep(max(0.0, every - (time.monotonic() - begun)))

    def once(self) -> None:
        """Audit what is new since the last time, and say what was found."""
        days, reader, begun = self.auditor.site.days, self.auditor.reader, time.monotonic()
        try:
            end, last = complete_to(reader, self.clock), self.last
            full = last is None or not last.compared or self.round_ % FULL_EVERY == 0
            result = self.auditor.audit(usual(end, days) if full or last is None else following(last, end))
        except (StoreError, IntervalError) as error:
            log.warning("no audit this time", reason=str(error))
            return
        self.last, self.at, self.took = result, time.time(), time.monotonic() - begun
        self.round_ += 1
        _say(result)
        self.on_result(result)


def _say(result: AuditResult) -> None:
    counts = {"interval": result.interval.label(), "compared": result.compared, "different": result.different}
    if result.lost:
        counts["lost"] = sum(each.records for each in result.lost)
    if result.unsettled:
        log.warning("events that came through two logs are not settled yet", unsettled=result.unsettled, **counts)
    elif result.ok:
        log.info("counts equal the passages", **counts)
    else:
        log.error(
            "counts differ from the passages", **counts, first=[difference_line(each) for each in result.differences]
        )


def serve(collector: Collector, port: int) -> None:
    """Let Prometheus read on this port of this machine; 0: no metrics."""
    if port:
        registry = CollectorRegistry()
        registry.register(collector)
        start_http_server(port, addr="127.0.0.1", registry=registry)
