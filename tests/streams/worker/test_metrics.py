"""Prometheus reads every documented metric under its name, and the figures add up at any scrape."""

import re
import sys
import threading
from dataclasses import replace
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.site_totals import SiteTotals, entrance_totals
from streams.worker.metrics import Histogram, Timings, WorkerCollector
from streams.worker.stored_figures import Occupancy, Settled
from tests.support.events import NINE, PLACE
from tests.support.lines import line, persons, records

DAY = 86_400_000
ENTRANCE = {"entrance"}
LOG_LABELS = {"topic", "partition"}
CONTRACT = {
    "gatepulse_events_received_total": LOG_LABELS,
    "gatepulse_events_counted_total": LOG_LABELS,
    "gatepulse_events_duplicate_total": LOG_LABELS,
    "gatepulse_events_late_total": LOG_LABELS,
    "gatepulse_events_rejected_total": LOG_LABELS | {"reason"},
    "gatepulse_events_conflicts_total": LOG_LABELS,
    "gatepulse_events_superseded_total": LOG_LABELS | {"content"},
    "gatepulse_unsettled_events": set(),
    "gatepulse_passages_total": ENTRANCE | {"direction", "kind"},
    "gatepulse_occupancy": {"area", "kind"},
    "gatepulse_capacity": {"area", "kind"},
    "gatepulse_entrance_last_event_timestamp_seconds": ENTRANCE,
    "gatepulse_missing_events": ENTRANCE,
    "gatepulse_end_to_end_seconds_bucket": {"le"},
    "gatepulse_end_to_end_seconds_count": set(),
    "gatepulse_end_to_end_seconds_sum": set(),
    "gatepulse_store_insert_seconds_bucket": {"le"},
    "gatepulse_store_insert_seconds_count": set(),
    "gatepulse_store_insert_seconds_sum": set(),
    "gatepulse_checkpoint_seconds_bucket": {"le"},
    "gatepulse_checkpoint_seconds_count": set(),
    "gatepulse_checkpoint_seconds_sum": set(),
    "gatepulse_identity_violated": LOG_LABELS,
    "gatepulse_parked_batches": {"table"},
    "gatepulse_store_waiting_seconds": set(),
    "gatepulse_build_info": {"version"},
}


class Scraped:
    """A worker that has counted two logs, and what a scrape of it reads."""

    def __init__(self) -> None:
        self.logs = [
            PassageLog(PartitionId("test", "turnstile.passages", number), "person", PLACE, next_offset=0)
            for number in range(2)
        ]
        self.venue, self.timings = SiteTotals(), Timings()
        self.occupancy = Occupancy({("venue", "person"): -3, ("hall", "person"): 12}, {("hall", "person"): 8000})
        self.parked = {"passages": 0, "counts_10s": 2}
        self.settled: dict[str, Settled] = {}
        self.unsettled: int | None = 0
        self.missing: dict[str, int] | None = {"N1": 4}
        stored = SimpleNamespace(
            occupancy=lambda: self.occupancy, parked=lambda: self.parked, settled=lambda: self.settled,
            unsettled=lambda: self.unsettled, missing=lambda: self.missing,
        )  # fmt: skip
        self.registry = CollectorRegistry()
        self.registry.register(
            WorkerCollector(
                logs=lambda: self.logs,
                venue=self.venue,
                stored=cast("Any", stored),
                timings=self.timings,
                store_waiting=lambda: 2.5,
                alarms=tuple,
                problems=tuple,
                unreadable=dict,
            )
        )
        self.count(0, line(), line(), b"bad", line(seq=5, outcome="denied"), line(seq=2, credential="c-secret"))
        self.count(0, line(seq=3, ts=NINE - 3 * DAY), line(seq=4, device="N1-L02", ts=NINE - 3 * DAY))
        self.count(1, line(device="H1-L01", entrance="H1", ts=NINE + 1500), b"bad\n\xff\n\n", line(entrance="V9"))

    def count(self, partition: int, *lines: bytes) -> None:
        """Count some lines in a log and publish its totals."""
        log = self.logs[partition]
        log.apply(persons().read(records(*lines, first=log.next_offset)))
        for totals in entrance_totals(log):
            self.venue.update(totals)

    @property
    def text(self) -> str:
        """What Prometheus gets."""
        return generate_latest(self.registry).decode()

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Labels and value of every sample, by name."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    def value(self, name: str, **labels: str) -> float:
        """Return the only sample that has these labels."""
        (value,) = [value for given, value in self.samples()[name] if labels.items() <= given.items()]
        return value


@pytest.fixture
def scraped() -> Scraped:
    return Scraped()


