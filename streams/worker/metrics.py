"""The Prometheus metrics of a worker: absolute figures from the partitions' state, which a crash does not change."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final, Protocol

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.batch import Floats
from streams.kernels.counts.partition_log import PartitionId, Tally
from streams.kernels.counts.site_totals import SiteTotals

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@dataclass
class Histogram:
    """Counts of durations (s) by upper bound, filled from arrays."""

    bounds: tuple[float, ...] = _SECONDS
    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: Floats) -> None:
        """Add durations; negative ones (a device's clock is ahead) count as none."""
        clipped = np.clip(seconds, 0.0, None)
        places = np.searchsorted(self.bounds, clipped, side="left")
        for place, n in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += n
        self.total += float(clipped.sum())

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """Render for Prometheus: cumulative counts."""
        bounds = [*map(str, self.bounds), "+Inf"]
        cumulative = np.cumsum(self.counts).tolist()
        buckets = list(zip(bounds, map(float, cumulative), strict=True))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self.total)


@dataclass
class Timings:
    """How long things take."""

    end_to_end: Histogram = field(default_factory=Histogram)
    insert: Histogram = field(default_factory=Histogram)
    checkpoint: Histogram = field(default_factory=Histogram)


_EPISODE_LABELS: Final = ("rule", "subject", "kind", "zone", "level")


def episodes_family(episodes: Iterable[Episode]) -> GaugeMetricFamily:
    """Render the open episodes: at most one for each rule, subject and kind, so the series are bounded."""
    family = GaugeMetricFamily(
        "gatepulse_alarm_episode", "value at the newest change of an open alarm episode", labels=_EPISODE_LABELS
    )
    for each in episodes:
        family.add_metric((each.rule, each.subject, each.kind, each.zone, each.level), each.value)
    return family


class CountedLog(Protocol):
    """What the metrics read of a log."""

    name: PartitionId
    tally: Tally


@dataclass(frozen=True)
class Occupancy:
    """What the store says is inside: by (area, kind); empty while the store does not answer."""

    inside: Mapping[tuple[str, str], int]
    capacity: Mapping[tuple[str, str], int]
    problems: Sequence[tuple[str, str, int]] = ()
    """What stands in the way of sources: which topic or partition, what, since when (ms, real time)."""


@dataclass(frozen=True)
class Settled:
    """What was settled of a partition's events.

    conflicts_in_repeat: of what its log called duplicates, those of other content. back: of what it had counted, or
    called late, what is retracted, as it had arrived through another log before; conflicts: those of other content.
    """

    conflicts_in_repeat: int = 0
    back: int = 0
    conflicts: int = 0


_NOTHING: Final = Settled()


