"""The ranking of entrances by flow, with each entrance's own completeness; pure. Read next: `snapshot.py`."""

from collections.abc import Iterable
from itertools import groupby

import msgspec

from dashboards.wall.figures import EntranceNow
from dashboards.wall.reading import MINUTE, Reading
from streams.site import Entrance, Site


def rank(entrances: Iterable[EntranceNow]) -> list[EntranceNow]:
    """Order each group by its flow, then by the day's total, then as in the profile; equals share a rank.

    Entrances that were never heard come last and have no rank.
    """
    ordered = sorted(entrances, key=lambda row: (row.group, [-weight for weight in _weight(row)]))
    ranked: list[EntranceNow] = []
    for _, group in groupby(ordered, key=lambda row: row.group):
        place, before = 0, None
        for position, row in enumerate(group, start=1):
            if _weight(row) != before:
                place, before = position, _weight(row)
            ranked.append(msgspec.structs.replace(row, rank=None if row.today_in is None else place))
    return ranked


def entrances_of(reading: Reading, site: Site, *, quiet_from: int | None) -> list[EntranceNow]:
    """Draw every entrance of the profile, in its order.

    A lane is silent when its newest event is older than `quiet_from` (site time); None judges no lane, since
    outside opening hours silence says nothing.
    """
    rows = _Rows(reading)
    return [rows.draw(entrance, quiet_from) for entrance in site.entrances]


def unheard(entrance: Entrance) -> EntranceNow:
    """Draw an entrance that nothing is known of."""
    group = entrance.kind if entrance.boundary else "inner"
    return EntranceNow(id=entrance.id, kind=entrance.kind, group=group, lanes=len(entrance.lanes))


def _weight(row: EntranceNow) -> tuple[float, int]:
    if row.flow_in is None or row.flow_out is None or row.today_in is None or row.today_out is None:
        return (-1.0, -1)
    return (round(row.flow_in + row.flow_out, 6), row.today_in + row.today_out)


class _Rows:
    """The rows of a reading, found by entrance."""

    def __init__(self, reading: Reading) -> None:
        self._minutes = (reading.span.end - reading.span.flow_start) / MINUTE
        self._totals = {(row.entrance, row.direction): row.passages for row in reading.totals}
        self._flows = {(row.entrance, row.direction): row.passages for row in reading.flows}
        self._last = {row.device: row.last_ts for row in reading.devices}
        self._missing: dict[str, int] = {}
        for row in reading.devices:
            self._missing[row.entrance] = self._missing.get(row.entrance, 0) + row.missing

    def draw(self, entrance: Entrance, quiet_from: int | None) -> EntranceNow:
        name = entrance.id
        known = [self._last[lane] for lane in entrance.lanes if lane in self._last]
        counted = (name, "in") in self._totals or (name, "out") in self._totals
        if not (known or counted or name in self._missing):
            return unheard(entrance)
        silent = sum(quiet_from is not None and last < quiet_from for last in known)
        return msgspec.structs.replace(
            unheard(entrance),
            flow_in=self._flows.get((name, "in"), 0) / self._minutes,
            flow_out=self._flows.get((name, "out"), 0) / self._minutes,
            today_in=self._totals.get((name, "in"), 0),
            today_out=self._totals.get((name, "out"), 0),
            heard=len(known) - silent,
            silent=silent,
            missing=self._missing.get(name, 0),
        )
