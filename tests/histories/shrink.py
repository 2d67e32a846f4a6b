"""Shrinks a failing history: leaves out operations, as many at a time as possible, while it still fails."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from tests.histories.history import History, play
from tests.histories.network import ViolationError
from tests.histories.operations import Operation, Send, Wait
from tests.histories.truth import Line

T = TypeVar("T")
_LONGEST: Final = 600
"""Plays at most."""


def failure(history: History) -> str:
    """Play a history; return what is wrong, or nothing."""
    try:
        play(history)
    except (Exception, ViolationError) as error:  # noqa: BLE001  # an error of the product is a failure, too
        return f"{type(error).__name__}: {error}"
    return ""


def shrink(history: History) -> History:
    """Return a small history that fails, too: fewer workers, operations and lines."""
    left = _LONGEST

    def fails(candidate: History) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and bool(failure(candidate))

    for simpler in ({"workers": history.workers[:1]}, {"alarms": False}):
        candidate = replace(history, **simpler)
        if candidate != history and fails(candidate):
            history = candidate

    def of(operations: Sequence[Operation]) -> History:
        return replace(history, operations=tuple(operations))

    return of(_fewer_lines(fewest(history.operations, lambda some: fails(of(some))), lambda some: fails(of(some))))


def fewest(everything: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """Leave out as much as possible: halves, quarters, and so on down to single ones, until none can be missed."""
    kept = list(everything)
    size = max(1, len(kept) // 2)
    while True:
        start, before = 0, len(kept)
        while start < len(kept):
            without = kept[:start] + kept[start + size :]
            if fails(without):
                kept = without
            else:
                start += size
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, size // 2)


def _fewer_lines(operations: list[Operation], fails: Callable[[Sequence[Operation]], bool]) -> list[Operation]:
    for place, each in enumerate(operations):
        if isinstance(each, Send) and len(each.lines) > 1:
            operations[place] = _shorter(each, operations[:place], operations[place + 1 :], fails)
    return operations


def _shorter(
    sent: Send, before: list[Operation], after: list[Operation], fails: Callable[[Sequence[Operation]], bool]
) -> Send:
    def fails_with(lines: Sequence[Line]) -> bool:
        return bool(lines) and fails([*before, replace(sent, lines=tuple(lines)), *after])

    return replace(sent, lines=tuple(fewest(sent.lines, fails_with)))


def as_code(history: History) -> str:
    """Write a history as a program that plays it."""
    kinds = sorted({type(each).__name__ for each in history.operations})
    lines = [
        f"from tests.histories.operations import {', '.join(kinds)}",
        "from tests.histories.history import History, play",
        "from tests.histories.truth import Correction, Line, Passage",
        "",
        "play(History(",
        *(
            f"    {field.name}={getattr(history, field.name)!r},"
            for field in dataclasses.fields(history)
            if field.name != "operations"
        ),
        "    operations=(",
        *(f"        {_short(each)}," for each in history.operations),
        "    ),",
        "))",
    ]
    return "\n".join(lines)


def _short(operation: Operation) -> str:
    if isinstance(operation, Wait):
        return f"Wait({operation.seconds})"
    return repr(operation)


def report(seed: str, why: str, history: History) -> None:
    """Say on stderr which seed failed, why, and how to see it again."""
    sys.stderr.write(
        f"\nseed {seed}: {why}\n\nrepeat: python -m tests.histories --seeds {seed}\n\n{as_code(history)}\n"
    )
