"""Searches for the highest rate that holds: rises in steps, then narrows the interval; next: `target.py`.

Pure: the trials that were made go in, the next rate comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from infra.loadtest.measure import HOLDS_BELOW_MS, Bottleneck, TrialFigures

if TYPE_CHECKING:
    from collections.abc import Sequence

_UP: Final = 1.6
_FINE: Final = 1.1
"""It is enough to know the limit to a tenth."""
_AGAIN_BELOW: Final = 2 * HOLDS_BELOW_MS
"""A rate that failed by less is tried once more: one second in which the machine was held up is no limit."""
MOST_STEPS: Final = 16
LOWEST, HIGHEST = 10.0, 200_000.0
"""Events a second between which the limit is looked for."""


@dataclass(frozen=True)
class HighestRate:
    """The highest rate that held, in events a second (None: none did), and what limited it.

    `failed_rate` is the lowest rate that did not hold, and `cause` why; both None: no higher one was tried.
    """

    rate: float | None
    failed_rate: float | None
    cause: Bottleneck | None


def next_rate(trials: Sequence[TrialFigures]) -> float | None:
    """Return the rate to try next, None when the limit is known well enough or there have been `MOST_STEPS`."""
    if len(trials) >= MOST_STEPS:
        return None
    if _deserves_another(trials):
        return trials[-1].target
    found = highest_rate(trials)
    held, failed = found.rate, found.failed_rate
    if failed is None:
        assert held is not None  # noqa: S101  # one of both is known
        return min(held * _UP, HIGHEST) if held < HIGHEST else None
    if held is None:
        return failed / 2 if failed / 2 >= LOWEST else None
    return float((held * failed) ** 0.5) if failed / held > _FINE else None


def highest_rate(trials: Sequence[TrialFigures]) -> HighestRate:
    """Return the highest rate that held and is below every rate that never did, and the lowest of those."""
    held = {each.target for each in trials if each.held}
    failed = min((each for each in reversed(trials) if each.target not in held), key=attrgetter("target"), default=None)
    if failed is None:
        return HighestRate(max(held, default=None), None, None)
    return HighestRate(max((rate for rate in held if rate < failed.target), default=None), failed.target, failed.cause)


def _deserves_another(trials: Sequence[TrialFigures]) -> bool:
    last = trials[-1]
    nearly = not last.held and last.p99_ms is not None and last.p99_ms < _AGAIN_BELOW
    return nearly and sum(each.target == last.target for each in trials) == 1
