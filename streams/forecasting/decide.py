"""Accepts or declines a piece of advice: writes a row that the forecasting process reads a minute later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from streams.kernels.counts.columns import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.sink import Sink
    from streams.forecasting.advice_state import Given

Decision = Literal["accepted", "declined"]
_LONGEST: Final = 200


class DecisionError(ValueError):
    """An advice is not there, or not to be decided any more; the message says what can be."""


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
    """Write down who has decided what, at the moment `at` (ms of site time)."""
    for name, value in (("actor", actor), ("reason", reason)):
        if len(value) > _LONGEST or not value.isprintable():
            raise DecisionError(f"{name}: {value!r:.80}; expected up to {_LONGEST} printable characters")
    row = {"advice": given.id, "decision": decision, "actor": actor, "reason": reason, "decided_at": at}
    await sink.write([Block("advice_decisions", {name: [value] for name, value in row.items()})])
