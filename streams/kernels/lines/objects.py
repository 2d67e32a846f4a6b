"""Reads lines that are flat JSON objects of known fields into columns; what is not *plainly* one is left to others.

Plain is: printable ASCII without escapes, no white space but blanks between what belongs together and a carriage return
at the end, each key known and there once, whole numbers of at most 18 digits, decimal ones of at most 15, and
everything that must be there. In any line that is plain, a JSON reader finds
the same values; of all other lines the kernel says only that they are not plain.

The columns are arrays with a row for each line. A field has a column in one of them, by its form:

    CODED      codes[line, column]      a text of which few are different, by its code among the names of the field
    INTEGER    integers[line, column]
    REAL       reals[line, column]      NaN where it is missing
    TEXT       texts[line, column]      where the text begins, and how many bytes it has; (0, 0) where it is missing
"""

from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.kernels.lines.compiled import compiled, inlined
from streams.kernels.lines.names import NameTable, append, code_of, find, hash_of, is_same
from streams.kernels.lines.words import Bytes, line_end, text_end

_LONGEST_INTEGER: Final = 18  # digits: any such number fits 64 bits
_LONGEST_REAL: Final = 15
"""Digits of a decimal number: it and the power of ten that divides it are exact in a double then, and so the quotient
is the double next to the number (Clinger, How to read floating point numbers accurately, 1990)."""
_POWERS: Final = np.array([10.0**n for n in range(_LONGEST_REAL + 1)])

_OPEN, _CLOSE, _QUOTE, _COLON, _COMMA, _POINT, _ZERO, _NINE, _BLANK, _RETURN = map(ord, '{}":,.09 \r')
_KEYS: Final = 0
"""The field whose names are the keys of all others: the code of a key is the number of its field less one."""


class ValueForm(IntEnum):
    """What the values of a field are."""

    CODED = 0
    INTEGER = 1
    REAL = 2
    TEXT = 3


FIELD: Final = np.dtype(
    [
        ("form", np.int64),
        ("column", np.int64),
        ("required", np.bool_),
        ("lowest", np.int64),  # of an INTEGER
        ("before", np.int64),
        ("longest", np.int64),  # bytes of a text
        ("grows", np.bool_),  # whether names may be added
    ],
    align=True,
)
"""What the kernel knows of a field."""


class Grammar(NamedTuple):
    """What lines may be: `fields` by number less one; `allowed[number, byte]` in names that are added.

    `order` has the fields in the order in which the last line had them: the next one often has them in the same.
    `longest` is how many bytes a line may have.
    """

    fields: NDArray[Any]
    allowed: NDArray[np.bool_]
    order: NDArray[np.int64]
    longest: int


class Columns(NamedTuple):
    """The columns of n lines; see the module. `lines` has where each begins and ends, `plain` which are plain."""

    codes: NDArray[np.int32]
    integers: NDArray[np.int64]
    reals: NDArray[np.float64]
    texts: NDArray[np.int64]
    lines: NDArray[np.int64]
    plain: NDArray[np.bool_]


def empty_columns(lines: int, fields: NDArray[Any]) -> Columns:
    """Return columns for so many lines; a CODED value that is not there has code 0."""

    def width(form: ValueForm) -> int:
        return int(np.count_nonzero(fields["form"] == form))

    return Columns(
        codes=np.zeros((lines, width(ValueForm.CODED)), np.int32),
        integers=np.zeros((lines, width(ValueForm.INTEGER)), np.int64),
        reals=np.full((lines, width(ValueForm.REAL)), np.nan),
        texts=np.zeros((lines, width(ValueForm.TEXT), 2), np.int64),
        lines=np.zeros((lines, 2), np.int64),
        plain=np.zeros(lines, np.bool_),
    )


@inlined
def _behind_blanks(text: Bytes, at: int) -> int:
    """Return the first place from `at` on that has no blank; SLACK has none."""
    while text[at] == _BLANK:
        at += 1
    return at


@inlined
def _whole(text: Bytes, at: int) -> tuple[int, int, int]:
    """Read digits: their number, the place behind them, and how many there are; 0 if it is no plain whole number."""
    start, value = at, 0
    while _ZERO <= text[at] <= _NINE:
        value = value * 10 + (int(text[at]) - _ZERO)
        at += 1
        if at - start > _LONGEST_INTEGER:
            return value, at, 0
    digits = at - start
    if digits > 1 and text[start] == _ZERO:
        return value, at, 0
    return value, at, digits