def test_the_metrics_are_those_of_the_contract_with_these_labels_and_no_others(scraped: Scraped) -> None:
    scraped.timings.insert.observe(np.array([0.1]))
    samples = scraped.samples()
    assert {name: set().union(*(labels for labels, _ in each)) for name, each in samples.items()} == CONTRACT


def test_each_metric_has_its_type_and_says_what_it_is(scraped: Scraped) -> None:
    types = dict(re.findall(r"# TYPE (\S+) (\S+)", scraped.text))
    assert {types[name] for name in CONTRACT if name.endswith("_total")} == {"counter"}
    assert {
        types[name] for name in types if name.endswith("_seconds") and not re.search("timestamp|waiting", name)
    } == {"histogram"}
    assert {types[name] for name in ("gatepulse_occupancy", "gatepulse_capacity", "gatepulse_missing_events")} == {
        "gauge"
    }
    assert all(text for _, text in re.findall(r"# HELP (\S+)(.*)", scraped.text))


def test_no_label_grows_with_what_devices_send(scraped: Scraped) -> None:
    before = len(scraped.text.splitlines())
    for number in range(50):
        scraped.count(0, line(device=f"new-{number}", reason=f"r{number}", outcome="denied", credential=f"p{number}"))
        scraped.count(1, line(entrance=f"X{number}"), line(category=f"c{number}"))
    after = scraped.text
    assert len(after.splitlines()) <= before + 1  # unknown-category is a reason that was not there
    for pseudonym in ("c-secret", "p49", "new-49", "r49", "X49", "c49"):
        assert pseudonym not in after


def test_received_is_counted_and_duplicate_and_late_and_rejected(scraped: Scraped) -> None:
    samples = scraped.samples()

    def total(what: str, partition: str) -> float:
        given = samples[f"gatepulse_events_{what}_total"]
        return sum(value for labels, value in given if labels["partition"] == partition)

    assert [total("received", each) for each in "01"] == [7, 4]
    for partition in "01":
        parts = [total(what, partition) for what in ("counted", "duplicate", "late", "rejected")]
        assert total("received", partition) == sum(parts)
        assert scraped.value("gatepulse_identity_violated", partition=partition) == 0
    assert [total("late", each) for each in "01"] == [1, 0]


def test_rejected_lines_are_told_by_reason(scraped: Scraped) -> None:
    assert {
        (labels["reason"], labels["partition"]): value
        for labels, value in scraped.samples()["gatepulse_events_rejected_total"]
    } == {
        ("not-json", "0"): 1,
        ("suspect-time", "0"): 1,
        ("not-json", "1"): 1,
        ("not-utf8", "1"): 1,
        ("unknown-entrance", "1"): 1,
    }


def test_a_line_of_which_nothing_became_raises_the_alarm(scraped: Scraped) -> None:
    batch = persons().read(
        records(line(device="N1-L09"), line(device="N1-L09", seq=2), first=scraped.logs[1].next_offset)
    )
    lost = replace(batch.select(np.array([0])), lines=batch.lines)  # as if a kernel had dropped the second event
    scraped.logs[1].apply(lost)
    assert scraped.value("gatepulse_identity_violated", partition="1") == 1
    assert scraped.value("gatepulse_identity_violated", partition="0") == 0


def test_entrances_have_their_passages_holes_and_newest_event(scraped: Scraped) -> None:
    assert scraped.value("gatepulse_passages_total", entrance="N1", direction="in", kind="person") == 2
    assert scraped.value("gatepulse_missing_events", entrance="N1") == 4  # over all logs
    assert scraped.value("gatepulse_missing_events", entrance="H1") == 0
    assert scraped.value("gatepulse_entrance_last_event_timestamp_seconds", entrance="H1") == NINE / 1000 + 1.5


def test_areas_have_their_occupancy_and_capacity_and_drift_is_not_hidden(scraped: Scraped) -> None:
    assert scraped.value("gatepulse_occupancy", area="venue", kind="person") == -3
    assert scraped.value("gatepulse_capacity", area="hall") == 8000
    assert len(scraped.samples()["gatepulse_capacity"]) == 1


def test_an_occupancy_that_is_not_known_is_absent_and_not_zero(scraped: Scraped) -> None:
    scraped.occupancy = Occupancy({}, {})
    assert "gatepulse_occupancy{" not in scraped.text
    assert "gatepulse_events_received_total{" in scraped.text


def test_parked_batches_are_told_by_table_and_absent_while_the_store_cannot_be_asked(scraped: Scraped) -> None:
    assert scraped.value("gatepulse_parked_batches", table="counts_10s") == 2
    assert scraped.value("gatepulse_parked_batches", table="passages") == 0
    scraped.parked = {}
    assert "gatepulse_parked_batches{" not in scraped.text


