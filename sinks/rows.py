"""The store's tables as the workers see them: their columns, keys and versions, declared once.

The same tables are written in SQL in `schema/*.sql`; a test compares the two. Next: `sink.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class DictColumn(Protocol):
    """A column of texts of which few are different: row i has `names[codes[i]]`; a frozen dataclass."""

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """A place in `names` for each row; whole numbers."""

    @property
    def names(self) -> Sequence[str]:
        """The different texts."""

    def __len__(self) -> int:
        """Count the rows."""

    def tolist(self) -> list[str]:
        """Return the texts themselves."""


Column = Sequence[Any] | np.ndarray[Any, Any] | DictColumn
"""The values of one column, one per row; None is NULL, and so is NaN in an array of floats."""

MILLISECONDS = frozenset(
    {
        "ts", "last_ts", "last_seen", "at", "complete_to", "loaded_at",
        "raised_at", "changed_at", "acknowledged_at", "cleared_at",
        "since", "needed_at", "over_at", "decided_at", "arrived",
    }
)  # fmt: skip
"""Columns that are a point in time, DateTime64(3, 'UTC'): integer milliseconds since 1970-01-01 UTC."""

WINDOWS = frozenset({"window_start"})
"""Columns that are the start of a window, DateTime('UTC'): integer milliseconds too, in whole seconds."""

DAYS = frozenset({"day"})
"""Columns that are a calendar day, Date: integer days since 1970-01-01."""


@dataclass(frozen=True)
class TableSpec:
    """A table of the store.

    `key` is what makes two rows the same one. Of these the store keeps the one with the highest value in the
    column `version`; at equal versions, or where `version` is None, the one that was written last.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    version: str | None


class Block(Protocol):
    """Rows for one table, column by column: every column of the table, all of one length; a frozen dataclass."""

    @property
    def table(self) -> str:
        """One of `TABLES`."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """A `Column` for each name."""


def _table(name: str, columns: str, *, key: str, version: str | None = "version") -> TableSpec:
    return TableSpec(name, tuple(columns.split()), tuple(key.split()), version)


_CELL = "kind entrance direction outcome category"
_COUNTS = f"log segment window_start {_CELL} passages version"
_COUNTS_KEY = f"window_start {_CELL} log segment"
_FLOWS = "log segment window_start area kind entered departed last_ts version"
_FLOWS_KEY = "area kind window_start log segment"

_ALL = (
    _table(
        "site_areas",
        "area kind capacity loaded_at",
        key="area kind",
        version="loaded_at",
    ),
    _table(
        "deliveries",
        f"kind device epoch seq ts {_CELL.removeprefix('kind ')} reason temperature health credential log offset line "
        "fate outer inner settled arrived seen",
        key="device epoch seq log offset line",
        version="seen",
    ),
    # What a version before `deliveries` has parked may still be stored; the store makes deliveries of it.
    _table(
        "passages",
        f"kind device epoch seq ts {_CELL.removeprefix('kind ')} reason temperature health credential log offset line",
        key="device epoch seq",
        version=None,
    ),
    _table("repeats", "log offset line device epoch seq", key="log offset line", version=None),
    _table("counts_10s", _COUNTS, key=_COUNTS_KEY),
    _table("counts_1m", _COUNTS, key=_COUNTS_KEY),
    _table(
        "counts_day",
        f"log segment day {_CELL} boundary passages anonymous version",
        key=f"day {_CELL} log segment",
    ),
    _table(
        "late_day",
        f"log segment day {_CELL} passages version",
        key=f"day {_CELL} log segment",
    ),
    _table(
        "refusals_1m",
        "log segment window_start kind entrance category reason refusals version",
        key="window_start kind entrance category reason log segment",
    ),
    _table("area_flows_10s", _FLOWS, key=_FLOWS_KEY),
    _table("area_flows_1h", _FLOWS, key=_FLOWS_KEY),
    _table("entered", "day kind credential", key="day kind credential", version=None),
    _table(
        "devices",
        "log device epoch entrance ranges closed last_seq last_ts last_seen version",
        key="device epoch log",
    ),
    _table(
        "corrections",
        "id area kind ts delta absolute actor reason log offset line",
        key="id",
        version=None,
    ),
    _table(
        "rejections",
        "log topic partition offset line at reason detail sha256",
        key="log offset line",
        version=None,
    ),
    _table(
        "parked_batches",
        "id log table rows reason at complete_to resolved version",
        key="id log",
    ),
    _table(
        "alarm_changes",
        "episode rule subject kind zone level state what change value limit unit raised_at changed_at acknowledged_at "
        "cleared_at actor detail log",
        key="episode change",
        version=None,
    ),
    _table(
        "forecasts",
        "area kind level at capacity inside minutes earliest latest method",
        key="area kind level",
        version="at",
    ),
    _table("forecast_errors", "area kind lead at checked error covered", key="area kind lead", version="at"),
    _table(
        "entrance_queues",
        "entrance at lanes saturated_for waiting wait wait_low wait_high to_clear to_clear_low to_clear_high "
        "plan_error",
        key="at entrance",
        version=None,
    ),
    _table(
        "advice",
        "advice entrance since at lanes_before lanes_after wait_before wait_after limit zh en needed_at wait_measured "
        "over_at",
        key="advice",
        version="at",
    ),
    _table("advice_decisions", "advice decision actor reason decided_at", key="advice", version="decided_at"),
    _table(
        "verdicts",
        f"log offset line device epoch seq kind ts day {_CELL.removeprefix('kind ')} reason outer inner fate verdict "
        "anonymous seen",
        key="log offset line",
        version="seen",
    ),
    _table(
        "conflicts",
        "log offset line device epoch seq entrance at first_entrance first_log first_offset first_line stands seen",
        key="log offset line",
        version="seen",
    ),
    _table("verdicts_by_log", "log counted late conflicts conflicts_in_repeat version", key="log", version="version"),
    _table("unentered", "day kind who entries version", key="day kind who"),
    _table("settled_devices", "device epoch log ranges overlap", key="device epoch log", version="overlap"),
    _table("settled_repeats", "log next_offset", key="log", version="next_offset"),
    _table(
        "log_progress",
        "log cluster topic partition next_offset received counted duplicate late rejected complete_to worker "
        "first_offset records lost tail",
        key="log",
        version="next_offset",
    ),
)

TABLES: Mapping[str, TableSpec] = MappingProxyType({table.name: table for table in _ALL})
"""Every table that workers write, by name, in the order in which a sink writes them: the claim that all is
stored (`log_progress`) comes after what it claims."""

PROGRESS_TABLE = "log_progress"
"""The table that says up to which moment all other rows are stored."""
