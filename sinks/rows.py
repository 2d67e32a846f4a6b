"""The tables of the store, read off the numbered files of `schema/`, and what a row of each is. Next: `sink.py`.

The files hold statements separated by `;` and comments after `--`, nothing else; `schema.py` applies them.

Times are whole milliseconds since 1970-01-01 UTC, in columns of the type DateTime in whole seconds; days are days since
1970-01-01.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

_FILE: Final = re.compile(r"(?P<number>\d{3})_(?P<name>[a-z0-9_]+)\.sql")
_CREATED: Final = re.compile(
    r"CREATE TABLE (?:IF NOT EXISTS )?gatepulse_store\.(\w+)\s*(?:AS gatepulse_store\.(\w+)|\((.*?)\n\))\s*"
    r"ENGINE = \w+(?:\((\w+)\))?.*?ORDER BY \(?(.+?)\)?(?:\nSETTINGS .*)?$",
    re.DOTALL,
)
_ALTERED: Final = re.compile(r"ALTER TABLE gatepulse_store\.(\w+)\s+(.*)", re.DOTALL)
_ADD_COLUMN: Final = re.compile(r"ADD COLUMN (?:IF NOT EXISTS )?(\w+)\s+(.+?)(?=,\s*ADD COLUMN|$)", re.DOTALL)
_AFTER: Final = re.compile(r"\bAFTER (\w+)")
_BEHIND_TYPE: Final = re.compile(r"\s+(?:DEFAULT|CODEC|COMMENT|AFTER|FIRST)\b.*", re.DOTALL)


@dataclass(frozen=True)
class Migration:
    """One file of the schema."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the whole text, by which a change after the fact is noticed."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the schema's files in the order of their numbers."""
    found = ((_FILE.fullmatch(file.name), file) for file in files("sinks").joinpath("schema").iterdir())
    read = [Migration(int(match["number"]), match["name"], file.read_text("utf-8")) for match, file in found if match]
    return sorted(read, key=lambda migration: migration.number)


def statements(text: str) -> list[str]:
    """Split a schema file into its statements, without comments."""
    code = re.sub(r"--.*", "", text)
    return [part.strip() for part in code.split(";") if part.strip()]


@dataclass(frozen=True)
class TableSpec:
    """A table of the store: its columns with their types, in their order.

    `key` is what makes two rows the same one. Of these the store keeps the one with the highest value in the
    column `version`; at equal versions, or where `version` is None, the one that was written last.
    """

    name: str
    types: Mapping[str, str]
    key: tuple[str, ...]
    version: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.types)


def _declared() -> Mapping[str, TableSpec]:
    """Return every table by name, as it is once all files are applied."""
    tables: dict[str, TableSpec] = {}
    for migration in migrations():
        for statement in statements(migration.text):
            if created := _CREATED.match(statement):
                name, like, columns, version, key = created.groups()
                types = tables[like].types if like else _columns(columns)
                tables[name] = TableSpec(name, types, tuple(key.split(", ")), version)
            elif (altered := _ALTERED.match(statement)) and altered[1] in tables:
                tables[altered[1]] = _with_columns(tables[altered[1]], altered[2])
    return tables


def _with_columns(table: TableSpec, changes: str) -> TableSpec:
    names, types = list(table.types), dict(table.types)
    for name, words in _ADD_COLUMN.findall(changes):
        after = _AFTER.search(words)
        names.insert(names.index(after[1]) + 1 if after else len(names), name)
        types[name] = _type(words)
    return replace(table, types={name: types[name] for name in names})


def _columns(words: str) -> dict[str, str]:
    lines = [line.strip().rstrip(",") for line in words.splitlines()]
    columns = [line.split(maxsplit=1) for line in lines if line and not line.startswith(("INDEX ", "CONSTRAINT "))]
    return {name: _type(kind) for name, kind in columns}


def _type(words: str) -> str:
    return _BEHIND_TYPE.sub("", words).strip()


_WRITTEN: Final = (
    "site_areas", "deliveries", "passages", "repeats", "counts_10s", "counts_1m", "counts_day", "late_day",
    "refusals_1m", "area_flows_10s", "area_flows_1h", "entered", "devices", "corrections", "rejections",
    "parked_batches", "alarm_changes", "forecasts", "forecast_errors", "entrance_queues", "advice",
    "advice_decisions", "verdicts", "conflicts", "verdicts_by_log", "unentered", "settled_devices",
    "settled_repeats", "log_progress",
)  # fmt: skip

_DECLARED: Final = _declared()
TABLES: Mapping[str, TableSpec] = MappingProxyType({name: _DECLARED[name] for name in _WRITTEN})
"""Every table that workers write, by name, in the order in which a sink writes them: the claim that all is
stored (`log_progress`) comes after what it claims."""

PROGRESS_TABLE = "log_progress"
"""The table that says up to which moment all other rows are stored."""


@runtime_checkable
class CodedColumn(Protocol):
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


@runtime_checkable
class PackedColumn(Protocol):
    """A column of texts of which most are different, as bytes."""

    @classmethod
    def joined(cls, parts: Sequence[Any], /) -> "PackedColumn":
        """Append columns of this type."""

    def __len__(self) -> int:
        """Count the rows."""

    def with_lengths(self) -> bytes:
        """Return all texts in UTF-8, each behind its length in bytes as a LEB128 number."""

    def tolist(self) -> list[str]:
        """Return the texts themselves."""


ColumnValues = Sequence[Any] | np.ndarray[Any, Any] | CodedColumn | PackedColumn
"""The values of one column, one per row; None is NULL, and so is NaN in an array of floats."""


class TableRows(Protocol):
    """Rows for one table: all its columns, of one length; a frozen dataclass, which `streams.kernels` implements."""

    @property
    def table(self) -> str:
        """A name in `rows.TABLES`."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """The `ColumnValues` of each name."""
