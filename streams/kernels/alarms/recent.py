"""The last ten minutes at every entrance, second by second, added up over the logs; read `limits` next."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streams.kernels.alarms.inputs import LogFlow
from streams.kernels.batch import Ints
from streams.kernels.live import Measure

SPAN: Final = 600
"""Seconds that are kept behind the newest one that was entered."""
TOLD_AGAIN: Final = 120
"""Seconds for which a worker that was started again may tell what is known."""

Cell = tuple[str, int, str, int]
"""Log, second, entrance, measure."""


@dataclass
class Recent:
    """Counts of the seconds that have been entered, and of those to come.

    What is told of a second that has been entered already (a worker's clock is ahead of the broker's) counts in the
    next one: better a second late than never.
    """

    entrances: Sequence[str]
    entered: int = 0  # the newest second that counts
    known: dict[Cell, int] = field(default_factory=dict)
    coming: dict[int, dict[tuple[int, int], int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.numbers = {name: number for number, name in enumerate(self.entrances)}
        self.ring = np.zeros((len(Measure), len(self.entrances), SPAN), dtype=np.int64)

    def hear(self, flow: LogFlow) -> None:
        """Take in what a log says; what was known already adds nothing."""
        for second, entrance, measure, count in flow.cells:
            number = self.numbers.get(entrance)
            if number is None or second <= self.entered - TOLD_AGAIN:
                continue  # an entrance that the profile no longer has; or long ago
            cell = (flow.log, second, entrance, measure)
            more = count - self.known.get(cell, 0)
            if more > 0:
                self.known[cell] = count
                later = self.coming.setdefault(max(second, self.entered + 1), defaultdict(int))
                later[number, measure] += more

    def enter(self, second: int) -> None:
        """Go on to a second: it and all before it count."""
        for each in range(max(self.entered, second - SPAN) + 1, second + 1):
            self.ring[:, :, each % SPAN] = 0
            for (entrance, measure), count in self.coming.pop(each, {}).items():
                self.ring[measure, entrance, each % SPAN] = count
        self.entered = second
        for each in [each for each in self.coming if each <= second]:
            del self.coming[each]  # before the seconds that are kept
        if second % 60 == 0:
            self.known = {cell: count for cell, count in self.known.items() if cell[1] > second - TOLD_AGAIN}

    def last(self, measure: Measure, seconds: int, *, before: int = 0) -> Ints:
        """Sum so many seconds up to the newest one, or up to some seconds before it: one figure an entrance."""
        slots = np.arange(self.entered - before - seconds + 1, self.entered - before + 1) % SPAN
        answer: Ints = self.ring[measure.value][:, slots].sum(axis=1)
        return answer
