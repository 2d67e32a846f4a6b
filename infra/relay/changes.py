"""Decodes the records of the topic `alarms`, and selects what is announced of a topic that is read as a whole."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from dashboards.messages.notice import Notice
from streams.kernels.alarms.episodes import Episode

log = structlog.get_logger(__name__)

MOST_OPEN: Final = 200
"""Open episodes of which robots know nothing that are announced at most, the gravest and newest."""
_MOST: Final = 1 << 53
"""Whole numbers up to here are exact in JSON and fit SQLite; as a time in ms it is in 287 thousand years."""
_decode = msgspec.json.Decoder(Episode).decode


class ChangeError(ValueError):
    """A record is no change of an episode; the message says why."""

    quotes_events = True


def read_change(value: bytes) -> Notice:
    """Decode a record. Raises ChangeError also for what could be decoded, and neither stored nor put into words."""
    try:
        episode = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChangeError(str(error)) from error
    if not (episode.episode and episode.rule and episode.level):
        raise ChangeError("expected an episode with its rule and its level")
    times = (episode.raised_at, episode.changed_at, episode.acknowledged_at or 0, episode.cleared_at or 0)
    if not (1 <= episode.change <= _MOST and all(0 <= each <= _MOST for each in times)):
        raise ChangeError("expected a change from 1 on, and times in ms since 1970")
    return Notice(episode)


@dataclass
class NewestChanges:
    """Of each episode the change with the highest number, wherever it stands in the topic.

    A worker that resumes at its checkpoint publishes again what it had published; one that was thought dead may append
    an old change behind the end. `unfinished`: the episodes whose end robots still have to hear of.
    """

    unfinished: Collection[str]
    _numbers: dict[str, int] = field(default_factory=dict)
    _newest: dict[str, Notice] = field(default_factory=dict)

    def note(self, notice: Notice) -> None:
        """Take the next change of the topic in."""
        name, change = notice.episode.episode, notice.episode.change
        if change < self._numbers.get(name, 0):
            return
        self._numbers[name] = change
        self._newest.pop(name, None)
        if not notice.over or name in self.unfinished:
            self._newest[name] = notice

    def announced(self) -> list[Notice]:
        """Return what is to be sent, in order of time: all of known episodes, and the gravest of those not known."""
        known = [each for name, each in self._newest.items() if name in self.unfinished]
        unknown = [each for name, each in self._newest.items() if name not in self.unfinished]
        unknown.sort(key=lambda each: (each.severity, each.episode.changed_at), reverse=True)
        if len(unknown) > MOST_OPEN:
            log.warning("more episodes are open than are announced", open=len(unknown), announced=MOST_OPEN)
        return sorted(known + unknown[:MOST_OPEN], key=lambda each: each.episode.changed_at)
