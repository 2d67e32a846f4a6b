"""Computes the occupancy of an area by 10 s window from flows and audited corrections, as known at a moment; pure.

The rules are those of the view `occupancy` (`sinks/schema/004_occupancy.sql`). The view itself only knows today's data;
DESIGN.md has the measured reason why replays do not query it. Read next: `devices.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from dashboards.wall.replay.timeline import WINDOW
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


class Effect(NamedTuple):
    """The effect of all corrections of one window at its end: add `change`, or (`anchored`) set the occupancy to it."""

    window: int
    anchored: bool
    change: int


def effects(corrections: Sequence[CorrectionRow]) -> list[Effect]:
    """Return the effects of the corrections of one area and kind, in the order of their windows."""
    ordered = sorted(corrections, key=lambda each: (each.ts, each.id))
    return [_effect(window, list(group)) for window, group in groupby(ordered, key=lambda each: each.window)]


def _effect(window: int, corrections: Sequence[CorrectionRow]) -> Effect:
    change, anchored = 0, False
    for each in corrections:
        if each.absolute is not None:
            change, anchored = each.absolute, True
        else:
            change += each.delta or 0
    return Effect(window, anchored, change)


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


def occupancy(flow: Ints, start: int, corrected: Sequence[Effect], before: Callable[[int], int]) -> Ints:
    """Return how many are inside at the end of each window from `start` on.

    `flow` is the net flow of these windows; `before(since)` the net flow of all windows from `since` up to `start`.
    """
    inside: Ints = _inside_at(start, corrected, before) + np.cumsum(flow)
    for effect in corrected:
        at = (effect.window - start) // WINDOW
        if 0 <= at < len(inside):
            inside[at:] += effect.change - inside[at] if effect.anchored else effect.change
    return inside


def _inside_at(start: int, corrected: Sequence[Effect], before: Callable[[int], int]) -> int:
    """Return how many were inside when the first window began."""
    earlier = [effect for effect in corrected if effect.window < start]
    anchor = max((place for place, effect in enumerate(earlier) if effect.anchored), default=None)
    if anchor is None:
        return before(0) + sum(effect.change for effect in earlier)
    return before(earlier[anchor].window + WINDOW) + sum(effect.change for effect in earlier[anchor:])


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