class WorkerCollector(Collector):
    """Collects from a worker's live state at every scrape."""

    def __init__(
        self,
        *,
        logs: Callable[[], Iterable[CountedLog]],
        venue: SiteTotals,
        occupancy: Callable[[], Occupancy],
        timings: Timings,
        parked: Callable[[], Mapping[str, int]] = dict,
        store_waiting: Callable[[], float] = float,
        alarms: Callable[[], Iterable[Episode]] = tuple,
        problems: Callable[[], Iterable[tuple[str, int, str]]] = tuple,
        missing: Callable[[], Mapping[str, int] | None] | None = None,
        settled: Callable[[], Mapping[str, Settled]] = dict,
        unsettled: Callable[[], int | None] = lambda: None,
        unreadable: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """Ask these at every scrape.

        `parked` by table, empty while the store does not answer; `store_waiting` in s; `alarms` to export;
        `problems` of sources: topic, partition (-1: all of them), and what. `missing` by entrance, over all logs:
        without it each log's own; `settled` by log, `unsettled` events of all logs. `unreadable` records by topic.
        """
        self._unreadable = unreadable
        self._missing, self._settled, self._unsettled = missing, settled, unsettled
        self._alarms, self._problems = alarms, problems
        self._parked, self._store_waiting = parked, store_waiting
        self._logs, self._venue, self._occupancy, self._timings = logs, venue, occupancy, timings

    def collect(self) -> Iterator[Metric]:
        """List every metric of the contract."""
        yield from self._tallies()
        yield from self._entrances()
        yield from self._areas()
        timings = self._timings
        yield timings.end_to_end.family("gatepulse_end_to_end_seconds", "event time until its row is visible")
        yield timings.insert.family("gatepulse_store_insert_seconds", "one write of rows to the store")
        yield timings.checkpoint.family("gatepulse_checkpoint_seconds", "rows, snapshot and its delivery")
        yield from self._store()
        yield episodes_family(self._alarms())
        yield self._passed_over()
        yield InfoMetricFamily("gatepulse_build", "version", value={"version": version("gatepulse")})

    def _tallies(self) -> Iterator[Metric]:
        # Each log's tally is read once and all figures come from it: the worker goes on counting meanwhile.
        settled = self._settled()
        logs = [(log.name, log.tally) for log in self._logs()]
        tallies = [([name.topic, str(name.partition)], tally) for name, tally in logs]
        found = [settled.get(str(name), _NOTHING) for name, _ in logs]
        conflicts = [
            min(each.conflicts_in_repeat, tally.duplicate) for each, (_, tally) in zip(found, logs, strict=True)
        ]
        by_log = ["topic", "partition"]
        for what, text in (
            ("received", "lines received"),
            ("counted", "events accepted once"),
            ("duplicate", "events that had been received before"),
            ("late", "events beyond the horizon, counted in the late account only"),
        ):
            family = CounterMetricFamily(f"gatepulse_events_{what}", text, labels=by_log)
            for (labels, tally), other in zip(tallies, conflicts, strict=True):
                family.add_metric(labels, getattr(tally, what) - (other if what == "duplicate" else 0))
            yield family
        family = CounterMetricFamily(
            "gatepulse_events_conflicts",
            "numbers that came again through the partition with other content",
            labels=by_log,
        )
        for (labels, _), n in zip(tallies, conflicts, strict=True):
            family.add_metric(labels, n)
        yield family
        yield from self._settlement((labels, each) for (labels, _), each in zip(tallies, found, strict=True))
        rejected = CounterMetricFamily(
            "gatepulse_events_rejected", "lines that could not be accepted", labels=["reason", *by_log]
        )
        violated = GaugeMetricFamily(
            "gatepulse_identity_violated", "lines received of which nothing became; 0 when all is well", labels=by_log
        )
        for labels, tally in tallies:
            for reason, n in tally.rejected.items():
                rejected.add_metric([reason, *labels], n)
            violated.add_metric(labels, tally.unaccounted)
        yield rejected
        yield violated

    def _settlement(self, settled: Iterable[tuple[list[str], Settled]]) -> Iterator[Metric]:
        back = CounterMetricFamily(
            "gatepulse_events_superseded",
            "events counted in the partition and retracted: they had arrived through another log before",
            labels=["content", "topic", "partition"],
        )
        for labels, found in settled:
            back.add_metric(["same", *labels], found.back - found.conflicts)
            back.add_metric(["other", *labels], found.conflicts)
        yield back
        waiting = GaugeMetricFamily(
            "gatepulse_unsettled_events", "events that may be counted through two logs still; absent while unknown"
        )
        if (n := self._unsettled()) is not None:
            waiting.add_metric([], n)
        yield waiting

    def _entrances(self) -> Iterator[Metric]:
        passages = CounterMetricFamily("gatepulse_passages", "passages", labels=["entrance", "direction", "kind"])
        for labels, n in self._venue.passages().items():
            passages.add_metric(list(labels), n)
        yield passages
        missing = GaugeMetricFamily("gatepulse_missing_events", "events known to be missing", labels=["entrance"])
        own, united = self._venue.missing(), None if self._missing is None else self._missing()
        for entrance in own if self._missing is None or united is not None else ():
            missing.add_metric([entrance], own[entrance] if united is None else united.get(entrance, 0))
        yield missing
        last = GaugeMetricFamily(
            "gatepulse_entrance_last_event_timestamp_seconds", "newest event time", labels=["entrance"]
        )
        for entrance, ts in self._venue.last_ts().items():
            last.add_metric([entrance], ts / 1000)
        yield last

    def _store(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "gatepulse_store_waiting_seconds", "since when a write waits for the store; 0: none does"
        )
        waiting.add_metric([], self._store_waiting())
        yield waiting
        parked = GaugeMetricFamily(
            "gatepulse_parked_batches",
            "batches that the store refused and that wait in the topic `parked`; absent while unknown",
            labels=["table"],
        )
        for table, n in self._parked().items():
            parked.add_metric([table], n)
        yield parked
        problems = GaugeMetricFamily(
            "gatepulse_source_problems",
            "1 for each thing that stands in the way of a source topic; partition -1: of all its partitions",
            labels=["topic", "partition", "problem"],
        )
        for topic, partition, problem in self._problems():
            problems.add_metric([topic, str(partition), problem], 1)
        yield problems

    def _passed_over(self) -> Metric:
        family = CounterMetricFamily(
            "gatepulse_unreadable_records", "records of our own topics that were passed over", labels=["topic"]
        )
        for topic, n in dict(self._unreadable()).items():
            family.add_metric([topic], n)
        return family

    def _areas(self) -> Iterator[Metric]:
        occupancy = self._occupancy()
        inside = GaugeMetricFamily(
            "gatepulse_occupancy", "inside now, as stored; absent while unknown", labels=["area", "kind"]
        )
        for labels, n in occupancy.inside.items():
            inside.add_metric(list(labels), n)
        yield inside
        capacity = GaugeMetricFamily("gatepulse_capacity", "approved capacity", labels=["area", "kind"])
        for labels, n in occupancy.capacity.items():
            capacity.add_metric(list(labels), n)
        yield capacity
