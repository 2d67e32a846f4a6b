"""Computes the snapshot that the wall shows from the rows of one round; no I/O, no clock. Next: `live/feed.py`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from dashboards.wall.model.alarms import aged_strip, strip_of
from dashboards.wall.model.figures import (
    AreaNow,
    DataHealth,
    EntranceNow,
    ExpectedLevel,
    FlowNow,
    HealthNotice,
    TodayTotals,
    WallSnapshot,
    Worst,
)
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.ranking import ranked_entrances
from dashboards.wall.model.rows import (
    BEFORE_MINUTES,
    MINUTE,
    SILENT_AFTER_MS,
    AreaRow,
    ForecastRow,
    TodayRow,
    WallRows,
    complete_to,
    live_logs,
    span_of,
)
from dashboards.wall.model.scopes import Scope, crossings, scopes_of, site_kinds
from streams.kernels.counts.calendar import SiteDays
from streams.site.model import Site
from streams.sources.problem_words import names_of
from streams.text import Kind, Text

WORST = 5
"""How many devices with missing events are named."""
QUIET_HOUR = 4
"""The hour at which a display that runs all day loads the page anew."""
OLDEST_FORECAST_MS = 3 * MINUTE
"""Site time after which a forecast is too old to be shown."""


def snapshot_of(rows: WallRows, site: Site, options: WallOptions) -> WallSnapshot:
    """Return the snapshot of one round, as of its own moment; without rows every figure is unknown."""
    stored = complete_to(rows.logs)
    as_of = None if stored is None else options.clock.now(stored)
    opened = None if as_of is None else opened_at(site, as_of)
    quiet_from = None
    if as_of is not None and opened is not None and opened <= as_of - SILENT_AFTER_MS:
        quiet_from = as_of - SILENT_AFTER_MS  # no lane is silent until the site has been open that long
    entrances = ranked_entrances(rows, site, quiet_from=quiet_from)
    places = {area.id: place for place, area in enumerate(site.areas)}  # areas that the profile does not know come last
    ordered = sorted(rows.areas, key=lambda row: (row.kind, places.get(row.area, len(places)), row.area))
    areas = [_area(row) for row in ordered]
    kinds = site_kinds(site)
    ahead = _next_levels(rows.forecasts, site.levels.values(), as_of)
    return WallSnapshot(
        **_ages(stored, rows.real_ms, site, options),
        complete_to_ms=stored,
        as_of_ms=as_of,
        newest_ms=max((row.last_ts for row in rows.devices), default=None),
        day=rows.span.day.isoformat(),
        open=opened is not None,
        today={kind: _today(rows, kind, entrances) for kind in kinds},
        inside={kind: _with_levels(_whole(areas, kind, site), site, ahead) for kind in kinds},
        flows=[_flow(rows, scope, site, entrances) for scope in scopes_of(site, "flow")],
        areas=[_with_levels(area, site, ahead) for area in areas],
        entrances=entrances,
        health=_health(rows, entrances, options),
        strip=strip_of(rows, site, options),
    )


def blank_snapshot(real_ms: int, site: Site, options: WallOptions) -> WallSnapshot:
    """Return what is shown before the first rows: every figure is unknown."""
    rows = WallRows(real_ms, span_of([], options.clock, real_ms, site))
    return msgspec.structs.replace(snapshot_of(rows, site, options), store="starting")


def aged(snapshot: WallSnapshot, real_ms: int, site: Site, options: WallOptions) -> WallSnapshot:
    """Return the same figures at a later real time: the clock has moved on and the data has grown older."""
    ages = _ages(snapshot.complete_to_ms, real_ms, site, options)
    strip = aged_strip(snapshot.strip, real_ms, site, options)
    return msgspec.structs.replace(snapshot, **ages, strip=strip)


def _ages(stored: int | None, real_ms: int, site: Site, options: WallOptions) -> dict[str, Any]:
    age = None if stored is None else real_ms - stored
    site_ms = options.clock.now(real_ms)
    return {
        "real_ms": real_ms,
        "site_ms": site_ms,
        "quiet_ms": next_quiet(site_ms, site.time_zone, QUIET_HOUR),
        "age_ms": age,
        "stale": age is not None and abs(age) > options.stale_after_ms,
    }


def opened_at(site: Site, ms: int) -> int | None:
    """Return since when the site has been open at `ms`, None while it is closed."""
    hours = site.hours(site.days.day(ms))
    return hours[0] if hours is not None and hours[0] <= ms < hours[1] else None


def next_quiet(ms: int, zone: str, hour: int) -> int:
    """Return when the clock next shows `hour`:00, or skips it; always later than `ms`."""
    days = SiteDays(ZoneInfo(zone))
    today = days.day(ms)
    shown = (days.moment(today + timedelta(ahead), 60 * hour) for ahead in range(4))  # a date may be skipped, too
    return next(each for each in shown if each > ms)


def level(inside: int, capacity: int, levels: dict[str, int]) -> str:
    """Return the highest of a site's levels that `inside` has reached of `capacity`; exact at the limits."""
    return next((name for name in reversed(levels) if inside * 100 >= levels[name] * capacity), "calm")


def _today(rows: WallRows, kind: Kind, entrances: Sequence[EntranceNow]) -> TodayTotals:
    row = next((each for each in rows.today if each.kind == kind), TodayRow(kind, 0, 0, 0, 0))
    counts = (row.entries, row.exits, row.distinct, row.unidentified)
    has_events = any(each.kind == kind and each.today_in is not None for each in entrances)
    return TodayTotals(*counts, row.lost) if has_events or any(counts) else TodayTotals(lost=row.lost)


