"""The life cycle of a piece of advice: given, accepted or declined, compared with its effect, over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sinks.sink import Sink
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.counts.columns import Block
from streams.kernels.forecast.advice import READY_AFTER, Advice

Decision = Literal["accepted", "declined"]
NOT_NEEDED_FOR: Final = 10 * MINUTE_MS
"""Milliseconds without need after which an advice is over: at the edge of a limit it comes and goes."""
MEASURED_FOR: Final = 30 * MINUTE_MS
"""Milliseconds from a yes, during which the waits are held against what was promised."""
_LONGEST: Final = 200
"""Characters of an actor or a reason."""


class DecisionError(ValueError):
    """An advice is not there, or not to be decided any more; the message says what can be."""


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
    if advised_now and given.decision:
        given = replace(given, needed_at=at)
    elif advised_now:
        given = replace(_given(advised_now, at, given.id), since=given.since)
    over = at - given.needed_at >= NOT_NEEDED_FOR
    if given.decision == "accepted":
        decided_for = at - (given.decided_at or 0)
        if wait is not None and READY_AFTER * MINUTE_MS <= decided_for <= MEASURED_FOR:
            given = replace(given, wait_measured=max(given.wait_measured or 0.0, wait))
        over = over and decided_for >= MEASURED_FOR
    return replace(given, over_at=at) if over else given


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


def find(given: Sequence[Given], name: str) -> Given:
    """Return the advice of this name, if it can be decided. Raises DecisionError."""
    found = next((each for each in given if each.id == name), None)
    if found is None or found.over_at is not None:
        open_ = ", ".join(each.id for each in given if each.over_at is None) or "none"
        what = "is over" if found else "is not known"
        raise DecisionError(f"ADVICE: {name!r} {what}; to be decided: {open_}")
    if found.decision:
        raise DecisionError(f"ADVICE: {name} was {found.decision} by {found.actor} already")
    return found


async def decide(sink: Sink, given: Given, decision: Decision, *, actor: str, reason: str, at: int) -> None:
    """Write down who has decided what, at `at` (ms of site time); the forecasting process reads it a minute later."""
    for name, value in (("actor", actor), ("reason", reason)):
        if len(value) > _LONGEST or not value.isprintable():
            raise DecisionError(f"{name}: {value!r:.80}; expected up to {_LONGEST} printable characters")
    row = {"advice": given.id, "decision": decision, "actor": actor, "reason": reason, "decided_at": at}
    await sink.write([Block("advice_decisions", {name: [value] for name, value in row.items()})])
