"""Applies the numbered files of `schema/` to a server, each once, and shows which are applied.

The files hold statements separated by `;` and comments after `--`, nothing else. Read them next, in their order.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from sinks.sink import StoreRefused

DATABASES = ("gatepulse", "gatepulse_store")
"""What readers see, and the private tables behind it."""

_NAME = re.compile(r"(?P<number>\d{3})_(?P<name>[a-z0-9_]+)\.sql")
_APPLIED = "SELECT number, sha256 FROM gatepulse_store.schema_migrations FINAL"


class Client(Protocol):
    """A connection that runs statements, such as clickhouse_driver.Client."""

    def execute(self, query: str, params: object = None) -> list[tuple[object, ...]]:
        """Run one statement; `params` are the rows of an INSERT."""


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


class SchemaChanged(StoreRefused):
    """A schema file differs from what was applied: applied files never change, changes come as a new file."""


def migrations() -> list[Migration]:
    """Return the schema's files in the order of their numbers."""
    return sorted(_read(), key=lambda migration: migration.number)


def _read() -> Iterator[Migration]:
    for file in files("sinks").joinpath("schema").iterdir():
        if match := _NAME.fullmatch(file.name):
            yield Migration(int(match["number"]), match["name"], file.read_text(encoding="utf-8"))


def statements(text: str) -> list[str]:
    """Split a schema file into its statements, without comments."""
    code = re.sub(r"--.*", "", text)
    return [part.strip() for part in code.split(";") if part.strip()]
