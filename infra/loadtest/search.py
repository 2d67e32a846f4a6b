"""Searches for the highest rate that holds: rises in steps, then narrows the interval; next: `bottleneck.py`.

Pure: what has been tried goes in, the next rate comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.loadtest.latency import Latency

HOLDS_BELOW_MS: Final = 1_000
"""A rate holds if 99 of 100 events are stored within this time."""
_UP: Final = 1.6
_FINE: Final = 1.1
"""It is enough to know the limit to a tenth."""
_AGAIN_BELOW: Final = 2 * HOLDS_BELOW_MS
"""A rate that failed by less is tried once more: one second in which the machine was held up is no limit."""
MOST_STEPS: Final = 16
LOWEST, HIGHEST = 10.0, 200_000.0
"""Events a second between which the limit is looked for."""


@dataclass(frozen=True)
class Tried:
    """One rate that was tried, and within how many ms 99 of 100 events were stored; None: not all of them were."""

    rate: float
    p99_ms: int | None

    @property
    def held(self) -> bool:
        """Whether all events were stored, 99 of 100 of them in time."""
        return self.p99_ms is not None and self.p99_ms < HOLDS_BELOW_MS


def tried(rate: float, stored: Latency | None) -> Tried:
    """Return whether a rate held, by its latency."""
    return Tried(rate, stored.p99 if stored is not None and not stored.unseen else None)


def next_rate(trials: Sequence[Tried], first: float) -> float | None:
    """Return the rate to try next, None when the limit is known well enough or there have been `MOST_STEPS`."""
    if not trials:
        return first
    if len(trials) >= MOST_STEPS:
        return None
    if _deserves_another(trials):
        return trials[-1].rate
    held, failed = highest_held(trials), lowest_failed(trials)
    if failed is None:
        assert held is not None  # noqa: S101  # one of both is known
        return min(held * _UP, HIGHEST) if held < HIGHEST else None
    if held is None:
        return failed / 2 if failed / 2 >= LOWEST else None
    return float((held * failed) ** 0.5) if failed / held > _FINE else None


def highest_held(trials: Sequence[Tried]) -> float | None:
    """Return the limit so far: the highest rate that held and is below every rate that did not."""
    failed = lowest_failed(trials)
    return max((each.rate for each in trials if each.held and (failed is None or each.rate < failed)), default=None)


def lowest_failed(trials: Sequence[Tried]) -> float | None:
    """Return the lowest rate that never held."""
    held = {each.rate for each in trials if each.held}
    return min((each.rate for each in trials if each.rate not in held), default=None)


def _deserves_another(trials: Sequence[Tried]) -> bool:
    last = trials[-1]
    nearly = not last.held and last.p99_ms is not None and last.p99_ms < _AGAIN_BELOW
    return nearly and sum(each.rate == last.rate for each in trials) == 1
