"""Who is inside each area after every window, by the ledger: flows and corrections in event time.

It shares no arithmetic with the workers, on purpose. Next: `truth.py`, which makes tables of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from simulators.ledger.tables import NONE, Columns, Integers, group
from streams.site.model import OUTSIDE, Site

WINDOW = 10_000
"""Milliseconds of a window of the occupancy."""
_Step: TypeAlias = tuple[int, int, int]
"""A correction: ts, delta, absolute."""


@dataclass(frozen=True, eq=False)
class Course:
    """How many are `inside` an area at the end of each window; `as_of` (ms): when an event last moved it."""

    windows: Integers
    inside: Integers
    as_of: int


@dataclass(frozen=True, eq=False)
class _Flow:
    """What entered minus what departed, per window; the time of the newest passage."""

    windows: Integers
    net: Integers
    as_of: int


_NO_FLOW = _Flow(np.zeros(0, np.int64), np.zeros(0, np.int64), NONE)


def courses(passed: Columns, corrections: Columns, site: Site) -> Mapping[tuple[str, str], Course]:
    """Return the course of every (area, kind) that passages of outcome passed or corrections touch.

    A correction takes effect at the end of the window that contains its ts, in the order of (ts, id): a delta
    adds, an absolute replaces what was before. `kind` of the corrections must be filled in.
    """
    flows = _flows(passed, site)
    steps: dict[tuple[str, str], list[_Step]] = {}
    texts = (corrections[name].texts() for name in ("id", "area", "kind"))
    numbers = (corrections[name].tolist() for name in ("delta", "absolute"))
    for ts, _, area, kind, delta, absolute in sorted(zip(corrections["ts"].tolist(), *texts, *numbers, strict=True)):
        steps.setdefault((area, kind), []).append((ts, delta, absolute))
    return {key: _course(flows.get(key, _NO_FLOW), steps.get(key, [])) for key in sorted({*flows, *steps})}


def _course(flow: _Flow, steps: Sequence[_Step]) -> Course:
    """Add up the flow, then apply each correction to all that follows it."""
    step_windows = np.array([ts // WINDOW * WINDOW for ts, _, _ in steps], np.int64)
    windows = np.union1d(flow.windows, step_windows)
    change = np.zeros(len(windows), np.int64)
    change[np.searchsorted(windows, flow.windows)] = flow.net
    inside = np.cumsum(change)
    for (_, delta, absolute), at in zip(steps, np.searchsorted(windows, step_windows), strict=True):
        inside[at:] += delta if absolute == NONE else absolute - inside[at]
    return Course(windows, inside, flow.as_of)


def _flows(passed: Columns, site: Site) -> dict[tuple[str, str], _Flow]:
    """Let the passages of every cell enter the area that it leads to and depart from the one that it comes from."""
    names = [OUTSIDE, *(area.id for area in site.areas)]
    by_entrance = {name: passed[name] for name in ("entrance", "direction", "kind")}
    moved = group({**by_entrance, "window": passed["ts"] // WINDOW * WINDOW})
    inward = moved.keys["direction"].equal("in")
    outer = moved.keys["entrance"].each(lambda word: names.index(site.entrance(word).outer), np.int64)
    inner = moved.keys["entrance"].each(lambda word: names.index(site.entrance(word).inner), np.int64)
    area = np.concatenate([np.where(inward, inner, outer), np.where(inward, outer, inner)])
    kind, window, ts = (
        np.tile(each, 2) for each in (moved.keys["kind"].codes, moved.keys["window"], moved.newest(passed["ts"]))
    )
    change = np.concatenate([moved.sizes, -moved.sizes])
    counted = area != names.index(OUTSIDE)
    cells = group({"area": area[counted], "kind": kind[counted], "window": window[counted]})
    net, newest = cells.sum(change[counted]), cells.newest(ts[counted])
    flows = {}
    for pair in np.unique(np.stack([cells.keys["area"], cells.keys["kind"]]), axis=1).T:
        of_pair = (cells.keys["area"] == pair[0]) & (cells.keys["kind"] == pair[1])
        flow = _Flow(cells.keys["window"][of_pair], net[of_pair], int(newest[of_pair].max()))
        flows[names[pair[0]], passed["kind"].words[pair[1]]] = flow
    return flows
