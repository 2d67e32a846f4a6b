"""The wire format of live counts, in columns: a backlog has nearly as many cells as events."""

from collections.abc import Iterable
from dataclasses import dataclass

from streams.kernels.counts.interner import Interner

PublishedCell = tuple[int, str, int, int]
"""Second, entrance, measure, count: a cell as it was published before there were columns."""
PublishedLane = tuple[str, str, int, int, int]
"""Device, entrance, last, events, entered; see live.Lane."""


@dataclass(frozen=True, slots=True)
class LiveCells:
    """Absolute counts of n cells, a column each: the measure `measure[i]` of one second at one entrance.

    Seconds are counted from `first`, entrances are numbers of names in `entrances`. Raises ValueError if the columns
    are not equally long.
    """

    first: int
    entrances: list[str]
    second: list[int]
    entrance: list[int]
    measure: list[int]
    count: list[int]

    def __post_init__(self) -> None:
        """See that each cell has all its values."""
        if not len(self.second) == len(self.entrance) == len(self.measure) == len(self.count):
            lengths = {name: len(getattr(self, name)) for name in ("second", "entrance", "measure", "count")}
            raise ValueError(f"cells: the columns are {lengths} long; expected the same length of each")

    def __len__(self) -> int:
        """Count the cells."""
        return len(self.count)

    @classmethod
    def of(cls, cells: Iterable[PublishedCell]) -> "LiveCells":
        """Put cells into columns."""
        names = Interner()
        rows = [(second, names[entrance], measure, count) for second, entrance, measure, count in cells]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        return cls(0, names.listed, *columns)

    def part(self, start: int, end: int | None = None) -> "LiveCells":
        """Keep the cells from a place up to before another."""
        columns = (self.second, self.entrance, self.measure, self.count)
        return LiveCells(self.first, self.entrances, *(column[start:end] for column in columns))