@inlined
def _real(text: Bytes, at: int) -> tuple[float, int]:
    """Read a decimal number, and the place behind it; -1 if it is not plain."""
    value, at, digits = _whole(text, at)
    if digits == 0 or digits > _LONGEST_REAL:
        return 0.0, -1
    if text[at] != _POINT:
        return float(value), at
    start = at + 1
    at = start
    while _ZERO <= text[at] <= _NINE:
        value = value * 10 + (int(text[at]) - _ZERO)
        at += 1
        if digits + at - start > _LONGEST_REAL:
            return 0.0, -1
    if at == start:
        return 0.0, -1
    return value / _POWERS[at - start], at


@inlined
def _code(text: Bytes, start: int, size: int, number: int, grammar: Grammar, names: NameTable) -> int:
    """Return the code of a text, -1 if it has none and gets none."""
    hashed = hash_of(names.seed, number, text, start, size)
    entry, slot = find(names, number, hashed, text, start, size)
    if entry >= 0:
        return names.entries[entry]["code"]
    if slot < 0 or not grammar.fields[number - 1]["grows"]:
        return -1
    for at in range(start, start + size):
        if not grammar.allowed[number, text[at]]:
            return -1
    return append(names, number, hashed, slot, text, start, size)


@inlined
def _read_value(
    text: Bytes, at: int, end: int, number: int, grammar: Grammar, names: NameTable, into: Columns, row: int
) -> int:
    """Read the value of a field that begins at a place, and return the place behind it; -1 if it is not plain."""
    field = grammar.fields[number - 1]
    form, column = field["form"], field["column"]
    if form == ValueForm.INTEGER:
        value, at, digits = _whole(text, at)
        if digits == 0 or not field["lowest"] <= value < field["before"]:
            return -1
        into.integers[row, column] = value
        return at
    if form == ValueForm.REAL:
        into.reals[row, column], at = _real(text, at)
        return at
    start = at + 1
    stop = text_end(text, start, end) if text[at] == _QUOTE else -1
    plain = stop >= 0 and 1 <= stop - start <= field["longest"]
    if plain and form == ValueForm.TEXT:
        into.texts[row, column, 0], into.texts[row, column, 1] = start, stop - start
    elif plain:
        code = _code(text, start, stop - start, number, grammar, names)
        into.codes[row, column], plain = code, code >= 0
    return stop + 1 if plain else -1


@inlined
def _read_key(text: Bytes, at: int, end: int, expected: int, names: NameTable) -> tuple[int, int]:
    """Read the key whose quote is at a place: the number of its field, and the place of its value; not above 0 if odd.

    It is compared with the one that is expected first.
    """
    if text[at] != _QUOTE:
        return -1, at
    entry = names.entries[expected]
    stop = at + 1 + entry["size"]
    if text[stop] == _QUOTE and is_same(text, at + 1, names.arena, entry["start"], entry["size"]):
        number = expected + 1
    else:
        stop = text_end(text, at + 1, end)
        if stop < 0:
            return -1, at
        number = code_of(names, _KEYS, text, at + 1, stop - at - 1) + 1
    colon = _behind_blanks(text, stop + 1)
    return (number if text[colon] == _COLON else 0), _behind_blanks(text, colon + 1)


@inlined
def _read_object(
    text: Bytes, at: int, end: int, needed: int, grammar: Grammar, names: NameTable, into: Columns, row: int
) -> bool:
    """Read the line from `at` to before `end`; return whether it is plainly an object with all that it must have."""
    while end > at and (text[end - 1] == _BLANK or text[end - 1] == _RETURN):
        end -= 1
    at = _behind_blanks(text, at)
    if end - at < 2 or text[at] != _OPEN or text[end - 1] != _CLOSE:
        return False
    seen, count = 0, 0
    while True:
        number, behind = _read_key(text, _behind_blanks(text, at + 1), end, grammar.order[count], names)
        if number <= 0 or seen >> number & 1:
            return False
        seen |= 1 << number
        grammar.order[count] = number - 1
        count += 1
        at = _read_value(text, behind, end, number, grammar, names, into, row)
        if at < 0:
            return False
        at = _behind_blanks(text, at)
        if at >= end:
            return False
        if text[at] != _COMMA:
            return at == end - 1 and seen & needed == needed  # the brace


@compiled
def read_objects(text: Bytes, size: int, grammar: Grammar, names: NameTable, into: Columns) -> None:
    """Read all lines of the first `size` bytes of a text; `into` has a row for each, and says which are plain."""
    needed = 0
    for number in range(1, len(grammar.fields) + 1):
        if grammar.fields[number - 1]["required"]:
            needed |= 1 << number
    at = 0
    for row in range(len(into.plain)):
        end = line_end(text, at, size)
        into.lines[row, 0], into.lines[row, 1] = at, end
        short = end - at <= grammar.longest
        into.plain[row] = short and _read_object(text, at, end, needed, grammar, names, into, row)
        at = end + 1
