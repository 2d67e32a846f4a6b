"""Decodes and validates records: bytes in, columns out, and a rejection with its reason for each invalid line.

The checks and their order are `events.Reason`. Passages are decoded and checked all at once, a column at a time; only
if any line of some records does not plainly fit are they read one by one, which takes five times as long. Read
`kernels` next.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from streams.contract.events import (
    EARLIEST_MS,
    ID_PATTERN,
    LATEST_MS,
    LONGEST_LINE,
    LONGEST_REASON,
    Correction,
    Passage,
    Reason,
)
from streams.contract.fields import FIELDS, OPTIONAL, TYPES, Form
from streams.kernels.counts.batch import (
    COLUMNS,
    DIRECTIONS,
    OUTCOMES,
    Batch,
    Floats,
    Ints,
    LineCounts,
    Position,
    Rejection,
)
from streams.kernels.counts.corrections import Change, CorrectionBatch
from streams.text import Kind

_DETAIL: Final = 400
_KNOWN_IDS: Final = 100_000
_NAMES: Final = tuple(each.name for each in FIELDS)
_CARRIED: Final = tuple(name for name in _NAMES if name not in COLUMNS)
_CODE = {name: code for names in (DIRECTIONS, OUTCOMES) for code, name in enumerate(names)}
_FLAT: Final = 512
"""Bytes of a line that cannot be nested too deeply: closing takes as many as opening."""
_DEEPEST: Final = _FLAT // 2
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_identifier = re.compile(ID_PATTERN).fullmatch  # `match` would let a newline behind the `$` pass
_texts = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # one without an end reaches to the end: linear time


@dataclass(frozen=True, slots=True)
class Records:
    """Consecutive records of one log, their values joined by newlines.

    offset and arrived (ms) have one value a record, lines says how many lines each value has.
    """

    value: bytes
    offset: Ints
    arrived: Ints
    lines: Ints

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return int(self.offset[0])

    @property
    def after(self) -> int:
        """Offset behind the last record."""
        return int(self.offset[-1]) + 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a site profile allows."""

    entrances: Mapping[str, Kind]
    categories: Mapping[Kind, Collection[str]]
    areas: Mapping[str, Sequence[Kind]]


class UnfitError(ValueError):
    """A line does not fit; carries the reason of the contract."""

    quotes_events = True  # so its words are for the topic `rejected`, and for no log

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail[:_DETAIL]


T = TypeVar("T")


class _Places(NamedTuple):
    """Where each line of some records stands: see `Position`."""

    offset: Ints
    line: Ints
    arrived: Ints


def _places(records: Records) -> _Places:
    starts = np.repeat(np.cumsum(records.lines) - records.lines, records.lines)
    return _Places(
        offset=np.repeat(records.offset, records.lines),
        line=np.arange(len(starts)) - starts,
        arrived=np.repeat(records.arrived, records.lines),
    )


def _positions(places: _Places) -> list[Position]:
    return list(map(Position, *(each.tolist() for each in places)))


@dataclass(frozen=True, slots=True)
class _Read(Generic[T]):
    """What became of the lines of some records: events that fit, each with its place and line, and what does not fit.

    `lines` are counted independently of what fits and what does not; blank ones are neither.
    """

    events: list[T]
    places: _Places
    raw: list[bytes]
    lines: LineCounts
    rejections: list[Rejection] = field(default_factory=list)


