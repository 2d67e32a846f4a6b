"""The JSON Schema for integrators is generated from the types, and agrees with the codec."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

import streams.contract.events
from streams.contract.events import (
    EARLIEST_MS,
    ID_PATTERN,
    LATEST_MS,
    Correction,
    Reason,
    Rejected,
    Topic,
    TurnstilePassage,
    VehiclePassage,
    json_schema,
)
from streams.kernels.counts.site_totals import EntranceTotals
from tests.support.lines import CORRECTION, PASSAGE

FILE = Path(streams.contract.events.__file__).with_name("schema.json")
SCHEMA = json_schema()


def fields(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = SCHEMA["$defs"][name]["properties"]
    return properties


def test_the_schema_in_the_repository_is_the_one_of_the_types() -> None:
    assert json.loads(FILE.read_text()) == SCHEMA, (
        "the types have changed: run `python -m streams.contract.events > streams/contract/schema.json`"
    )


def test_every_topic_has_its_schema_but_those_that_only_gatepulse_itself_reads() -> None:
    own = {Topic.ALARM_INPUTS.value, Topic.PARKED.value}
    assert {*SCHEMA["properties"]} == {topic.value for topic in Topic} - own
    for reference in SCHEMA["properties"].values():
        assert reference["$ref"].removeprefix("#/$defs/") in SCHEMA["$defs"]


@pytest.mark.parametrize("type_", [TurnstilePassage, VehiclePassage, Correction, EntranceTotals, Rejected])
def test_every_field_of_a_type_is_in_its_schema(type_: type) -> None:
    info: Any = inspect.type_info(type_)
    assert {*fields(type_.__name__)} == {each.encode_name for each in info.fields}


def test_the_fields_of_a_passage_are_those_of_the_contract() -> None:
    shared = {"device", "epoch", "seq", "ts", "entrance", "direction", "outcome", "category", "reason"}
    assert {*fields("TurnstilePassage")} == shared | {"credential", "temperature", "health"}
    assert {*fields("VehiclePassage")} == shared | {"plate"}
    assert {*SCHEMA["$defs"]["TurnstilePassage"]["required"]} == {*PASSAGE}
    assert {*SCHEMA["$defs"]["Correction"]["required"]} == {*CORRECTION} - {"delta"}


def test_unknown_fields_are_allowed() -> None:
    assert not [name for name, each in SCHEMA["$defs"].items() if "additionalProperties" in each]


def test_identifiers_have_their_alphabet_and_length() -> None:
    for name in ("device", "entrance"):
        each = fields("TurnstilePassage")[name]
        assert (each["type"], each["pattern"], each["maxLength"]) == ("string", ID_PATTERN, 64)
    assert re.fullmatch(ID_PATTERN, "N1-L01_a.b:c")
    assert not re.fullmatch(ID_PATTERN, "N1 L01")


def test_numbers_have_their_limits() -> None:
    passage = fields("TurnstilePassage")
    assert (passage["seq"]["type"], passage["seq"]["minimum"]) == ("integer", 1)
    assert (passage["epoch"]["type"], passage["epoch"]["minimum"], passage["epoch"]["default"]) == ("integer", 0, 0)
    assert (passage["ts"]["minimum"], passage["ts"]["exclusiveMaximum"]) == (EARLIEST_MS, LATEST_MS)


def test_choices_are_listed() -> None:
    passage = fields("TurnstilePassage")
    assert {*passage["direction"]["enum"]} == {"in", "out"}
    assert {*passage["outcome"]["enum"]} == {"passed", "granted", "denied"}
    assert passage["health"]["anyOf"] == [{"enum": ["abnormal", "normal", "unknown"]}, {"type": "null"}]
    assert {*SCHEMA["$defs"]["Reason"]["enum"]} == {reason.value for reason in Reason}
