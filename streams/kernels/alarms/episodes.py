"""One alarm from raise to clear, with one id: it escalates, is acknowledged, repeated, shelved; read `rules` next."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from sinks.rows import Block
from streams.kernels.alarms.limits import Latch, LimitRule, highest

State = Literal["raised", "acknowledged", "shelved", "cleared-unacknowledged", "cleared"]
What = Literal["raised", "escalated", "deescalated", "repeated", "acknowledged", "shelved", "unshelved", "cleared"]


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode as of its newest change; times in ms of site time, None: has not happened.

    `change` counts its changes from 1. `value` is the figure at that change and `limit` the limit it is about, in
    `unit`; of a cleared one, the highest value and the limit of the highest level.
    """

    episode: str
    rule: str
    subject: str
    kind: str
    zone: str
    level: str
    state: State
    what: What
    change: int
    value: float
    limit: float
    unit: str
    raised_at: int
    changed_at: int
    acknowledged_at: int | None = None
    cleared_at: int | None = None
    actor: str = ""
    detail: str = ""

    @property
    def open(self) -> bool:
        """Whether it has not been cleared."""
        return self.cleared_at is None

    def acknowledged_late(self, *, at: int, actor: str) -> "Episode":
        """Acknowledge it after it was cleared."""
        return replace(
            self, state="cleared", what="acknowledged", change=self.change + 1, changed_at=at, acknowledged_at=at,
            actor=actor,
        )  # fmt: skip


@dataclass(slots=True)
class Alarm:
    """One rule at one subject: its latches, and the episode that is open."""

    rule: LimitRule
    subject: str
    kind: str = ""
    zone: str = ""
    latches: list[Latch] = field(default_factory=list)
    episode: Episode | None = None
    peak: float = 0.0
    told_at: int = 0  # ms; when somebody was last told
    shelved_until: int = 0

    def __post_init__(self) -> None:
        """Make a latch for each limit."""
        if not self.latches:
            self.latches = [Latch() for _ in self.rule.limits]

    def step(self, at: int, value: float | None, detail: str = "") -> Episode | None:
        """Take the value of a moment in; return the episode if it has changed."""
        if self.episode is None and value is not None and not self.rule.exceeds(value, self.rule.limits[0]):
            for latch in self.latches:  # what nearly always happens
                latch.since = None
            return None
        for latch, limit in zip(self.latches, self.rule.limits, strict=True):
            latch.step(at, value, self.rule, limit)
        number = highest(self.latches)
        if self.episode is None:
            return None if number is None or value is None else self._raise(at, value, number, detail)
        if number is None:
            return self._clear(at)
        return self._go_on(self.episode, at, value, number, detail)

    def command(self, action: str, at: int, actor: str, until: int = 0) -> Episode | None:
        """Acknowledge, shelve or unshelve the open episode; return it if that changed anything."""
        episode = self.episode
        if episode is None:
            return None
        if action == "ack" and episode.acknowledged_at is None:
            state: State = "shelved" if episode.state == "shelved" else "acknowledged"
            return self._tell(replace(episode, acknowledged_at=at, actor=actor, state=state), at, "acknowledged")
        if action == "shelve" and until > at:
            self.shelved_until = until
            return self._tell(replace(episode, actor=actor, state="shelved"), at, "shelved")
        if action == "unshelve" and self.shelved_until:
            self.shelved_until = 0
            return self._tell(replace(episode, actor=actor, state=_back(episode)), at, "unshelved")
        return None

    def _raise(self, at: int, value: float, number: int, detail: str) -> Episode:
        limit = self.rule.limits[number]
        self.peak, self.shelved_until = value, 0
        of = f"{self.subject}/{self.kind}" if self.kind else self.subject
        name = f"{self.rule.name}:{of}:{at}"
        episode = Episode(
            episode=name, rule=self.rule.name, subject=self.subject, kind=self.kind, zone=self.zone, level=limit.level,
            state="raised", what="raised", change=0, value=value, limit=limit.value, unit=self.rule.unit,
            raised_at=at, changed_at=at, detail=detail,
        )  # fmt: skip
        return self._tell(episode, at, "raised")

    def _go_on(self, episode: Episode, at: int, value: float | None, number: int, detail: str) -> Episode | None:
        limit = self.rule.limits[number]
        if value is not None:
            self.peak = max(self.peak, value)
        now = replace(episode, level=limit.level, limit=limit.value, detail=detail or episode.detail)
        if value is not None:
            now = replace(now, value=value)
        if self.shelved_until and at >= self.shelved_until:
            self.shelved_until = 0
            return self._tell(replace(now, state=_back(now)), at, "unshelved")
        if limit.value > episode.limit:  # worse than what was acknowledged
            state: State = "shelved" if self.shelved_until else "raised"
            return self._tell(replace(now, acknowledged_at=None, actor="", state=state), at, "escalated")
        if limit.value < episode.limit:
            return self._tell(now, at, "deescalated")
        if now.state == "raised" and at - self.told_at >= self.rule.repeat:
            return self._tell(now, at, "repeated")
        return None

    def _clear(self, at: int) -> Episode | None:
        if self.episode is None:
            return None
        done: State = "cleared-unacknowledged" if self.episode.acknowledged_at is None else "cleared"
        exceeded = [each for each in self.rule.limits if self.rule.exceeds(self.peak, each)]
        worst = exceeded[-1] if exceeded else self.rule.limits[0]
        cleared = replace(
            self.episode, state=done, cleared_at=at, value=self.peak, limit=worst.value, level=worst.level
        )
        told = self._tell(cleared, at, "cleared")
        self.episode, self.shelved_until = None, 0
        return told

    def _tell(self, episode: Episode, at: int, what: What) -> Episode:
        self.episode = replace(episode, what=what, change=episode.change + 1, changed_at=at)
        self.told_at = at
        return self.episode


def _back(episode: Episode) -> State:
    """Tell the state of an episode that is no longer shelved."""
    return "raised" if episode.acknowledged_at is None else "acknowledged"


COLUMNS: Final = tuple(each.name for each in fields(Episode))


def episode_rows(log: str, changes: Sequence[Episode]) -> Block:
    """Rows of changes of episodes."""
    columns: dict[str, list[Any]] = {name: [getattr(each, name) for each in changes] for name in COLUMNS}
    return Block("alarm_changes", {**columns, "log": [log] * len(changes)})
