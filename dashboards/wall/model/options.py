"""The settings of one wall server, with their units and limits. Next: `live/feed.py` and `http/server.py`."""

from dataclasses import dataclass, field
from typing import Literal

from dashboards.wall.model.figures import AgeLimits
from streams.kernels.counts.site_clock import SiteClock

Language = Literal["zh", "en"]
Acknowledge = Literal["auto", "on", "off"]


class OptionError(ValueError):
    """An option of the wall has a value that cannot work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WallOptions:
    """Settings of one wall server; the defaults suit a real site.

    `language` is what a display starts with.
    `period_s` and `trend_period_s` are the real seconds between two rounds of queries; slow rounds run less often by
    themselves. A round longer than `slow_round_s` is logged.
    `silent_after_min` is site time. `max_displays` open streams at most; the next one is answered 503.
    A display that takes no bytes for `send_timeout_s` is disconnected, and comes back by itself.
    `acknowledge`: whether alarms can be acknowledged at the displays; "auto" at those of the wall's own machine alone.
    """

    language: Language = "zh"
    stale_after_s: float = 5.0
    silent_after_min: float = 15.0
    quiet_hour: int = 4
    flow_minutes: int = 5
    period_s: float = 0.5
    trend_period_s: float = 5.0
    slow_round_s: float = 0.5
    max_displays: int = 300
    send_timeout_s: float = 20.0
    acknowledge: Acknowledge = "auto"
    clock: SiteClock = field(default_factory=SiteClock)

    def __post_init__(self) -> None:
        """Refuse values with which the wall would be blank or frozen."""
        if self.language not in ("zh", "en"):
            raise OptionError(f"language: {self.language!r} is unknown; expected 'zh' or 'en'")
        if self.acknowledge not in ("auto", "on", "off"):
            raise OptionError(f"acknowledge: {self.acknowledge!r} is unknown; expected 'auto', 'on' or 'off'")
        if not 0 <= self.quiet_hour <= 23:
            raise OptionError(f"quiet_hour: {self.quiet_hour!r} is not an hour of the day; expected 0 to 23")
        for name in ("stale_after_s", "silent_after_min", "flow_minutes", "period_s",
                     "trend_period_s", "slow_round_s", "send_timeout_s"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise OptionError(f"{name}: {getattr(self, name)!r} is not above 0; leave it out for the default")

    @property
    def limits(self) -> AgeLimits:
        """The ages from which data and lanes count as stale or silent."""
        return AgeLimits(round(self.stale_after_s * 1000), round(self.silent_after_min * 60_000), self.quiet_hour)
