"""How often a robot is sent a message: a few messages at once, then one every few seconds (pure; times in seconds).

A group robot takes 20 messages a minute, and one that is given more goes silent, for ten minutes at DingTalk's. Twenty
at once would make the twenty-first alarm wait for a minute: five at once, and fifteen more spread over the minute,
keep to the same limit, and the longest wait is four seconds.
"""

from dataclasses import dataclass, replace
from typing import Self

MINUTE = 60.0


@dataclass(frozen=True)
class Rate:
    """At most `per_minute` (2 or more) in any 60 s."""

    per_minute: int = 20

    @property
    def at_once(self) -> int:
        """Messages that may follow each other without a wait."""
        return max(1, self.per_minute // 4)

    @property
    def every(self) -> float:
        """Seconds after which one more may be sent."""
        return MINUTE / (self.per_minute - self.at_once)


@dataclass(frozen=True)
class Budget:
    """What may be sent as of the moment `at`."""

    rate: Rate
    left: float
    at: float

    @classmethod
    def full(cls, rate: Rate, now: float) -> Self:
        """Begin with nothing sent."""
        return cls(rate, float(rate.at_once), now)

    def as_of(self, now: float) -> "Budget":
        """Let time pass; a clock that was set back gives nothing."""
        earned = max(0.0, now - self.at) / self.rate.every
        return replace(self, left=min(float(self.rate.at_once), self.left + earned), at=now)

    def messages(self, now: float) -> int:
        """How many may be sent now."""
        return int(self.as_of(now).left + 1e-9)

    def wait(self, now: float) -> float:
        """Seconds until one may be sent."""
        lacking = 1.0 - self.as_of(now).left
        return max(0.0, lacking * self.rate.every) if lacking > 1e-9 else 0.0

    def spend(self, now: float) -> "Budget":
        """Note that one is sent now."""
        then = self.as_of(now)
        return replace(then, left=then.left - 1.0)
