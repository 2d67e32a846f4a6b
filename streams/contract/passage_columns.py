"""Reads lines of passages into columns: plain ones by compiled kernels; `codec` puts the values of all others there.

What the kernels know of a field is derived from its type in `events`. A field whose type or limits they do not know is
left out: a line that has it is not plain.
"""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import inspect

from streams.contract.events import EARLIEST_MS, ID_PATTERN, LATEST_MS, LONGEST_LINE, LONGEST_REASON, Passage
from streams.contract.fields import FIELDS, TYPES, Form, PassageField
from streams.kernels.counts.batch import Ints, RawLines
from streams.kernels.counts.columns import DictColumn
from streams.kernels.lines.names import Names
from streams.kernels.lines.objects import FIELD, Columns, Grammar, ValueForm, empty_columns, read_objects
from streams.kernels.lines.texts import PackedTexts
from streams.kernels.lines.words import Bytes, with_slack
from streams.text import Kind

_KEYS: Final = 0
"""The number of the field whose names are the keys of the others; these are numbered from 1."""
_MOST_NAMES: Final = 1 << 16
"""Names with which a reader begins an empty table: devices and reasons are the senders' to choose."""
_SHORTEST: Final = 32
"""Bytes of a plain line, at least: what must be there takes more. Lines that are shorter bring no names."""
_LONGEST_NAME: Final = 256
"""Bytes of a name that the kernels read, where the contract has no limit; a line with a longer one is not plain."""
_LARGEST: Final = 2**63 - 1
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_IDENTIFIER: Final = bytes(byte for byte in _PRINTABLE if re.fullmatch(ID_PATTERN, chr(byte)))


@dataclass(frozen=True, kw_only=True)
class Restriction:
    """What the contract asks of a field beyond its type."""

    names: Collection[str] | None = None  # only these
    allowed: bytes = _PRINTABLE  # bytes of a name
    range: tuple[int, int] = (0, _LARGEST)  # from, to before
    stored: int | None = None  # characters; the rest is cut off


def restrictions(*, entrances: Collection[str], categories: Collection[str]) -> Mapping[str, Restriction]:
    """Return what the codec checks of a passage, by field."""
    return {
        "device": Restriction(allowed=_IDENTIFIER),
        "ts": Restriction(range=(EARLIEST_MS, LATEST_MS)),
        "entrance": Restriction(names=entrances),
        "category": Restriction(names=categories),
        "reason": Restriction(stored=LONGEST_REASON),
    }


class _ReadField(NamedTuple):
    """A field that the kernels know."""

    name: str
    key: str
    form: ValueForm
    required: bool
    lowest: int
    before: int
    longest: int
    stored: int | None
    names: tuple[str, ...] | None  # all that there may be; None: any
    allowed: bytes


def _known(info: inspect.Field, restriction: Restriction | None) -> _ReadField | None:
    """Return what the kernels are to know of a field; None if its type has limits that they do not check."""
    types = info.type.types if isinstance(info.type, inspect.UnionType) else (info.type,)
    (type_,) = (each for each in types if not isinstance(each, inspect.NoneType))
    secret = False
    if isinstance(type_, inspect.Metadata):
        limits = {*(type_.extra_json_schema or {})} - {"description"}
        if limits and restriction is None:
            return None
        secret, type_ = bool((type_.extra or {}).get("secret")), type_.type
    given = restriction or Restriction()
    names = None if given.names is None else tuple(given.names)
    (lowest, before), longest = given.range, given.stored or _LONGEST_NAME
    match type_:
        case inspect.StrType(pattern=None):
            form = ValueForm.TEXT if secret else ValueForm.CODED
            longest = min(longest, type_.max_length or longest)
        case inspect.LiteralType() if all(isinstance(each, str) for each in type_.values):
            form, names = ValueForm.CODED, tuple(map(str, type_.values))
        case inspect.IntType(gt=None, lt=None, multiple_of=None) if info.required or info.default == 0:
            form = ValueForm.INTEGER
            lowest = max(lowest, type_.ge or 0)
            before = min(before, _LARGEST if type_.le is None else min(type_.le, _LARGEST - 1) + 1)
        case inspect.FloatType(gt=None, ge=None, lt=None, le=None, multiple_of=None):
            form = ValueForm.REAL
        case _:
            return None
    return _ReadField(
        info.name, info.encode_name, form, info.required, lowest, before, longest, given.stored, names, given.allowed
    )


