"""The schema of all topics: events, their fields, and the reasons for rejecting one; read `codec` next.

`python -m streams.contract.events > streams/contract/schema.json` writes the JSON Schema anew.
"""

import json
import sys
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts import batch
from streams.kernels.counts.site_totals import EntranceTotals
from streams.text import Kind

Direction = Literal["in", "out"]
Outcome = Literal["passed", "granted", "denied"]
Health = Literal["normal", "abnormal", "unknown"]

DIRECTIONS: Final = batch.DIRECTIONS
OUTCOMES: Final = batch.OUTCOMES


class Topic(StrEnum):
    """The topics of the contract, once each."""

    TURNSTILES = "turnstile.passages"
    VEHICLES = "vehicle.passages"
    CORRECTIONS = "corrections"
    TOTALS = "entrance.totals"
    REJECTED = "rejected"
    PARKED = "parked"
    ALARMS = "alarms"
    ALARM_INPUTS = "alarm.inputs"


KIND_OF_TOPIC: Final[dict[str, Kind]] = {Topic.TURNSTILES: "person", Topic.VEHICLES: "vehicle"}

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01 UTC: an event before it is rejected; no controller in service today was built before."""
LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01 UTC: an event from then on is rejected; ClickHouse's DateTime ends in 2106."""

# Identifiers are checked once per new value by the codec, not once per event: a regular expression on
# every event costs more than all other checks together (2.9 against 0.9 microseconds an event).
ID_PATTERN: Final = r"^[A-Za-z0-9_.:\-]{1,64}$"
_LARGEST: Final = 2**63 - 1
_MOST_MOVED: Final = 10**9
"""Persons or vehicles of one correction: nine billion of them still add up in 64 bits."""
LONGEST_REASON: Final = 120
"""Characters of a passage's reason that are stored; the rest is cut off."""

Identifier = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": ID_PATTERN})]
SECRET: Final = {"secret": True}
"""What a type says of itself whose values no reader of the store may see."""
Pseudonym = Annotated[str, Meta(max_length=64, extra=SECRET)]
Count = Annotated[int, Meta(ge=0, le=_LARGEST)]
Sequence = Annotated[int, Meta(ge=1, le=_LARGEST)]
# What is outside is rejected as a time out of range, not as a wrong shape: so the decoder does not check it.
_RANGE: Final = {"minimum": EARLIEST_MS, "exclusiveMaximum": LATEST_MS}
Milliseconds = Annotated[int, Meta(description="milliseconds since 1970-01-01 UTC", extra_json_schema=_RANGE)]

LONGEST_LINE: Final = 65_536
"""Bytes of one event at most: a hundred times a long one."""


class Passage(Struct, frozen=True, gc=False):
    """One person or vehicle through a lane; only the outcome `passed` moves a count.

    These types are the one list of a passage's fields: `fields` reads it, and every other place is made from that.
    A new field comes last in its type, is `... | None = None`, and gets its column from a new file in `sinks/schema`.
    """

    device: Identifier
    seq: Sequence
    ts: Milliseconds
    entrance: Identifier
    direction: Direction
    outcome: Outcome
    category: str
    epoch: Count = 0
    reason: str | None = None


class TurnstilePassage(Passage, frozen=True, gc=False):
    """A passage of a person."""

    health: Health | None = None
    credential: Pseudonym | None = None
    temperature: float | None = None


class VehiclePassage(Passage, frozen=True, gc=False):
    """A passage of a vehicle; its category is a vehicle class, its credential the plate."""

    credential: Pseudonym | None = field(default=None, name="plate")


class Correction(Struct, frozen=True):
    """An audited change of an area's occupancy: `delta` is added or `absolute` replaces the value."""

    id: Identifier
    area: Identifier
    ts: Milliseconds
    actor: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    delta: Annotated[int, Meta(ge=-_MOST_MOVED, le=_MOST_MOVED)] | None = None
    absolute: Annotated[int, Meta(ge=-_MOST_MOVED, le=_MOST_MOVED)] | None = None
    kind: Kind | None = None


class Reason(StrEnum):
    """Why a line is rejected; checked in this order, but for `unprocessable`: our own code fails on that line."""

    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    WRONG_SHAPE = "wrong-shape"
    TIME_OUT_OF_RANGE = "time-out-of-range"
    UNKNOWN_ENTRANCE = "unknown-entrance"
    WRONG_KIND = "wrong-kind"
    UNKNOWN_CATEGORY = "unknown-category"
    UNKNOWN_AREA = "unknown-area"
    SUSPECT_TIME = batch.SUSPECT_TIME
    TOO_MANY_DEVICES = batch.TOO_MANY_DEVICES
    NUMBER_TOO_OLD = batch.NUMBER_TOO_OLD
    TOO_MANY_CORRECTIONS = batch.TOO_MANY_CORRECTIONS
    UNPROCESSABLE = batch.UNPROCESSABLE


class Rejected(Struct, frozen=True):
    """Value of `rejected`: what could not be accepted, where it stood, and its first bytes in base64."""

    topic: str
    partition: int
    offset: int
    line: int
    at: int
    reason: Reason
    detail: str
    sha256: str
    first_bytes: bytes


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a line of each topic; kept in the repository as `schema.json` beside it."""
    names = (TurnstilePassage, VehiclePassage, Correction, EntranceTotals, Rejected, Episode)
    references, definitions = msgspec.json.schema_components(names, ref_template="#/$defs/{name}")
    topics = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS, Topic.TOTALS, Topic.REJECTED, Topic.ALARMS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gatepulse: one line of each topic",
        "properties": {topic.value: reference for topic, reference in zip(topics, references, strict=True)},
        "$defs": definitions,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
