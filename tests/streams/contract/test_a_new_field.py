"""A field that is added to the types in `events` and to a schema file reaches codec, store, views and ledger."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

from simulators.ledger.ledger import SCHEMAS
from simulators.verify.stored import VIEWS
from sinks.rows import TABLES
from streams.contract.events import TurnstilePassage, VehiclePassage
from streams.contract.fields import CONTENT, FIELDS, IDENTITY, Form, PassageField, fields_of
from streams.kernels.counts.batch import COLUMNS
from streams.worker.settling_sql import CONTENT_FIELDS

PROJECT = Path(__file__).parents[3]
OF_A_DELIVERY = {"kind", "log", "offset", "line", "fate", "outer", "inner", "settled", "arrived", "seen"}
PLACE = {"offset", "line", "arrived"}
NAMES = {each.name for each in FIELDS}


def test_every_place_has_the_fields_of_the_contract_and_none_of_its_own() -> None:
    assert {*TABLES["deliveries"].columns} == NAMES | OF_A_DELIVERY
    assert {*COLUMNS} - PLACE <= NAMES
    assert {*SCHEMAS["passages"].names} == NAMES | {"kind", "true_ts"}
    assert {each.name for each in CONTENT_FIELDS} == NAMES - {*IDENTITY}
    assert (*VIEWS["passages"].keys, *VIEWS["passages"].values) == (*IDENTITY, *CONTENT)
    assert NAMES - {*IDENTITY, *CONTENT} == {"credential"}  # no view shows it


def test_a_field_is_named_as_the_line_of_each_kind_calls_it() -> None:
    written = {each.name: dict(each.written) for each in FIELDS}
    assert written["credential"] == {"person": "credential", "vehicle": "plate"}
    assert written["health"] == {"person": "health"}
    assert written["seq"] == {"person": "seq", "vehicle": "seq"}


def test_what_a_field_is_follows_from_its_type() -> None:
    class Measured(TurnstilePassage, frozen=True):
        height_cm: int | None = None

    *before, height = fields_of({"person": Measured})
    assert [each.name for each in before] == [each.name for each in fields_of({"person": TurnstilePassage})]
    assert height == PassageField(
        "height_cm", Form.INTEGER, optional=True, secret=False, written={"person": "height_cm"}
    )


def test_a_field_that_no_column_can_have_is_refused() -> None:
    class Odd(TurnstilePassage, frozen=True):
        steps: list[int] | None = None

    with pytest.raises(TypeError, match="steps is .* a text, a choice of texts, or a number"):
        fields_of({"person": Odd})


def test_a_field_that_is_two_things_in_two_kinds_is_refused() -> None:
    class Warm(VehiclePassage, frozen=True):
        temperature: str | None = None

    with pytest.raises(TypeError, match="temperature of a vehicle .* give it one type"):
        fields_of({"person": TurnstilePassage, "vehicle": Warm})


_NEW_FILES = {
    "sinks/schema/999_height.sql": "ALTER TABLE gatepulse_store.deliveries ADD COLUMN IF NOT EXISTS"
    " height_cm Nullable(UInt16) AFTER temperature;\n"
}
_CHANGED = {
    "streams/contract/events.py": (
        "    temperature: float | None = None\n",
        "    temperature: float | None = None\n    height_cm: int | None = None\n",
    )
}
_TRAVEL = """
import asyncio, json, sys
from pathlib import Path
from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.scenario.lines import make_line
from simulators.verify import truth
from simulators.verify.stored import VIEWS
from sinks.memory import MemorySink
from sinks.rows import TABLES
from streams.kernels.counts.passages import PassageLog
from tests.support.events import log
from tests.support.lines import NINE, persons, records

said = {"kind": "person", "device": "N1-L01", "epoch": 0, "ts": NINE, "true_ts": NINE, "entrance": "N1"}
said |= {"direction": "in", "outcome": "passed", "category": "visitor"}
rows = [said | {"seq": 1, "height_cm": 171}, said | {"seq": 2, "height_cm": None}]
lines = [make_line(row) for row in rows]
counting, sink = log(), MemorySink()
counting.apply(persons().read(records(*lines)))
asyncio.run(sink.write(counting.drain()))
stored = [dict(zip(TABLES["deliveries"].columns, row)) for row in sink.rows("deliveries")]
with LedgerWriter(Path(sys.argv[1]), meta={}) as writer:
    index = writer.passages({name: [row[name] for row in rows] for name in rows[0]})
    writer.attempts(index, "ok", at_ms=NINE)
ledger = read_ledger(Path(sys.argv[1]))
shown = truth.passages(ledger, truth.sent_passages(ledger))
print(json.dumps({
    "lines": [json.loads(line).get("height_cm") for line in lines],
    "stored": [row["height_cm"] for row in stored],
    "expected": shown.values["height_cm"].tolist(),
    "asked": VIEWS["passages"].select(),
}))
"""


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Add a field to a copy of the project, and let two lines go their way there, one with it and one without."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("streams", "sinks", "simulators", "tests/support"):
        copytree(PROJECT / name, folder / name, ignore=ignore_patterns("__pycache__"))
    (folder / "tests/__init__.py").touch()
    for name, text in _NEW_FILES.items():
        (folder / name).write_text(text)
    for name, (old, new) in _CHANGED.items():
        text = (folder / name).read_text()
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new))
    env = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-P", "-c", _TRAVEL, str(folder / "ledger")]
    answer = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    found: Mapping[str, Any] = json.loads(answer.stdout)
    return found


def test_a_new_field_is_added_in_its_type_and_a_file_of_the_schema_and_travels(travelled: Mapping[str, Any]) -> None:
    nothing = -(2**63)
    assert travelled["lines"] == [171, None]
    assert travelled["stored"] == [171, None]
    assert travelled["expected"] == [171, nothing]
    assert f"ifNull(toInt64(height_cm), {nothing}) AS v_height_cm" in travelled["asked"]
