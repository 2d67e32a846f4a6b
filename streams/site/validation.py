"""Typed access to the tables of a site profile that collects every mistake, not just the first."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from streams.contract.events import ID_PATTERN
from streams.kernels.counts.place import MOST_SITE_ENTRANCES
from streams.site.toml_lines import Path, line_of
from streams.text import KINDS, Kind, Text

IDENTIFIER: Final = re.compile(ID_PATTERN)
AT_MOST: Final = "a profile has {most} at most: make it several sites"

_REQUIRED: Final[Any] = object()
_Fits = Callable[[Any], object]


def _anything(_: object) -> bool:
    return True


@dataclass
class Findings:
    """The mistakes found so far, each with its line from `lines` (see `toml_lines.key_lines`), and all tables read."""

    lines: dict[Path, int]
    mistakes: list[tuple[int, str]] = field(default_factory=list)
    tables: list["ProfileTable"] = field(default_factory=list)

    def add(self, path: Path, message: str) -> None:
        """Note that what stands at `path` is wrong."""
        self.mistakes.append((line_of(path, self.lines), f"{show_path(path)}: {message}"))

    def unique(self, what: str, places: Iterable[tuple[str, Path]]) -> None:
        """Note every value in `places` that an earlier place has taken."""
        first: dict[str, Path] = {}
        for value, path in places:
            if value in first:
                owner = f"{show_path(first[value])} on line {line_of(first[value], self.lines)}"
                self.add(path, f"{what} '{value}' is already taken by {owner}")
            first.setdefault(value, path)

    def known(self, what: str, value: str, choices: Collection[str], path: Path) -> None:
        """Note a value that is not one of `choices`."""
        if value and value not in choices:
            article = "an" if what[0] in "aeio" else "a"
            declared = ", ".join(choices) or "not declared"
            self.add(path, f"'{value}' is not {article} {what}; {what}s are {declared}")

    def unknown_keys(self) -> None:
        """Note every key that no reader has read."""
        for table in self.tables:
            for key in table.content:
                if key not in table.known_keys:
                    table.wrong(key, f"is not a known key; expected {', '.join(sorted(table.known_keys))}")


def show_path(path: Path) -> str:
    """Write a path as people read it: `entrance[3].inner`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the profile"


@dataclass
class ProfileTable:
    """One table of a profile; what reads a key notes what is wrong with it, and returns a harmless value instead.

    A key that was read may stand in the table, any other is a mistake.
    """

    content: Mapping[str, Any]
    path: Path
    findings: Findings
    known_keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let the findings know of it: at the end, they note its unknown keys."""
        self.findings.tables.append(self)

    def at(self, key: str) -> Path:
        """Return the path of one of this table's keys."""
        return (*self.path, key)

    def has(self, key: str) -> bool:
        """Say whether the table has this key."""
        self.known_keys.add(key)
        return key in self.content

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake at one of this table's keys."""
        self.findings.add(self.at(key), message)

    def take(self, key: str, expected: str, *kinds: type, fits: _Fits = _anything, default: Any = _REQUIRED) -> Any:  # noqa: ANN401 - the caller names the types
        """Return the value of `key` if it is of one of `kinds` and fits.

        Else note a mistake and return the default, or None. Without a default the key must be there.
        """
        harmless = None if default is _REQUIRED else default
        if not self.has(key):
            if default is _REQUIRED:
                self.wrong(key, f"is missing; expected {expected}")
            return harmless
        value = self.content[key]
        right = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
        if right and fits(value):
            return value
        self.wrong(key, f"expected {expected}, found {_shown(value, right=right)}")
        return harmless

    def text(self, key: str, expected: str, fits: _Fits = _anything, default: str = _REQUIRED) -> str:
        """Return a text that is not blank and fits, or ''."""
        return self.take(key, expected, str, fits=lambda value: value.strip() and fits(value), default=default) or ""

    def title(self, key: str = "title") -> Text:
        """Return a text in two languages."""
        names = self.table(key)
        return Text(zh=names.text("zh", "a Chinese title"), en=names.text("en", "an English title"))

    def identifier(self, key: str, *, default: str = _REQUIRED) -> str:
        """Return an id that may travel in events, or ''."""
        expected = "an id of 1 to 64 letters, digits, '_', '.', ':' or '-'"
        return self.text(key, expected, IDENTIFIER.fullmatch, default)

    def reference(self, key: str, what: str, choices: Collection[str]) -> str:
        """Return the id of something that stands elsewhere in the profile."""
        value = self.identifier(key)
        self.findings.known(what, value, choices, self.at(key))
        return value

    def one_of(self, key: str, choices: Collection[str]) -> Any:  # noqa: ANN401 - it is one of a Literal's texts
        """Return one of `choices`, or ''."""
        return self.text(key, "one of " + ", ".join(f"'{choice}'" for choice in choices), choices.__contains__)

    def amounts(self, key: str) -> dict[Kind, int]:
        """Return a whole number above 0 of each kind, such as `{ person = 10000 }`; {} without the key."""
        if not self.has(key):
            return {}
        table = self.table(key)
        whole = "a whole number above 0"
        return {kind: table.take(kind, whole, int, fits=lambda n: n > 0) or 1 for kind in KINDS if table.has(kind)}

    def table(self, key: str) -> "ProfileTable":
        """Return the table at `key` (an empty one that complains no further when it is not a table)."""
        content = self.take(key, "a table", dict)
        return ProfileTable(content or {}, self.at(key), Findings({}) if content is None else self.findings)

    def tables(self, key: str, *, least: int = 1, most: int = MOST_SITE_ENTRANCES) -> list["ProfileTable"]:
        """Return the tables of the array at `key`, written `[[key]]`, that have an id each, no two alike."""
        content = self.take(key, f"tables written [[{key}]]", list, fits=_all_tables, default=[])
        if len(content) < least and not self.content.get(key):
            self.wrong(key, f"is missing; expected at least {least} table written [[{key}]]")
        tables = [ProfileTable(each, (*self.at(key), index), self.findings) for index, each in enumerate(content)]
        if len(tables) > most:
            tables[most].wrong("id", f"there are {len(tables)} of these; {AT_MOST.format(most=most)}")
        self.findings.unique("id", [(str(each.content["id"]), each.at("id")) for each in tables if each.has("id")])
        return tables


def _shown(value: object, *, right: bool) -> str:
    """Write a value so that its type can be seen if that is not the `right` one."""
    if isinstance(value, str):
        return "only blanks" if right and not value.strip() else f"'{value}'"
    return f"{value!r:.80}" if right else f"{type(value).__name__} {value!r}"


def _all_tables(values: list[Any]) -> bool:
    return all(isinstance(each, dict) for each in values)
