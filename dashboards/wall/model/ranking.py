"""Ranks the entrances by flow, with each entrance's own completeness; pure. Read next: `snapshot.py`."""

from collections import Counter
from itertools import groupby

import msgspec

from dashboards.wall.model.figures import EntranceNow, Group, WaitNow
from dashboards.wall.model.rows import FLOW_MINUTES, HOUR, MINUTE, FlowRow, WallRows
from streams.site.model import Entrance, Site

OLDEST_QUEUE_MS = 3 * MINUTE
"""Site time after which the estimate of a queue is too old to be shown."""

_NONE = FlowRow("", "", 0, 0, 0, 0, 0)


def ranked_entrances(rows: WallRows, site: Site, *, quiet_from: int | None) -> list[EntranceNow]:
    """Return every entrance, in the order of each group by its flow, then by the day's total, then as in the profile.

    Equals share a rank. Entrances without any event come last and have no rank.
    A lane is silent when its newest event is older than `quiet_from` (site time); None judges no lane, since
    outside opening hours silence means nothing.
    """
    found = _RowsByEntrance(rows)
    entrances = [found.entrance(each, quiet_from) for each in site.entrances]
    ordered = sorted(entrances, key=lambda row: (row.group, [-weight for weight in _weight(row)]))
    ranked: list[EntranceNow] = []
    for _, group in groupby(ordered, key=lambda row: row.group):
        place, before = 0, None
        for position, row in enumerate(group, start=1):
            if _weight(row) != before:
                place, before = position, _weight(row)
            ranked.append(msgspec.structs.replace(row, rank=None if row.today_in is None else place))
    return ranked


def _weight(row: EntranceNow) -> tuple[float, int]:
    if row.flow_in is None or row.flow_out is None or row.today_in is None or row.today_out is None:
        return (-1.0, -1)
    return (round(row.flow_in + row.flow_out, 6), row.today_in + row.today_out)


class _RowsByEntrance:
    """The rows of one round, by entrance."""

    def __init__(self, rows: WallRows) -> None:
        self._end = rows.span.end
        self._totals = {(row.entrance, row.direction): row.passages for row in rows.totals}
        self._flows = {(row.entrance, row.direction): row for row in rows.flows}
        fresh = [row for row in rows.queues if abs(rows.span.end - row.at) <= OLDEST_QUEUE_MS]
        self._queues = {row.entrance: row for row in fresh}
        self._last = {row.device: row.last_ts for row in rows.devices}
        self._missing = Counter[str]()
        for row in rows.devices:
            self._missing[row.entrance] += row.missing

    def entrance(self, entrance: Entrance, quiet_from: int | None) -> EntranceNow:
        name = entrance.id
        known = [self._last[lane] for lane in entrance.lanes if lane in self._last]
        counted = (name, "in") in self._totals or (name, "out") in self._totals
        group: Group = entrance.kind if entrance.boundary else "inner"
        without_events = EntranceNow(id=name, kind=entrance.kind, group=group, lanes=len(entrance.lanes))
        if not (known or counted or name in self._missing):
            return without_events
        silent = sum(quiet_from is not None and last < quiet_from for last in known)
        into, out_of = (self._flows.get((name, direction), _NONE) for direction in ("in", "out"))
        first_used = min((row.first for row in (into, out_of) if row.hour), default=self._end - HOUR)
        queue = self._queues.get(name)
        return msgspec.structs.replace(
            without_events,
            minute_in=into.minute,
            minute_out=out_of.minute,
            flow_in=into.flow / FLOW_MINUTES,
            flow_out=out_of.flow / FLOW_MINUTES,
            average=(into.hour + out_of.hour) * MINUTE / (self._end - first_used),
            today_in=self._totals.get((name, "in"), 0),
            today_out=self._totals.get((name, "out"), 0),
            newest_ms=max(known, default=None),
            heard=len(known) - silent,
            silent=silent,
            open_lanes=queue and queue.lanes,
            wait=None if queue is None or queue.wait is None else WaitNow(queue.wait, queue.low, queue.high),
            missing=self._missing[name],
        )
