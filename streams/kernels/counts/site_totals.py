"""Adds up the totals of all partitions; the newest version of each (log, entrance) counts, in any order of arrival."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Total:
    """What one log has counted at an entrance for one direction and category, since the log began."""

    direction: str
    category: str
    passages: int


@dataclass(frozen=True, slots=True)
class EntranceTotals:
    """What one log says of an entrance: absolute, and newest where `version` is highest; times in ms UTC."""

    log: str
    version: int
    entrance: str
    kind: str
    totals: list[Total]
    missing: int
    last_ts: int | None


@dataclass(slots=True)
class SiteTotals:
    """Newest totals by (log, entrance), and their sums over the logs; any thread may read the sums."""

    newest: dict[tuple[str, str], EntranceTotals] = field(default_factory=dict)

    def update(self, totals: EntranceTotals) -> bool:
        """Take totals in; False if something as new was known."""
        key = (totals.log, totals.entrance)
        known = self.newest.get(key)
        if known is not None and known.version >= totals.version:
            return False
        self.newest[key] = totals
        return True

    def passages(self) -> Mapping[tuple[str, str, str], int]:
        """Sum passages by (entrance, direction, kind)."""
        answer: Counter[tuple[str, str, str]] = Counter()
        for totals in list(self.newest.values()):
            for total in totals.totals:
                answer[totals.entrance, total.direction, totals.kind] += total.passages
        return answer

    def missing(self) -> Mapping[str, int]:
        """Sum missing events by entrance."""
        answer: Counter[str] = Counter()
        for totals in list(self.newest.values()):
            answer[totals.entrance] += totals.missing
        return answer

    def last_ts(self) -> Mapping[str, int]:
        """Tell the newest event time (ms UTC) by entrance; entrances without events are left out."""
        answer: dict[str, int] = {}
        for totals in list(self.newest.values()):
            if totals.last_ts is not None:
                answer[totals.entrance] = max(totals.last_ts, answer.get(totals.entrance, 0))
        return answer
