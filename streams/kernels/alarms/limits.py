"""Decides when an alarm limit is exceeded: on-delay, off-delay, dead band (OPC UA Part 9); read `episodes` next."""

from dataclasses import dataclass
from typing import Final

LEVELS: Final = ("yellow", "orange", "red")


@dataclass(frozen=True, slots=True)
class AlarmLimit:
    """A limit and the level of the alarm when a value is above it (or at it, see LimitRule.at_limit)."""

    level: str
    value: float


@dataclass(frozen=True, slots=True)
class LimitRule:
    """When an alarm is raised and cleared. Times in ms of site time; `limits` rise.

    A level holds once its limit was exceeded for `on_delay` without a break, and ends once the value was below the
    limit less `dead_band` for `off_delay` without a break. An alarm that nobody acknowledges is repeated after
    `repeat`. at_limit: a value that equals the limit exceeds it.
    """

    name: str
    unit: str
    limits: tuple[AlarmLimit, ...]
    dead_band: float
    on_delay: int
    off_delay: int
    repeat: int
    at_limit: bool = False

    def exceeds(self, value: float, limit: AlarmLimit) -> bool:
        """Whether a value is beyond a limit."""
        return value > limit.value or (self.at_limit and value == limit.value)

    def below(self, value: float, limit: AlarmLimit) -> bool:
        """Whether a value is so far below a limit that its alarm may end."""
        edge = limit.value - self.dead_band
        return value < edge or (self.dead_band == 0 and not self.exceeds(value, limit))


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
