"""Raises an alarm while lines come in on which our own code fails; read `log` next."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

RULE: Final = "unprocessable"
LATELY_SECONDS: Final = 3600
"""Real seconds after the newest of such lines for which somebody should still look at it."""


@dataclass(slots=True)
class SetAside:
    """By log: how many lines have been set aside so far, how many of them before this alarm, and when the newest (ms).

    A moment of 0 stands for the one that is judged next.
    """

    logs: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def count(self, totals: Mapping[str, int]) -> None:
        """Take in what logs say; absolute, so what was known already changes nothing."""
        for log, total in totals.items():
            known, before, _ = self.logs.get(log, (0, 0, 0))
            if total > known:
                self.logs[log] = (total, before, 0)

    def at(self, moment: int, *, lately: int) -> Mapping[str, int]:
        """Tell how many lines of each topic and partition have been set aside lately, without a longer break."""
        found: Counter[str] = Counter()
        for log, (total, before, newest) in list(self.logs.items()):
            newest = newest or moment  # noqa: PLW2901
            over = moment - newest > lately
            self.logs[log] = (total, total if over else before, newest)
            if not over and total > before:
                found[log.partition("/")[2]] += total - before
        return found
