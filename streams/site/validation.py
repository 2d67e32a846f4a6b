"""Typed access to the tables of a site profile that collects every mistake, not just the first; next: `reader.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.site.toml_lines import Path, line_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""Ids that travel in events: the contract's alphabet and length."""

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY_STARTS = re.compile(r"(0\d|1[01]):(00|15|30|45)|12:00")
_DAY = 24 * 60


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a profile: where it stands and what would be right."""

    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """Write it as it follows the name of the file and a colon."""
        return f"{self.line}: {self.key}: {self.message}"


@dataclass
class Findings:
    """The mistakes found so far, each looked up in `lines` (see `toml_lines.key_lines`)."""

    lines: dict[Path, int]
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, path: Path, message: str) -> None:
        """Note that what stands at `path` is wrong."""
        self.mistakes.append(Mistake(line_of(path, self.lines), show_path(path), message))

    def unique(self, what: str, places: Iterable[tuple[str, Path]]) -> None:
        """Note every value in `places` that an earlier place has taken."""
        first: dict[str, Path] = {}
        for value, path in places:
            if value in first:
                owner = f"{show_path(first[value])} on line {line_of(first[value], self.lines)}"
                self.add(path, f"{what} '{value}' is already taken by {owner}")
            first.setdefault(value, path)

    def known(self, what: str, choices: Collection[str], places: Iterable[tuple[str, Path]]) -> None:
        """Note every value in `places` that is not one of `choices`."""
        plural = what + "s"
        for value, path in places:
            if value and value not in choices:
                article = "an" if what[0] in "aeio" else "a"
                self.add(
                    path,
                    f"'{value}' is not {article} {what}; {plural} are {', '.join(choices) or 'not declared'}",
                )


def minute_of(time: str) -> int:
    """Return a time of day such as '08:30' in minutes after midnight."""
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def show_path(path: Path) -> str:
    """Write a path as people read it: `entrance[3].inner`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the profile"


