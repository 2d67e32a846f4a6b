"""The steps of people and vehicles at entrances, before each has a lane; `people.py` makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from simulators.scenario.day import PASSED, Coded, Floats, Ints, Optional


@dataclass(frozen=True, eq=False)
class Steps:
    """Attempts to go through an entrance, one row each; codes as in `day.Day`.

    `optional` as there. `time` is in seconds after local midnight, `who` numbers the persons or vehicles from 0; a
    step whose `anonymous` is set carries no credential.
    """

    time: Floats
    who: Ints
    entrance: Ints
    direction: Ints
    category: Ints
    outcome: Ints
    anonymous: npt.NDArray[np.bool_]
    optional: Mapping[str, Optional] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: Any) -> Self:  # noqa: ANN401 - whatever indexes an array
        """Return the steps of `rows` only."""
        optional = {name: column[rows] for name, column in self.optional.items()}
        return replace(self, optional=optional, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def reads(self, name: str, word: str) -> npt.NDArray[np.bool_]:
        """Return which steps have this word in an optional field."""
        column = self.optional.get(name)
        return column.equal(word) if isinstance(column, Coded) else np.zeros(len(self), bool)

    def with_optional(self, **optional: Optional) -> Self:
        """Return the steps with optional fields of the contract exchanged or added."""
        return replace(self, optional={**self.optional, **optional})


_COLUMNS = tuple(each.name for each in fields(Steps) if each.name != "optional")


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
        anonymous=np.zeros(size, bool),
    )


def joined(parts: Sequence[Steps]) -> Steps:
    """Return all steps of `parts`, one part after the other; optional texts have the same `words` in all of them."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    sorts = {name: column for part in parts for name, column in part.optional.items()}
    return Steps(**columns, optional={name: _joined(name, sort, parts) for name, sort in sorts.items()})


def _joined(name: str, sort: Optional, parts: Sequence[Steps]) -> Optional:
    """Join an optional column of the `sort` given; a part that lacks it has no values there."""
    none = -1 if isinstance(sort, Coded) else np.nan
    columns = [part.optional.get(name, np.full(len(part), none)) for part in parts]
    values = np.concatenate([each.codes if isinstance(each, Coded) else each for each in columns])
    if not isinstance(sort, Coded):
        return values
    if any(each.words is not sort.words for each in columns if isinstance(each, Coded)):
        raise ValueError(f"{name}: give all parts the same list of words")
    return Coded(values, sort.words)
