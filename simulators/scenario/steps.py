"""What people and vehicles do at entrances, before it is known which lane they take; `people.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.scenario.day import PASSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from simulators.scenario.day import Floats, Ints


@dataclass(frozen=True, eq=False)
class Steps:
    """Attempts to go through an entrance, one row each; codes as in `day.Day`.

    `time` is in seconds after local midnight, `who` numbers the persons or vehicles from 0; a step whose
    `anonymous` is set carries no credential.
    """

    time: Floats
    who: Ints
    entrance: Ints
    direction: Ints
    category: Ints
    outcome: Ints
    reason: Ints
    temperature: Floats
    health: Ints
    anonymous: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.time)

    def take(self, rows: Any) -> Steps:  # noqa: ANN401 - whatever indexes an array
        """Return the steps of `rows` only."""
        return Steps(**{name: getattr(self, name)[rows] for name in _COLUMNS})

    def changed(self, **columns: npt.NDArray[Any]) -> Steps:
        """Return the steps with some columns exchanged."""
        return Steps(**({name: getattr(self, name) for name in _COLUMNS} | columns))


_COLUMNS = tuple(field.name for field in fields(Steps))


def passed(*, time: Floats, who: Ints, entrance: Ints, direction: Ints, category: Ints) -> Steps:
    """Return steps that all led through the entrance, with a credential and nothing measured."""
    size = len(time)
    return Steps(
        time=time,
        who=who,
        entrance=entrance,
        direction=direction,
        category=category,
        outcome=np.full(size, PASSED),
        reason=np.zeros(size, np.int64),
        temperature=np.full(size, np.nan),
        health=np.zeros(size, np.int64),
        anonymous=np.zeros(size, bool),
    )


def joined(parts: Iterable[Steps]) -> Steps:
    """Return all steps of `parts`, one part after the other."""
    known = list(parts)
    return Steps(**{name: np.concatenate([getattr(part, name) for part in known]) for name in _COLUMNS})
