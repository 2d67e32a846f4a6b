"""Computes what a log must be counted to, line by line with dictionaries, independently of the product.

Nothing here reads bytes: whoever sent a line knows what it says.
"""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

SEGMENT: Final = 16_384
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_SUSPECT_MS: Final = 300_000
_HORIZON_MS: Final = 48 * 3_600_000
GATES: Final = {"N1": ("outside", "venue"), "H1": ("venue", "hall"), "P1": ("outside", "park")}
Rows = dict[tuple[Any, ...], Any]


@dataclass(frozen=True, slots=True)
class Passage:
    """What a line says, if it is a good passage."""

    device: str
    epoch: int
    seq: int
    ts: int
    entrance: str
    direction: str
    outcome: str
    category: str
    reason: str = ""
    credential: str = ""

    @property
    def identity(self) -> tuple[str, int, int]:
        """What makes it the same event."""
        return self.device, self.epoch, self.seq

    @property
    def raw(self) -> bytes:
        """Write it as a device does."""
        fields = asdict(self)
        pseudonym = fields.pop("credential")
        if pseudonym:
            fields["plate" if self.category == "car" else "credential"] = pseudonym
        return json.dumps(fields).encode()


@dataclass(frozen=True, slots=True)
class Correction:
    """What a line says, if it is a good correction."""

    id: str
    area: str
    ts: int
    delta: int | None = None
    absolute: int | None = None

    @property
    def raw(self) -> bytes:
        """Write it as an officer's program does."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps({**fields, "actor": "a", "reason": "r"}).encode()


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is sent: what it says, or other `text`; `unfit` is the reason for which it must be rejected."""

    says: Passage | Correction | None = None
    unfit: str = ""
    text: bytes = b""

    @property
    def raw(self) -> bytes:
        """Return the line's bytes."""
        return self.text if self.says is None else self.says.raw


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a line."""

    offset: int
    line: int
    arrived: int
    fate: str  # counted, duplicate, late, or the reason why it is rejected
    says: Passage | Correction | None


@dataclass
class Device:
    """What is known of a device in an epoch; `refs` has by number the times that its neighbours are compared with.

    The first is for a higher neighbour, the second for a lower one.
    """

    entrance: str
    refs: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    last_ts: int = 0
    last_seen: int = 0

    def ranges(self) -> list[tuple[int, int]]:
        """Return the numbers received as ranges."""
        found: list[tuple[int, int]] = []
        for number in sorted(self.refs):
            if found and found[-1][1] == number - 1:
                found[-1] = (found[-1][0], number)
            else:
                found.append((number, number))
        return found

    def doubted(self, says: Passage, arrived: int) -> bool:
        """Receive an event; tell whether its time is not believed."""
        lower = [number for number in self.refs if number < says.seq]
        higher = [number for number in self.refs if number > says.seq]
        before = self.refs[max(lower)][0] if lower else None
        after = self.refs[min(higher)][1] if higher else None
        self.last_seen = max(self.last_seen, arrived)
        doubt = (
            says.ts > arrived + _SUSPECT_MS
            or (before is not None and says.ts < before - _SUSPECT_MS)
            or (after is not None and says.ts > after + _SUSPECT_MS)
        )
        if doubt:
            self.refs[says.seq] = (before, after)
        else:
            self.refs[says.seq] = (says.ts, says.ts)
            self.last_ts = max(self.last_ts, says.ts)
        return doubt


@dataclass
class Truth:
    """One log, judged line by line in the order in which records were appended, from its first offset on.

    passed_over: offsets, [first, after), whose records were lost before they were read, as was accepted.
    """

    kind: str
    first: int = 0
    passed_over: tuple[tuple[int, int], ...] = ()
    judged: list[Judged] = field(default_factory=list)
    devices: dict[tuple[str, int], Device] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    seen: int = 0  # records of the tape that were read

    def read(self, records: Sequence[tuple[int, int, Sequence[Line]]], *, before: int | None = None) -> "Truth":
        """Judge the records that were not read yet, up to an offset if one is given."""
        for offset, arrived, lines in records[self.seen :]:
            if before is not None and offset >= before:
                break
            self.seen += 1
            if offset >= self.first and not any(first <= offset < after for first, after in self.passed_over):
                self._append(offset, arrived, lines)
        return self

    def _append(self, offset: int, arrived: int, lines: Sequence[Line]) -> None:
        """Judge the lines of a record."""
        for number, line in enumerate(lines):
            if line.says is not None or line.unfit:
                self.judged.append(Judged(offset, number, arrived, self._fate(line, arrived), line.says))

    def _fate(self, line: Line, arrived: int) -> str:
        says = line.says
        if says is None:
            return line.unfit
        return self._corrected(says, arrived) if isinstance(says, Correction) else self._passed(says, arrived)

    def _corrected(self, says: Correction, arrived: int) -> str:
        if says.id in self.ids:
            return "duplicate"
        if says.ts > arrived + _SUSPECT_MS:
            return "suspect-time"
        self.ids.add(says.id)
        return "counted"

    def _passed(self, says: Passage, arrived: int) -> str:
        device = self.devices.setdefault((says.device, says.epoch), Device(says.entrance))
        if says.seq in device.refs:
            return "duplicate"
        if says.seq > max(device.refs, default=0):
            device.entrance = says.entrance
        if device.doubted(says, arrived):
            return "suspect-time"
        return "late" if says.ts < arrived - _HORIZON_MS else "counted"

    # -- what must be in the store, by table ---------------------------------------------------------------------------

    def tally(self) -> dict[str, int]:
        """Return what became of how many lines."""
        fates = Counter(each.fate if each.fate in _FATES else "rejected" for each in self.judged)
        return {"received": len(self.judged), **{fate: fates[fate] for fate in (*_FATES, "rejected")}}

    def counted(self) -> Iterator[tuple[Judged, Passage]]:
        """List the passages that count."""
        for each in self.judged:
            if each.fate == "counted" and isinstance(each.says, Passage):
                yield each, each.says

    def tables(self) -> dict[str, Rows]:
        """Return the rows of this log by table and key."""
        tables: dict[str, Rows] = defaultdict(dict)
        for name, cells in self.cells().items():
            tables[name] = dict(cells)
        tables["rejections"] = {(each.offset, each.line): each.fate for each in self.judged if each.fate not in _FATES}
        tables["deliveries"] = {
            (each.offset, each.line): (*says.identity, says.ts, says.entrance, says.credential, fate)
            for each, says, fate in ((each, each.says, each.fate.removesuffix("-time")) for each in self.judged)
            if isinstance(says, Passage)
        }
        tables["devices"] = {
            key: (device.entrance, device.ranges(), max(device.refs), device.last_ts, device.last_seen)
            for key, device in self.devices.items()
        }
        return tables

    def cells(self) -> dict[str, Counter[tuple[Any, ...]]]:
        """Add up what is counted, by table and cell."""
        cells: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
        for each, says in self.counted():
            segment, ts = each.offset // SEGMENT, says.ts
            key = (says.entrance, says.direction, says.outcome, says.category)
            cells["counts_10s"][segment, ts - ts % 10_000, *key] += 1
            cells["counts_1m"][segment, ts - ts % 60_000, *key] += 1
            cells["counts_day"][segment, day_of(ts), *key] += 1
            if not says.credential:
                cells["anonymous"][segment, day_of(ts), *key] += 1
            if says.outcome == "denied":
                cells["refusals_1m"][segment, ts - ts % 60_000, says.entrance, says.category, says.reason] += 1
            if says.outcome == "passed":
                outer, inner = GATES[says.entrance]
                left, entered = (outer, inner) if says.direction == "in" else (inner, outer)
                for table, width in (("area_flows_10s", 10_000), ("area_flows_1h", 3_600_000)):
                    cells[table][segment, ts - ts % width, entered, "entered"] += entered != "outside"
                    cells[table][segment, ts - ts % width, left, "departed"] += left != "outside"
        for each in self.judged:
            if each.fate == "late" and isinstance(each.says, Passage):
                says = each.says
                key = (says.entrance, says.direction, says.outcome, says.category)
                cells["late_day"][each.offset // SEGMENT, day_of(says.ts), *key] += 1
        return {name: +counter for name, counter in cells.items()}  # + leaves out what is 0

    def announced(self) -> dict[str, tuple[Rows, int, int | None]]:
        """Return by entrance what was counted since the log began, how many are missing, and the newest time."""
        totals: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
        last: dict[str, int] = {}
        for _, says in self.counted():
            last[says.entrance] = max(last.get(says.entrance, 0), says.ts)
            if says.outcome == "passed":
                totals[says.entrance][says.direction, says.category] += 1
        missing = Counter({device.entrance: 0 for device in self.devices.values()})
        for device in self.devices.values():
            missing[device.entrance] += max(device.refs) - len(device.refs)
        return {name: (dict(totals[name]), missing[name], last.get(name)) for name in {*last, *missing}}


_FATES: Final = ("counted", "duplicate", "late")


def day_of(ts: int) -> int:
    """Tell the calendar day at the site, counted from 1970-01-01."""
    return dt.datetime.fromtimestamp(ts / 1000, _ZONE).date().toordinal() - 719_163
