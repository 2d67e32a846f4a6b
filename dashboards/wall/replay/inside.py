"""Computes the occupancy of an area by 10 s window from flows and audited corrections, as known at a moment; pure.

The rules are those of the view `occupancy` (`sinks/schema/004_occupancy.sql`). The view itself only knows today's data;
DESIGN.md has the measured reason why replays do not query it. Read next: `sources.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dashboards.wall.replay.counts import WINDOW
from streams.kernels.counts.batch import Ints

Slot = tuple[str, str]
"""An area and a kind."""


class CorrectionRow(NamedTuple):
    """One audited correction: `axis` is when it takes effect in the replay, `ts` when somebody counted by hand."""

    axis: int
    area: str
    kind: str
    ts: int
    id: str
    delta: int | None
    absolute: int | None

    @property
    def window(self) -> int:
        """The 10 s window at whose end it takes effect."""
        return self.ts - self.ts % WINDOW


def anchors(corrections: Sequence[CorrectionRow], axis: int, start: int) -> set[int]:
    """Return the ends of the windows before `start` from which flows count, now or later in the replay."""
    found: dict[Slot, int] = {}
    later = set()
    for each in corrections:
        end = each.window + WINDOW
        if each.absolute is None or each.window >= start:
            continue
        if each.axis <= axis:
            slot = (each.area, each.kind)
            found[slot] = max(found.get(slot, 0), end)
        else:
            later.add(end)
    return later.union(found.values())


def occupancy(flow: Ints, start: int, corrections: Sequence[CorrectionRow], before: Callable[[int], int]) -> Ints:
    """Return how many are inside at the end of each window from `start` on.

    `flow` is the net flow of these windows; `before(since)` the net flow of all windows from `since` up to `start`.
    `corrections` are of one area and kind; those of one window take effect in the order of their times and ids.
    """
    ordered = sorted(corrections, key=lambda each: (each.ts, each.id))
    inside: Ints = _inside_at(start, ordered, before) + np.cumsum(flow)
    for each in ordered:
        at = (each.window - start) // WINDOW
        if 0 <= at < len(inside):
            inside[at:] += each.delta or 0 if each.absolute is None else each.absolute - inside[at]
    return inside


def _inside_at(start: int, ordered: Sequence[CorrectionRow], before: Callable[[int], int]) -> int:
    """Return how many were inside when the first window began."""
    since = change = 0
    for each in ordered:
        if each.window >= start:
            break
        if each.absolute is None:
            change += each.delta or 0
        else:
            since, change = each.window + WINDOW, each.absolute
    return before(since) + change


@dataclass(frozen=True, slots=True)
class EarlierFlows:
    """The flows before the grid of `PassageCounts` begins, with what is known today.

    `net`: by moment since when, and slot; `passages` and `newest` (time) by slot, since the beginning. `late`: the
    passages that became known during the replay or after it; the columns of `queries.LATE`.
    """

    net: Mapping[int, Mapping[Slot, int]]
    passages: Mapping[Slot, int]
    newest: Mapping[Slot, int]
    late: Ints

    def net_since(self, since: int, slot: Slot, signs: Ints, *, axis: int) -> int:
        """Return the net flow from `since` to the grid's begin, as far as it is known at a moment."""
        return self.net[since].get(slot, 0) - self._unknown(signs, axis, since)

    def has_passages(self, slot: Slot, signs: Ints, *, axis: int) -> bool:
        """Whether any passage from before the grid is known at a moment."""
        return self.passages.get(slot, 0) > self._unknown(np.abs(signs), axis, 0)

    def _unknown(self, signs: Ints, axis: int, since: int) -> int:
        """Sum the passages that are not known yet at a moment, each times its sign."""
        known_at, entrance, out, window, passages = self.late
        unknown = (known_at > axis) & (window >= since)
        return int((signs[entrance[unknown], out[unknown]] * passages[unknown]).sum())
