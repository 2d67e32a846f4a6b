"""Alarm limits of each rule, with delays and dead bands (OPC UA Part 9); a site profile may change them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.kernels.counts.calendar import MINUTE_MS, SECOND_MS
from streams.kernels.counts.site_clock import SiteClock

LEVELS: Final = ("yellow", "orange", "red")

CAPACITY: Final = "area-capacity"
"""The rule whose limits are the levels of a capacity, on the wall, in forecasts and in Grafana, too: `Site.levels`."""


@dataclass(frozen=True, slots=True)
class AlarmLimit:
    """A limit and the level of the alarm when a value is above it (or at it, see LimitRule.at_limit)."""

    level: str
    value: float


@dataclass(frozen=True, slots=True)
class LimitRule:
    """When an alarm is raised and cleared. Times in ms of site time.

    A level holds once its limit was exceeded for `on_delay` without a break, and ends once the value was below the
    limit less `dead_band` for `off_delay` without a break.
    """

    name: str
    unit: str
    limits: tuple[AlarmLimit, ...]  # rising
    dead_band: float
    on_delay: int
    off_delay: int
    repeat: int  # an alarm that nobody acknowledges is repeated after this time
    at_limit: bool = False  # a value that equals the limit exceeds it

    def exceeds(self, value: float, limit: AlarmLimit) -> bool:
        """Whether a value is beyond a limit."""
        return value > limit.value or (self.at_limit and value == limit.value)

    def below(self, value: float, limit: AlarmLimit) -> bool:
        """Whether a value is so far below a limit that its alarm may end."""
        edge = limit.value - self.dead_band
        return value < edge or (self.dead_band == 0 and not self.exceeds(value, limit))


def _rule(
    name: str, unit: str, limits: Mapping[str, float], *, dead_band: float, on: int, off: int, at_limit: bool = False
) -> LimitRule:
    return LimitRule(
        name=name, unit=unit, limits=tuple(AlarmLimit(level, value) for level, value in limits.items()),
        dead_band=dead_band, on_delay=on, off_delay=off, repeat=10 * MINUTE_MS, at_limit=at_limit,
    )  # fmt: skip


_DEFAULTS: Final = (
    # 11 a minute and lane: 660 persons/h, the planning rate of the UK Green Guide; cleared below 9 for 5 min.
    _rule("entrance-overload", "persons/min/lane", {"orange": 11}, dead_band=2, on=3 * MINUTE_MS, off=5 * MINUTE_MS),
    # 300 vehicles/h at a stop-and-ticket barrier (a vendor's figure, weak).
    _rule("vehicle-overload", "vehicles/min/lane", {"orange": 5}, dead_band=1, on=3 * MINUTE_MS, off=5 * MINUTE_MS),
    # LB/T 034-2014: at 80 % announce and report, at 100 % stop admission.
    _rule(
        CAPACITY,
        "%",
        {"yellow": 80, "orange": 90, "red": 100},
        dead_band=3,
        on=10 * SECOND_MS,
        off=2 * MINUTE_MS,
        at_limit=True,
    ),
    # Seconds without an event, where there should have been some; see `silence`.
    _rule("silence-lane", "s", {"yellow": 60}, dead_band=0, on=0, off=30 * SECOND_MS, at_limit=True),
    _rule("silence-entrance", "s", {"orange": 60}, dead_band=0, on=0, off=30 * SECOND_MS, at_limit=True),
    _rule("silence-gateway", "s", {"orange": 60}, dead_band=0, on=0, off=30 * SECOND_MS, at_limit=True),
    _rule("silence-everything", "s", {"red": 60}, dead_band=0, on=0, off=30 * SECOND_MS, at_limit=True),
    # Fewer than nobody inside: what came in or went out was not seen.
    _rule("drift", "persons", {"orange": 5, "red": 50}, dead_band=4, on=MINUTE_MS, off=5 * MINUTE_MS),
    # Passages that are known, from a device's numbering, not to have come: by so many occupancies may be wrong.
    _rule("drift-entrance", "events", {"yellow": 10, "orange": 100}, dead_band=5, on=5 * MINUTE_MS, off=MINUTE_MS),
    # Seconds for which a topic, or a partition of it, is not read: what comes there is in no figure.
    _rule("source-unread", "s", {"orange": 5, "red": 30}, dead_band=0, on=0, off=0),
    # Seconds for which arrival times are known to be wrong: events may be rejected as suspect, or believed wrongly.
    _rule("source-time", "s", {"orange": 5}, dead_band=0, on=0, off=0),
    # Numbers that came again with other content in the last hour: two devices of one name, or one that is wrong.
    _rule("conflicts", "events", {"yellow": 1, "orange": 20}, dead_band=0, on=0, off=MINUTE_MS, at_limit=True),
    # Lines on which the platform itself fails, and which are in no count, within the last hour; see `areas.SetAside`.
    _rule("unprocessable", "lines", {"orange": 1}, dead_band=0, on=0, off=0, at_limit=True),
    # Of all who tried in the last 5 min, if 20 at least were refused.
    _rule("refusals", "%", {"yellow": 10, "orange": 25}, dead_band=3, on=30 * SECOND_MS, off=5 * MINUTE_MS),
    # Persons with abnormal health or a fever in the last 5 min: the zone's team leads them away.
    _rule("health", "persons", {"orange": 5}, dead_band=3, on=0, off=5 * MINUTE_MS, at_limit=True),
)

RULES: Final[Mapping[str, LimitRule]] = {rule.name: rule for rule in _DEFAULTS}
"""Every rule by name, with its default figures."""

OVERLOAD: Final = {"person": "entrance-overload", "vehicle": "vehicle-overload"}
LEAST_REFUSED: Final = 20  # refusals in five minutes below which their share says nothing


@dataclass(frozen=True, slots=True)
class AlarmEntrance:
    """An entrance as alarms see it."""

    id: str
    kind: str
    zone: str
    inner: str
    lanes: Sequence[str]
    gateway: str = ""  # the network box that its lanes share, "" if not known


@dataclass(frozen=True, slots=True)
class AlarmSite:
    """The site as alarms see it; times in ms of site time."""

    site: str
    entrances: Sequence[AlarmEntrance]
    capacity: Mapping[str, int]  # of the whole site by kind, where that is set
    rules: Mapping[str, LimitRule]
    is_open: Callable[[int], bool]  # whether gates are expected to be in use at a time
    logs: int  # how many logs of passages there are
    grace: int  # see `live`
    clock: SiteClock = field(default_factory=SiteClock)

    def zone_of_area(self, area: str) -> str:
        """Tell the zone with the most lanes into an area; "" if none leads there."""
        lanes: dict[str, int] = {}
        for entrance in self.entrances:
            if entrance.inner == area:
                lanes[entrance.zone] = lanes.get(entrance.zone, 0) + len(entrance.lanes)
        return max(sorted(lanes), key=lambda zone: lanes[zone], default="")
