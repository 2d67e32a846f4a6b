"""Counts one partition of passages: deduplicates, windows and totals its events; read `site_totals` next.

The state is a function of the log's records below `next_offset` and of nothing else. So a worker that takes it
up from a snapshot and reads on reaches the same state as one that never stopped, and every row it writes is
the row that would have been written anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from streams.kernels.counts.admission import Admitted, Devices, Fate
from streams.kernels.counts.batch import DENIED, PASSED, Batch, Bools, Ints
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.counts.cells import (
    BUCKET_BITS,
    MOST_CATEGORIES,
    MOST_ENTRANCES,
    Cells,
    Counted,
    Named,
    bucket_of,
    in_window,
    pack,
    stretches_in,
)
from streams.kernels.counts.columns import Block, DictColumn, Interner
from streams.kernels.counts.live import Live, LiveRules
from streams.kernels.counts.offset_bucket import OffsetBucket
from streams.kernels.counts.partition_log import PartitionId, PartitionLog
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.rows import delivery_rows, device_rows, entered_rows, repeat_rows

MOST_REASONS: Final = 500  # different reasons that a log remembers; those that are first mentioned later count as OTHER
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Saved:
    """What the last snapshot was of; see `changes`."""

    next_offset: int
    names: tuple[int, ...]  # how many entrances, categories, reasons and devices had a number
    day_rule: Sequence[Any]


class PassageLog(PartitionLog):
    """Counts one log of passages."""

    def __init__(self, name: PartitionId, kind: str, place: CountingSite, *, next_offset: int) -> None:
        super().__init__(name, next_offset=next_offset)
        self.kind, self.place = kind, place
        self.entrances = Interner(limit=MOST_ENTRANCES)
        self.categories = Interner(limit=MOST_CATEGORIES)
        self.reasons = Interner()
        self.devices = Devices()
        self.totals = Cells()
        self.last_ts: dict[str, int] = {}
        self.boundary: dict[str, bool] = {}  # as the site was when an entrance was last counted
        self.bucket = OffsetBucket(bucket_of(next_offset))
        self.days = place.days  # after a change of the site's, the former ones until `change_days`
        self.live, self.live_rules = Live(), LiveRules(place.times)
        self.seen_entrances: set[int] = set()  # by number: where something was counted since the last snapshot
        self.saved: Saved | None = None  # None: there is no snapshot on which one of changes could follow
        self._blocks: list[Block] = []
        self._fresh: list[tuple[Named, Fate]] = []
        self._repeated: list[tuple[Batch, Ints]] = []
        self._entered: dict[int, set[str]] = {}

    def apply(self, batch: Batch) -> None:
        """Count a batch, but for records that were counted before. Raises OffsetGapError, with nothing counted."""
        self._check_no_gap(batch.first)
        batch = batch.from_offset(self.next_offset)
        admitted = self._apply_stretches(batch)
        self._advance(
            batch.after,
            received=batch.lines.of_offset(self.next_offset),
            records=batch.lines.records(self.next_offset),
            counted=sum(each.number(Fate.COUNTED) for each in admitted),
            duplicate=sum(each.number(Fate.DUPLICATE) for each in admitted),
            late=sum(each.number(Fate.LATE) for each in admitted),
            rejections=batch.rejections + [suspect for each in admitted for suspect in each.suspects],
        )
        self._enter_bucket(bucket_of(self.next_offset))

    def skip_to(self, offset: int) -> None:
        """Pass over the offsets before this one."""
        super().skip_to(offset)
        self._enter_bucket(bucket_of(offset))

    def drain(self) -> list[Block]:
        """Return the rows of everything that changed since the last time, as of `next_offset`."""
        self._blocks += self.bucket.drain(self, self.next_offset)
        if self._fresh:
            self._blocks.append(delivery_rows(self, self.place.sides, self._fresh))
        if self._repeated:
            self._blocks += repeat_rows(self, self.place.sides, self._repeated)
        if self._entered:
            self._blocks.append(entered_rows(self.kind, self._entered))
        if self.devices.changed:
            self._blocks.append(device_rows(str(self.name), self.devices, self.next_offset))
        blocks, self._blocks = self._blocks, []
        self._fresh, self._repeated, self._entered = [], [], {}
        self.devices.forget_changed()
        return blocks

    def change_days(self) -> None:
        """Count by the site's days from here on, if this log was counted by others until now.

        To be called with the broker's last record counted, just before a snapshot: then no row of a later record is in
        the store yet, and none will be before what is decided here is in a snapshot. Otherwise a record that is counted
        again after a crash could stand in two days.
        """
        self.days = self.place.days

    def _apply_stretches(self, batch: Batch) -> list[Admitted]:
        """Count a batch stretch by stretch; each ends with the last event that there may be."""
        goes_on = len(batch) and bucket_of(int(batch.offset[0])) == self.bucket.number
        admitted = []
        for start, end in stretches_in(batch.offset, self.place.stretch, begun=self.bucket.events if goes_on else 0):
            part = batch.part(start, end)
            self._enter_bucket(bucket_of(int(part.offset[0])))
            admitted.append(self._admit(part))
            self._count_admitted(part, admitted[-1].fate)
            self.bucket.events += len(part)
            if self.bucket.events >= self.place.stretch:
                self._end_stretch(int(part.offset[-1]) + 1)
        return admitted

    def _admit(self, batch: Batch) -> Admitted:
        admitted = self.devices.admit(batch, rules=self.place.times, most=self.place.most_devices)
        again = np.flatnonzero((admitted.fate == Fate.DUPLICATE.value) | (admitted.fate == Fate.SUSPECT.value))
        if len(again):
            self._repeated.append((batch.admitted(again), admitted.fate[again]))
        return admitted

    def _end_stretch(self, after: int) -> None:
        """Bound the state; `after` the last offset of which anything was counted."""
        self._close_holes()
        self.bucket.events = 0
        if len(self.bucket) > self.place.most_cells:
            self._blocks += self.bucket.drain(self, after)
            self.bucket = OffsetBucket(self.bucket.number, self.bucket.part + 1)

    def _close_holes(self) -> None:
        self.devices.close_holes(most_ranges=self.place.most_ranges, most=self.place.most_devices)

    def _count_admitted(self, batch: Batch, fate: Ints) -> None:
        rows = np.flatnonzero((fate == Fate.COUNTED.value) | (fate == Fate.LATE.value))
        batch, late = batch.admitted(rows), fate[rows] == Fate.LATE.value
        batch = self._with_known_reasons(batch, late)
        # All names get their numbers in the order of the log, whatever is counted first.
        events = Named(batch, self.entrances.numbers(batch.entrance), self.categories.numbers(batch.category))
        if late.any():  # in an account of their own
            some = events.select(np.flatnonzero(late))
            self.bucket.late.add(some.keys(self.days.of(some.batch.ts)))
            self._fresh.append((some, Fate.LATE))
            events = events.select(np.flatnonzero(~late))
        if len(events.batch):
            self._count(events)

    def _with_known_reasons(self, batch: Batch, late: Bools) -> Batch:
        """Put OTHER in the place of reasons beyond those that a log remembers, in rows as in counts."""
        rows = np.flatnonzero((batch.outcome == DENIED) & ~late)
        if len(self.reasons) + len(rows) <= MOST_REASONS:
            return batch
        reason = batch.reason.tolist()
        for row in rows.tolist():
            if reason[row] not in self.reasons and len(self.reasons) >= MOST_REASONS:
                reason[row] = OTHER
            self.reasons[reason[row]]  # a new one gets its number in the order of the log
        return replace(batch, reason=DictColumn.of(reason))

    def _count(self, events: Named) -> None:
        tens = Counted.of(events)
        outer = self._note_entrances(tens)
        self.bucket.count(tens, self.place.sides, self.days, self.entrances)
        passed = tens.passed()
        totals = passed.by(in_window(passed.keys, 0))
        self.totals.add(totals.keys, totals.times)
        self._count_refusals(events)
        self._note_credentials(events, outer)
        self.live.count(events.batch, events.entrance, self.live_rules)
        self._fresh.append((events, Fate.COUNTED))

    def _note_entrances(self, tens: Counted) -> Bools:
        """Note where events have come from; return which of these entrances, by number, are on the site's boundary."""
        outer = np.zeros(len(self.entrances), np.bool_)
        seen = tens.by(tens.parts.entrance)
        names = self.entrances.names(seen.keys)
        for name, last in zip(names, seen.newest.tolist(), strict=True):
            self.last_ts[name] = max(self.last_ts.get(name, 0), last)
            self.boundary[name] = self.place.sides[name].boundary
        self.devices.changed_entrances.update(names)
        self.seen_entrances.update(seen.keys.tolist())
        outer[seen.keys] = [self.boundary[name] for name in names]
        return outer

    def _count_refusals(self, events: Named) -> None:
        rows = np.flatnonzero(events.batch.outcome == DENIED)
        if not len(rows):
            return
        reason = self.reasons.numbers(events.batch.reason.take(rows))
        minute, zero = events.batch.ts[rows] // MINUTE_MS, np.zeros(len(rows), np.int64)
        keys = pack(minute, events.entrance[rows], events.category[rows], zero, zero)
        for number in np.unique(reason).tolist():
            self.bucket.refusals.setdefault(number, Cells()).add(keys[reason == number])

    def _note_credentials(self, events: Named, outer: Bools) -> None:
        """Note who came in over the site's boundary; `outer` entrances, by number, are on it."""
        batch = events.batch
        rows = np.flatnonzero((batch.outcome == PASSED) & (batch.direction == 0) & outer[events.entrance])
        days = self.days.of(batch.ts[rows])
        for day in np.unique(days).tolist():
            who = set(batch.credential.take(rows[days == day])) - {""}
            if who:
                self._entered.setdefault(day, set()).update(who)

    def _enter_bucket(self, number: int) -> None:
        """Go on to another bucket; what the one before has counted is final as of its end."""
        if number != self.bucket.number:
            self._close_holes()
            self._blocks += self.bucket.drain(self, (self.bucket.number + 1) << BUCKET_BITS)
            self.bucket = OffsetBucket(number)
