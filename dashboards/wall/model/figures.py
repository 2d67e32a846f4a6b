"""The types of the wall's figures, which are sent to the page as JSON twice a second.

None means that nothing was ever received, and never zero. Read next: `snapshot.py`, which computes them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from streams.text import Kind, Text

Group = Literal["person", "vehicle", "inner"]
StoreStatus = Literal["ok", "lost", "starting"]
AlarmState = Literal["raised", "acknowledged", "cleared-unacknowledged"]
WatchStatus = Literal["ok", "behind", "unheard", "no-view"]


class TodayTotals(msgspec.Struct, frozen=True):
    """Passages over the site's boundary on its calendar day; `distinct` counts credentials, `unidentified` has none.

    `lost` records of the day will never be counted: they may be any of these, or none of them.
    """

    entries: int | None = None
    exits: int | None = None
    distinct: int | None = None
    unidentified: int | None = None
    lost: int = 0


class ExpectedLevel(msgspec.Struct, frozen=True):
    """When an area is expected to reach the next `level` (per cent of its capacity), in minutes from now.

    The forecast is right nine times in ten between `earliest` and `latest`; None: perhaps never.
    """

    level: int
    minutes: int
    earliest: int | None
    latest: int | None


class AreaNow(msgspec.Struct, frozen=True):
    """Who is inside an area now. `share` is per cent of `capacity`; `unheard` counts areas missing from a sum.

    `level` is the highest of the site's levels that is reached, "calm" below the first.
    `ahead` is None where no further level is expected within two hours, or the forecast is too old.
    `lost` records since it was last counted by hand: `inside` may be off by so many.
    """

    id: str
    kind: Kind
    inside: int | None = None
    capacity: int | None = None
    share: float | None = None
    level: str = "calm"
    unheard: int = 0
    ahead: ExpectedLevel | None = None
    lost: int = 0


class FlowNow(msgspec.Struct, frozen=True):
    """Passages a minute into and out of a `Scope`: in the newest full minute, and on average in the five before it."""

    kind: Kind
    area: str
    entered: int | None = None
    departed: int | None = None
    entered_before: float | None = None
    departed_before: float | None = None


class WaitNow(msgspec.Struct, frozen=True):
    """How long one waits at an entrance, in minutes; between `low` and `high` nine times in ten."""

    minutes: float
    low: float | None
    high: float | None


class EntranceNow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ranking: passages per minute in the newest full minute and lately, and the day's totals.

    `rank` counts within `group` by `flow_in` and `flow_out`: the site's own entrances by kind, and the `inner` ones
    between its areas. `average` is of both directions together, over the hour. `newest_ms` is the site time of the
    newest event of any of its lanes.
    Of `lanes`, `heard` sent events lately and `silent` have not for a while; the others never sent any. `open_lanes`
    and `wait` are those of the newest estimate of the queue; None: there is none.
    `missing` events are known to be missing from its devices.
    """

    id: str
    kind: Kind
    group: Group
    rank: int | None = None
    minute_in: int | None = None
    minute_out: int | None = None
    flow_in: float | None = None
    flow_out: float | None = None
    average: float | None = None
    today_in: int | None = None
    today_out: int | None = None
    newest_ms: int | None = None
    lanes: int
    heard: int = 0
    silent: int = 0
    open_lanes: int | None = None
    wait: WaitNow | None = None
    missing: int = 0


class Worst(msgspec.Struct, frozen=True):
    """A device with events known to be missing."""

    device: str
    entrance: str
    missing: int


class HealthNotice(msgspec.Struct, frozen=True):
    """A reason why figures may be wrong, worded for the page; `size` is the number of records or sources concerned."""

    kind: str
    said: Text
    size: int


class DataHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the figures are; of their `logs`, `logs_behind` are older than the limit for stale data."""

    missing: int | None
    worst: Sequence[Worst]
    lanes: int
    heard: int
    silent: int
    rejected: int | None
    logs: int
    logs_behind: int
    notices: Sequence[HealthNotice] = ()


class AlarmNow(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm on the strip, as of its newest change, worded for the page. Times are site time.

    `lasting` says since when and for how long; `told` who has acknowledged it, or that nobody has.
    """

    episode: str
    change: int
    level: str
    state: AlarmState
    what: Text
    where: Text
    zone: Text
    value: Text
    told: Text
    lasting: Text
    raised_ms: int
    cleared_ms: int | None


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """The alarms that are open or not acknowledged, the worst first; shelved ones are only counted.

    An empty strip proves that there is no alarm only while `watch` is "ok": alarms are judged and stored up to the real
    time `judged_to_ms`, `age_ms` ago. "behind": that is too long ago. "unheard": none were ever judged. "no-view": the
    schema is older.
    """

    watch: WatchStatus
    judged_to_ms: int | None = None
    age_ms: int | None = None
    alarms: Sequence[AlarmNow] = ()
    shelved: int = 0


class WallSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that changes from second to second.

    `age_ms` is real time since `complete_to_ms`; negative when the store's writers have a clock that is ahead.
    `lost_since_ms` is real time, too. Site time: `site_ms` is now, `as_of_ms` what the figures are complete to,
    `newest_ms` the newest event, `quiet_ms` the next quiet hour.
    """

    store: StoreStatus = "ok"
    lost_since_ms: int | None = None
    real_ms: int
    site_ms: int
    quiet_ms: int
    complete_to_ms: int | None
    age_ms: int | None
    stale: bool
    as_of_ms: int | None
    newest_ms: int | None
    day: str
    open: bool
    today: Mapping[Kind, TodayTotals]
    inside: Mapping[Kind, AreaNow]
    flows: Sequence[FlowNow]
    areas: Sequence[AreaNow]
    entrances: Sequence[EntranceNow]
    health: DataHealth
    strip: Strip
