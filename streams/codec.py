"""Bytes to columns: records are split into lines, each is checked, and what does not fit is kept with its reason.

The checks and their order are `contract.Reason`. Read `kernels` next.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Generic, Protocol, TypeVar

import msgspec
import numpy as np

from streams.contract import (
    EARLIEST_MS,
    ID_PATTERN,
    LATEST_MS,
    LONGEST_LINE,
    Correction,
    Kind,
    Passage,
    Reason,
    TurnstilePassage,
    VehiclePassage,
)
from streams.kernels.batch import DIRECTIONS, OUTCOMES, Batch, Ints, Lines, Position, Rejection
from streams.kernels.corrections import Change, CorrectionBatch

_DETAIL: Final = 400
_KNOWN_IDS: Final = 100_000
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


class Entrance(Protocol):
    """What the codec must know of an entrance."""

    @property
    def kind(self) -> Kind:
        """Persons or vehicles."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a site profile allows."""

    entrances: Mapping[str, Entrance]
    categories: Mapping[Kind, Collection[str]]
    areas: Mapping[str, Sequence[Kind]]


class UnfitError(ValueError):
    """A line does not fit; carries the reason of the contract."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail[:_DETAIL]


T = TypeVar("T")


@dataclass(slots=True)
class _Read(Generic[T]):
    """What became of the lines of some records: events that fit, with position and line, and what does not fit."""

    events: list[T] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)  # the offsets of lines that say nothing

    def lines(self, records: Records) -> Lines:
        """Count the lines that are not blank; independently of what fits and what does not."""
        blank = np.searchsorted(records.offset, self.blank)
        return Lines(records.offset, records.lines - np.bincount(blank, minlength=len(records.offset)))


class _Decoder(Generic[T]):
    """Decodes lines to one type and sets aside what does not fit."""

    def __init__(self, type_: type[T], check: Callable[[T], None]) -> None:
        self._decode = msgspec.json.Decoder(type_).decode
        self._check = check

    def read(self, records: Records) -> _Read[T]:
        """Decode every line; blank lines are neither accepted nor rejected."""
        lines = records.value.split(b"\n")
        offsets = np.repeat(records.offset, records.lines)
        starts = np.repeat(np.cumsum(records.lines) - records.lines, records.lines)
        numbers = np.arange(len(lines)) - starts
        arrived = np.repeat(records.arrived, records.lines)
        read = _Read[T]()
        places = zip(offsets.tolist(), numbers.tolist(), arrived.tolist(), strict=True)
        for line, place in zip(lines, places, strict=True):
            try:
                event = self._one(line)
            except UnfitError as error:
                unfit = Rejection.of(line, Position(*place), reason=error.reason.value, detail=error.detail)
                read.rejections.append(unfit)
            else:
                if event is None:
                    read.blank.append(place[0])
                else:
                    read.events.append(event)
                    read.positions.append(Position(*place))
                    read.raw.append(line)
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
        self._categories = vocabulary.categories[kind]
        self._known: set[str] = set()
        self._decoder: _Decoder[TurnstilePassage] | _Decoder[VehiclePassage] = (
            _Decoder(TurnstilePassage, self._check) if kind == "person" else _Decoder(VehiclePassage, self._check)
        )

    def read(self, records: Records) -> Batch:
        """Turn records into columns."""
        read = self._decoder.read(records)
        events, positions = read.events, read.positions
        return Batch(
            first=records.first,
            after=records.after,
            lines=read.lines(records),
            raw=read.raw,
            offset=_ints([each.offset for each in positions]),
            line=_ints([each.line for each in positions]),
            arrived=_ints([each.arrived for each in positions]),
            device=[each.device for each in events],
            epoch=_ints([each.epoch for each in events]),
            seq=_ints([each.seq for each in events]),
            ts=_ints([each.ts for each in events]),
            entrance=[each.entrance for each in events],
            direction=_ints([_CODE[each.direction] for each in events]),
            outcome=_ints([_CODE[each.outcome] for each in events]),
            category=[each.category for each in events],
            reason=[each.reason or "" for each in events],
            credential=[_pseudonym(each) for each in events],
            temperature=np.array([_temperature(each) for each in events], dtype=np.float64),
            health=[_health(each) for each in events],
            rejections=read.rejections,
        )

    def _check(self, event: Passage) -> None:
        if event.device not in self._known:
            self._check_identifier(event.device)
        _check_time(event.ts)
        entrance = self._entrances.get(event.entrance)
        if entrance is None:
            raise UnfitError(Reason.UNKNOWN_ENTRANCE, f"entrance: {event.entrance!r} is not in the site profile")
        if entrance.kind != self.kind:
            detail = f"entrance: {event.entrance!r} is for the kind {entrance.kind}, this topic for {self.kind}"
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
            lines=read.lines(records),
            raw=read.raw,
            corrections=list(map(self._change, read.events, read.positions)),
            rejections=read.rejections,
        )

    def _change(self, event: Correction, position: Position) -> Change:
        return Change(
            position=position,
            id=event.id,
            area=event.area,
            kind=event.kind or self._areas[event.area][0],
            ts=event.ts,
            actor=event.actor,
            reason=event.reason,
            delta=event.delta,
            absolute=event.absolute,
        )

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


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _pseudonym(event: TurnstilePassage | VehiclePassage) -> str:
    return (event.credential if isinstance(event, TurnstilePassage) else event.plate) or ""


def _temperature(event: TurnstilePassage | VehiclePassage) -> float:
    measured = event.temperature if isinstance(event, TurnstilePassage) else None
    return np.nan if measured is None else measured


def _health(event: TurnstilePassage | VehiclePassage) -> str:
    return (event.health if isinstance(event, TurnstilePassage) else None) or ""


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
