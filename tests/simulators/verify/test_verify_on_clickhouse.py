"""numpy over the ledger, SQL over raw passages, and the views agree, and every change is found."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader, connect
from streams.site.model import Site
from tests.simulators.verify.reference import LATE, SUSPECT, fill
from tests.support.small_site import MIDNIGHT, REAL_TIME, SITE, at, columns, correction, passage, small_site
from tests.support.stores import empty, lay_out

SIZE = 3000
LANES = ("N1-L01", "N1-L02", "H1-L01", "P1-L01")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two days at three gates: holes, epochs, refusals, malformed lines, corrections; wrong clocks, late ones."""
    directory = tmp_path_factory.mktemp("run")
    draw = np.random.default_rng(20211105)
    rows = [_row(draw, number) for number in range(SIZE)]
    with LedgerWriter(directory / "1", meta={"site": "small"}) as writer:
        index = writer.passages(columns(rows))
        writer.attempts(index, "ok", at_ms=MIDNIGHT)
        for number in range(3):
            writer.malformed(
                topic="turnstile.passages", sha256=[f"{number % 2:064x}"], reason=["not JSON"], result="ok"
            )
        writer.corrections(
            [
                correction("b", "10:00:03", delta=-5),
                correction("a", "10:00:03", absolute=20),
                correction("c", "10:00:04", delta=2),
                correction("d", "11:00:00", area="hall", delta=7),
                correction("e", "0:00:00", area="park", absolute=3),
            ]
        )
    # The site's clock is real time here: everything arrives at 20:00 on the third day.
    arrives = at("68:00:00")
    late = [
        _row(draw, number, epoch=LATE, ts=arrives - 172_800_001 - 3_600_000 * (40 - number)) for number in range(40)
    ]
    ahead = [_row(draw, number, epoch=SUSPECT, ts=arrives + 300_001 + number) for number in range(40)]
    with LedgerWriter(directory / "2", meta={"site": "small", "clock": REAL_TIME}) as writer:
        writer.attempts(writer.passages(columns(late + ahead)), "ok", at_ms=arrives)
    return directory


def _row(draw: np.random.Generator, number: int, **other: Any) -> dict[str, Any]:
    device = LANES[draw.integers(len(LANES))]
    outcome = draw.choice(["passed", "passed", "passed", "granted", "denied"])
    return passage(
        f"0:0:{draw.integers(0, 172_800_000) / 1000}",
        device=device,
        **({"epoch": int(draw.integers(2))} | other),
        seq=number + 1,  # of all lanes together: every lane has holes
        direction=draw.choice(["in", "out"]),
        outcome=outcome,
        reason=draw.choice(["ticket", "health"]) if outcome == "denied" else "",
        credential=draw.choice(["", "anna", "bo", "carl"]),
        temperature=float(draw.choice([36.4, 37.9, float("nan")])),
        health=draw.choice(["", "normal"]),
    )


@pytest.fixture(scope="module")
def owner(clickhouse: EmbeddedClickHouse) -> Iterator[Client]:
    with connect(clickhouse.address.owner) as client:
        lay_out(client)
        yield client


@pytest.fixture
def site() -> Site:
    """Return the small site; some tests have it elsewhere."""
    return SITE


@pytest.fixture
def reader(owner: Client, clickhouse: EmbeddedClickHouse, ledger: Path, site: Site) -> Iterator[ClickHouseReader]:
    """Yield a reader of a store that was filled from the ledger by SQL."""
    empty(owner)
    fill(owner, read_ledger(ledger), site)
    where = clickhouse.address
    reader = ClickHouseReader(where.reader)
    yield reader
    reader.close()


def test_what_sql_counts_is_what_numpy_counts(ledger: Path, reader: ClickHouseReader) -> None:
    verdict = verify(ledger, reader, SITE)
    assert {name: view.different for name, view in verdict.views.items() if view.different} == {}
    assert verdict.ok
    assert verdict.counted == SIZE
    assert (verdict.sent, verdict.late, verdict.refused) == (SIZE + 80, 40, 40)
    assert all(view.compared for view in verdict.views.values())


@pytest.mark.parametrize(
    "site",
    [
        replace(small_site(zone), day_starts=starts)
        for zone, starts in (("Asia/Shanghai", 240), ("Asia/Kathmandu", 0), ("America/New_York", 720))
    ],
    ids=lambda site: f"{site.time_zone} {site.day_starts}",
)
def test_so_it_is_where_days_begin_at_other_moments(ledger: Path, reader: ClickHouseReader, site: Site) -> None:
    verdict = verify(ledger, reader, site)
    assert {name: view.different for name, view in verdict.views.items() if view.different} == {}
    assert verdict.ok