class ProfileTable:
    """One table of a profile; every `take` notes what is wrong and returns a harmless value instead."""

    def __init__(self, content: Mapping[str, Any], path: Path, findings: Findings) -> None:
        self.path = path
        self._content = content
        self._findings = findings
        self._read_keys: set[str] = set()

    def at(self, key: str) -> Path:
        """Return the path of one of this table's keys."""
        return (*self.path, key)

    def has(self, key: str) -> bool:
        """Say whether the table has this key."""
        return key in self._content

    def names(self) -> tuple[str, ...]:
        """Return the names of everything in the table."""
        return tuple(self._content)

    def peek(self, key: str) -> object:
        """Return the value of a key as it stands, without checking it."""
        return self._content.get(key)

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake at one of this table's keys."""
        self._findings.add(self.at(key), message)

    def take(self, key: str, expected: str, *kinds: type) -> Any:  # noqa: ANN401 - the caller names the types
        """Return the value of `key` if it is of one of `kinds`, else note a mistake and return None."""
        self._read_keys.add(key)
        if key not in self._content:
            self.wrong(key, f"is missing; expected {expected}")
            return None
        value = self._content[key]
        if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
            return value
        self.wrong(key, f"expected {expected}, found {_name(value)}")
        return None

    def text(self, key: str, expected: str = "text") -> str:
        """Return a text that is not blank, or ''."""
        value = self.take(key, expected, str)
        if value is not None and not value.strip():
            self.wrong(key, f"expected {expected}, found only blanks")
        return value or ""

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        """Return a text that `pattern` matches in full, or ''."""
        value = self.text(key, expected)
        if value and not pattern.fullmatch(value):
            self.wrong(key, f"expected {expected}, found '{value}'")
            return ""
        return value

    def identifier(self, key: str) -> str:
        """Return an id that may travel in events, or ''."""
        return self.matching(key, IDENTIFIER, "an id of 1 to 64 letters, digits, '_', '.', ':' or '-'")

    def colour(self, key: str) -> str:
        """Return a colour such as '#1f77b4', or ''."""
        return self.matching(key, _COLOUR, "a colour like '#1f77b4'")

    def one_of(self, key: str, choices: Collection[str]) -> str:
        """Return one of `choices`, or ''."""
        expected = "one of " + ", ".join(f"'{choice}'" for choice in choices)
        value = self.text(key, expected)
        if value and value not in choices:
            self.wrong(key, f"expected {expected}, found '{value}'")
            return ""
        return value

    def time_zone(self, key: str) -> str:
        """Return the name of a time zone this machine knows, or 'UTC'."""
        name = self.text(key, "a time zone like 'Asia/Shanghai'")
        try:
            ZoneInfo(name or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.wrong(key, f"'{name}' is not a known time zone; expected a name like 'Asia/Shanghai'")
            return "UTC"
        return name or "UTC"

    def day_starts(self, key: str) -> int:
        """Return when a day begins, in minutes after midnight; 0 without the key, or when it is wrong."""
        if not self.has(key):
            return 0
        value = self.matching(key, _DAY_STARTS, "a quarter of an hour from '00:00' to '12:00'")
        return minute_of(value) if value else 0

    def hours(self, key: str, day_starts: int = 0) -> tuple[int, int] | None:
        """Return (opens, closes) in minutes after midnight, or None when closed (or wrong).

        What is earlier than `day_starts` is after the next midnight; both must be within the day.
        """
        until = f"{_DAY // 60 if not day_starts else day_starts // 60:02}:{day_starts % 60:02}"
        expected = f"opening hours like '07:00-20:00' (until {until} at most, when the day ends), or 'closed'"
        value = self.text(key, expected)
        if not value or value == "closed":
            return None
        match = _HOURS.fullmatch(value)
        opens, closes = map(minute_of, value.split("-")) if match else (0, 0)
        opens += _DAY * (opens < day_starts)
        closes += _DAY * (bool(day_starts) and closes <= opens)
        if not match or not day_starts <= opens < closes <= day_starts + _DAY:
            later = "" if not match or opens < closes <= _DAY else "; a day that ends after midnight needs day_starts"
            self.wrong(key, f"expected {expected}, found '{value}'{later}")
            return None
        return opens, closes

    def amounts(self, key: str, names: Collection[str]) -> dict[str, int]:
        """Return whole numbers above 0 by name, such as `{ person = 10000 }`; {} without the key."""
        self._read_keys.add(key)
        if not self.has(key):
            return {}
        table = self.table(key)
        amounts = {}
        for name in names:
            if table.has(name):
                amount = table.take(name, "a whole number above 0", int)
                if amount is not None and amount <= 0:
                    table.wrong(name, f"expected a whole number above 0, found {amount}")
                amounts[name] = max(amount or 1, 1)
        table.end()
        return amounts

    def table(self, key: str) -> ProfileTable:
        """Return the table at `key` (an empty one that complains no further when it is not a table)."""
        content = self.take(key, "a table", dict)
        return ProfileTable(content, self.at(key), self._findings) if content is not None else _Absent(self.at(key))

    def tables(self, key: str, *, least: int = 1) -> list[ProfileTable]:
        """Return the tables of the array at `key`, written `[[key]]`; fewer than `least` is a mistake."""
        self._read_keys.add(key)
        content = self._content.get(key, [])
        if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
            self.wrong(key, f"expected tables written [[{key}]], found {_name(content)}")
            return []
        if len(content) < least:
            self.wrong(key, f"is missing; expected at least {least} table written [[{key}]]")
        return [ProfileTable(each, (*self.at(key), index), self._findings) for index, each in enumerate(content)]

    def allow(self, keys: Iterable[str]) -> None:
        """Say which keys may stand here; those that are not read are not missed."""
        self._read_keys.update(keys)

    def end(self) -> None:
        """Note every key that was not read."""
        for key in self._content:
            if key not in self._read_keys:
                self.wrong(key, f"is not a known key; expected {', '.join(sorted(self._read_keys))}")


class _Absent(ProfileTable):
    """Stands in for a table that is missing, which has been noted once already."""

    def __init__(self, path: Path) -> None:
        super().__init__({}, path, Findings({}))


def _name(value: object) -> str:
    """Write a value so that its type can be seen."""
    return f"'{value}'" if isinstance(value, str) else f"{type(value).__name__} {value!r}"
