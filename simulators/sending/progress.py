"""Tells a human on stderr how far a simulation is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from typing import TextIO


@dataclass(frozen=True)
class Progress:
    """How far it is: site time (ms, None when there is no clock), events, seconds since the first, share done."""

    site_ms: int | None
    events: int
    seconds: float
    share: float
    waiting: bool

    def text(self, zone: ZoneInfo) -> str:
        """Write it in a line."""
        rate = self.events / self.seconds if self.seconds > 0 else 0.0
        clock = f"{dt.datetime.fromtimestamp(self.site_ms / 1000, zone):%m-%d %H:%M:%S}, " if self.site_ms else ""
        return f"{clock}{self.events:,} events, {rate:,.0f}/s" + (", waiting for the workers" if self.waiting else "")


class Report(Protocol):
    """Something that shows progress."""

    def update(self, progress: Progress) -> None:
        """Show this, unless something was shown a moment ago."""

    def close(self) -> None:
        """Show no more."""


class Silence:
    """Shows nothing."""

    def update(self, progress: Progress) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class Lines:
    """Writes a line every few seconds."""

    def __init__(self, zone: ZoneInfo, stream: TextIO, *, every: float = 5.0) -> None:
        self._zone, self._stream, self._every = zone, stream, every
        self._next = 0.0
        self._last: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Write a line if the last one is old."""
        self._last = progress
        if progress.seconds >= self._next:
            self._write(progress)
            self._next = progress.seconds + self._every

    def close(self) -> None:
        """Write where it ended."""
        if self._last:
            self._write(self._last)
            self._last = None

    def _write(self, progress: Progress) -> None:
        print("simulate:", progress.text(self._zone), file=self._stream, flush=True)


class TerminalBar:
    """Draws a bar."""

    def __init__(self, zone: ZoneInfo, console: Console) -> None:
        self._zone = zone
        columns = (SpinnerColumn(), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
        self._bar = Bar(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=1.0)
        self._bar.start()

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=progress.share, description=progress.text(self._zone))

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def report_on_stderr(time_zone: str) -> Report:
    """Return what suits stderr: a bar on a terminal, lines elsewhere."""
    zone = ZoneInfo(time_zone)
    console = Console(stderr=True)
    return TerminalBar(zone, console) if console.is_terminal else Lines(zone, sys.stderr)