def test_how_long_a_write_has_waited_for_the_store_is_told(scraped: Scraped) -> None:
    assert scraped.value("gatepulse_store_waiting_seconds") == 2.5


def test_the_build_says_its_version(scraped: Scraped) -> None:
    assert scraped.value("gatepulse_build_info", version=version("gatepulse")) == 1


# -- histograms --------------------------------------------------------------------------------------------------------


def test_buckets_are_cumulative_and_the_last_has_everything(scraped: Scraped) -> None:
    #         ≤ 0.05  │ ≤ 0.05 │ ≤ 0.1  │ ≤ 1 │ > 3600
    seconds = [-5.0,    0.05,    0.0501,  1.0,  1e6]  # fmt: skip
    scraped.timings.end_to_end.observe(np.array(seconds))
    buckets = {labels["le"]: value for labels, value in scraped.samples()["gatepulse_end_to_end_seconds_bucket"]}
    assert [buckets[le] for le in ("0.05", "0.1", "0.5", "1.0", "3600.0", "+Inf")] == [2, 3, 3, 4, 4, 5]
    values = list(buckets.values())
    assert values == sorted(values)
    assert scraped.value("gatepulse_end_to_end_seconds_count") == 5
    assert scraped.value("gatepulse_end_to_end_seconds_sum") == pytest.approx(1e6 + 1.1001)  # none below zero


def test_nothing_observed_is_nothing_counted() -> None:
    histogram = Histogram()
    histogram.observe(np.empty(0))
    assert sum(histogram.counts) == 0
    assert histogram.total == 0.0


def test_histograms_do_not_share_their_counts() -> None:
    one, other = Timings(), Timings()
    one.insert.observe(np.array([1.0]))
    assert sum(one.checkpoint.counts) == sum(other.insert.counts) == 0


# -- threads -----------------------------------------------------------------------------------------------------------


def test_a_scrape_may_come_while_the_worker_counts_and_sees_one_moment_of_each_log(scraped: Scraped) -> None:
    # Prometheus is answered by a thread of its own
    done = threading.Event()
    failures: list[BaseException] = []
    violated: list[float] = []

    def scrape() -> None:
        try:
            while not done.is_set():
                violated.extend(_unaccounted(scraped.samples()))
        except BaseException as error:  # noqa: BLE001  # to be shown by the test's own thread
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for number in range(300):
            device = f"d{number}"
            lines = [line(device=device, entrance=("N1", "N2", "H1")[number % 3], seq=seq) for seq in (1, 1, 2)]
            scraped.count(number % 2, *lines, line(device=device, seq=3, ts=NINE - DAY), f"bad {number}".encode())
            for totals in entrance_totals(scraped.logs[0]):
                scraped.venue.newest[f"log-{number}", totals.entrance] = totals
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert failures == []
    assert set(violated) == {0.0}


def test_conflicts_are_no_duplicates_and_what_is_retracted_is_said_apart() -> None:
    scraped = Scraped()
    scraped.count(0, line(), line(direction="out"))
    before = scraped.value("gatepulse_events_duplicate_total", topic="turnstile.passages", partition="0")
    scraped.settled = {"test/turnstile.passages/0": Settled(conflicts_in_repeat=1, back=3, conflicts=1)}
    log = {"topic": "turnstile.passages", "partition": "0"}
    assert scraped.value("gatepulse_events_duplicate_total", **log) == before - 1
    assert scraped.value("gatepulse_events_conflicts_total", **log) == 1
    assert [scraped.value("gatepulse_events_superseded_total", content=each, **log) for each in ("same", "other")] == [
        2,
        1,
    ]
    assert _unaccounted(scraped.samples()) == [0, 0]


def test_missing_events_are_those_that_no_log_has_and_absent_while_the_store_is_away() -> None:
    scraped = Scraped()
    assert scraped.value("gatepulse_missing_events", entrance="N1") == 4
    scraped.missing = None
    assert "gatepulse_missing_events" not in scraped.samples()


def _unaccounted(samples: dict[str, list[tuple[dict[str, str], float]]]) -> list[float]:
    """Work out of one scrape what the alarm should say, for each log."""

    def total(what: str, partition: str) -> float:
        given = samples[f"gatepulse_events_{what}_total"]
        return sum(value for labels, value in given if labels["partition"] == partition)

    parts = ("counted", "duplicate", "late", "rejected", "conflicts")
    return [total("received", each) - sum(total(part, each) for part in parts) for each in "01"]