class _Decoder(Generic[T]):
    """Decodes lines to one type and sets aside what does not fit."""

    def __init__(self, type_: type[T], check: Callable[[T], None]) -> None:
        decoder = msgspec.json.Decoder(type_)
        self._decode, self._decode_lines = decoder.decode, decoder.decode_lines
        self._check = check

    def read_plain(self, records: Records) -> _Read[T] | None:
        """Decode all lines at once, unchecked; None unless each is plainly one event.

        Every line begins and ends with a brace. So none is blank and no event spans two: JSON has no newline inside a
        text, and none between a closing and an opening brace. As many events as lines are one a line then.
        """
        value = records.value
        lines = value.split(b"\n")
        if not (value.isascii() and value.startswith(b"{") and value.endswith(b"}")):
            return None
        if value.count(b"}\n{") != len(lines) - 1 or max(map(len, lines)) > _FLAT:
            return None
        try:
            events = self._decode_lines(value)
        except (msgspec.DecodeError, RecursionError):
            return None
        if len(events) != len(lines):
            return None
        return _Read(events, _places(records), lines, LineCounts(records.offset, records.lines))

    def read(self, records: Records) -> _Read[T]:
        """Decode and check line by line."""
        places = _places(records)
        lines = records.value.split(b"\n")
        events: list[T] = []
        rows: list[int] = []
        blank: list[int] = []
        rejections: list[Rejection] = []
        for row, line in enumerate(lines):
            try:
                event = self._one(line)
            except UnfitError as error:
                position = Position(*(int(each[row]) for each in places))
                rejections.append(Rejection.of(line, position, reason=error.reason.value, detail=error.detail))
                continue
            if event is None:
                blank.append(row)
            else:
                events.append(event)
                rows.append(row)
        fitting = _Places(*(each[rows] for each in places))
        raw = [lines[row] for row in rows]
        blanks = np.bincount(np.searchsorted(records.offset, places.offset[blank]), minlength=len(records.offset))
        return _Read(events, fitting, raw, LineCounts(records.offset, records.lines - blanks), rejections)

    def _one(self, line: bytes) -> T | None:
        if len(line) > LONGEST_LINE:
            raise UnfitError(Reason.TOO_LARGE, f"{len(line)} bytes; at most {LONGEST_LINE} are read")
        if not line.isascii():
            _check_utf8(line)
        if len(line) > _FLAT:
            _check_nesting(line)
        try:
            event = self._decode(line)
        except msgspec.DecodeError as error:
            if not line.strip():
                return None
            raise _why(line, error) from error
        self._check(event)
        return event


class PassageCodec:
    """Reads passages of one kind."""

    def __init__(self, kind: Kind, vocabulary: Vocabulary) -> None:
        self.kind: Kind = kind
        self._entrances = vocabulary.entrances
        self._categories = frozenset(vocabulary.categories[kind])
        self._mine = frozenset(name for name, each in vocabulary.entrances.items() if each == kind)
        self._known: set[str] = set()
        self._decoder = _Decoder(TYPES[kind], self._check)
        self._getters = {each.name: attrgetter(each.name) for each in FIELDS if kind in each.written}

    def read(self, records: Records) -> Batch:
        """Turn records into columns."""
        plain = self._decoder.read_plain(records)
        if plain is not None:
            columns = self._columns(plain.events)
            if self._all_fit(columns):
                return _batch(records, plain, columns)
        read = self._decoder.read(records)
        return _batch(records, read, self._columns(read.events))

    def _columns(self, events: list[Any]) -> dict[str, list[Any]]:
        return {name: list(map(getter, events)) for name, getter in self._getters.items()}

    def _all_fit(self, columns: dict[str, list[Any]]) -> bool:
        """Check as `_check` does, all at once; where not all fit it does not say which."""
        fit = self._mine.issuperset(columns["entrance"]) and self._categories.issuperset(columns["category"])
        if not fit or min(columns["ts"]) < EARLIEST_MS or max(columns["ts"]) >= LATEST_MS:
            return False
        try:
            for device in set(columns["device"]) - self._known:
                self._check_identifier(device)
        except UnfitError:
            return False
        return True

    def _check(self, event: Passage) -> None:
        if event.device not in self._known:
            self._check_identifier(event.device)
        _check_time(event.ts)
        kind = self._entrances.get(event.entrance)
        if kind is None:
            raise UnfitError(Reason.UNKNOWN_ENTRANCE, f"entrance: {event.entrance!r} is not in the site profile")
        if kind != self.kind:
            detail = f"entrance: {event.entrance!r} is for the kind {kind}, this topic for {self.kind}"
            raise UnfitError(Reason.WRONG_KIND, detail)
        if event.category not in self._categories:
            allowed = ", ".join(sorted(self._categories))
            raise UnfitError(Reason.UNKNOWN_CATEGORY, f"category: {event.category!r} is not one of {allowed}")

    def _check_identifier(self, device: str) -> None:
        if not _identifier(device):
            raise UnfitError(Reason.WRONG_SHAPE, f"device: {device!r} does not match {ID_PATTERN}")
        if len(self._known) >= _KNOWN_IDS:
            self._known.clear()
        self._known.add(device)


