"""The verification finds every sort of difference between the ledger and what the store shows, and nothing else."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.ledger.tables import Between, Labels, Table, Value
from simulators.verify import verify as verification
from simulators.verify.fates import Limits
from simulators.verify.report import Verdict, sentence, show, to_json
from simulators.verify.stored import VIEWS
from simulators.verify.verify import verify
from tests.support.small_site import MIDNIGHT, REAL_TIME, SITE, at, columns, correction, passage, tables, write

ROWS = [
    passage("8:00:01", seq=1, credential="anna", temperature=36.4, health="normal"),
    passage("8:00:02", seq=2, credential="bo"),
    passage("8:00:15", device="H1-L01", seq=1, credential="bo"),
    passage("8:01:20", seq=3, outcome="denied", reason="ticket"),
    passage("8:01:21", device="P1-L01", seq=1),
    passage("9:00:00", device="N1-L02", seq=2, direction="out"),
]


class Shown:
    """A reader of a store that shows what the test puts there; all of it is settled."""

    def __init__(self, views: Mapping[str, Table]) -> None:
        self.views = dict(views)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return nothing: no event is counted twice."""
        assert "unsettled" in sql
        assert params is None
        return []

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Answer as the store's reader does."""
        name = next(name for name, view in VIEWS.items() if sql.startswith(view.select()))
        table = self.views[name]
        if params:
            device = table.keys["device"].texts()  # type: ignore[union-attr]  # devices are text
            above, upto = params.get("above", ""), params.get("upto", "~")
            table = table[(device > above) & (device <= upto)]
        return {f"v_{name}": plain(column) for name, column in {**table.keys, **table.values}.items()}


def plain(column: Value) -> Any:
    if isinstance(column, Labels):
        return column.texts().tolist()
    return column.low if isinstance(column, Between) else column


def settled(table: Table) -> Table:
    """Return the table as a store shows it: with one number where the truth has bounds."""
    values = {name: value.low if isinstance(value, Between) else value for name, value in table.values.items()}
    return Table(table.keys, values)


def add_lines(writer: LedgerWriter) -> None:
    writer.malformed(topic="turnstile.passages", sha256=["aa", "bb"], reason=["json", "schema"], result="ok")
    writer.corrections([correction("k1", "8:00:30", delta=-1), correction("k2", "8:02:00", area="park", absolute=7)])
    writer.close()


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """Return a store that shows exactly what the ledger in `tmp_path` says was sent."""
    # The site's clock shows ten hours more than it really is.
    writer = write(tmp_path, ROWS, clock=REAL_TIME | {"site_ms": at("10:00:00") - MIDNIGHT})
    late = passage("8:00:00", device="N1-L02", seq=1, ts=ROWS[0]["ts"] - 3 * 86_400_000)
    for row in (late, passage("12:00:00", seq=4)):
        writer.attempts(writer.passages(columns([row])), "ok", at_ms=MIDNIGHT)
    add_lines(writer)
    return Shown({name: settled(table) for name, table in tables(read_ledger(tmp_path)).items()})


def without(table: Table, row: int) -> Table:
    return table[np.arange(len(table)) != row]


def repeated(table: Table, row: int) -> Table:
    return table[np.append(np.arange(len(table)), row)]


def changed(table: Table, column: str, row: int, value: Any) -> Table:
    """Return `table` with another value in one cell."""

    def put(name: str, old: Any) -> Any:
        if name != column:
            return old
        new = old.texts() if isinstance(old, Labels) else old.copy()
        new[row] = value
        return Labels.of(new) if isinstance(old, Labels) else new

    keys = {name: put(name, old) for name, old in table.keys.items()}
    return Table(keys, {name: put(name, old) for name, old in table.values.items()})


def different(verdict: Verdict) -> set[str]:
    return {name for name, view in verdict.views.items() if view.different}


def test_a_store_that_shows_the_truth_is_equal(tmp_path: Path, shown: Shown) -> None:
    verdict = verify(tmp_path, shown, SITE)
    assert different(verdict) == set()
    assert (verdict.ok, verdict.sent, verdict.counted, verdict.difference) == (True, 8, 6, 0)
    assert (verdict.late, verdict.refused) == (1, 1)
    assert sentence(verdict) == (
        "EQUAL: 8 sent, 6 counted, 1 late, 1 refused, 0 lost, 0 phantom, 0 duplicated; 14 views, 49 rows compared."
    )


