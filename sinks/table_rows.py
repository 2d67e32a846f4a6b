"""The protocol of what a sink accepts: rows of one table, in columns; implemented by `streams.kernels`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class CodedColumn(Protocol):
    """A column of texts of which few are different: row i has `names[codes[i]]`; a frozen dataclass."""

    @property
    def codes(self) -> np.ndarray[Any, Any]:
        """A place in `names` for each row; whole numbers."""

    @property
    def names(self) -> Sequence[str]:
        """The different texts."""

    def __len__(self) -> int:
        """Count the rows."""

    def tolist(self) -> list[str]:
        """Return the texts themselves."""


ColumnValues = Sequence[Any] | np.ndarray[Any, Any] | CodedColumn
"""The values of one column, one per row; None is NULL, and so is NaN in an array of floats."""


class TableRows(Protocol):
    """Rows for one table: every column of the table, all of one length; a frozen dataclass."""

    @property
    def table(self) -> str:
        """A name in `rows.TABLES`."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """The `ColumnValues` of each name."""
