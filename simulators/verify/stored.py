"""Reads the public views as tables, with the same columns as the truth. Next: `verify.py`.

Everything is read from the views that every reader has: what is verified is what is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulators.ledger.tables import NONE, Column, Labels, Table
from sinks.answer import Texts
from sinks.sink import ColumnReader
from streams.contract.fields import CONTENT, FIELDS, IDENTITY, OPTIONAL, Form

_TEXT = frozenset(
    {each.name for each in FIELDS if each.form is Form.TEXT} | {"kind", "area", "id", "actor", "topic", "sha256"}
)
_FLOAT = frozenset(each.name for each in FIELDS if each.form is Form.REAL)
_EXPRESSIONS = {
    **{each.name: f"ifNull(toInt64({{}}), {NONE})" for each in OPTIONAL if each.form is Form.INTEGER},
    **dict.fromkeys(_FLOAT, "ifNull(toFloat64({}), nan)"),
    "ts": "toUnixTimestamp64Milli({})",
    "last_ts": "toUnixTimestamp64Milli({})",
    "as_of": f"ifNull(toUnixTimestamp64Milli({{}}), {NONE})",
    "window_start": "toUnixTimestamp({}) * 1000",
    "day": "toInt32({})",
    "capacity": f"ifNull(toInt64({{}}), {NONE})",
    "delta": f"ifNull({{}}, {NONE})",
    "absolute": f"ifNull({{}}, {NONE})",
}


@dataclass(frozen=True)
class View:
    """A public view: its key columns, its value columns, and where they are read from."""

    name: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    source: str = ""

    def select(self, where: str = "") -> str:
        """Return the query for all columns; each comes under its own name with a v_ before it.

        Without the prefix, the alias would hide the column of the same name in `where`.
        """
        columns = ", ".join(f"{_expression(name)} AS v_{name}" for name in (*self.keys, *self.values))
        return f"SELECT {columns} FROM {self.source or 'gatepulse.' + self.name}{where}"  # noqa: S608 - our names


def _expression(name: str) -> str:
    if name in _TEXT:
        return f"toLowCardinality({name})"
    return _EXPRESSIONS.get(name, "toInt64({})").format(name)


def _view(name: str, keys: str, values: str, source: str = "") -> View:
    return View(name, tuple(keys.split()), tuple(values.split()), source)


_CELL = "kind entrance direction category"
_REJECTED = "(SELECT topic, sha256, reason, count() AS times FROM gatepulse.rejections GROUP BY ALL)"
_RECEIVED = (
    "(SELECT topic, sum(p.received) AS received, sum(p.counted) AS counted, sum(p.late) AS late,"
    " sum(p.rejected) AS rejected, toInt64(received) - toInt64(counted) - toInt64(sum(p.duplicate)) - toInt64(late)"
    " - toInt64(rejected) - toInt64(sum(p.conflicts)) AS unaccounted"
    " FROM gatepulse.progress AS p WHERE topic != 'alarm.inputs' GROUP BY topic"
    " HAVING received != 0 OR counted != 0 OR late != 0 OR rejected != 0)"
)

VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        View("passages", IDENTITY, CONTENT),
        _view("entrance_counts_10s", f"window_start {_CELL}", "passages"),
        _view("entrance_counts_1m", f"window_start {_CELL}", "passages"),
        _view("entrance_outcomes_1m", f"window_start {_CELL} outcome", "events"),
        _view("entrance_refusals_1m", "window_start kind entrance category reason", "refusals"),
        _view("entrance_totals", f"day {_CELL}", "passages"),
        _view("site_today", "day kind", "entries exits distinct_entered unidentified"),
        _view("late_passages", f"day {_CELL} outcome", "events"),
        _view("occupancy", "area kind", "as_of inside capacity"),
        _view("occupancy_history", "area kind window_start", "inside"),
        _view("completeness", "device", "entrance last_seq missing last_ts"),
        _view("corrections", "id", "area kind ts delta absolute actor reason"),
        _view("rejections", "topic sha256 reason", "times", _REJECTED),
        _view("progress", "topic", "received counted late rejected unaccounted", _RECEIVED),
    )
}
"""The views that can be held against a ledger, in the order in which they are reported."""


def read(reader: ColumnReader, name: str, *, above: str | None = None, upto: str | None = None) -> Table:
    """Return the rows of one of `VIEWS`; of `passages`, those of devices in (above, upto] if these limits are given."""
    view = VIEWS[name]
    limits = {"above": above, "upto": upto}
    signs = {"above": ">", "upto": "<="}
    given = {name: device for name, device in limits.items() if device is not None}
    where = " AND ".join(f"device {signs[name]} %({name})s" for name in given)
    found = reader.columns(view.select(where and f" WHERE {where}"), given or None)
    columns = {name: _column(name, found[f"v_{name}"]) for name in (*view.keys, *view.values)}
    return Table({name: columns[name] for name in view.keys}, {name: columns[name] for name in view.values})


def _column(name: str, values: Any) -> Column:  # noqa: ANN401 - texts, a list or an array
    if isinstance(values, Texts):
        return Labels(values.codes, np.array(values.names, object))
    if name in _TEXT:
        return Labels.of(values)
    return np.asarray(values, np.float64 if name in _FLOAT else np.int64)
