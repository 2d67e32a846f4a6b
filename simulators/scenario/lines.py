"""Events as the JSON lines that a device sends; next: `distort.py`, which decides when each line arrives.

Almost everything in a line repeats, so the repeating parts are put into words once: some 500,000 lines a second.
"""

import json
from collections.abc import Mapping
from itertools import product
from typing import Any, Final

import numpy as np

from simulators.scenario.day import Coded, Day, Floats, Optional, SiteCodes, Texts
from streams.contract.events import DIRECTIONS, OUTCOMES
from streams.contract.fields import FIELDS, OPTIONAL, Form, PassageField
from streams.text import KINDS

_FIRST: Final = ("device", "entrance", "epoch", "seq", "ts", "direction", "outcome", "category")
_IN_LINES: Final = sorted(FIELDS, key=lambda each: _FIRST.index(each.name) if each.name in _FIRST else len(_FIRST))
"""The fields in the order in which a line has them: the optional ones come last, as they are declared."""


def make_lines(day: Day) -> list[bytes]:
    """Return the line of every event, without a newline; ids need no escaping, the site profile sees to that."""
    heads = _heads(day.names, day.epoch)[day.device]
    ends = [_written(each, day.optional[each.name], day) for each in OPTIONAL if each.name in day.optional]
    tails = map("".join, zip(_tails(day).tolist(), *ends, strict=True))
    rows = zip(heads.tolist(), day.seq.tolist(), day.ts.tolist(), tails, strict=True)
    return [f'{head}{seq},"ts":{ts}{rest}}}'.encode() for head, seq, ts, rest in rows]


def make_line(row: Mapping[str, Any]) -> bytes:
    """Return the same line for one event whose codes are written out, as a ledger stores it ('' or nan for none)."""
    named = ((each.written.get(row["kind"]), each, row.get(each.name)) for each in _IN_LINES)
    event = {name: value for name, each, value in named if name and not (each.optional and _is_none(value))}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def _is_none(value: Any) -> bool:  # noqa: ANN401 - of any field
    return value is None or value == "" or value != value  # noqa: PLR0124 - only nan differs from itself


def _heads(names: SiteCodes, epoch: int) -> Texts:
    """Return how the lines of each device begin, up to the value of `seq`."""
    entrances = names.entrances[names.entrance_of]
    return np.array(
        [
            f'{{"device":"{device}","entrance":"{entrance}","epoch":{epoch},"seq":'
            for device, entrance in zip(names.devices, entrances, strict=True)
        ],
        dtype=object,
    )


def _tails(day: Day) -> Texts:
    """Return what follows the time in each line, up to its optional fields."""
    names = (DIRECTIONS, OUTCOMES, day.names.categories)
    codes = np.ravel_multi_index((day.direction, day.outcome, day.category), tuple(map(len, names)))
    tails = [
        f',"direction":"{direction}","outcome":"{outcome}","category":"{category}"'
        for direction, outcome, category in product(*names)
    ]
    texts: Texts = np.array(tails, dtype=object)[codes]
    return texts


def _written(field: PassageField, column: Optional, day: Day) -> list[str]:
    """Return an optional field of each line from its comma on, '' where it has no value."""
    coded = column if isinstance(column, Coded) else _in_words(field, column)
    found, at = np.unique((coded.codes + 1) * len(KINDS) + day.kind, return_inverse=True)
    code, kind = np.divmod(found, len(KINDS))
    names = [field.written.get(each) for each in KINDS]
    quote = '"' if field.form is Form.TEXT else ""
    different = [
        f',"{names[of]}":{quote}{word}{quote}' if word and names[of] else ""
        for word, of in zip(Coded(code - 1, coded.words).texts().tolist(), kind.tolist(), strict=True)
    ]
    texts: list[str] = np.array(different, dtype=object)[at].tolist()
    return texts


def _in_words(field: PassageField, column: Floats) -> Coded:
    found, at = np.unique(column, return_inverse=True)
    whole = field.form is Form.INTEGER
    return Coded(at, ["" if np.isnan(each) else str(int(each) if whole else each) for each in found.tolist()])
