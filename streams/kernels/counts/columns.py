"""Columns of texts as small integers, and blocks of rows of one table, which the kernels put out; read `rows` next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from streams.kernels.lines.texts import PackedTexts

_Ints = NDArray[np.int64]


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

    def numbers(self, names: "Sequence[str] | DictColumn") -> _Ints:
        """Look many names up; new ones get their numbers in the order of the rows."""
        if isinstance(names, DictColumn):
            return names.numbered(self)
        return np.fromiter(map(self.__getitem__, names), dtype=np.int64, count=len(names))

    def names(self, numbers: _Ints) -> list[str]:
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
    def of(cls, texts: Iterable[str]) -> "DictColumn":
        """Put texts into a column."""
        names = Interner()
        return cls(np.fromiter(map(names.__getitem__, texts), np.int64), names.listed)

    @classmethod
    def joined(cls, parts: "Sequence[DictColumn]") -> "DictColumn":
        """Append columns; names that no row has are left out."""
        names = Interner()
        codes = [part.numbered(names) for part in parts]
        return cls(np.concatenate(codes), names.listed)

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

    def take(self, rows: _Ints | slice) -> "DictColumn":
        """Keep some rows."""
        return DictColumn(self.codes[rows], self.names)

    def has(self, name: str) -> NDArray[np.bool_]:
        """Tell which rows have this text."""
        codes = [code for code, each in enumerate(self.names) if each == name]
        return np.isin(self.codes, codes)

    def numbered(self, names: Interner) -> _Ints:
        """Return each row's number in `names`; new names get theirs in the order of the rows."""
        used, first, at = np.unique(self.codes, return_index=True, return_inverse=True)
        numbers = np.zeros(len(used), np.int64)
        for place in np.argsort(first).tolist():
            numbers[place] = names[self.names[used[place]]]
        return numbers[at]

    def tolist(self) -> list[str]:
        """Return the texts themselves."""
        return [self.names[code] for code in self.codes.tolist()]


Column: TypeAlias = "Sequence[Any] | np.ndarray[Any, Any] | DictColumn | PackedTexts"
"""The values of one column, one per row; None is NULL, and so is NaN in an array of floats."""


@dataclass(frozen=True)
class Block:
    """Rows for one table, column by column: every column of the table, all of one length."""

    table: str
    columns: Mapping[str, Column]
