"""The repeated audit covers all of event time, reports what it finds, and survives a store that is away."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from infra.demo.demo import repeat_alarms
from infra.process.ports import LOOPBACK, free_port
from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.audit.compare import Auditor, AuditResult
from streams.audit.interval import Interval, moment
from streams.audit.watch import FULL_EVERY, AuditLoop, NothingStoredError, complete_to, following, usual
from streams.comparison import ViewComparison
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.site_clock import SiteClock
from tests.support.counted_rows import rows_of
from tests.support.events import Event
from tests.support.rows import NOON, block
from tests.support.small_site import PROFILE, SITE
from tests.support.stores import Server

DAYS = SiteDays(ZoneInfo("Asia/Shanghai"))
AUDIT = (sys.executable, "-P", "-m", "infra.cli.main", "audit")


def at(text: str) -> int:
    """Return a time in Shanghai."""
    return moment(text, DAYS)


def result(start: str, end: str, *, different: int = 0) -> AuditResult:
    """Return a result of an audit of so much."""
    views = {"entrance_totals": ViewComparison(7, different)}
    return AuditResult(Interval(at(start), at(end), DAYS), views, (), ())


def shown(interval: Interval) -> tuple[str, str]:
    """Write an interval as times of Shanghai."""
    return interval.text(interval.start)[:16], interval.text(interval.end)[:16]


def test_it_is_complete_up_to_what_all_logs_of_the_live_cluster_have_stored(
    server: Server, reader: ClickHouseReader
) -> None:
    with pytest.raises(NothingStoredError, match="No worker has stored anything: give --from and --to"):
        complete_to(reader, SiteClock())
    server.write(
        block(
            "log_progress",
            {"log": "now/a/0", "cluster": "now", "complete_to": NOON + 19_999},
            {"log": "now/a/1", "cluster": "now", "complete_to": NOON + 15_000},
            {"log": "old/a/0", "cluster": "old", "complete_to": NOON - 90_000},
        )
    )
    assert complete_to(reader, SiteClock()) == NOON + 10_000
    # on a clock that runs 60 times as fast, a quarter of a minute later it is 15 minutes later
    assert complete_to(reader, SiteClock(at("2025-11-20"), NOON, 60)) == at("2025-11-20T00:15")


def test_usually_it_begins_with_the_day_before() -> None:
    assert shown(usual(at("2025-11-20T09:30"), DAYS)) == ("2025-11-19T00:00", "2025-11-20T09:30")


@pytest.mark.parametrize(
    ("last", "end", "next_"),
    [
        (result("2025-11-19", "2025-11-20T09:30"), "2025-11-20T09:40", ("2025-11-20T08:30", "2025-11-20T09:40")),
        (  # what differed is asked about again ...
            result("2025-11-20T08:00", "2025-11-20T09:30", different=1),
            "2025-11-20T09:40",
            ("2025-11-20T08:00", "2025-11-20T09:40"),
        ),
        (  # ... for a day
            result("2025-11-19T08:00", "2025-11-20T09:30", different=1),
            "2025-11-20T09:40",
            ("2025-11-19T09:40", "2025-11-20T09:40"),
        ),
        (result("2025-11-19", "2025-11-20T00:10"), "2025-11-20T00:20", ("2025-11-19T23:10", "2025-11-20T00:20")),
        (result("2025-11-19", "2025-11-20T09:30"), "2025-11-20T09:30", ("2025-11-20T08:30", "2025-11-20T09:30")),
    ],
)
def test_the_next_begins_an_hour_before_the_last_has_ended(last: AuditResult, end: str, next_: tuple[str, str]) -> None:
    assert shown(following(last, at(end))) == next_


def test_a_difference_is_seen_until_it_is_gone(server: Server, reader: ClickHouseReader) -> None:
    noon = {"window_start": NOON, "entrance": "N1"}
    server.write(block("counts_10s", noon), block("log_progress", {"complete_to": NOON + 60_000}))
    found: list[AuditResult] = []
    watch = AuditLoop(Auditor(reader, SITE, patience=0.0, sleep=lambda _: None), SiteClock(), found.append)
    begun = time.time()
    with capture_logs() as said:
        watch.once()
        assert begun <= watch.at <= time.time()
        assert 0 < watch.took <= time.time() - begun + 1
        server.write(block("log_progress", {"complete_to": NOON + 6 * 3_600_000}))
        watch.once()
        server.write(block("counts_10s", noon | {"passages": 0, "version": 2}))
        watch.once()
    assert [each.different for each in found] == [1, 1, 0]
    assert [each["log_level"] for each in said] == ["error", "error", "info"]
    assert said[0]["first"] == [
        "entrance_counts_10s 2025-10-19 12:00:00 person N1 in visitor: published 1, recomputed no row"
    ]


def test_now_and_then_all_of_it_is_audited_again(server: Server, reader: ClickHouseReader) -> None:
    starts: list[str] = []
    watch = AuditLoop(
        Auditor(reader, SITE, sleep=lambda _: None), SiteClock(), lambda found: starts.append(shown(found.interval)[0])
    )
    server.write(block("log_progress", {"complete_to": NOON + 60_000}))
    watch.once()
    watch.once()  # nothing was there to compare the first time
    server.write(*rows_of([Event(ts=NOON)]))
    for _ in range(3):
        watch.once()
    watch.round_ = FULL_EVERY
    watch.once()
    whole, last_hour = "2025-10-18T00:00", "2025-10-19T19:01"
    assert starts == [whole, whole, whole, last_hour, last_hour, whole]


def test_a_store_that_is_away_is_asked_the_next_time() -> None:
    reader = ClickHouseReader(StoreAddress(LOOPBACK, free_port(), "reader", ""), seconds=1)
    found: list[AuditResult] = []
    with capture_logs() as said:
        AuditLoop(Auditor(reader, SITE), SiteClock(), found.append).once()
    assert found == []
    assert [(each["log_level"], each["event"]) for each in said] == [("warning", "no audit this time")]


def test_prometheus_reads_nothing_before_there_is_something() -> None:
    registry, loop = CollectorRegistry(), AuditLoop(cast("Any", None), SiteClock(), lambda _: None)
    registry.register(loop)
    assert generate_latest(registry) == b""
    loop.last, loop.took = result("2025-11-19", "2025-11-20", different=3), 4.5
    shown = generate_latest(registry).decode()
    assert "gatepulse_audit_differences 3.0\n" in shown
    assert "gatepulse_audit_compared_rows 7.0\n" in shown
    assert "gatepulse_audit_timestamp_seconds " in shown
    assert "gatepulse_audit_seconds 4.5\n" in shown


def test_alarms_of_a_running_audit_are_repeated_and_nothing_else(tmp_path: Path) -> None:
    log, reported, stop = tmp_path / "audit.log", list[str](), threading.Event()
    alarm = {
        "level": "error",
        "event": "counts differ",
        "different": 2,
        "interval": "all day",
        "first": ["a: 1", "b: 2"],
    }
    calm = {"level": "info", "event": "equal"}
    log.write_text("not JSON\n" + json.dumps(calm) + "\n" + json.dumps(alarm) + "\n" + json.dumps(alarm)[:9])

    def say(text: str) -> None:
        reported.append(text)
        stop.set()

    repeat_alarms(log, say, stop, poll=0.01)
    assert reported == ["AUDIT: counts differ: 2 rows of all day: a: 1; b: 2"]


@pytest.fixture
def command(server: Server, clickhouse: EmbeddedClickHouse, tmp_path: Path) -> Callable[..., Any]:
    """Run the command against a store in which noon is counted once too often."""
    server.write(block("counts_10s", {"window_start": NOON, "entrance": "N1"}))
    profile = tmp_path / "small.toml"
    profile.write_text(PROFILE)
    where = clickhouse.address
    more = {
        "GATEPULSE_SITE": str(profile),
        "GATEPULSE_STORE__HOST": where.host,
        "GATEPULSE_STORE__PORT": str(where.port),
        "GATEPULSE_STORE__READER": where.reader.user,
        "GATEPULSE_STORE__READER_PASSWORD": where.reader.password,
    }

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*AUDIT, *words], env=os.environ | more, capture_output=True, text=True, check=False)

    return run


def test_the_command_ends_with_1_where_something_differs_0_where_not_2_when_misused(
    command: Callable[..., Any],
) -> None:
    wrong = command("--from", "2025-10-19T19:00", "--to", "2025-10-19T21:00", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["ok"]) == (1, False), wrong
    right = command("--from", "2025-10-19T21:00", "--to", "2025-10-19T22:00")
    assert (right.returncode, "NOTHING TO COMPARE" in right.stdout) == (0, True), right
    for words in (("--to", "yesterday"), ("--every", "5", "--to", "2025-10-19")):
        misused = command(*words)
        assert (misused.returncode, misused.stdout) == (2, ""), misused
    nothing = command()
    assert nothing.returncode == 2
    assert "give --from and --to" in nothing.stderr
