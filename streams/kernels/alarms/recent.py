"""A ring buffer of counts by second: the last ten minutes at each entrance, over all partitions; read `rules` next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streams.kernels.alarms.inputs import LogFlow
from streams.kernels.counts.batch import Bools, Ints
from streams.kernels.counts.live import LiveCells, Measure

SPAN: Final = 600  # seconds of the window behind the newest one that was entered
REPUBLISHED_SECONDS: Final = 120  # seconds for which a worker that was started again may publish what is known
MOST_KNOWN: Final = 1_000_000
"""Cells, over all logs, whose published counts are remembered; an older one counts twice if it is published again."""
_NONE: Final[Ints] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Counts by key, a column each; `RecentCounts.key` says what a key is."""

    keys: Ints = field(default_factory=_NONE.copy)
    counts: Ints = field(default_factory=_NONE.copy)

    def __len__(self) -> int:
        return len(self.keys)

    def __add__(self, more: "CellCounts") -> "CellCounts":
        """Put more behind these; a key may then be there twice."""
        return CellCounts(np.concatenate([self.keys, more.keys]), np.concatenate([self.counts, more.counts]))

    def where(self, rows: Bools) -> "CellCounts":
        """Keep some of them."""
        return self if rows.all() else CellCounts(self.keys[rows], self.counts[rows])


class RecentCounts:
    """Counts of the seconds that have been entered, and of those to come."""

    def __init__(self, entrances: Sequence[str]) -> None:
        self.entrances = entrances
        self.entered = 0  # the newest second that counts
        self.known: dict[str, dict[int, int]] = {}  # what each log has published of a cell, at most
        self.forgotten = 0  # what is known below this key has been forgotten since the last snapshot
        self.changed_known: dict[str, set[int]] = {}  # by log, the keys of which more is known since the last snapshot
        self.coming = CellCounts()  # what counts once its second is entered
        self.numbers = {name: number for number, name in enumerate(entrances)}
        self.width = len(Measure) * len(entrances)
        # A row a second with all that was counted up to its end, so that any span is the difference of two rows.
        self.sums: Ints = np.zeros((SPAN + 1, self.width), dtype=np.int64)

    def ingest(self, flow: LogFlow) -> None:
        """Add what a log has published; what was known already adds nothing."""
        cells = flow.columns
        if not len(cells):
            return
        published = self._counts(cells)
        published = published.where(published.keys >= self.key(self.entered - REPUBLISHED_SECONDS + 1))
        known = self.known.setdefault(flow.log, {})
        before, keys = [], published.keys.tolist()
        self.changed_known.setdefault(flow.log, set()).update(keys)
        for key, n in zip(keys, published.counts.tolist(), strict=True):
            before.append(known.get(key, 0))
            known[key] = max(n, before[-1])
        self.forget_known(MOST_KNOWN)
        more = published.counts - np.array(before, dtype=np.int64)
        self._add(CellCounts(published.keys, more).where(more > 0))

    def forget_known(self, most: int) -> None:
        """Keep the published counts of at most so many cells; if there are more, of half as many, the newest."""
        if sum(map(len, self.known.values())) <= most:
            return
        seconds = sorted(key // self.width for known in self.known.values() for key in known)
        self._forget_known_before(seconds[-(most // 2)])

    def _forget_known_before(self, second: int) -> None:
        oldest = self.key(second)
        self.forgotten = max(oldest, self.forgotten)
        self.known = {log: {key: n for key, n in known.items() if key >= oldest} for log, known in self.known.items()}

    def enter(self, second: int) -> None:
        """Go on to a second: it and all before it count."""
        first = max(self.entered, second - SPAN) + 1
        entering = self.coming.where(self.coming.keys < self.key(second + 1))
        self.coming = self.coming.where(self.coming.keys >= self.key(second + 1))
        seconds = np.zeros((second - first + 2, self.width), dtype=np.int64)
        seconds[0] = self.sums[self.entered % len(self.sums)]
        entering = entering.where(entering.keys >= self.key(first))
        np.add.at(seconds.reshape(-1), entering.keys - self.key(first - 1), entering.counts)
        self.sums[np.arange(first - 1, second + 1) % len(self.sums)] = seconds.cumsum(axis=0)
        minute_before, self.entered = self.entered // 60, second
        if second // 60 > minute_before:
            self._forget_known_before(second - REPUBLISHED_SECONDS + 1)

    def last(self, measure: Measure, seconds: int, *, before: int = 0) -> Ints:
        """Sum so many seconds up to the newest one, or up to some seconds before it: one figure an entrance."""
        end = self.entered - before
        columns = slice(measure * len(self.entrances), (measure + 1) * len(self.entrances))
        newest, oldest = self.sums[end % len(self.sums)], self.sums[(end - seconds) % len(self.sums)]
        answer: Ints = newest[columns] - oldest[columns]
        return answer

    def key(self, second: int) -> int:
        """Tell the first key of a second: a key is second x width + measure x entrances + number of the entrance."""
        return second * self.width

    def window(self, seconds: int = SPAN) -> CellCounts:
        """Return the counts of the last seconds, SPAN at most: those that were entered do not change any more."""
        rows = np.arange(self.entered - seconds, self.entered + 1) % len(self.sums)
        counts = np.diff(self.sums[rows], axis=0).reshape(-1)
        places = np.flatnonzero(counts)
        return CellCounts(places + self.key(self.entered - seconds + 1), counts[places])

    def restore(self, entered: int, window: CellCounts) -> None:
        """Resume from the window as of a second."""
        self.entered, self.coming = entered - SPAN, window
        self.enter(entered)

    def _counts(self, cells: LiveCells) -> CellCounts:
        """Put published cells under the keys of this site, without the entrances that the profile no longer has."""
        numbers = np.array([self.numbers.get(name, -1) for name in cells.entrances], dtype=np.int64)
        columns = (cells.second, cells.entrance, cells.measure, cells.count)
        second, entrance, measure, count = (np.array(column, dtype=np.int64) for column in columns)
        number = numbers[entrance]
        keys = (cells.first + second) * self.width + measure * len(self.entrances) + number
        return CellCounts(keys, count).where(number >= 0)

    def _add(self, more: CellCounts) -> None:
        """Count more; of a second that was entered (a worker's clock is ahead of the broker's) in the next one."""
        late = np.maximum(self.entered + 1 - more.keys // self.width, 0)
        self.coming += CellCounts(more.keys + late * self.width, more.counts)
