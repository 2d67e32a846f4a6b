"""Parses the table definitions out of `schema/*.sql`, without a server. Next: `rows.py`, which uses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from sinks.migrations import migrations, statements

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


@cache
def declared() -> Mapping[str, TableSpec]:
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
