"""Totals of a partition's entrances, for publication, and their sums over all partitions.

The newest version of each (log, entrance) counts, in any order of arrival.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from streams.kernels.counts.batch import DIRECTIONS
from streams.kernels.counts.cells import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.kernels.counts.passages import PassageLog


@dataclass(frozen=True, slots=True)
class Total:
    """What one log has counted at an entrance for one direction and category, since the log began."""

    direction: str
    category: str
    passages: int


@dataclass(frozen=True, slots=True)
class EntranceTotals:
    """What one log says of an entrance: absolute, and newest where `version` is highest; times in ms UTC."""

    log: str
    version: int
    entrance: str
    kind: str
    totals: list[Total]
    missing: int
    last_ts: int | None


def entrance_totals(log: PassageLog, *, everything: bool = False) -> list[EntranceTotals]:
    """Write out what a log has counted since it began, at each entrance of which anything has changed, or at all."""
    missing, changed = log.devices.missing, log.devices.changed_entrances
    log.devices.changed_entrances = set()
    totals: dict[str, list[Total]] = {name: [] for name in sorted({*log.last_ts, *missing} if everything else changed)}
    counted = [log.entrances[name] for name in totals if name in log.entrances]
    cells = np.fromiter(log.totals.counts, dtype=np.int64, count=len(log.totals.counts))
    cells = cells[np.isin(unpack(cells).entrance, counted)]
    keys = unpack(cells)
    parts = zip(
        log.entrances.names(keys.entrance),
        log.categories.names(keys.category),
        keys.direction.tolist(),
        log.totals.of(cells.tolist()),
        strict=True,
    )
    for entrance, category, direction, passages in parts:
        totals[entrance].append(Total(DIRECTIONS[direction], category, passages))
    return [
        EntranceTotals(
            log=str(log.name),
            version=log.next_offset,
            entrance=entrance,
            kind=log.kind,
            totals=each,
            missing=missing.get(entrance, 0),
            last_ts=log.last_ts.get(entrance),
        )
        for entrance, each in totals.items()
    ]


@dataclass(slots=True)
class SiteTotals:
    """Newest totals by (log, entrance), and their sums over the logs; any thread may read the sums."""

    newest: dict[tuple[str, str], EntranceTotals] = field(default_factory=dict)

    def update(self, totals: EntranceTotals) -> bool:
        """Take totals in; False if something as new was known."""
        key = (totals.log, totals.entrance)
        known = self.newest.get(key)
        if known is not None and known.version >= totals.version:
            return False
        self.newest[key] = totals
        return True

    def passages(self) -> Mapping[tuple[str, str, str], int]:
        """Sum passages by (entrance, direction, kind)."""
        answer: Counter[tuple[str, str, str]] = Counter()
        for totals in list(self.newest.values()):
            for total in totals.totals:
                answer[totals.entrance, total.direction, totals.kind] += total.passages
        return answer

    def missing(self) -> Mapping[str, int]:
        """Sum missing events by entrance."""
        answer: Counter[str] = Counter()
        for totals in list(self.newest.values()):
            answer[totals.entrance] += totals.missing
        return answer

    def last_ts(self) -> Mapping[str, int]:
        """Tell the newest event time (ms UTC) by entrance; entrances without events are left out."""
        answer: dict[str, int] = {}
        for totals in list(self.newest.values()):
            if totals.last_ts is not None:
                answer[totals.entrance] = max(totals.last_ts, answer.get(totals.entrance, 0))
        return answer
