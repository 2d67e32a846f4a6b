"""The type `Notice`: one change of one alarm episode, and its plain form for webhooks and the outbox."""

from dataclasses import asdict, fields
from typing import Any, Final

import msgspec

from dashboards.messages.alarm_words import rank
from streams.kernels.alarms.episodes import Episode

PLATFORM: Final = "platform"
"""The rule, and the route, of alarms about gatepulse itself."""

_WRITTEN_AS: Final = {
    "episode": "alarm", "what": "state", "state": "episode_state", "raised_at": "raised_ms",
    "changed_at": "changed_ms", "acknowledged_at": "acknowledged_ms", "cleared_at": "cleared_ms",
}  # fmt: skip
_EPISODE: Final = {each.name: _WRITTEN_AS.get(each.name, each.name) for each in fields(Episode)}
_IF_LEFT_OUT: Final = {
    "subject": "", "kind": "", "zone": "", "value": 0.0, "limit": 0.0, "unit": "", "state": "raised",
}  # fmt: skip


class OwnWords(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an alarm of the platform says of itself: a sentence, and what to do."""

    zh: str = ""
    en: str = ""
    todo_zh: str = ""
    todo_en: str = ""


class Notice(msgspec.Struct, frozen=True):
    """One change of one episode, sent once to each robot; `own` are the words of an alarm of the platform."""

    episode: Episode
    own: OwnWords | None = None

    @property
    def over(self) -> bool:
        """Whether the episode is over."""
        return not self.episode.open

    @property
    def severity(self) -> int:
        """How much it matters: 0 for an end, then by level."""
        return 0 if self.over else 1 + rank(self.episode.level)


def to_plain(notice: Notice) -> dict[str, Any]:
    """Write a notice as webhooks get it: times in ms, `alarm` and `change` are its identity; empty fields left out."""
    of = asdict(notice.episode)
    plain = {written: of[name] for name, written in _EPISODE.items() if of[name] not in {None, ""}}
    if notice.own is None:
        return plain
    del plain["value"], plain["limit"]
    return {**plain, **msgspec.to_builtins(notice.own)}


def from_plain(plain: dict[str, Any]) -> Notice:
    """Undo `to_plain`; what a version before wrote is read, too. Raises msgspec.ValidationError."""
    of = {name: plain[written] for name, written in _EPISODE.items() if plain.get(written) is not None}
    if of.get("what") == "cleared":
        of = {"state": "cleared", "cleared_at": of.get("changed_at")} | of
    own = msgspec.convert(plain, OwnWords) if plain.get("rule") == PLATFORM else None
    return Notice(msgspec.convert(_IF_LEFT_OUT | of, Episode), own)
