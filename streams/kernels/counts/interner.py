"""Interns strings as small integers, in the order of their first use: the same numbers again after a replay."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from streams.kernels.counts.batch import Ints

UNLIMITED: Final = 1 << 62


class TooManyNamesError(ValueError):
    """A log mentions more different names than a packed key can tell apart; split the site into several."""


class Interner(dict[str, int]):
    """Numbers by name; `listed` has the names by number."""

    def __init__(self, listed: Iterable[str] = (), *, limit: int = UNLIMITED) -> None:
        self.listed: list[str] = []
        self.limit = limit
        for name in listed:
            self[name]  # looking a new name up gives it its number

    def __missing__(self, name: str) -> int:
        """Give a new name the next number."""
        number = len(self.listed)
        if number >= self.limit:
            raise TooManyNamesError(f"one more name would be number {number + 1} of at most {self.limit}")
        self.listed.append(name)
        self[name] = number
        return number

    def numbers(self, names: Sequence[str]) -> Ints:
        """Look many names up."""
        return np.fromiter(map(self.__getitem__, names), dtype=np.int64, count=len(names))

    def names(self, numbers: Ints) -> list[str]:
        """Name many numbers."""
        listed = self.listed
        return [listed[number] for number in numbers.tolist()]
