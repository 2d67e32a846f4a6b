"""Selects which notices the next message to a robot contains: one, or the worst with a count of the rest (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.messages.notice import Notice


@dataclass(frozen=True)
class Waiting:
    """A notice in the outbox, by its number there."""

    number: int
    notice: Notice


@dataclass(frozen=True)
class RobotMessage:
    """One message: `head` in full, `folded` in a line each. The id stays the same however often it is sent.

    `doubtful`: the robot may have got it already, but no answer of it is known.
    """

    id: str
    head: Waiting
    folded: tuple[Waiting, ...] = ()
    doubtful: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all its notices."""
        return (self.head.number, *(each.number for each in self.folded))


def compose(waiting: Sequence[Waiting], *, message: str, messages: int) -> RobotMessage | None:
    """Return the next message when so many `messages` may be sent now; None when there is nothing to send.

    In order of arrival, one each. The last message that may be sent takes all that is left: in full the newest of the
    gravest, so that a red alarm in a storm of yellow ones is not a line among many.
    """
    if not waiting or messages < 1:
        return None
    if messages > 1 or len(waiting) == 1:
        return RobotMessage(message, waiting[0])
    ranked = sorted(waiting, key=lambda each: (each.notice.severity, each.number), reverse=True)
    return RobotMessage(message, ranked[0], tuple(ranked[1:]))
