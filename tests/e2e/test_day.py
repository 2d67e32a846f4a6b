"""After a day with bad lines and three crashes, the verdict, wall, page, store and ledger agree."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from infra.servers.clickhouse import stored_passwords
from simulators.ledger.ledger import Ledger, read_ledger
from simulators.ledger.tables import NONE, Labels, Table
from simulators.verify import truth
from simulators.verify.fates import Limits, suspect_corrections
from simulators.verify.stored import VIEWS
from streams.site.reader import load_site
from tests.e2e.conftest import KILLS, LEAKY, SKIPPED, Day

SITE = load_site("expo")


@pytest.fixture(scope="module")
def ledger(day: Day) -> Ledger:
    """Read what was sent on that day."""
    return read_ledger(min((day.demo.state / "ledgers").glob("*-day")))


@pytest.fixture(scope="module")
def expected(ledger: Ledger) -> dict[str, Table]:
    """Work out every view from the ledger."""
    corrections = truth.corrections(
        ledger, truth.sent_corrections(ledger, ~suspect_corrections(ledger, Limits())), SITE
    )
    return truth.published(ledger, SITE, truth.sent_passages(ledger), corrections)


def rows(table: Table) -> list[tuple[Any, ...]]:
    columns = [*table.keys.values(), *table.values.values()]
    lists = [(column.texts() if isinstance(column, Labels) else np.asarray(column)).tolist() for column in columns]
    return sorted(zip(*lists, strict=True))


def test_a_day_whose_worker_is_killed_three_times_ends_equal_in_every_view(day: Day) -> None:
    assert day.code == 0, day.demo.said
    assert len(set(day.killed)) == KILLS
    verdict = day.demo.verdict
    assert set(verdict) == {"ok", "sent", "counted", "difference", "views", "late", "refused"}
    assert verdict["ok"] is True
    assert verdict["difference"] == 0
    assert verdict["sent"] == verdict["counted"] >= 95_000
    assert list(verdict["views"]) == list(VIEWS)
    assert {name for name, view in verdict["views"].items() if view["different"]} == set()
    assert {name for name, view in verdict["views"].items() if not view["compared"]} == {"corrections", "late_passages"}
    assert "EQUAL" in day.demo.said


def test_every_malformed_line_is_in_the_rejections(day: Day, ledger: Ledger) -> None:
    broken = len(ledger.malformed["sha256"])
    assert broken > 300
    assert day.demo.verdict["views"]["rejections"]["compared"] > 100
    assert day.wall["health"]["rejected"] == broken


def test_what_a_device_left_out_is_known_to_be_missing_in_the_store_and_on_the_wall(day: Day) -> None:
    assert day.incomplete == [(LEAKY, SKIPPED)]
    health = day.wall["health"]
    assert health["missing"] == SKIPPED
    assert [(worst["device"], worst["missing"]) for worst in health["worst"]] == [(LEAKY, SKIPPED)]
    gates = {gate["id"]: gate["missing"] for gate in day.wall["entrances"] if gate["missing"]}
    assert gates == {LEAKY.split("-")[0]: SKIPPED}
    assert day.page["complete"].startswith(str(SKIPPED))


def test_the_walls_day_is_the_stores_and_the_ledgers(day: Day, expected: dict[str, Table]) -> None:
    first = date(1970, 1, 1)
    sent = [((first + timedelta(days=row[0])).isoformat(), *row[1:]) for row in rows(expected["site_today"])]
    shown = day.wall["today"]
    assert {row[0] for row in sent} == {day.wall["day"]}
    assert day.today == sent
    assert [
        (day.wall["day"], kind, *(shown[kind][name] for name in ("entries", "exits", "distinct", "unidentified")))
        for kind in ("person", "vehicle")
    ] == sent


def test_who_is_inside_is_the_same_on_the_wall_in_the_store_and_in_the_ledger(
    day: Day, expected: dict[str, Table]
) -> None:
    sent = [(area, kind, inside) for area, kind, as_of, inside, _ in rows(expected["occupancy"]) if as_of != NONE]
    areas = [(area["id"], area["kind"], area["inside"]) for area in day.wall["areas"] if area["inside"] is not None]
    assert sent
    assert day.inside == sent
    assert sorted(areas) == sent


def test_every_entrance_on_the_wall_has_the_ledgers_total(day: Day, expected: dict[str, Table]) -> None:
    totals: dict[tuple[str, str], int] = {}
    for _, _, entrance, direction, _, passages in rows(expected["entrance_totals"]):
        totals[entrance, direction] = totals.get((entrance, direction), 0) + passages
    shown = {(gate["id"], way): gate[f"today_{way}"] or 0 for gate in day.wall["entrances"] for way in ("in", "out")}
    assert shown == {key: totals.get(key, 0) for key in shown}
    assert len(totals) > 40


def test_a_browser_in_front_of_the_wall_reads_the_same_figures(day: Day) -> None:
    person, vehicle = day.wall["today"]["person"], day.wall["today"]["vehicle"]
    inside = day.wall["inside"]["person"]["inside"]
    figures = {
        "person.entries": person["entries"], "person.distinct": person["distinct"],
        "vehicle.entries": vehicle["entries"], "person.inside": inside,
    }  # fmt: skip
    assert {name: day.page[name] for name in figures} == {name: f"{number:,}" for name, number in figures.items()}


def test_the_wall_never_counts_backwards_and_never_falls_back_to_a_dash(day: Day) -> None:
    course = [beat["today"]["person"]["entries"] for beat in day.course]
    counted = [entries for entries in course if entries is not None]
    assert len(counted) > 20
    assert counted == sorted(counted)
    assert course[-len(counted) :] == counted
    assert {beat["store"] for beat in day.course[-len(counted) :]} == {"ok"}


def test_the_wall_says_how_old_its_figures_are_while_the_worker_is_away(day: Day) -> None:
    ages = [beat["age_ms"] for beat in day.course if beat["age_ms"] is not None]
    assert max(ages) > 3000
    assert all(beat["stale"] == (abs(beat["age_ms"]) > 5000) for beat in day.course if beat["age_ms"] is not None)
    last = datetime.fromtimestamp(day.wall["complete_to_ms"] / 1000, UTC)
    assert last > datetime.fromtimestamp(day.course[0]["real_ms"] / 1000, UTC)


def test_a_running_demo_says_where_its_servers_are_and_keeps_its_passwords_to_itself(day: Day) -> None:
    assert {"wall", "store", "broker", "metrics"} <= set(day.addresses)  # and those of what delivers alarms
    assert day.modes == 0o600
    passwords = stored_passwords(day.demo.state / "clickhouse" / "credentials.json")
    kept = [day.demo.state / "ledgers", day.demo.state / "logs", day.demo.state / "broker"]
    files = [file for folder in kept for file in folder.rglob("*") if file.is_file()]
    assert files
    output = " ".join([*day.addresses.values(), day.demo.said, day.demo.out])
    for password in passwords.values():
        assert password not in output
        assert [file for file in files if password.encode() in file.read_bytes()] == []


def test_a_demo_that_ended_leaves_no_process_and_no_stale_address(day: Day) -> None:
    assert day.left == []
    assert not (day.demo.state / "endpoints.json").exists()
