"""One log of passages, counted: the state of a partition between its first record and the next; read `venue` next.

The state is a function of the log's records below `next_offset` and of nothing else. So a worker that takes it
up from a snapshot and reads on reaches the same state as one that never stopped, and every row it writes is
the row that would have been written anyway.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from sinks.rows import Block
from streams.kernels.admission import Admitted, Devices, Fate
from streams.kernels.batch import OUTCOMES, Batch, Bools, Ints, Rejection
from streams.kernels.cells import (
    MOST_CATEGORIES,
    MOST_ENTRANCES,
    Cells,
    end_of,
    newest_by,
    pack,
    segment_of,
    segments_in,
    unpack,
)
from streams.kernels.live import Live, LiveRules
from streams.kernels.log import LogName, Tally, check_no_hole
from streams.kernels.names import Names
from streams.kernels.place import Place
from streams.kernels.rows import device_rows, entered_rows, passage_rows
from streams.kernels.segment import MINUTE_MS, WINDOW_MS, Segment

_PASSED = OUTCOMES.index("passed")
_DENIED = OUTCOMES.index("denied")


class PassageLog:
    """Counts one log. Feed it batches with `apply`, collect what changed with `take`, keep it with `snapshot`."""

    def __init__(self, name: LogName, kind: str, place: Place, *, next_offset: int) -> None:
        self.name, self.kind, self.place = name, kind, place
        self.next_offset = next_offset
        self.tally = Tally()
        self.entrances = Names(limit=MOST_ENTRANCES)
        self.categories = Names(limit=MOST_CATEGORIES)
        self.reasons = Names()
        self.devices = Devices()
        self.totals = Cells()
        self.last_ts: dict[str, int] = {}
        self.boundary: dict[str, bool] = {}  # as the site was when an entrance was last counted
        self.segment = Segment(segment_of(next_offset))
        self.live, self.live_rules = Live(), LiveRules(place.times)
        self._blocks: list[Block] = []
        self._fresh: list[Batch] = []
        self._entered: set[tuple[int, str]] = set()
        self._rejections: list[Rejection] = []

    def apply(self, batch: Batch) -> None:
        """Count a batch.

        Records below `next_offset` have been counted before and are passed over. Raises HoleError, with nothing
        counted, where the batch begins above it.
        """
        check_no_hole(self.name, self.next_offset, batch.first)
        received = batch.lines.of_offset(self.next_offset)
        batch = batch.from_offset(self.next_offset)
        admitted = self.devices.admit(batch, rules=self.place.times)
        self._tell(batch, admitted, received)
        self._count_segments(batch, admitted.fate)
        self.next_offset = max(self.next_offset, batch.after)
        self._enter_segment(segment_of(self.next_offset))

    def take(self) -> list[Block]:
        """Return the rows of everything that changed since the last time, as of `next_offset`."""
        self._blocks += self.segment.take(self, self.next_offset)
        if self._fresh:
            self._blocks.append(passage_rows(str(self.name), self.kind, self._fresh))
        if self._entered:
            self._blocks.append(entered_rows(self.kind, sorted(self._entered)))
        if self.devices.changed:
            self._blocks.append(self._device_rows())
        blocks, self._blocks = self._blocks, []
        self._fresh, self._entered = [], set()
        self.devices.changed.clear()
        return blocks

    def take_rejections(self) -> list[Rejection]:
        """Return what could not be accepted since the last time."""
        rejections, self._rejections = self._rejections, []
        return rejections

    def missing(self) -> Mapping[str, int]:
        """Count the events known to be missing, by entrance."""
        answer: Counter[str] = Counter()
        for device in self.devices.known.values():
            answer[device.entrance] += device.ranges.missing
        return answer

    def _tell(self, batch: Batch, admitted: Admitted, received: int) -> None:
        """Note what became of a batch's lines."""
        rejections = batch.rejections + admitted.suspects
        self._rejections += rejections
        self.tally = self.tally.plus(
            received=received,
            counted=admitted.number(Fate.COUNTED),
            duplicate=admitted.number(Fate.DUPLICATE),
            late=admitted.number(Fate.LATE),
            rejections=rejections,
        )

    def _count_segments(self, batch: Batch, fate: Ints) -> None:
        """Count what is to be counted or late, segment by segment."""
        rows = np.flatnonzero((fate == Fate.COUNTED.value) | (fate == Fate.LATE.value))
        admitted, late = batch.admitted(rows), fate[rows] == Fate.LATE.value
        for start, end in segments_in(admitted.offset):
            self._enter_segment(segment_of(int(admitted.offset[start])))
            whole = end - start == len(admitted)
            self._count_all(admitted if whole else admitted.select(np.arange(start, end)), late[start:end])

    def _count_all(self, batch: Batch, late: Bools) -> None:
        """Count events of one segment, those that are late in an account of their own."""
        if not late.any():
            self._count(batch)
            return
        # All names get their numbers in the order of the log, whatever is counted first.
        self.entrances.numbers(batch.entrance)
        self.categories.numbers(batch.category)
        self._count_late(batch.select(np.flatnonzero(late)))
        if not late.all():
            self._count(batch.select(np.flatnonzero(~late)))

    def _count_late(self, batch: Batch) -> None:
        entrance, category = self.entrances.numbers(batch.entrance), self.categories.numbers(batch.category)
        self.segment.late.add(pack(self.place.days.of(batch.ts), entrance, category, batch.direction, batch.outcome))

    def _count(self, batch: Batch) -> None:
        """Count fresh events of one segment."""
        segment = self.segment
        entrance = self.entrances.numbers(batch.entrance)
        category = self.categories.numbers(batch.category)
        cell = (entrance, category, batch.direction, batch.outcome)
        tens = batch.ts // WINDOW_MS
        minutes = batch.ts // MINUTE_MS
        days = self.place.days.of(batch.ts)
        segment.tens.add(pack(tens, *cell))
        segment.minutes.add(pack(minutes, *cell))
        day_keys = pack(days, *cell)
        segment.days.add(day_keys)
        segment.anonymous.add(day_keys[np.array([not each for each in batch.credential], dtype=np.bool_)])
        passed = np.flatnonzero(batch.outcome == _PASSED)
        zero = np.zeros(len(passed), dtype=np.int64)
        self.totals.add(pack(zero, entrance[passed], category[passed], batch.direction[passed], zero))
        self._count_flows(pack(tens[passed], entrance[passed], zero, batch.direction[passed], zero), batch.ts[passed])
        self._count_refusals(batch, pack(minutes, entrance, category, batch.direction * 0, batch.outcome * 0))
        self._note_credentials(batch, days, passed)
        self.live.count(batch, entrance, self.live_rules)
        numbers, _, newest = newest_by(entrance, batch.ts)
        for name, last in zip(self.entrances.names(numbers), newest.tolist(), strict=True):
            self.last_ts[name] = max(self.last_ts.get(name, 0), last)
            self.boundary[name] = self.place.gates[name].boundary
        self._fresh.append(batch)

    def _count_flows(self, keys: Ints, ts: Ints) -> None:
        distinct, times, newest = newest_by(keys, ts)
        parts = unpack(distinct)
        entrances = self.entrances.names(parts.entrance)
        for name, window, out, n, last in zip(
            entrances,
            parts.window.tolist(),
            parts.direction.tolist(),
            times.tolist(),
            newest.tolist(),
            strict=True,
        ):
            gate = self.place.gates[name]
            self.segment.through(gate, window, out=bool(out), passages=n, last_ts=last)

    def _count_refusals(self, batch: Batch, keys: Ints) -> None:
        denied = np.flatnonzero(batch.outcome == _DENIED)
        if not len(denied):
            return
        reason = self.reasons.numbers([batch.reason[i] for i in denied.tolist()])
        for number in np.unique(reason).tolist():
            self.segment.refusals.setdefault(number, Cells()).add(keys[denied[reason == number]])

    def _note_credentials(self, batch: Batch, days: Ints, passed: Ints) -> None:
        gates = self.place.gates
        for i in passed[batch.direction[passed] == 0].tolist():
            if batch.credential[i] and gates[batch.entrance[i]].boundary:
                self._entered.add((int(days[i]), batch.credential[i]))

    def _enter_segment(self, number: int) -> None:
        """Go on to another segment; what the one before has counted is final as of its end."""
        if number != self.segment.number:
            self._blocks += self.segment.take(self, end_of(self.segment.number))
            self.segment = Segment(number)

    def _device_rows(self) -> Block:
        keys = sorted(self.devices.changed)
        names = [self.devices.names.listed[number] for number, _ in keys]
        devices = [self.devices.known[key] for key in keys]
        return device_rows(str(self.name), names, [epoch for _, epoch in keys], devices, self.next_offset)
