"""The settings of one wall server, with their units. Next: `live/feed.py` and `http/server.py`."""

from dataclasses import dataclass, field
from typing import Literal

from streams.kernels.counts.site_clock import SiteClock

Language = Literal["zh", "en"]
Acknowledge = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WallOptions:
    """Settings of one wall server; the defaults suit a real site.

    `language` is what a display starts with. Data that are older than `stale_after_ms` (real time) are marked.
    `period_s` and `trend_period_s` are the real seconds between two rounds of queries; slow rounds run less often by
    themselves. `max_displays` open streams at most; the next one is answered 503.
    A display that takes no bytes for `send_timeout_s` is disconnected, and comes back by itself.
    `acknowledge`: whether alarms can be acknowledged at the displays; "auto" at those of the wall's own machine alone.
    """

    language: Language = "zh"
    stale_after_ms: int = 5_000
    period_s: float = 0.5
    trend_period_s: float = 5.0
    max_displays: int = 300
    send_timeout_s: float = 20.0
    acknowledge: Acknowledge = "auto"
    clock: SiteClock = field(default_factory=SiteClock)