def _flow(rows: WallRows, scope: Scope, site: Site, entrances: Sequence[EntranceNow]) -> FlowNow:
    """Sum the passages into the scope and out of it; unknown until one of its entrances has sent an event."""
    into, out_of = crossings(scope, site)
    ways = {entrance for entrance, _ in into}
    if not any(row.id in ways and row.today_in is not None for row in entrances):
        return FlowNow(*scope)
    flows = {(row.entrance, row.direction): row for row in rows.flows}
    minute = [sum(flows[way].minute for way in ways if way in flows) for ways in (into, out_of)]
    before = [sum(flows[way].before for way in ways if way in flows) / BEFORE_MINUTES for ways in (into, out_of)]
    return FlowNow(*scope, *minute, *before)


def _area(row: AreaRow) -> AreaNow:
    kind: Kind = "person" if row.kind == "person" else "vehicle"
    return AreaNow(row.area, kind, None if row.as_of is None else row.inside, row.capacity, lost=row.lost)


def _with_levels(area: AreaNow, site: Site, ahead: Mapping[tuple[str, str], Sequence[ExpectedLevel]]) -> AreaNow:
    """Add the level that is reached, and the lowest that is not, if it is expected to be."""
    if area.inside is not None and area.capacity:
        share = area.inside * 100 / area.capacity
        reached = level(area.inside, area.capacity, site.levels)
        area = msgspec.structs.replace(area, share=share, level=reached)
    expected = ahead.get((area.id or site.id, area.kind), ())
    following = next((each for each in expected if area.share is None or each.level > area.share), None)
    return msgspec.structs.replace(area, ahead=following)


def _next_levels(
    rows: Sequence[ForecastRow], levels: Collection[int], as_of: int | None
) -> Mapping[tuple[str, str], Sequence[ExpectedLevel]]:
    """Return, by area (the site's id for the whole site) and kind, which of the `levels` are to come, the lowest first.

    `as_of` is the site time of the figures beside them. A level that is not expected within two hours ends the list:
    higher levels are not expected, either.
    """
    found: dict[tuple[str, str], list[ExpectedLevel]] = {}
    ended: set[tuple[str, str]] = set()
    for row in sorted((row for row in rows if row.level in levels), key=lambda row: row.level):
        area = (row.area, row.kind)
        if as_of is None or abs(as_of - row.at) > OLDEST_FORECAST_MS or area in ended or row.minutes == 0:
            continue
        if row.minutes is None:
            ended.add(area)
        else:
            found.setdefault(area, []).append(_as_of(row, row.minutes, as_of))
    return found


def _as_of(row: ForecastRow, minutes: int, as_of: int) -> ExpectedLevel:
    """Count from the figures' moment: what was 25 minutes ahead two minutes ago is 23 ahead now, and never below 1."""
    gone = max(0, as_of - row.at) // MINUTE
    earliest = None if row.earliest is None else max(0, row.earliest - gone)
    latest = None if row.latest is None else max(1, row.latest - gone)
    return ExpectedLevel(row.level, max(1, minutes - gone), earliest, latest)


def _whole(areas: Sequence[AreaNow], kind: Kind, site: Site) -> AreaNow:
    """Sum the areas of one kind that have events; without a capacity of its own, the site has the sum of its areas'."""
    rows = [area for area in areas if area.kind == kind]
    known = [area.inside for area in rows if area.inside is not None]
    capacities = [area.capacity for area in rows if area.capacity is not None]
    capacity = site.capacity.get(kind)
    if capacity is None and rows and len(capacities) == len(rows):
        capacity = sum(capacities)
    inside = sum(known) if known else None
    # Each area may lack the same records, unless it was counted by hand since.
    lost = max((area.lost for area in rows), default=0)
    return AreaNow("", kind, inside, capacity, unheard=len(rows) - len(known), lost=lost)


def _health(rows: WallRows, entrances: Sequence[EntranceNow], options: WallOptions) -> DataHealth:
    logs = live_logs(rows.logs)
    of_figures = [row for row in logs if not row.of_alarms]
    leaky = sorted((row for row in rows.devices if row.missing), key=lambda row: (-row.missing, row.device))
    return DataHealth(
        missing=sum(row.missing for row in leaky) if rows.devices else None,
        worst=[Worst(row.device, row.entrance, row.missing) for row in leaky[:WORST]],
        lanes=sum(row.lanes for row in entrances),
        heard=sum(row.heard for row in entrances),
        silent=sum(row.silent for row in entrances),
        rejected=sum(row.rejected for row in logs) if logs else None,
        logs=len(of_figures),
        logs_behind=sum(rows.real_ms - row.complete_to > options.stale_after_ms for row in of_figures),
        notices=list(_notices(rows)),
    )


def _notices(rows: WallRows) -> Iterator[HealthNotice]:
    """Yield the reasons why figures may be wrong, the worst first: the wall has room for one."""
    for topic, partition, problem in rows.problems:
        (zh, en), where = names_of(problem), topic if partition < 0 else f"{topic}/{partition}"
        yield HealthNotice("source", Text(f"{zh}（{where}）", f"{en} ({where})"), 1)
    if n := rows.lost:
        yield HealthNotice("lost", Text(f"不完整：丢失 {n:,} 条记录", f"incomplete: {n:,} records were lost"), n)
    if n := rows.unsettled:
        text = Text(f"{n:,} 条可能重复计入，正在更正", f"{n:,} passages may be counted twice, being corrected")
        yield HealthNotice("unsettled", text, n)
