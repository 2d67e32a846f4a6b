"""Tells a human on stderr what a load test does: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

_LINE_EVERY: Final = 5.0


class Progress:
    """A bar for what is under way, and sentences that stay; for a `with` block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._next_line = 0.0
        if console.is_terminal:
            columns = (SpinnerColumn(), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def load(self, what: str, share: float, stored: int) -> None:
        """Show how far a load is: its share of the time, and all events that are stored."""
        text = f"{what}: {max(0.0, min(share, 1.0)):.0%}, {stored:,} events stored"
        if self._bar:
            self._bar.update(self._task, completed=share, description=text)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            self.say(f"loadtest: {text}")
