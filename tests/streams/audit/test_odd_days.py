"""Made-up days on which the clock changes, or that end after midnight: counted, stored, verified and audited."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.day import Day
from simulators.scenario.expo.expo import expo_day
from simulators.scenario.lines import make_lines
from simulators.verify.truth import local_days
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader
from streams.audit.compare import Auditor
from streams.audit.interval import Interval
from streams.contract.codec import PassageCodec, Records
from streams.contract.events import KIND_OF_TOPIC
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.site.kernel_views import place_of, vocabulary_of
from streams.site.model import Site
from streams.worker.main import area_rows
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT, ODD_DAYS, expo, night_market
from tests.support.rows import block
from tests.support.small_day import SMALL
from tests.support.stores import Server

TIMES = TimeRules(SiteClock(), 300_000, 48 * 3_600_000)
DAYS = [
    (expo("Europe/Berlin"), BERLIN_LONG),
    (expo("Asia/Kathmandu", "04:00"), BERLIN_LONG),
    (night_market("Europe/Berlin"), BERLIN_LONG - dt.timedelta(1)),
    (night_market("Europe/Berlin"), BERLIN_SHORT - dt.timedelta(1)),
    (night_market("Africa/Cairo"), dt.date(2026, 10, 29)),
    (night_market("Australia/Lord_Howe"), dt.date(2026, 4, 4)),
]
NAMES = [f"{site.time_zone} {day}" + " at night" * (site.opening.week[0] == (1020, 1560)) for site, day in DAYS]


def blocks_of(day: Day, site: Site) -> Iterator[Block]:
    """Count a day's lines as workers do, each kind in a log of its own, a second after it happened."""
    lines, codes = make_lines(day), vocabulary_of(site)
    for topic, kind in KIND_OF_TOPIC.items():
        rows = np.flatnonzero(day.kind == list(KIND_OF_TOPIC.values()).index(kind))
        log = PassageLog(PartitionId("test", topic, 0), kind, place_of(site, TIMES), next_offset=0)
        value = b"\n".join(lines[row] for row in rows.tolist())
        log.apply(
            PassageCodec(kind, codes).read(
                Records(value, np.arange(len(rows)), day.ts[rows] + 1000, np.ones(len(rows), np.int64))
            )
        )
        yield from log.drain()
        tally = {"received": log.tally.received, "counted": log.tally.counted, "next_offset": log.next_offset}
        row = {"log": str(log.name), "cluster": "test", "topic": topic, "complete_to": int(day.ts.max()) + 1000}
        yield block("log_progress", row | tally | {"duplicate": 0, "late": 0, "rejected": 0})
    yield area_rows(site, loaded_at=0)


def written(day: Day, site: Site, folder: Path) -> Path:
    """Write the day into a ledger, as sent and stored when it happened."""
    with LedgerWriter(folder / "1", meta={"site": site.id}) as writer:
        index = writer.passages(day.texts())
        writer.attempts(index, "ok", at_ms=int(day.ts[0]))
    return folder


@pytest.mark.parametrize(("site", "date"), DAYS, ids=NAMES)
def test_an_odd_day_is_counted_as_the_ledger_and_the_audit_say(
    server: Server, reader: ClickHouseReader, tmp_path: Path, site: Site, date: dt.date
) -> None:
    day = expo_day(site, date=date, seed=3, spec=SMALL)
    server.write(*blocks_of(day, site))

    verdict = verify(written(day, site, tmp_path), reader, site)
    begin, end = site.days.bounds(date)
    audited = Auditor(reader, site, patience=0.0, sleep=lambda _: None).audit(Interval(begin, end, site.days))

    assert {name: each.different for name, each in verdict.views.items() if each.different} == {}
    assert (verdict.ok, audited.ok) == (True, True)
    assert audited.views["entrance_totals"].compared > 50


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe"])
@pytest.mark.parametrize("date", [BERLIN_LONG - dt.timedelta(1), BERLIN_SHORT - dt.timedelta(1)])
def test_a_night_at_the_market_is_one_day(zone: str, date: dt.date) -> None:
    site = night_market(zone)
    day = expo_day(site, date=date, seed=3, spec=SMALL)
    begin, end = site.days.bounds(date)
    opens, closes = site.hours(date) or (0, 0)

    assert begin <= day.ts.min()
    assert day.ts.max() < end
    midnight = dt.datetime.combine(date + dt.timedelta(1), dt.time(), ZoneInfo(zone)).timestamp() * 1000
    assert (day.ts > midnight).mean() > 0.1
    assert ((day.ts >= opens) & (day.ts < closes)).mean() > 0.9
    assert set(site.days.of(day.ts).tolist()) == {(date - dt.date(1970, 1, 1)).days}


@pytest.mark.parametrize(("zone", "day", "starts"), ODD_DAYS)
def test_the_ledger_reads_the_same_days_off_the_clock(zone: str, day: dt.date, starts: str) -> None:
    site = expo(zone, starts)
    begin, end = site.days.bounds(day)
    ts = np.arange(begin - 7_200_000, end + 7_200_000, 60_000) + np.array([[-1], [0]])
    assert (local_days(ts.ravel(), site) == site.days.of(ts.ravel())).all()