class CorrectionCodec:
    """Reads corrections."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._areas = vocabulary.areas
        self._decoder = _Decoder(Correction, self._check)

    def read(self, records: Records) -> CorrectionBatch:
        """Turn records into corrections with their kind filled in."""
        read = self._decoder.read(records)
        return CorrectionBatch(
            first=records.first,
            after=records.after,
            lines=read.lines,
            raw=read.raw,
            corrections=list(map(self._change, read.events, _positions(read.places))),
            rejections=read.rejections,
        )

    def _change(self, event: Correction, position: Position) -> Change:
        kind = event.kind or self._areas[event.area][0]
        return Change(position=position, **msgspec.structs.asdict(event) | {"kind": kind})

    def _check(self, event: Correction) -> None:
        if not _identifier(event.id):
            raise UnfitError(Reason.WRONG_SHAPE, f"id: {event.id!r} does not match {ID_PATTERN}")
        if (event.delta is None) == (event.absolute is None):
            raise UnfitError(Reason.WRONG_SHAPE, "delta, absolute: exactly one of them is expected")
        _check_time(event.ts)
        kinds = self._areas.get(event.area)
        if kinds is None:
            raise UnfitError(Reason.UNKNOWN_AREA, f"area: {event.area!r} is not in the site profile")
        if event.kind is not None and event.kind not in kinds:
            detail = f"kind: {event.area!r} holds {' and '.join(kinds)}, not {event.kind}"
            raise UnfitError(Reason.WRONG_KIND, detail)


def positions(records: Records) -> list[Position]:
    """Return where each line of some records stands, blank ones among them."""
    return _positions(_places(records))


def _codes(names: list[str]) -> Ints:
    return np.fromiter(map(_CODE.__getitem__, names), dtype=np.int64, count=len(names))


_CONVERTERS: Final[Mapping[str, Callable[[list[Any]], list[Any] | Ints | Floats]]] = {
    **{each.name: lambda texts: [text or "" for text in texts] for each in OPTIONAL if each.form is Form.TEXT},
    **{each.name: partial(np.array, dtype=np.float64) for each in FIELDS if each.form is Form.REAL},  # None is nan
    **{
        each.name: partial(np.array, dtype=np.int64)
        for each in FIELDS
        if each.form is Form.INTEGER and not each.optional
    },
    "direction": _codes,
    "outcome": _codes,
    "reason": lambda texts: [text[:LONGEST_REASON] if text else "" for text in texts],
}
"""How the values of a field become a column; others are one already."""


def _batch(records: Records, read: _Read[Any], columns: dict[str, list[Any]]) -> Batch:
    nothing = [None] * len(read.events)
    made: dict[str, Any] = {name: columns.get(name, nothing) for name in _NAMES}
    for name, convert in _CONVERTERS.items():
        made[name] = convert(made[name])
    carried = {name: made.pop(name) for name in _CARRIED}
    return Batch(
        first=records.first,
        after=records.after,
        lines=read.lines,
        raw=read.raw,
        offset=read.places.offset,
        line=read.places.line,
        arrived=read.places.arrived,
        **made,
        carried=carried,
        rejections=read.rejections,
    )


def _check_time(ts: int) -> None:
    if not EARLIEST_MS <= ts < LATEST_MS:
        detail = f"ts: {ts} is outside [2000-01-01, 2100-01-01) in milliseconds UTC"
        raise UnfitError(Reason.TIME_OUT_OF_RANGE, detail)


def _check_utf8(line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise UnfitError(Reason.NOT_UTF8, f"byte {error.start} of the line: {error.reason}") from error


def _check_nesting(line: bytes) -> None:
    """Refuse what a decoder could not follow down; left to itself it gives up wherever its caller's stack ends.

    The verdict on a line must be the same whenever the line is read again.
    """
    brackets = _texts.sub(b"", line).translate(None, delete=_NOT_BRACKETS)
    depth = max(accumulate(1 if each in b"[{" else -1 for each in brackets), default=0)
    if depth > _DEEPEST:
        raise UnfitError(Reason.WRONG_SHAPE, f"nested {depth} levels deep; at most {_DEEPEST} are read")


def _why(line: bytes, error: Exception) -> UnfitError:
    """Tell what is not JSON from JSON of the wrong shape: a typed decoder stops at whichever comes first."""
    try:
        msgspec.json.decode(line)
    except msgspec.ValidationError:
        pass
    except msgspec.DecodeError as untyped:
        return UnfitError(Reason.NOT_JSON, str(untyped))
    return UnfitError(Reason.WRONG_SHAPE, str(error))
