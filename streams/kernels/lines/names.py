"""A table of the names in lines, each with a code, shared by Python and the kernels; read `objects` next.

Codes count from 0 in the order of first use, for each field by itself. The table is open, with linear probing:

    slots    which entry is here, -1 none        ┌────┬────┬────┬────┐   at most half of them are taken
                                                 │ -1 │  1 │  0 │ -1 │
    entries  field, code, hash, and the place    └────┴──┬─┴──┬─┴────┘
             of the text in the arena              "in"  │    │ "N1-L01"
    arena    all texts, one behind the other     ┌───────┴────┴──────┐
                                                 │ N1-L01in          │
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.kernels.lines.compiled import compiled, inlined
from streams.kernels.lines.words import SLACK, Bytes, leading, with_slack, word_at

_REACH: Final = 64
"""Slots that are looked at for a name. One that finds no place so near is looked up by Python, whoever chose it."""
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio (Knuth, vol. 3, section 6.4)
_ENTRY: Final = np.dtype(
    [("field", np.int64), ("code", np.int64), ("hash", np.uint64), ("start", np.int64), ("size", np.int64)]
)


class NameTable(NamedTuple):
    """The table as the kernels see it; `used` counts entries, then bytes of the arena, then the codes of each field."""

    slots: NDArray[np.int64]
    entries: NDArray[Any]
    arena: Bytes
    used: NDArray[np.int64]
    seed: np.uint64


@inlined
def hash_of(seed: np.uint64, field: int, text: Bytes, start: int, size: int) -> np.uint64:
    """Return the hash of a name of a field."""
    found = (seed ^ np.uint64(field * 1024 + size)) * _FACTOR
    for at in range(start, start + size, 8):
        found = (found ^ leading(word_at(text, at), min(8, start + size - at))) * _FACTOR
        found ^= found >> np.uint64(29)
    return found


@inlined
def is_same(one: Bytes, start: int, other: Bytes, place: int, size: int) -> bool:
    """Tell whether so many bytes are the same, from one place of one text and from one of the other."""
    for at in range(0, size, 8):
        rest = min(8, size - at)
        if leading(word_at(one, start + at) ^ word_at(other, place + at), rest) != np.uint64(0):
            return False
    return True


@inlined
def find(table: NameTable, field: int, hashed: np.uint64, text: Bytes, start: int, size: int) -> tuple[int, int]:
    """Return the entry of a name, or -1, and the free slot where it would be, or -1 where there is none in reach."""
    most = len(table.slots) - 1
    slot = int(np.int64(hashed >> np.uint64(20))) & most
    for _ in range(_REACH):
        number = table.slots[slot]
        if number < 0:
            return -1, slot
        entry = table.entries[number]
        if (
            entry["hash"] == hashed and entry["field"] == field and entry["size"] == size
            and is_same(text, start, table.arena, entry["start"], size)
        ):  # fmt: skip
            return number, slot
        slot = (slot + 1) & most
    return -1, -1


@compiled
def append(table: NameTable, field: int, hashed: np.uint64, slot: int, text: Bytes, start: int, size: int) -> int:
    """Give a name the next code of its field, and a slot unless that is -1; return the code, -1 if there is no room."""
    number, place = table.used[0], table.used[1]
    if number >= len(table.entries) or place + size + SLACK > len(table.arena):
        return -1
    for at in range(size):
        table.arena[place + at] = text[start + at]
    code = table.used[2 + field]
    entry = table.entries[number]
    entry["field"], entry["code"], entry["hash"] = field, code, hashed
    entry["start"], entry["size"] = place, size
    table.used[0], table.used[1], table.used[2 + field] = number + 1, place + size, code + 1
    if slot >= 0:
        table.slots[slot] = number
    return code


@inlined
def code_of(table: NameTable, field: int, text: Bytes, start: int, size: int) -> int:
    """Return the code of a name; -1 if it has none."""
    number, _ = find(table, field, hash_of(table.seed, field, text, start, size), text, start, size)
    return table.entries[number]["code"] if number >= 0 else -1


@compiled
def _add(table: NameTable, field: int, text: Bytes, size: int) -> int:
    """Give a name that has none a code, whether there is a slot in reach or not; -1 if there is no room."""
    hashed = hash_of(table.seed, field, text, 0, size)
    _, slot = find(table, field, hashed, text, 0, size)
    return append(table, field, hashed, slot, text, 0, size)


@compiled
def _copy(old: NameTable, new: NameTable) -> None:
    """Put all entries of a table into an empty one that has room for them; their codes stay the same."""
    for number in range(old.used[0]):
        entry = old.entries[number]
        start, size = entry["start"], entry["size"]
        _, slot = find(new, entry["field"], entry["hash"], old.arena, start, size)
        append(new, entry["field"], entry["hash"], slot, old.arena, start, size)


class Names:
    """The names of some fields, by number of the field: `listed[field]` has them by code.

    `seed` is any number, best one that nobody can guess. Who finds names that all want the same slot all the same gains
    nothing: one that finds no slot in reach is read by Python.
    """

    def __init__(self, fields: int, *, seed: int) -> None:
        self._fields, self._seed = fields, np.uint64(seed)
        self.listed: list[list[str]] = [[] for _ in range(fields)]
        self._codes: list[dict[str, int]] = [{} for _ in range(fields)]
        self.table = self._empty(entries=1 << 10, arena=1 << 16)
        self._seen = 0

    def reserve(self, names: int, *, size: int) -> None:
        """Make room for so many more names, of so many bytes together."""
        entries, arena = int(self.table.used[0]) + names, int(self.table.used[1]) + size + SLACK
        if entries <= len(self.table.entries) and arena <= len(self.table.arena):
            return
        old, self.table = self.table, self._empty(entries=2 * entries, arena=2 * arena)
        _copy(old, self.table)

    def read_new(self) -> None:
        """Take note of the names that the kernels have added."""
        end = int(self.table.used[0])
        for entry in self.table.entries[self._seen : end]:
            field, start, size = int(entry["field"]), int(entry["start"]), int(entry["size"])
            self._note(field, self.table.arena[start : start + size].tobytes().decode())
        self._seen = end

    def codes(self, field: int, names: Iterable[str]) -> list[int]:
        """Return the codes of names, new ones for those that have none. The names of the kernels have been read."""
        known = self._codes[field]
        return [known[name] if name in known else self._add(field, name) for name in names]

    def _add(self, field: int, name: str) -> int:
        text = name.encode()
        self.reserve(1, size=len(text))
        _add(self.table, field, with_slack(text), len(text))
        self.read_new()
        return self._codes[field][name]

    def _note(self, field: int, name: str) -> None:
        self._codes[field][name] = len(self.listed[field])
        self.listed[field].append(name)

    def _empty(self, *, entries: int, arena: int) -> NameTable:
        slots = np.full(1 << (2 * entries - 1).bit_length(), -1, np.int64)
        used = np.zeros(2 + self._fields, np.int64)
        return NameTable(slots, np.zeros(entries, _ENTRY), np.zeros(arena, np.uint8), used, self._seed)