class PassageReader:
    """Reads lines of one kind of passage; names that it has seen keep their codes from one batch to the next."""

    def __init__(self, kind: Kind, restricted: Mapping[str, Restriction]) -> None:
        infos = inspect.type_info(TYPES[kind]).fields  # type: ignore[attr-defined]  # a Struct has them
        found = [_known(each, restricted.get(each.name)) for each in infos]
        self.known = [each for each in found if each is not None]
        self.unknown = {each.name for each in infos} - {each.name for each in self.known}
        self._reads_any = not any(each.required for each in infos if each.name in self.unknown)
        self.columns: dict[str, tuple[int, int]] = {}  # number of the field, column among those of its form
        fields, allowed = np.zeros(len(self.known), FIELD), np.zeros((len(self.known) + 1, 256), np.bool_)
        for number, each in enumerate(self.known, start=1):
            column = sum(other.form == each.form for other in self.known[: number - 1])
            self.columns[each.name] = number, column
            fields[number - 1] = (
                each.form, column, each.required, each.lowest, each.before, each.longest, each.names is None,
            )  # fmt: skip
            allowed[number, list(each.allowed)] = True
        self._growing = sum(each.form is ValueForm.CODED and each.names is None for each in self.known)
        self._grammar = Grammar(fields, allowed, order=np.zeros(len(self.known) + 1, np.int64), longest=LONGEST_LINE)
        self._names = self._begun()

    def read(self, value: bytes, lines: int) -> "PassageColumns":
        """Read so many lines, which are joined by newlines."""
        if int(self._names.table.used[0]) > _MOST_NAMES:
            self._names = self._begun()
        most = min(lines, len(value) // _SHORTEST + 1)
        self._names.reserve(self._growing * most, size=len(value))
        text, columns = with_slack(value), empty_columns(lines, self._grammar.fields)
        read_objects(text, len(value), self._grammar, self._names.table, columns)
        if not self._reads_any:
            columns.plain[:] = False
        self._names.read_new()
        return PassageColumns(self, self._names, value, text, columns)

    def _begun(self) -> Names:
        """Return a table with the keys and the names known before; "" has code 0 where a text may be missing."""
        names = Names(len(self.known) + 1, seed=secrets.randbits(64))
        names.codes(_KEYS, [each.key for each in self.known])
        for number, each in enumerate(self.known, start=1):
            if each.form is ValueForm.CODED:
                names.codes(number, [*([] if each.required else [""]), *(each.names or ())])
        return names


class PassageColumns:
    """The columns of some lines: plain ones are read; `put` adds the values of others."""

    def __init__(self, reader: PassageReader, names: Names, value: bytes, text: Bytes, columns: Columns) -> None:
        self._reader, self._names, self._value, self._text, self._columns = reader, names, value, text, columns
        self._more = bytearray()  # texts that are in no line as they are
        self._unknown: dict[str, dict[int, Any]] = {}  # values of fields that the kernels do not know, by row

    @property
    def others(self) -> list[int]:
        """Which lines are not plain."""
        return np.flatnonzero(~self._columns.plain).tolist()

    @property
    def raw(self) -> RawLines:
        """All lines."""
        return RawLines(self._value, *self._columns.lines.T)

    def put(self, events: Mapping[int, Passage]) -> None:
        """Take the values of lines that were read otherwise, by row."""
        rows, into = list(events), self._columns
        for each in self._reader.known:
            number, column = self._reader.columns[each.name]
            values = list(map(attrgetter(each.name), events.values()))
            if each.form is ValueForm.CODED:
                stored = [(value or "")[: each.stored] for value in values]
                into.codes[rows, column] = self._names.codes(number, stored)
            elif each.form is ValueForm.INTEGER:
                into.integers[rows, column] = values
            elif each.form is ValueForm.REAL:
                into.reals[rows, column] = np.array(values, np.float64)  # None is nan
            else:
                more = PackedTexts.of([value or "" for value in values])
                into.texts[rows, column] = more.places + np.array([len(self._value) + len(self._more), 0])
                self._more += b"".join((value or "").encode() for value in values)
        for name in self._reader.unknown:
            self._unknown[name] = {row: getattr(event, name) for row, event in events.items()}

    def columns(self, rows: Ints) -> dict[str, Any]:
        """Return a column of every field of a passage, of whichever kind, for these lines; all of them must be read."""
        return {each.name: self._column(each, rows) for each in FIELDS}

    def _column(self, asked: PassageField, rows: Ints) -> Any:  # noqa: ANN401  # as its form is
        name = asked.name
        if name not in self._reader.columns:
            values = self._unknown.get(name, {})
            return _column_of(asked, [values.get(row) for row in rows.tolist()])
        number, column = self._reader.columns[name]
        match self._reader.known[number - 1].form:
            case ValueForm.CODED:
                return DictColumn(self._columns.codes[rows, column], self._names.listed[number])
            case ValueForm.INTEGER:
                return self._columns.integers[rows, column]
            case ValueForm.REAL:
                return self._columns.reals[rows, column]
            case ValueForm.TEXT:
                text = with_slack(self._value + self._more) if self._more else self._text
                return PackedTexts(text, self._columns.texts[rows, column])


def _column_of(asked: PassageField, values: list[Any]) -> Any:  # noqa: ANN401  # as its form is
    """Return a column of values that are None where they are missing."""
    match asked.form:
        case Form.TEXT if asked.secret:
            return PackedTexts.of([value or "" for value in values])
        case Form.TEXT:
            return DictColumn.of([value or "" for value in values])
        case Form.REAL:
            return np.array(values, np.float64)  # None is nan
        case _ if asked.optional:
            return values
    return np.array(values, np.int64)
