"""Finds the gates and hall doors of a site that an expo's people can use; next: `people.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulators.scenario.scenario import UnfitSiteError

if TYPE_CHECKING:
    from simulators.scenario.day import Floats, Ints, SiteCodes


class NotAnExpoError(UnfitSiteError):
    """The site is not laid out as an expo: gates from outside into one concourse, and doors from it to halls."""


@dataclass(frozen=True, eq=False)
class Gates:
    """Entrance codes of the gates, and of the doors of each hall (one row a hall, `door_count` of them valid).

    Some are more popular than others: `gate_weights` and `hall_weights`.
    """

    gates: Ints
    gate_weights: Floats
    doors: Ints
    door_count: Ints
    hall_weights: Floats


def find_gates(names: SiteCodes, rng: np.random.Generator) -> Gates:
    """Return the way into the site and its halls; raises `NotAnExpoError` for another layout."""
    entrances = [each for each in names.site.entrances if each.kind == "person"]
    concourse = {each.inner for each in entrances if each.boundary}
    if len(concourse) != 1 or any(not each.boundary and each.outer not in concourse for each in entrances):
        raise NotAnExpoError(
            f"site {names.site.id}: the person entrances from outside lead to "
            f"{', '.join(sorted(concourse)) or 'nowhere'}; expected one concourse, and doors from it to halls: "
            "use the scenario that fits the profile"
        )
    code = {each.id: number for number, each in enumerate(names.site.entrances)}
    gates = np.array([code[each.id] for each in entrances if each.boundary], np.int64)
    halls: dict[str, list[int]] = {}
    for each in entrances:
        if not each.boundary:
            halls.setdefault(each.inner, []).append(code[each.id])
    most = max(map(len, halls.values()), default=0)
    return Gates(
        gates=gates,
        gate_weights=names.lanes[gates] * rng.uniform(0.75, 1.25, len(gates)),
        doors=np.array([doors + doors[:1] * (most - len(doors)) for doors in halls.values()], np.int64),
        door_count=np.array([len(doors) for doors in halls.values()], np.int64),
        hall_weights=rng.uniform(0.85, 1.1, len(halls)),
    )
