"""The site as a whole, from the totals of every log: the newest of each (log, entrance) counts, in any order of arrival."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class EntranceTotal(Protocol):
    """One direction and category of an entrance's totals."""

    direction: str
    category: str
    passages: int


class EntranceFigures(Protocol):
    """What a log says of an entrance: absolute, newest where `version` is highest."""

    log: str
    version: int
    entrance: str
    kind: str
    missing: int
    last_ts: int | None

    @property
    def totals(self) -> Iterable[EntranceTotal]:
        """Passages by direction and category."""


@dataclass(slots=True)
class Venue:
    """Newest figures by (log, entrance), and their sums over the logs."""

    newest: dict[tuple[str, str], EntranceFigures] = field(default_factory=dict)

    def update(self, figures: EntranceFigures) -> bool:
        """Take figures in; False if something as new was known."""
        key = (figures.log, figures.entrance)
        known = self.newest.get(key)
        if known is not None and known.version >= figures.version:
            return False
        self.newest[key] = figures
        return True

    def passages(self) -> Mapping[tuple[str, str, str], int]:
        """Sum passages by (entrance, direction, kind)."""
        answer: Counter[tuple[str, str, str]] = Counter()
        for figures in self.newest.values():
            for total in figures.totals:
                answer[figures.entrance, total.direction, figures.kind] += total.passages
        return answer

    def missing(self) -> Mapping[str, int]:
        """Sum missing events by entrance."""
        answer: Counter[str] = Counter()
        for figures in self.newest.values():
            answer[figures.entrance] += figures.missing
        return answer

    def last_ts(self) -> Mapping[str, int]:
        """Tell the newest event time (ms UTC) by entrance; entrances without events are left out."""
        answer: dict[str, int] = {}
        for figures in self.newest.values():
            if figures.last_ts is not None:
                answer[figures.entrance] = max(figures.last_ts, answer.get(figures.entrance, 0))
        return answer
