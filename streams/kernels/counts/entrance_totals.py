"""Computes the totals of a partition's entrances for publication; `site_totals` adds up those of all partitions."""

import numpy as np

from streams.kernels.counts.batch import DIRECTIONS
from streams.kernels.counts.cells import unpack
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.site_totals import EntranceTotals, Total


def entrance_totals(log: PassageLog, *, everything: bool = False) -> list[EntranceTotals]:
    """Write out what a log has counted since it began, at each entrance of which anything has changed, or at all."""
    missing, changed = log.missing(), log.drain_changed_entrances()
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
