"""The message types of the topic `alarm.inputs`, from which alarms are computed; read `recent` next.

Every figure is absolute and names its log, as everywhere; times are site time in ms. The order of this one log decides,
so that replaying it gives the same episodes.
"""

from dataclasses import dataclass, field
from typing import Literal

from streams.kernels.counts.live import LiveCells, PublishedCell, PublishedLane

Action = Literal["ack", "shelve", "unshelve"]


@dataclass(frozen=True, slots=True)
class LogFlow:
    """What one log of passages has counted lately: complete for all live times before `complete_to`."""

    log: str
    kind: str
    version: int
    complete_to: int
    cells: LiveCells | list[PublishedCell]  # absolute; one by one if a version before columns has published them
    lanes: list[PublishedLane]
    missing: dict[str, int] = field(default_factory=dict)  # events known to be missing by entrance, where there are any

    @property
    def columns(self) -> LiveCells:
        """The cells in columns, in whichever form they were published."""
        return LiveCells.of(self.cells) if isinstance(self.cells, list) else self.cells


@dataclass(frozen=True, slots=True)
class Inside:
    """What the store says is inside an area at a moment."""

    area: str
    kind: str
    inside: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """What stands in the way of a partition, or of a whole topic, `since` when; see `kernels.counts.takeup.Problem`."""

    subject: str
    problem: str
    since: int


@dataclass(frozen=True, slots=True)
class OccupancyReading:
    """Figures and problems of sources, read from the store; `at` is when."""

    at: int
    inside: list[Inside]
    # By entrance, where there are any; None: a version that did not query it has written it.
    missing: dict[str, int] | None = None  # events known to be missing, over all logs
    conflicts: dict[str, int] | None = None  # numbers that came again with other content within an hour
    problems: list[SourceProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator did with an episode."""

    id: str
    action: Action
    episode: str
    actor: str
    at: int
    until: int = 0  # for shelving


@dataclass(frozen=True, slots=True)
class AlarmInput:
    """One line of the topic."""

    flows: list[LogFlow] = field(default_factory=list)
    readings: list[OccupancyReading] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    unprocessable: dict[str, int] = field(default_factory=dict)  # lines set aside so far, by log, where there are any
