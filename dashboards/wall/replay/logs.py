"""Up to which time each log was stored, as of a moment; pure. Read next: `state.py`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboards.wall.model.rows import LogRow
from dashboards.wall.replay.timeline import Moment
from streams.contract.events import Topic

REPLAY = "replay"
"""The cluster of the logs of a corrected replay, which are not stored anywhere."""


class ProgressRow(NamedTuple):
    """The progress of a log from the real time `axis` on; times are real."""

    axis: int
    log: str
    cluster: str
    next_offset: int
    complete_to: int
    rejected: int


class ParkedInterval(NamedTuple):
    """From `since` up to before `until` (None: still) a log was complete to `complete_to` at most; real times."""

    log: str
    since: int
    until: int | None
    complete_to: int


@dataclass(slots=True)
class LogProgress:
    """The progress of all logs, as the store's view `progress` returned it at each moment."""

    parked: Sequence[ParkedInterval]
    _newest: dict[str, ProgressRow] = field(default_factory=dict)

    def add(self, rows: Iterable[ProgressRow]) -> None:
        """Add rows in the order in which they were stored; a row with a lower offset than before is ignored."""
        for row in rows:
            before = self._newest.get(row.log)
            if before is None or before.next_offset <= row.next_offset:
                self._newest[row.log] = row

    def rows(self, real_ms: int) -> list[LogRow]:
        """Return every log as of a real time."""
        return [
            LogRow(row.log, row.cluster, row.rejected, min([row.complete_to, *self._parked(row.log, real_ms)]))
            for row in self._newest.values()
        ]

    def _parked(self, log: str, real_ms: int) -> list[int]:
        return [
            each.complete_to
            for each in self.parked
            if each.log == log and each.since <= real_ms and (each.until is None or real_ms < each.until)
        ]


def complete_logs(moment: Moment, rejected: int) -> list[LogRow]:
    """Return logs that are complete to a moment: data known today have no delay."""
    topics = {Topic.TURNSTILES.value: rejected, Topic.ALARM_INPUTS.value: 0}
    return [LogRow(f"{REPLAY}/{topic}/0", REPLAY, number, moment.real) for topic, number in topics.items()]
