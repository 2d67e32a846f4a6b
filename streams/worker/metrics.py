"""The Prometheus metrics of a worker: counts of partitions, which survive a crash, and figures of the process."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Final

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
from streams.kernels.counts.partition_log import PartitionLog
from streams.kernels.counts.site_totals import SiteTotals
from streams.worker.stored_figures import Settled, StoredFigures

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@dataclass
class Histogram:
    """Counts of durations (s) by upper bound, filled from arrays."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: Floats) -> None:
        """Add durations; negative ones (a device's clock is ahead) count as none."""
        clipped = np.clip(seconds, 0.0, None)
        places = np.searchsorted(_SECONDS, clipped, side="left")
        for place, n in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += n
        self.total += float(clipped.sum())

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """Render for Prometheus: cumulative counts."""
        bounds = [*map(str, _SECONDS), "+Inf"]
        cumulative = np.cumsum(self.counts).tolist()
        buckets = list(zip(bounds, map(float, cumulative), strict=True))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self.total)


@dataclass
class Timings:
    """How long things take."""

    end_to_end: Histogram = field(default_factory=Histogram)
    insert: Histogram = field(default_factory=Histogram)
    checkpoint: Histogram = field(default_factory=Histogram)


_BY_LOG: Final = ("topic", "partition")


def _family(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Metric:
    family = kind(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


_counter = partial(_family, CounterMetricFamily)
_gauge = partial(_family, GaugeMetricFamily)


@dataclass(eq=False, kw_only=True)
class WorkerCollector(Collector):
    """Collects from a worker's live state at every scrape."""

    logs: Callable[[], Iterable[PartitionLog]]
    venue: SiteTotals
    stored: StoredFigures
    timings: Timings
    store_waiting: Callable[[], float]  # s
    alarms: Callable[[], Iterable[Episode]]  # at most one for each rule, subject and kind, so the series are bounded
    problems: Callable[[], Iterable[tuple[str, int, str]]]  # of sources: topic, partition (-1: all of them), and what
    unreadable: Callable[[], Mapping[str, int]]  # records by topic

    def collect(self) -> Iterator[Metric]:
        """List every metric of the contract."""
        yield from self._tallies()
        yield from self._entrances()
        occupancy, by_area = self.stored.occupancy(), ("area", "kind")
        inside = occupancy.inside.items()
        yield _gauge("gatepulse_occupancy", "inside now, as stored; absent while unknown", by_area, inside)
        yield _gauge("gatepulse_capacity", "approved capacity", by_area, occupancy.capacity.items())
        timings = self.timings
        yield timings.end_to_end.family("gatepulse_end_to_end_seconds", "event time until its row is visible")
        yield timings.insert.family("gatepulse_store_insert_seconds", "one write of rows to the store")
        yield timings.checkpoint.family("gatepulse_checkpoint_seconds", "rows, snapshot and its delivery")
        yield from self._store()
        yield _gauge(
            "gatepulse_alarm_episode",
            "value at the newest change of an open alarm episode",
            ("rule", "subject", "kind", "zone", "level"),
            (((each.rule, each.subject, each.kind, each.zone, each.level), each.value) for each in self.alarms()),
        )
        yield _counter(
            "gatepulse_unreadable_records",
            "records of our own topics that were passed over",
            ["topic"],
            (([topic], n) for topic, n in dict(self.unreadable()).items()),
        )
        yield InfoMetricFamily("gatepulse_build", "version", value={"version": version("gatepulse")})

    def _tallies(self) -> Iterator[Metric]:
        # Each log's tally is read once and all figures come from it: the worker goes on counting meanwhile.
        settled = self.stored.settled()
        logs = [
            ([log.name.topic, str(log.name.partition)], log.tally, settled.get(str(log.name), Settled()))
            for log in self.logs()
        ]
        conflicts = [min(found.conflicts_in_repeat, tally.duplicate) for _, tally, found in logs]
        repeats = [tally.duplicate - n for n, (_, tally, _) in zip(conflicts, logs, strict=True)]
        for what, text, figures in (
            ("received", "lines received", [tally.received for _, tally, _ in logs]),
            ("counted", "events accepted once", [tally.counted for _, tally, _ in logs]),
            ("duplicate", "events that had been received before", repeats),
            (
                "late",
                "events beyond the horizon, counted in the late account only",
                [tally.late for _, tally, _ in logs],
            ),
            ("conflicts", "numbers that came again through the partition with other content", conflicts),
        ):
            samples = [(labels, n) for (labels, _, _), n in zip(logs, figures, strict=True)]
            yield _counter(f"gatepulse_events_{what}", text, _BY_LOG, samples)
        yield _counter(
            "gatepulse_events_superseded",
            "events counted in the partition and retracted: they had arrived through another log before",
            ["content", *_BY_LOG],
            [
                ([content, *labels], n)
                for labels, _, found in logs
                for content, n in (("same", found.back - found.conflicts), ("other", found.conflicts))
            ],
        )
        unsettled = self.stored.unsettled()
        yield _gauge(
            "gatepulse_unsettled_events",
            "events that may be counted through two logs still; absent while unknown",
            [],
            [] if unsettled is None else [([], unsettled)],
        )
        yield _counter(
            "gatepulse_events_rejected",
            "lines that could not be accepted",
            ["reason", *_BY_LOG],
            [([reason, *labels], n) for labels, tally, _ in logs for reason, n in tally.rejected.items()],
        )
        yield _gauge(
            "gatepulse_identity_violated",
            "lines received of which nothing became; 0 when all is well",
            _BY_LOG,
            [(labels, tally.unaccounted) for labels, tally, _ in logs],
        )

    def _entrances(self) -> Iterator[Metric]:
        passages = self.venue.passages().items()
        yield _counter("gatepulse_passages", "passages", ["entrance", "direction", "kind"], passages)
        own, united = self.venue.missing(), self.stored.missing()
        missing = [] if united is None else [([entrance], united.get(entrance, 0)) for entrance in own]
        yield _gauge("gatepulse_missing_events", "events known to be missing", ["entrance"], missing)
        last = [([entrance], ts / 1000) for entrance, ts in self.venue.last_ts().items()]
        yield _gauge("gatepulse_entrance_last_event_timestamp_seconds", "newest event time", ["entrance"], last)

    def _store(self) -> Iterator[Metric]:
        text = "since when a write waits for the store; 0: none does"
        yield _gauge("gatepulse_store_waiting_seconds", text, [], [([], self.store_waiting())])
        yield _gauge(
            "gatepulse_parked_batches",
            "batches that the store refused and that wait in the topic `parked`; absent while unknown",
            ["table"],
            [([table], n) for table, n in self.stored.parked().items()],
        )
        yield _gauge(
            "gatepulse_source_problems",
            "1 for each thing that stands in the way of a source topic; partition -1: of all its partitions",
            [*_BY_LOG, "problem"],
            [([topic, str(partition), problem], 1) for topic, partition, problem in self.problems()],
        )
