"""Which notices go into the next message to a robot: one, or the worst of many with the rest folded in (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.relay.notice import Notice


@dataclass(frozen=True)
class Waiting:
    """A notice in the outbox, by its number there."""

    number: int
    notice: Notice


@dataclass(frozen=True)
class RobotMessage:
    """One message: told in full is `head`, in a line each is `folded`. The id stays the same however often it is sent.

    `doubtful`: the robot may have got it already, but no answer of it is known.
    """

    id: str
    head: Waiting
    folded: tuple[Waiting, ...] = ()
    doubtful: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """All that it tells."""
        return (self.head.number, *(each.number for each in self.folded))


def compose(waiting: Sequence[Waiting], *, letter: str, messages: int) -> RobotMessage | None:
    """Put the next letter together when so many `messages` may be sent now; None when there is nothing to tell.

    In order of arrival, one each. The last message that may be sent takes all that is left: in full the newest of the
    gravest, so that a red alarm in a storm of yellow ones is not a line among many.
    """
    if not waiting or messages < 1:
        return None
    if messages > 1 or len(waiting) == 1:
        return RobotMessage(letter, waiting[0])
    ranked = sorted(waiting, key=lambda each: (each.notice.severity, each.number), reverse=True)
    return RobotMessage(letter, ranked[0], tuple(ranked[1:]))
