"""The state machine of an alarm episode: raised, escalated, acknowledged, shelved, cleared; read `silence` next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from streams.kernels.alarms.rules import LEVELS, AlarmLimit, LimitRule
from streams.kernels.counts.columns import Block

State = Literal["raised", "acknowledged", "shelved", "cleared-unacknowledged", "cleared"]
What = Literal["raised", "escalated", "deescalated", "repeated", "acknowledged", "shelved", "unshelved", "cleared"]


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode as of its newest change; times in ms of site time, None: has not happened.

    `change` counts its changes from 1. `value` is the figure at that change and `limit` the limit it is about, in
    `unit`; of a cleared one, its highest value and worst level.
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
class Latch:
    """One limit of one alarm: `holds`, and since when (ms) the value has been on the other side."""

    holds: bool = False
    since: int | None = None

    def step(self, at: int, value: float | None, rule: LimitRule, limit: AlarmLimit) -> None:
        """Take the value of a moment in; None, an unknown value, changes nothing."""
        opposite = value is not None and (rule.below(value, limit) if self.holds else rule.exceeds(value, limit))
        if not opposite:
            self.since = None
            return
        self.since = at if self.since is None else self.since
        if at - self.since >= (rule.off_delay if self.holds else rule.on_delay):
            self.holds, self.since = not self.holds, None

    @property
    def idle(self) -> bool:
        """Whether nothing holds, and the value is not beyond the limit."""
        return not self.holds and self.since is None


def highest(latches: list[Latch]) -> int | None:
    """Tell which limit is the highest that holds; None: none does."""
    for number in range(len(latches) - 1, -1, -1):
        if latches[number].holds:
            return number
    return None


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
    worst: int = 0  # number of the highest limit that has held in this episode
    notified_at: int = 0  # ms; when somebody was last notified
    shelved_until: int = 0

    def __post_init__(self) -> None:
        if not self.latches:
            self.latches = [Latch() for _ in self.rule.limits]

    def step(self, at: int, value: float | None) -> Episode | None:
        """Take the value of a moment in; return the episode if it has changed."""
        if self.episode is None and value is not None and not self.rule.exceeds(value, self.rule.limits[0]):
            for latch in self.latches:  # what nearly always happens
                latch.since = None
            return None
        for limit, latch in self.judged():
            latch.step(at, value, self.rule, limit)
        number = highest(self.latches)
        if self.episode is None:
            return None if number is None or value is None else self._raise(at, value, number)
        if number is None:
            return self._clear(self.episode, at)
        return self._go_on(self.episode, at, value, number)

    def judged(self) -> Iterator[tuple[AlarmLimit, Latch]]:
        """List each limit with its latch."""
        return zip(self.rule.limits, self.latches, strict=True)

    def command(self, action: str, at: int, actor: str, until: int = 0) -> Episode | None:
        """Acknowledge, shelve or unshelve the open episode; return it if that changed anything."""
        episode = self.episode
        if episode is None:
            return None
        if action == "ack" and episode.acknowledged_at is None:
            state: State = "shelved" if episode.state == "shelved" else "acknowledged"
            return self._changed(replace(episode, acknowledged_at=at, actor=actor, state=state), at, "acknowledged")
        if action == "shelve" and until > at:
            self.shelved_until = until
            return self._changed(replace(episode, actor=actor, state="shelved"), at, "shelved")
        if action == "unshelve" and self.shelved_until:
            self.shelved_until = 0
            return self._changed(replace(episode, actor=actor, state=_back(episode)), at, "unshelved")
        return None

    def _raise(self, at: int, value: float, number: int) -> Episode:
        limit = self.rule.limits[number]
        self.peak, self.worst, self.shelved_until = value, number, 0
        of = f"{self.subject}/{self.kind}" if self.kind else self.subject
        name = f"{self.rule.name}:{of}:{at}"
        episode = Episode(
            episode=name, rule=self.rule.name, subject=self.subject, kind=self.kind, zone=self.zone, level=limit.level,
            state="raised", what="raised", change=0, value=value, limit=limit.value, unit=self.rule.unit,
            raised_at=at, changed_at=at,
        )  # fmt: skip
        return self._changed(episode, at, "raised")

    def _go_on(self, episode: Episode, at: int, value: float | None, number: int) -> Episode | None:
        limit = self.rule.limits[number]
        if value is not None:
            self.peak = max(self.peak, value)
        self.worst = max(self.worst, number)
        ends = 0 < self.shelved_until <= at
        self.shelved_until = 0 if ends else self.shelved_until
        worse = LEVELS.index(limit.level) - LEVELS.index(episode.level)
        due = episode.state == "raised" and at - self.notified_at >= self.rule.repeat
        if not (worse or ends or due):
            return None
        figure = episode.value if value is None else value
        now = replace(episode, level=limit.level, limit=limit.value, value=figure)
        if worse > 0:  # than what was acknowledged
            state: State = "shelved" if self.shelved_until else "raised"
            return self._changed(replace(now, acknowledged_at=None, actor="", state=state), at, "escalated")
        if ends:
            return self._changed(replace(now, state=_back(now)), at, "unshelved")
        return self._changed(now, at, "deescalated" if worse < 0 else "repeated")

    def withdraw(self, at: int) -> Episode | None:
        """Clear it because nobody judges it any more: the profile does not have its subject."""
        return None if self.episode is None else self._clear(self.episode, at)

    def _clear(self, episode: Episode, at: int) -> Episode:
        done: State = "cleared-unacknowledged" if episode.acknowledged_at is None else "cleared"
        worst = self.rule.limits[min(self.worst, len(self.rule.limits) - 1)]
        past = replace(episode, state=done, cleared_at=at, value=self.peak, limit=worst.value, level=worst.level)
        cleared = self._changed(past, at, "cleared")
        self.episode, self.shelved_until = None, 0
        return cleared

    def _changed(self, episode: Episode, at: int, what: What) -> Episode:
        self.episode = replace(episode, what=what, change=episode.change + 1, changed_at=at)
        self.notified_at = at
        return self.episode


def _back(episode: Episode) -> State:
    """Tell the state of an episode that is no longer shelved."""
    return "raised" if episode.acknowledged_at is None else "acknowledged"


COLUMNS: Final = tuple(each.name for each in fields(Episode))


def episode_rows(log: str, changes: Sequence[Episode]) -> Block:
    """Rows of changes of episodes."""
    columns: dict[str, list[Any]] = {name: [getattr(each, name) for each in changes] for name in COLUMNS}
    return Block("alarm_changes", {**columns, "log": [log] * len(changes)})