def removed(table: str, where: str) -> str:
    return f"ALTER TABLE gatepulse_store.{table} DELETE WHERE {where} SETTINGS mutations_sync = 2"


def changed(table: str, change: str, rest: str) -> str:
    """Return a statement that writes rows of `table` again, changed; newer where rows have versions."""
    return f"INSERT INTO gatepulse_store.{table} SELECT * REPLACE ({change}) FROM gatepulse_store.{table} {rest}"


NEWER = "version + 1 AS version"
ONE = "ORDER BY ALL LIMIT 1"
PLANTED = {
    "a lost passage": (removed("deliveries", "seq = 7"), {"passages"}),
    "a phantom": (changed("deliveries", "99999 AS seq", ONE), {"passages"}),
    "a passage a millisecond later": (
        changed("deliveries", "ts + INTERVAL 1 MILLISECOND AS ts", "WHERE seq = 7"),
        {"passages"},
    ),
    "another temperature": (
        changed("deliveries", "ifNull(temperature, 36.) + 1 AS temperature", "WHERE seq = 7"),
        {"passages"},
    ),
    "a window counted twice over": (
        changed("counts_10s", f"passages * 2 AS passages, {NEWER}", f"WHERE outcome = 'passed' {ONE}"),
        {"entrance_counts_10s"},
    ),
    "the same counts through another log": (
        changed("counts_1m", "'other' AS log", ""),
        {"entrance_counts_1m", "entrance_outcomes_1m"},
    ),
    "a day too few": (
        removed("counts_day", "day = '2021-11-06' AND outcome = 'passed'"),
        {"entrance_totals", "site_today"},
    ),
    "a refusal less": (
        changed("refusals_1m", f"refusals - 1 AS refusals, {NEWER}", ONE),
        {"entrance_refusals_1m"},
    ),
    "a person unseen": (removed("entered", "credential = 'bo'"), {"site_today"}),
    "somebody left in a window": (
        changed("area_flows_10s", f"departed + 1 AS departed, {NEWER}", f"WHERE area = 'hall' {ONE}"),
        {"occupancy_history"},
    ),
    "somebody left in an hour": (
        changed("area_flows_1h", f"departed + 1 AS departed, {NEWER}", f"WHERE area = 'hall' {ONE}"),
        {"occupancy"},
    ),
    "another capacity": (
        changed("site_areas", "99 AS capacity, loaded_at + INTERVAL 1 SECOND AS loaded_at", "WHERE area = 'venue'"),
        {"occupancy"},
    ),
    "a late one counted twice over": (
        changed("late_day", f"passages * 2 AS passages, {NEWER}", ONE),
        {"late_passages"},
    ),
    "a late one forgotten": (removed("late_day", "entrance = 'P1'"), {"late_passages"}),
    "a suspect one forgotten": (removed("rejections", "reason = 'suspect-time'"), {"rejections"}),
    "late ones that nobody reported": (
        changed("log_progress", "late - 1 AS late, now64() AS complete_to", "WHERE topic = 'turnstile.passages'"),
        {"progress"},
    ),
    "a device unheard of": (removed("devices", "device = 'P1-L01'"), {"completeness"}),
    "a hole hidden": (
        changed("devices", f"[(1, last_seq)] AS ranges, {NEWER}", "WHERE device = 'N1-L01'"),
        {"completeness"},
    ),
    "a correction forgotten": (
        removed("corrections", "id = 'c'"),
        {"corrections", "occupancy", "occupancy_history"},
    ),
    "a rejection too many": (changed("rejections", "999999 AS offset", ONE), {"rejections"}),
    "an event received and gone": (
        changed("log_progress", "received + 1 AS received, now64() AS complete_to", "WHERE topic = 'vehicle.passages'"),
        {"progress"},
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_no_planted_error_goes_unseen(ledger: Path, reader: ClickHouseReader, owner: Client, planted: str) -> None:
    statement, views = PLANTED[planted]
    owner.execute(statement)
    verdict = verify(ledger, reader, SITE)
    assert {name for name, view in verdict.views.items() if view.different} == views
    assert not verdict.ok
    assert verdict.difference > 0
    assert {each.view for each in verdict.differences} == views
