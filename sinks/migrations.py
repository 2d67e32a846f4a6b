"""Reads the numbered files of `schema/`, in order; `schema.py` applies them, `tables.py` derives tables from them.

The files hold statements separated by `;` and comments after `--`, nothing else.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

_NAME = re.compile(r"(?P<number>\d{3})_(?P<name>[a-z0-9_]+)\.sql")


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
    return sorted(_read(), key=lambda migration: migration.number)


def _read() -> Iterator[Migration]:
    for file in files("sinks").joinpath("schema").iterdir():
        if match := _NAME.fullmatch(file.name):
            yield Migration(int(match["number"]), match["name"], file.read_text(encoding="utf-8"))


def statements(text: str) -> list[str]:
    """Split a schema file into its statements, without comments."""
    code = re.sub(r"--.*", "", text)
    return [part.strip() for part in code.split(";") if part.strip()]
