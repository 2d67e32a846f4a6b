"""How far each log was stored as of a moment; pure. Read next: `past.py`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dashboards.wall.model.reading import LogRow
from dashboards.wall.replay.timeline import Moment
from streams.contract.events import Topic

REPLAY = "replay"
"""The cluster of the logs that a corrected replay makes up."""


class Progress(NamedTuple):
    """What a log's progress said from the real time `axis` on; times are real."""

    axis: int
    log: str
    cluster: str
    next_offset: int
    complete_to: int
    rejected: int


class Parked(NamedTuple):
    """From `since` up to before `until` (None: still) a log was complete to `complete_to` at most; real times."""

    log: str
    since: int
    until: int | None
    complete_to: int


@dataclass(slots=True)
class Logs:
    """The logs as the store's view `progress` had them."""

    parked: Sequence[Parked]
    _newest: dict[str, Progress] = field(default_factory=dict)

    def add(self, rows: Iterable[Progress]) -> None:
        """Take in rows in the order in which they were stored; an offset that is behind does not count."""
        for row in rows:
            before = self._newest.get(row.log)
            if before is None or before.next_offset <= row.next_offset:
                self._newest[row.log] = row

    def rows(self, real_ms: int) -> list[LogRow]:
        """Return every log as of a real time."""
        return [
            LogRow(row.log, row.cluster, row.rejected, min([row.complete_to, *self._held(row.log, real_ms)]))
            for row in self._newest.values()
        ]

    def _held(self, log: str, real_ms: int) -> list[int]:
        return [
            each.complete_to
            for each in self.parked
            if each.log == log and each.since <= real_ms and (each.until is None or real_ms < each.until)
        ]


def made_up(moment: Moment, rejected: int) -> list[LogRow]:
    """Return logs that are complete to a moment: what is known today of a past lags behind nothing."""
    topics = {Topic.TURNSTILES.value: rejected, Topic.ALARM_INPUTS.value: 0}
    return [LogRow(f"{REPLAY}/{topic}/0", REPLAY, number, moment.real) for topic, number in topics.items()]
