"""A worker process on a real broker and store counts what was sent, even when it is killed."""

import hashlib
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from infra.process.child import tail
from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.ledger.ledger import Ledger, read_ledger
from simulators.sending.corrections import OccupancyCorrection
from simulators.sending.run import Summary
from streams.contract.events import Rejected, Topic
from streams.kernels.counts.site_totals import EntranceTotals, SiteTotals
from tests.support.local_plant import SOURCES, TOPICS, LocalPlant, eventually
from tests.support.processes import running


@pytest.fixture
def place(empty_clickhouse: EmbeddedClickHouse, tmp_path: Path) -> Iterator[LocalPlant]:
    """Take an empty store, and start a broker whose topics nobody has written to."""
    with running(EmbeddedBroker(tmp_path / "broker", topics=TOPICS)) as broker:
        yield LocalPlant(empty_clickhouse, broker, tmp_path)


def total(samples: list[tuple[dict[str, str], float]]) -> float:
    return sum(value for _, value in samples)


# -- counting ----------------------------------------------------------------------------------------------------------


def test_a_worker_counts_what_was_sent(place: LocalPlant) -> None:
    with place.worker() as worker:
        place.correct(
            OccupancyCorrection("hall1", place.start_at, "officer-3", "counted by hand", absolute=40),
            OccupancyCorrection("hall1", place.start_at + 60_000, "officer-3", "a side door stood open", delta=-3),
        )
        summary = place.play(seconds=4, distortion="duplicates=10%,disorder=1m,malformed=2%,lost=1%")
        assert summary.duplicates > 100
        assert summary.malformed > 10
        place.wait_until_counted(worker, seconds=30)
        place.check_every_view()
        _check_rejected(place)
        _check_totals(place)
        found = {"gatepulse_passages_total", "gatepulse_capacity"}  # the second once the store has been asked
        eventually(lambda: found <= place.metrics().keys(), worker, seconds=5)
        _check_metrics(place, summary)
        # Not at its end: Faust may send a last record when its producer has stopped, and says so.
        assert "Traceback" not in (place.path / "worker.log").read_text()
        assert worker.stop(30) == 0, tail(worker.log_path)


def _check_rejected(place: LocalPlant) -> None:
    """The topic says of every spoilt line where it stood, why, and how it began."""
    messages = place.messages(Topic.REJECTED)
    found = [msgspec.json.decode(message.value, type=Rejected) for message in messages]
    spoilt = read_ledger(place.ledgers).malformed
    expected = zip(spoilt["sha256"].texts().tolist(), spoilt["reason"].texts().tolist(), strict=True)
    assert Counter((each.sha256, each.reason.value) for each in found) == Counter(expected)
    sources = {(each.topic, each.partition, each.offset): each for topic in SOURCES for each in place.messages(topic)}
    for message, each in zip(messages, found, strict=True):
        source = sources[each.topic, each.partition, each.offset]
        line = source.value.split(b"\n")[each.line]
        assert hashlib.sha256(line).hexdigest() == each.sha256
        assert (each.first_bytes, each.at) == (line[:256], source.timestamp)
        assert message.key == f"{each.topic}-{each.partition}".encode()
    assert any(each.line for each in found)


def _check_totals(place: LocalPlant) -> None:
    """The newest totals of all logs together are what passed, and what is missing is what the store says."""
    venue = SiteTotals()
    for message in place.messages(Topic.TOTALS):
        totals = msgspec.json.decode(message.value, type=EntranceTotals)
        assert message.key == totals.entrance.encode()
        venue.update(totals)
    assert dict(venue.passages()) == _passed(read_ledger(place.ledgers))
    with place.reader() as reader:
        missing = reader.query("SELECT entrance, sum(missing) FROM gatepulse.completeness GROUP BY entrance")
    assert dict(missing) == dict(venue.missing())
    assert sum(dict(missing).values()) > 10


def _passed(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    columns: Any = ledger.passages
    rows = np.flatnonzero((ledger.tries("ok") > 0) & (columns["outcome"].texts() == "passed"))
    names = (columns[name].texts()[rows].tolist() for name in ("entrance", "direction", "kind"))
    return Counter(zip(*names, strict=True))


def _check_metrics(place: LocalPlant, summary: Summary) -> None:
    metrics = place.metrics()
    figures = {what: total(metrics[f"gatepulse_events_{what}_total"]) for what in ("received", "counted", "duplicate")}
    rejected = metrics["gatepulse_events_rejected_total"]
    corrections = 2
    assert figures == {
        "received": summary.sent + summary.malformed + corrections,
        "counted": summary.events - summary.lost + corrections,
        "duplicate": summary.duplicates,
    }
    assert total(rejected) == summary.malformed
    assert {labels["reason"] for labels, _ in rejected} >= {"not-json", "wrong-shape", "unknown-entrance"}
    passed = _passed(read_ledger(place.ledgers))
    assert total(metrics["gatepulse_passages_total"]) == sum(passed.values())
    assert {labels["area"] for labels, _ in metrics["gatepulse_capacity"]} >= {"hall1"}
    assert len(metrics["gatepulse_occupancy"]) > 5
    assert total(metrics["gatepulse_end_to_end_seconds_count"]) >= figures["counted"] - corrections
    for name in ("gatepulse_store_insert_seconds_count", "gatepulse_checkpoint_seconds_count"):
        assert total(metrics[name]) > 0


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_twice_counts_what_was_sent(
    place: LocalPlant, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    draw = random.Random(seed)  # noqa: S311  # moments, not secrets
    moments = [draw.uniform(0, 1.5) for _ in range(2)]
    with capsys.disabled():
        print(f"\nkilled {moments[0]:.3f} s and {moments[1]:.3f} s after taking up (seed {seed})")  # noqa: T201  # to repeat it
    often = {"WORKER__FLUSH_SECONDS": "0.1", "WORKER__CHECKPOINT_SECONDS": "0.3"}
    enough = threading.Event()
    with ThreadPoolExecutor(1) as background:
        playing = background.submit(place.play, seconds=60, distortion="duplicates=10%,malformed=1%", stop=enough)
        try:
            for moment in moments:
                with place.worker(**often) as worker:
                    place.wait_until_at_work(worker, seconds=20)
                    enough.wait(moment)
                    os.kill(worker.pid or 0, 9)
            with place.worker(**often) as worker:
                place.wait_until_at_work(worker, seconds=20)
                enough.set()
                summary = playing.result(30)
                place.wait_until_counted(worker, seconds=30)
                place.check_every_view()
                received = place.metrics()["gatepulse_events_received_total"]
                assert total(received) == summary.sent + summary.malformed
        finally:
            enough.set()
