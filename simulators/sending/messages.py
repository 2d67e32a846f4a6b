"""Puts lines into Kafka messages, each of one entrance: a single line, or a frame of many; next: `produce.py`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simulators.distortion.malformed import Malformed
from simulators.scenario.day import Day, Ints
from simulators.scenario.lines import make_lines
from streams.contract.events import KIND_OF_TOPIC

_TOPIC_OF = {kind: topic for topic, kind in KIND_OF_TOPIC.items()}
_LARGEST_FRAME = 400_000
"""Bytes, not counting the last line: below the megabyte that brokers take by default."""


@dataclass(frozen=True, eq=False, slots=True)
class KafkaMessage:
    """One Kafka message: the ledger rows of its passages, and its malformed lines."""

    topic: str
    key: bytes
    value: bytes
    index: tuple[int, ...]
    malformed: tuple[Malformed, ...]

    @property
    def events(self) -> int:
        """Lines in it."""
        return len(self.index) + len(self.malformed)


def parts(rows: Ints, uploaded: npt.NDArray[np.bool_]) -> Iterator[tuple[Ints, bool]]:
    """Yield `rows` in their order, in parts that a device uploads after a time offline and parts that are sent live."""
    flags = np.where(rows >= 0, uploaded[rows], False)
    for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(flags)) + 1):
        if len(part):
            yield rows[part], bool(flags[part[0]])


def make_messages(
    day: Day, rows: Ints, index: Ints, *, malformed: Sequence[Malformed], frame: int
) -> Iterator[KafkaMessage]:
    """Yield the messages of `rows` (events, or -1 - number of a malformed line), up to `frame` lines each.

    A frame has lines of one entrance only; lines of an entrance keep their order. `index` is each event's row in
    the ledger.
    """
    names = day.names
    events = rows[rows >= 0]
    lines = iter(make_lines(day.take(events)))
    entrances = iter(names.entrances[day.entrance[events]].tolist())
    frames = {each.id: _Frame(_TOPIC_OF[each.kind], each.id.encode()) for each in names.site.entrances}
    for row, ledger_row in zip(rows.tolist(), index[rows].tolist(), strict=True):
        if row < 0:
            line = malformed[-1 - row]
            open_frame = frames[line.entrance]
            open_frame.add(line.line, malformed=line)
        else:
            open_frame = frames[next(entrances)]
            open_frame.add(next(lines), index=ledger_row)
        if len(open_frame.lines) >= frame or open_frame.size > _LARGEST_FRAME:
            yield open_frame.close()
    yield from (open_frame.close() for open_frame in frames.values() if open_frame.lines)


@dataclass(slots=True)
class _Frame:
    """Lines of one entrance that become one message."""

    topic: str
    key: bytes
    lines: list[bytes] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    size: int = 0

    def add(self, line: bytes, *, index: int | None = None, malformed: Malformed | None = None) -> None:
        """Append a line: a passage with its row in the ledger, or a malformed one."""
        self.lines.append(line)
        self.size += len(line)
        if malformed:
            self.malformed.append(malformed)
        elif index is not None:
            self.index.append(index)

    def close(self) -> KafkaMessage:
        """Return the message and start the next one."""
        message = KafkaMessage(self.topic, self.key, b"\n".join(self.lines), tuple(self.index), tuple(self.malformed))
        self.lines, self.index, self.malformed, self.size = [], [], [], 0
        return message
