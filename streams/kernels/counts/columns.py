"""Columns of texts as small integers, and blocks of rows of one table, which the kernels put out; read `rows` next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streams.kernels.counts.batch import Ints


class TooManyNamesError(ValueError):
    """A log mentions more different names than a packed key can tell apart; split the site into several."""


class Interner(dict[str, int]):
    """Numbers by name, in the order of their first use, so the same after a replay; `listed`: the names by number."""

    def __init__(self, listed: Iterable[str] = (), *, limit: int = 1 << 62) -> None:
        self.listed: list[str] = []
        self.limit = limit
        for name in listed:
            self[name]  # looking a new name up gives it its number

    def __missing__(self, name: str) -> int:
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


@dataclass(frozen=True)
class DictColumn:
    """A column of texts of which few are different: row i has `names[codes[i]]`."""

    codes: np.ndarray[Any, Any]
    names: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.codes) and not 0 <= self.codes.min() <= self.codes.max() < len(self.names):
            found = f"{self.codes.min()} to {self.codes.max()}"
            raise ValueError(f"codes are {found} and there are {len(self.names)} names: give each code its name")

    @classmethod
    def same(cls, name: str, rows: int) -> "DictColumn":
        """Return a column that has one text in every row."""
        return cls(np.zeros(rows, dtype=np.uint8), [name])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def tolist(self) -> list[str]:
        """Return the texts themselves."""
        return [self.names[code] for code in self.codes.tolist()]


Column = Sequence[Any] | np.ndarray[Any, Any] | DictColumn
"""The values of one column, one per row; None is NULL, and so is NaN in an array of floats."""


@dataclass(frozen=True)
class Block:
    """Rows for one table, column by column: every column of the table, all of one length."""

    table: str
    columns: Mapping[str, Column]
