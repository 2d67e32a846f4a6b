"""Lines as devices of a small site send them, and records of them as the consumer delivers them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.contract.codec import CorrectionCodec, PassageCodec, Records
from streams.contract.vocabulary import Vocabulary
from tests.support.events import NINE

VOCABULARY = Vocabulary(
    entrances={"N1": "person", "N2": "person", "H1": "person", "V1": "vehicle"},
    categories={"person": ("visitor", "staff"), "vehicle": ("car",)},
    areas={"venue": ("person", "vehicle"), "hall": ("person",)},
)
PASSAGE: dict[str, Any] = {
    "device": "N1-L01", "seq": 1, "ts": NINE, "entrance": "N1", "direction": "in", "outcome": "passed",
    "category": "visitor",
}  # fmt: skip
CORRECTION: dict[str, Any] = {
    "id": "c-1", "area": "venue", "ts": NINE, "actor": "officer-3", "reason": "counted by hand", "delta": -5,
}  # fmt: skip
ARRIVED = NINE + 1000


def persons() -> PassageCodec:
    """Return a new codec of persons."""
    return PassageCodec("person", VOCABULARY)


def corrections() -> CorrectionCodec:
    """Return a new codec of corrections."""
    return CorrectionCodec(VOCABULARY)


def line(**fields: Any) -> bytes:
    """Write a good passage with some fields changed or added; `...` leaves a field out."""
    return _json(PASSAGE, fields)


def correction(**fields: Any) -> bytes:
    """Write a good correction with some fields changed or added; `...` leaves a field out."""
    return _json(CORRECTION, fields)


def raw(field: bytes, event: bytes | None = None) -> bytes:
    """Append a field in JSON's own words to a line."""
    return (event or line())[:-1] + b"," + field + b"}"


def records(*values: bytes, first: int = 0, arrived: Sequence[int] | None = None) -> Records:
    """Join values of consecutive offsets as the consumer does; each arrived a millisecond after the one before."""
    offset = np.arange(first, first + len(values))
    return Records(
        value=b"\n".join(values),
        offset=offset,
        arrived=ARRIVED + offset if arrived is None else np.array(arrived),
        lines=np.array([value.count(b"\n") + 1 for value in values]),
    )


def _json(good: dict[str, Any], fields: dict[str, Any]) -> bytes:
    event = {name: value for name, value in (good | fields).items() if value is not ...}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
