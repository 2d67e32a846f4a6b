"""Reports the progress of a simulation: its text, and where it is shown."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streams.progress_bar import ProgressBar

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


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


class BarReport:
    """Shows it on stderr."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone, self._bar = zone, ProgressBar("simulate")

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(progress.share, progress.text(self._zone))

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
