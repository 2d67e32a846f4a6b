"""The life cycle of a piece of advice: given, accepted or declined, compared with its effect, over; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast.advice import READY_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.kernels.forecast.advice import Advice

NOT_NEEDED_FOR: Final = 10 * MINUTE_MS
"""Milliseconds without need after which an advice is over: at the edge of a limit it comes and goes."""
MEASURED_FOR: Final = 30 * MINUTE_MS
"""Milliseconds from a yes, during which the waits are held against what was promised."""


@dataclass(frozen=True)
class Given:
    """One piece of advice; times are ms of site time, waits minutes. `needed_at`: when it was last found to be needed.

    `decision`: "accepted", "declined", or "" while nobody has said anything. `wait_measured`: the longest wait that was
    reckoned once it could take effect, None before that.
    """

    id: str
    entrance: str
    since: int
    lanes_before: int
    lanes_after: int
    wait_before: float
    wait_after: float
    limit: float
    zh: str
    en: str
    needed_at: int
    decision: str = ""
    actor: str = ""
    decided_at: int | None = None
    wait_measured: float | None = None
    over_at: int | None = None


def follow(
    current: Iterable[Given], advised: Iterable[Advice], waits: Mapping[str, float | None], *, at: int, minute: str
) -> tuple[Given, ...]:
    """Return what stands at the moment `at`, given what is advised now and how long people wait at each entrance now.

    Nothing that is decided changes its words. An advice begins as `<entrance>-<minute>`; what is over is returned once.
    """
    advised_now = {each.entrance: each for each in advised}
    lived = [_lived(given, advised_now.get(given.entrance), waits.get(given.entrance), at) for given in current]
    busy = {given.entrance for given in lived if given.over_at is None}
    return (*lived, *(_given(each, at, f"{name}-{minute}") for name, each in advised_now.items() if name not in busy))


def _lived(given: Given, advised_now: Advice | None, wait: float | None, at: int) -> Given:
    """Return an advice a minute older."""
    if advised_now is not None:
        given = (
            replace(given, needed_at=at)
            if given.decision
            else replace(_given(advised_now, at, given.id), since=given.since)
        )
    given = _measured(given, wait, at)
    measured = given.decision != "accepted" or at - (given.decided_at or 0) >= MEASURED_FOR
    return replace(given, over_at=at) if at - given.needed_at >= NOT_NEEDED_FOR and measured else given


def _measured(given: Given, wait: float | None, at: int) -> Given:
    """Take in how long people wait, from when it can have had an effect and for as long as it is measured."""
    if given.decision != "accepted" or given.decided_at is None or wait is None:
        return given
    if not READY_AFTER * MINUTE_MS <= at - given.decided_at <= MEASURED_FOR:
        return given
    return replace(given, wait_measured=max(given.wait_measured or 0.0, wait))


def _given(advice: Advice, at: int, name: str) -> Given:
    return Given(
        id=name,
        entrance=advice.entrance,
        since=at,
        lanes_before=advice.lanes_before,
        lanes_after=advice.lanes_after,
        wait_before=advice.wait_before,
        wait_after=advice.wait_after,
        limit=advice.limit,
        zh=advice.text_zh(),
        en=advice.text(),
        needed_at=at,
    )
