"""A slow reference for `SilenceDetector`, in plain Python, part by part."""

import math
from collections.abc import Iterable

from streams.kernels.alarms.silence import EXPECTED, SilenceDetector

ALIVE, DEAD, BY_SISTERS = 3.0, 8.0, 0.8


class Slowly:
    """The rules of `silence`, one part at a time; lanes, and what is usual, are those of a Silence."""

    def __init__(self, silence: SilenceDetector) -> None:
        self.silence, self.parts = silence, silence.parts
        self.seen = [0] * len(self.parts)
        self.rest_then = [0] * len(self.parts)
        self.blamed = [False] * len(self.parts)
        self.revived = [0] * len(self.parts)

    def at(self, moment: int) -> list[float]:
        """Tell for how many seconds each part has been silent, 0 where that means nothing."""
        numbers = range(len(self.parts))
        newest = [max(int(self.silence.last[lane]) for lane in part.lanes) for part in self.parts]
        for number in numbers:
            rest = self._events(self.parts[number].parent) - self._events(number)
            if newest[number] > self.seen[number]:
                self.seen[number], self.rest_then[number] = newest[number], rest
        missed = [self._of_rest(number, newest, moment) for number in numbers]
        to_blame = [
            self._missed(number, moment, newest[number])
            and all(missed[child] >= DEAD for child in self._children(number))
            for number in numbers
        ]
        for number in numbers:
            if self.blamed[number] and not to_blame[number]:
                self.revived[number] = newest[number]
        self.blamed = to_blame
        return [self._silent(number, moment, newest[number], missed[number]) for number in numbers]

    def _silent(self, number: int, moment: int, newest: int, missed: float) -> float:
        since = max([newest, *(self.revived[above] for above in self._above(number))])
        rest_alive = self.parts[number].parent < 0 or missed < ALIVE
        means = self.blamed[number] and rest_alive and self._by_sisters(number) and newest > 0
        return (moment - since) / 1000 if means and self._missed(number, moment, since) else 0.0

    def _missed(self, number: int, moment: int, since: int) -> bool:
        return since > 0 and (moment - since) / 1000 * float(self.silence.rate[number]) >= EXPECTED

    def _by_sisters(self, number: int) -> bool:
        parent = self.parts[number].parent
        if parent < 0:
            return True
        since = self._events(parent) - self._events(number) - self.rest_then[number]
        expected = float(self.silence.rate[number]) * since
        return expected >= BY_SISTERS * EXPECTED * float(self.silence.rest_rate[number])

    def _of_rest(self, number: int, newest: list[int], moment: int) -> float:
        """Count the events that are missing from the rest of a part's parent."""
        parent = self.parts[number].parent
        if parent < 0:
            return math.nan
        since = max((newest[each] for each in self._children(parent) if each != number), default=0)
        return (moment - since) / 1000 * float(self.silence.rest_rate[number]) if since else 0.0

    def _events(self, number: int) -> int:
        return sum(int(self.silence.events[lane]) for lane in self.parts[number].lanes)

    def _children(self, number: int) -> list[int]:
        return [child for child, part in enumerate(self.parts) if part.parent == number]

    def _above(self, number: int) -> Iterable[int]:
        while (number := self.parts[number].parent) >= 0:
            yield number
