"""Lines follow the contract, and no event or field is lost in them."""

import json

import numpy as np

from simulators.scenario.day import VEHICLE
from simulators.scenario.lines import make_line, make_lines
from streams.contract.events import ID_PATTERN
from tests.support.small_day import small_day

OPTIONAL = ("reason", "credential", "temperature", "health")


def test_a_line_has_the_fields_of_its_event_and_leaves_out_what_is_not_there() -> None:
    day = small_day()
    texts = day.texts()
    for row, line in enumerate(make_lines(day)):
        event = json.loads(line)
        if "plate" in event:
            event["credential"] = event.pop("plate")
        expected = {name: column[row] for name, column in texts.items() if name not in {"kind", "true_ts"}}
        left_out = {name for name in OPTIONAL if expected[name] == "" or expected[name] != expected[name]}
        assert event == {name: value for name, value in expected.items() if name not in left_out}


def test_the_line_of_an_event_can_be_made_again_from_what_a_ledger_keeps() -> None:
    day = small_day()
    columns = {name: column.tolist() for name, column in day.texts().items()}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    assert [make_line(row) for row in rows] == make_lines(day)


def test_vehicles_have_plates_and_persons_have_credentials() -> None:
    day = small_day()
    for kind, line in zip(day.kind, make_lines(day), strict=True):
        assert (
            (b'"plate"' if kind == VEHICLE else b'"credential"') in line
            or b'"unknown-credential"' in line
            or (b'"direction":"in"' in line)
        )
        assert (b'"credential"' if kind == VEHICLE else b'"plate"') not in line


def test_no_events_make_no_lines() -> None:
    assert make_lines(small_day().take(np.zeros(0, np.int64))) == []


def test_ids_need_no_escaping() -> None:
    names = small_day().names
    assert all(json.dumps(word) == f'"{word}"' for word in (*names.devices, *names.entrances, *names.categories))
    assert ID_PATTERN
