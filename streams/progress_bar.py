"""Tells a human on stderr how far something is: a bar on a terminal, a line every few seconds elsewhere."""

import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from streams.console import ERR

_LINE_EVERY: Final = 5.0


class ProgressBar:
    """The progress of one thing with a `name`; to be closed."""

    def __init__(self, name: str, console: Console = ERR) -> None:
        self._name, self._console = name, console
        self._bar: Progress | None = None
        self._next_line = 0.0
        self._unwritten = ""

    def update(self, share: float, text: str) -> None:
        """Show how far it is: the share that is done, and the rest in words."""
        if self._console.is_terminal:
            if self._bar is None:
                columns = (SpinnerColumn(), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
                self._bar = Progress(*columns, console=self._console, transient=True)
                self._bar.add_task("", total=1.0)
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], completed=share, description=text)
            return
        self._unwritten = f"{self._name}: {text}"
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            self.report(self._unwritten)

    def report(self, text: str) -> None:
        """Write a line that stays; what was to be shown before it is over."""
        self._unwritten = ""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away, or write where it ended."""
        if self._bar is not None:
            self._bar.stop()
        if self._unwritten:
            self.report(self._unwritten)