def test_other_limits_make_another_truth(tmp_path: Path, shown: Shown) -> None:
    assert verify(tmp_path, shown, SITE, Limits(300_000, 172_800_000)).ok
    late = verify(tmp_path, shown, SITE, Limits(300_000, 3_600_000))
    assert {"passages", "late_passages", "entrance_counts_10s"} <= different(late)
    believed = verify(tmp_path, shown, SITE, Limits(86_400_000, 172_800_000))
    assert {"passages", "rejections"} <= different(believed)


def test_a_lost_passage_is_found(tmp_path: Path, shown: Shown) -> None:
    shown.views["passages"] = without(shown.views["passages"], 1)
    verdict = verify(tmp_path, shown, SITE)
    assert not verdict.ok
    assert (verdict.sent, verdict.counted, verdict.lost, verdict.difference) == (8, 5, 1, 1)
    assert different(verdict) == {"passages"}
    assert [(each.view, each.stored) for each in verdict.differences] == [("passages", "(no row)")]


def test_a_phantom_is_found(tmp_path: Path, shown: Shown) -> None:
    # A passage that is in the ledger but was never sent counts as one that nobody made.
    shown.views["passages"] = changed(repeated(shown.views["passages"], 0), "seq", 6, 99)
    verdict = verify(tmp_path, shown, SITE)
    assert (verdict.ok, verdict.counted, verdict.phantom, verdict.difference) == (False, 7, 1, 1)
    assert "seq=99" in verdict.differences[0].key


@pytest.mark.parametrize("device", ["A0", "N1-L01x", "Z9"])
def test_a_phantom_of_an_unknown_device_is_found_wherever_its_name_sorts(
    tmp_path: Path, shown: Shown, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "PART", 1)  # every device is a part of its own
    shown.views["passages"] = changed(repeated(shown.views["passages"], 0), "device", 6, device)
    verdict = verify(tmp_path, shown, SITE)
    assert (verdict.phantom, verdict.duplicated, verdict.lost) == (1, 0, 0)


def test_a_duplicated_passage_is_found(tmp_path: Path, shown: Shown) -> None:
    shown.views["passages"] = repeated(shown.views["passages"], 3)
    verdict = verify(tmp_path, shown, SITE)
    assert (verdict.ok, verdict.counted, verdict.duplicated, verdict.difference) == (False, 6, 1, 1)


def test_a_passage_with_other_content_is_found(tmp_path: Path, shown: Shown) -> None:
    passages = changed(shown.views["passages"], "ts", 0, ROWS[0]["ts"] + 1)
    shown.views["passages"] = changed(passages, "temperature", 0, float("nan"))
    verdict = verify(tmp_path, shown, SITE)
    assert (verdict.ok, verdict.altered, verdict.difference) == (False, 1, 1)
    found = {each.column: (each.expected, each.stored) for each in verdict.differences}
    assert found == {
        "ts": ("2021-11-05T08:00:01.000Z", "2021-11-05T08:00:01.001Z"),
        "temperature": ("36.4", "none"),
    }


