"""Turns passages of entrances, minute by minute, into flows into and out of areas; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from streams.kernels.counts.calendar import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from streams.kernels.forecast.paths import Floats
    from streams.site.model import Site
    from streams.text import Kind

AreaKind: TypeAlias = "tuple[str, Kind]"
"""An area and what is counted there; the site itself is an area of its own id."""
Courses: TypeAlias = "Mapping[tuple[str, str], Floats]"
"""Passages in each of some minutes by (entrance, direction)."""


def courses(columns: Mapping[str, Sequence[object] | npt.NDArray[np.int64]], *, start: int, minutes: int) -> Courses:
    """Lay out rows (minute in ms, entrance, direction, passages) as a course each, from `start` (ms) on."""
    laid_out: dict[tuple[str, str], Floats] = {}
    at = (np.asarray(columns["minute"], np.int64) - start) // MINUTE_MS
    for place, entrance, direction, passages in zip(
        at.tolist(), columns["entrance"], columns["direction"], columns["passages"], strict=True
    ):
        if 0 <= place < minutes:
            course = laid_out.setdefault((str(entrance), str(direction)), np.zeros(minutes))
            course[place] += passages
    return laid_out


def capacities(site: Site) -> dict[AreaKind, int]:
    """Return the approved capacity of every area that has one, and of the site."""
    areas: dict[AreaKind, int] = {
        (area.id, kind): capacity for area in site.areas for kind, capacity in area.capacity.items()
    }
    return areas | {(site.id, kind): capacity for kind, capacity in site.capacity.items()}


def flows(site: Site, passed: Courses, *, minutes: int) -> dict[AreaKind, tuple[Floats, Floats]]:
    """Return (entered, departed) in each minute for every area with a capacity."""
    found = {area: (np.zeros(minutes), np.zeros(minutes)) for area in capacities(site)}
    for entrance in site.entrances:
        inwards, outwards = (passed.get((entrance.id, direction), 0.0) for direction in ("in", "out"))
        for area in ((entrance.inner, entrance.kind), *([(site.id, entrance.kind)] if entrance.boundary else [])):
            _add(found.get(area), inwards, outwards)
        _add(found.get((entrance.outer, entrance.kind)), outwards, inwards)
    return found


def _add(flow: tuple[Floats, Floats] | None, entered: Floats | float, departed: Floats | float) -> None:
    if flow is not None:
        flow[0][:] += entered
        flow[1][:] += departed


def site_total(site: Site, inside: Mapping[AreaKind, int]) -> dict[AreaKind, int]:
    """Add the site itself: what is inside all its areas."""
    totals: dict[AreaKind, int] = {}
    for (_, kind), count in inside.items():
        totals[site.id, kind] = totals.get((site.id, kind), 0) + count
    return totals | dict(inside)
