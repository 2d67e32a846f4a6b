"""The types of the tables' columns, as the files of `schema/` declare them: known without asking a server.

Next: `native.py`, which writes them.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from sinks.rows import TABLES
from sinks.schema import migrations, statements

_CREATED: Final = re.compile(
    r"CREATE TABLE (?:IF NOT EXISTS )?gatepulse_store\.(\w+)\s*(?:AS gatepulse_store\.(\w+)|\((.*?)\n\))", re.DOTALL
)
_ADDED: Final = re.compile(r"ALTER TABLE gatepulse_store\.(\w+)\s+(.*)", re.DOTALL)
_ADD_COLUMN: Final = re.compile(r"ADD COLUMN (?:IF NOT EXISTS )?(\w+)\s+(.+?)(?=,\s*ADD COLUMN|$)", re.DOTALL)
_BEHIND_TYPE: Final = re.compile(r"\s+(?:DEFAULT|CODEC|COMMENT|AFTER|FIRST)\b.*", re.DOTALL)


@cache
def types_of(table: str) -> Mapping[str, str]:
    """Return the type of each column of a table that workers write; what no file declares is left out."""
    return MappingProxyType({name: kind for name, kind in _declared()[table].items() if name in TABLES[table].columns})


@cache
def _declared() -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {name: {} for name in TABLES}
    for migration in migrations():
        for statement in statements(migration.text):
            if created := _CREATED.match(statement):
                name, like, columns = created.groups()
                tables[name] = dict(tables[like]) if like else _columns(columns)
            elif altered := _ADDED.match(statement):
                name, changes = altered.groups()
                added = {column: _type(kind) for column, kind in _ADD_COLUMN.findall(changes)}
                tables[name] = tables.get(name, {}) | added
    return tables


def _columns(declared: str) -> dict[str, str]:
    lines = [line.strip().rstrip(",") for line in declared.splitlines()]
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith(("INDEX ", "CONSTRAINT "))]
    return {name: _type(kind) for name, kind in words}


def _type(words: str) -> str:
    return _BEHIND_TYPE.sub("", words).strip()