WRONG: Mapping[str, tuple[str, Any]] = {
    "entrance_counts_10s": ("passages", 5),
    "entrance_counts_1m": ("window_start", ROWS[0]["ts"] // 60_000 * 60_000 - 60_000),
    "entrance_outcomes_1m": ("outcome", "granted"),
    "entrance_refusals_1m": ("reason", ""),
    "entrance_totals": ("day", 18_935),
    "site_today": ("distinct_entered", 3),
    "late_passages": ("events", 2),
    "occupancy": ("inside", 0),
    "occupancy_history": ("inside", -9),
    "completeness": ("missing", 7),
    "rejections": ("times", 2),
    "corrections": ("delta", 1),
    "progress": ("unaccounted", 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_value_in_any_view_is_found(tmp_path: Path, shown: Shown, name: str) -> None:
    column, value = WRONG[name]
    row = int(np.argmax(shown.views[name].keys["area"].equal("venue"))) if name == "occupancy" else 0  # type: ignore[union-attr]  # areas are text
    shown.views[name] = changed(shown.views[name], column, row, value)
    verdict = verify(tmp_path, shown, SITE)
    assert not verdict.ok
    assert different(verdict) == {name}
    assert verdict.difference == verdict.views[name].different > 0


@pytest.mark.parametrize("name", WRONG)
def test_a_missing_row_and_a_repeated_row_of_any_view_are_found(tmp_path: Path, shown: Shown, name: str) -> None:
    whole = shown.views[name]
    shown.views[name] = without(whole, 0)
    assert different(verify(tmp_path, shown, SITE)) == {name}
    shown.views[name] = repeated(whole, 0)
    assert different(verify(tmp_path, shown, SITE)) == {name}


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_view_is_found(tmp_path: Path, shown: Shown, name: str) -> None:
    rows = len(shown.views[name])
    shown.views[name] = shown.views[name][:0]
    verdict = verify(tmp_path, shown, SITE)
    assert verdict.views[name].different == rows > 0


def in_doubt(directory: Path) -> None:
    """Write a ledger in which the second of two passages, and a correction, may or may not have been delivered."""
    with LedgerWriter(directory, meta={"site": "small"}) as writer:
        writer.attempts(writer.passages(columns(ROWS[:1])), "ok", at_ms=1)
        writer.attempts(writer.passages(columns(ROWS[1:2])), "info", at_ms=1)
        writer.corrections([correction("k1", "8:00:30", delta=-1, result="info")])


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:2]])
@pytest.mark.parametrize("steps", [[], [correction("k1", "8:00:30", delta=-1)]])
def test_what_is_in_doubt_may_be_shown_or_not(tmp_path: Path, rows: Any, steps: Any) -> None:
    in_doubt(tmp_path / "doubt")
    with write(tmp_path / "shown", rows) as writer:
        writer.corrections(steps)
    views = tables(read_ledger(tmp_path / "shown"))
    shown = Shown({name: settled(table) for name, table in views.items()})
    verdict = verify(tmp_path / "doubt", shown, SITE)
    assert verdict.ok
    assert verdict.sent == verdict.counted == len(rows)


def test_what_is_in_doubt_is_shown_everywhere_or_nowhere(tmp_path: Path) -> None:
    in_doubt(tmp_path / "doubt")
    for name, rows in (("one", ROWS[:1]), ("two", ROWS[:2])):
        write(tmp_path / name, rows).close()
    one, two = (tables(read_ledger(tmp_path / name)) for name in ("one", "two"))
    shown = Shown({name: settled(table) for name, table in one.items()} | {"passages": two["passages"]})
    verdict = verify(tmp_path / "doubt", shown, SITE)
    assert not verdict.ok
    assert verdict.lost == verdict.phantom == 0
    assert {"entrance_counts_10s", "occupancy", "completeness", "progress"} <= different(verdict)


def test_a_run_that_sent_nothing_proves_nothing(tmp_path: Path) -> None:
    write(tmp_path, []).close()
    shown = Shown({name: settled(table) for name, table in tables(read_ledger(tmp_path)).items()})
    verdict = verify(tmp_path, shown, SITE)
    assert not verdict.ok
    assert sentence(verdict).startswith("UNKNOWN (nothing was sent)")


def test_the_object_for_programs_has_the_fields_of_the_contract(tmp_path: Path, shown: Shown) -> None:
    found = json.loads(to_json(verify(tmp_path, shown, SITE)))
    assert list(found) == ["ok", "sent", "counted", "difference", "views", "late", "refused"]
    assert found["views"]["passages"] == {"compared": 6, "different": 0}
    assert set(found["views"]) == set(VIEWS)


def test_the_report_for_people_names_what_differs_and_ends_with_the_sentence(tmp_path: Path, shown: Shown) -> None:
    shown.views["entrance_counts_10s"] = changed(shown.views["entrance_counts_10s"], "passages", 0, 5)
    out = io.StringIO()
    show(verify(tmp_path, shown, SITE), Console(file=out, width=160))
    text = out.getvalue()
    assert re.search(r"entrance_counts_10s .*window_start=2021-11-05T08:00:00.000Z.* passages +2 +5", text)
    assert text.splitlines()[-1] == (
        "DIFFERENT: 8 sent, 6 counted, 1 late, 1 refused, 0 lost, 0 phantom, 0 duplicated; "
        "14 views, 49 rows compared, 1 differ."
    )
