"""Decodes and validates records: bytes in, columns out, and a rejection with its reason for each invalid line.

The checks and their order are `events.Reason`. Passages are read into columns by compiled kernels; lines that are not
plain are decoded and checked here, one by one. Read `passage_columns` next.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from streams.contract.events import (
    EARLIEST_MS,
    ID_PATTERN,
    LATEST_MS,
    LONGEST_LINE,
    Correction,
    Passage,
    Reason,
)
from streams.contract.fields import FIELDS, TYPES
from streams.contract.passage_columns import PassageReader, restrictions
from streams.contract.vocabulary import Vocabulary
from streams.kernels.counts.batch import COLUMNS, DIRECTIONS, OUTCOMES, Batch, Ints, LineCounts, Position, Rejection
from streams.kernels.counts.corrections import Change, CorrectionBatch
from streams.text import Kind

_DETAIL: Final = 400
_KNOWN_IDS: Final = 100_000
_CARRIED: Final = tuple(each.name for each in FIELDS if each.name not in COLUMNS)
_CODES: Final = {
    name: {word: code for code, word in enumerate(words)}
    for name, words in (("direction", DIRECTIONS), ("outcome", OUTCOMES))
}
"""The fields of which a batch has the places of their words."""
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


@dataclass(slots=True)
class _Read(Generic[T]):
    """What became of some lines: events that fit, by row of their line; which are blank; and what does not fit."""

    events: dict[int, T] = field(default_factory=dict)
    blank: list[int] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def line_counts(self, records: Records) -> LineCounts:
        """Count the lines that are not blank, independently of what fits."""
        if not self.blank:
            return LineCounts(records.offset, records.lines)
        record = np.searchsorted(np.cumsum(records.lines), self.blank, side="right")
        blanks = np.bincount(record, minlength=len(records.offset))
        return LineCounts(records.offset, records.lines - blanks)


class _Decoder(Generic[T]):
    """Decodes lines to one type and sets aside what does not fit."""

    def __init__(self, type_: type[T], check: Callable[[T], None]) -> None:
        self._decode = msgspec.json.Decoder(type_).decode
        self._check = check

    def read(self, lines: Iterable[bytes], rows: Iterable[int], places: _Places) -> _Read[T]:
        """Decode and check the lines of some rows, one by one."""
        read = _Read[T]()
        for row, line in zip(rows, lines, strict=True):
            try:
                event = self._one(line)
            except UnfitError as error:
                position = Position(*(int(each[row]) for each in places))
                read.rejections.append(Rejection.of(line, position, reason=error.reason.value, detail=error.detail))
                continue
            if event is None:
                read.blank.append(row)
            else:
                read.events[row] = event
        return read

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
        self._known: set[str] = set()
        self._decoder = _Decoder(TYPES[kind], self._check)
        mine = [name for name, each in vocabulary.entrances.items() if each == kind]
        self._restricted = restrictions(entrances=mine, categories=sorted(self._categories))
        self._own = threading.local()

    @property
    def reader(self) -> PassageReader:
        """The reader of this thread, which remembers names: a rehearsal in another one must not touch them."""
        if not hasattr(self._own, "reader"):
            self._own.reader = PassageReader(self.kind, self._restricted)
        reader: PassageReader = self._own.reader
        return reader

    def read(self, records: Records) -> Batch:
        """Turn records into columns."""
        places = _places(records)
        columns = self.reader.read(records.value, len(places.line))
        others = columns.others
        read = self._decoder.read(columns.raw.take(np.array(others, np.int64)), others, places)
        if read.events:
            columns.put(read.events)
        rows = np.delete(np.arange(len(places.line)), [row for row in others if row not in read.events])
        made = columns.columns(rows)
        for name, codes in _CODES.items():
            made[name] = np.array([codes[each] for each in made[name].names])[made[name].codes]
        return Batch(
            first=records.first,
            after=records.after,
            lines=read.line_counts(records),
            raw=columns.raw.take(rows),
            **{name: each[rows] for name, each in places._asdict().items()},
            carried={name: made.pop(name) for name in _CARRIED},
            **made,
            rejections=read.rejections,
        )

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
        places, lines = _places(records), records.value.split(b"\n")
        read = self._decoder.read(lines, range(len(lines)), places)
        positions = _positions(places)
        return CorrectionBatch(
            first=records.first,
            after=records.after,
            lines=read.line_counts(records),
            raw=[lines[row] for row in read.events],
            corrections=[self._change(event, positions[row]) for row, event in read.events.items()],
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
