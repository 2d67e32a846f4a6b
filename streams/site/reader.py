"""Reads a site profile from TOML into a `Site`, and lists every mistake with its line and key.

`validation` collects mistakes, `toml_lines` finds their lines, `alarm_limits` and `screens` read their parts.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.kernels.counts.calendar import DAY_MINUTES
from streams.kernels.counts.place import MOST_AREAS, MOST_LANES, MOST_SITE_CATEGORIES
from streams.site.alarm_limits import read_alarms
from streams.site.model import (
    OUTSIDE,
    WEEKDAYS,
    Area,
    Category,
    Entrance,
    EntrancePlan,
    Grid,
    Opening,
    PlanRectangle,
    Site,
    Unit,
    Zone,
)
from streams.site.screens import overview, read_screen
from streams.site.toml_lines import key_lines
from streams.site.validation import AT_MOST, IDENTIFIER, Findings, ProfileTable
from streams.text import KINDS, Kind

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_HOURS: Final = re.compile(r"closed|([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d")
_DAY_STARTS: Final = re.compile(r"(0\d|1[01]):(00|15|30|45)|12:00")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MOST_PEOPLE: Final = 1_000_000
_LONGEST_WAY: Final = 120
BUILTIN = Path(__file__).with_name("profiles")


class SiteError(ValueError):
    """A site profile cannot be used; every mistake in it is listed with its line and key."""

    def __init__(self, source: str, mistakes: Iterable[tuple[int, str]]) -> None:
        self.mistakes = sorted(mistakes, key=itemgetter(0))
        super().__init__("\n".join(f"{source}:{line}: {message}" for line, message in self.mistakes))


def load_site(name: str | Path) -> Site:
    """Read a profile: a path to a TOML file, or the name of one of `builtin_sites()`.

    Raises `SiteError` with every mistake in the file.
    """
    path = Path(name)
    if str(name) in builtin_sites():
        path = BUILTIN / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(builtin_sites())
        hint = f"cannot be read ({error}); give a UTF-8 file, or the name of a profile that comes along: {names}"
        raise SiteError(str(name), [(1, f"the profile: {hint}")]) from error
    return parse_site(text, source=path.name)


def builtin_sites() -> tuple[str, ...]:
    """Return the names of the profiles that come with gatepulse."""
    return tuple(sorted(path.stem for path in BUILTIN.glob("*.toml")))


def parse_site(text: str, *, source: str) -> Site:
    """Return the site that `text` describes; the `SiteError` that lists what is wrong names `source`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise SiteError(source, [(int(line[1]) if line else 1, f"the profile: is not TOML: {error}")]) from error
    findings = Findings(key_lines(text))
    site = _read_site(ProfileTable(content, (), findings))
    findings.unknown_keys()
    if findings.mistakes:
        raise SiteError(source, findings.mistakes)
    return site


def describe_site(site: Site) -> str:
    """Say in one line what a valid profile holds."""
    lanes = sum(len(entrance.lanes) for entrance in site.entrances)
    return (
        f"{site.id}: {len(site.areas)} areas, {len(site.entrances)} entrances with {lanes} lanes, "
        f"{len(site.categories)} categories, {len(site.vehicle_classes)} vehicle classes, "
        f"{len(site.zones)} zones"
    )


def _read_site(top: ProfileTable) -> Site:
    """Read every table, then what holds between them."""
    grids = [Grid(each.identifier("id"), each.title()) for each in top.tables("grid", least=0)]
    grid_ids = [grid.id for grid in grids]
    units = [
        Unit(each.identifier("id"), each.title(), each.reference("grid", "grid", grid_ids))
        for each in top.tables("unit", least=0)
    ]
    unit_ids = [unit.id for unit in units]
    zones = [
        Zone(each.identifier("id"), each.title(), each.title("team"), each.reference("unit", "unit", unit_ids))
        for each in top.tables("zone")
    ]
    zone_ids = [zone.id for zone in zones]
    quarter = "a quarter of an hour from '00:00' to '12:00'"
    day_starts = _minute_of(top.text("day_starts", quarter, _DAY_STARTS.fullmatch, default="00:00"))
    areas = [_read_area(each) for each in top.tables("area", most=MOST_AREAS)]
    kinds_of = {OUTSIDE: KINDS} | {area.id: area.kinds for area in areas}
    entrances = [_read_entrance(each, kinds_of, zone_ids, day_starts) for each in top.tables("entrance")]
    area_ids = [area.id for area in areas]
    screens = [read_screen(each, areas=area_ids, zones=zone_ids) for each in top.tables("screen", least=0)]
    title, kinds = top.title(), Counter(entrance.kind for entrance in entrances)
    site = Site(
        id=top.identifier("id"),
        title=title,
        time_zone=top.text("time_zone", "a known time zone like 'Asia/Shanghai'", _is_time_zone),
        opening=_read_opening(top.table("opening"), day_starts),
        capacity=top.amounts("capacity"),
        grids=tuple(grids),
        units=tuple(units),
        zones=tuple(zones),
        areas=tuple(areas),
        entrances=tuple(entrances),
        categories=_read_categories(top, "category", needed="person" in kinds),
        vehicle_classes=_read_categories(top, "vehicle_class", needed="vehicle" in kinds),
        alarms=read_alarms(top),
        screens=tuple(screens) or (overview(title, persons=kinds["person"], vehicles=kinds["vehicle"]),),
        day_starts=day_starts,
    )
    _check_ways(site, top.findings)
    _check_devices(site, top.findings)
    _check_reach(site, top.findings)
    return site


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _minute_of(time: str) -> int:
    """Return a time of day such as '08:30' in minutes after midnight."""
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _read_opening(table: ProfileTable, day_starts: int) -> Opening:
    """Read `daily`, or a value for each weekday, or `daily` with the exceptions."""
    usual = table.has("daily")
    daily = _read_hours(table, "daily", day_starts) if usual else None
    week = {day: _read_hours(table, day, day_starts) for day in WEEKDAYS if table.has(day) or not usual}
    return Opening(tuple(week.get(day, daily) for day in WEEKDAYS))


def _read_hours(table: ProfileTable, key: str, day_starts: int) -> tuple[int, int] | None:
    """Return (opens, closes) in minutes after midnight, or None when closed (or wrong).

    What is earlier than `day_starts` is after the next midnight; both must be within the day.
    """
    until = day_starts or DAY_MINUTES
    latest = f"{until // 60:02}:{until % 60:02}"
    expected = f"opening hours like '07:00-20:00' (until {latest} at most, when the day ends), or 'closed'"
    value = table.text(key, expected, _HOURS.fullmatch)
    if value in ("", "closed"):
        return None
    opens, closes = map(_minute_of, value.split("-"))
    opens += DAY_MINUTES * (opens < day_starts)
    closes += DAY_MINUTES * (bool(day_starts) and closes <= opens)
    if not day_starts <= opens < closes <= day_starts + DAY_MINUTES:
        later = "" if opens < closes <= DAY_MINUTES else "; a day that ends after midnight needs day_starts"
        table.wrong(key, f"expected {expected}, found '{value}'{later}")
        return None
    return opens, closes


def _read_area(table: ProfileTable) -> Area:
    capacity, comfort = table.amounts("capacity"), table.amounts("comfort")
    kinds = tuple(capacity)
    if table.has("kinds"):
        expected = "a list of 'person' and 'vehicle'"
        named = table.take("kinds", expected, list, fits=lambda named: named and all(each in KINDS for each in named))
        kinds = tuple(kind for kind in KINDS if kind in (named or ()))
    elif not capacity:
        table.wrong("capacity", "is missing; expected a table like { person = 10000 }, or kinds = ['person']")
    for kind in capacity.keys() | comfort.keys():
        if kind not in kinds:
            table.wrong("kinds", f"'{kind}' has a capacity here but is not among the kinds")
        if comfort.get(kind, 0) > capacity.get(kind, comfort.get(kind, 0)):
            table.wrong("comfort", f"{kind}: {comfort[kind]} is above the capacity of {capacity[kind]}")
    area = Area(table.identifier("id"), table.title(), capacity, kinds, comfort, _read_place(table))
    if area.id == OUTSIDE:
        table.wrong("id", f"'{OUTSIDE}' is always there; leave it out")
    return area


def _read_place(table: ProfileTable) -> PlanRectangle | None:
    """Read `place = [left, top, width, height]`; an area without one finds its own place on the plan."""
    expected = "[left, top, width, height], four numbers with a width and a height above 0"
    place = table.take("place", expected, list, fits=_is_place, default=None)
    return place and PlanRectangle(*map(float, place))


def _is_place(values: list[Any]) -> bool:
    if [type(each) in (int, float) for each in values] != [True] * 4:
        return False
    return all(map(isfinite, values)) and min(values[2:]) > 0


def _read_entrance(
    table: ProfileTable, kinds_of: Mapping[str, Sequence[Kind]], zones: Collection[str], day_starts: int
) -> Entrance:
    entrance_id = table.identifier("id")
    lanes = _read_lanes(table, entrance_id)
    kind = table.one_of("kind", KINDS)
    sides = {side: table.reference(side, "area", kinds_of) for side in ("outer", "inner")}
    for side, area in sides.items():
        if kind and kind not in kinds_of.get(area, KINDS):
            table.wrong(side, f"'{area}' holds no {kind}s; its kinds are {', '.join(kinds_of[area])}")
    if sides["inner"] == OUTSIDE:
        table.wrong("inner", f"'{OUTSIDE}' can only be the outer area")
    elif sides["outer"] and sides["outer"] == sides["inner"]:
        table.wrong("inner", f"joins '{sides['inner']}' to itself; expected another area than the outer one")
    return Entrance(
        id=entrance_id,
        title=table.title(),
        kind=kind,
        **sides,
        lanes=lanes,
        zone=table.reference("zone", "zone", zones),
        gateway=table.identifier("gateway", default=""),
        plan=_read_plan(table, len(lanes), day_starts),
    )


def _read_plan(table: ProfileTable, lanes: int, day_starts: int) -> EntrancePlan:
    some_lanes = f"0 to {lanes} lanes, as many as there are"
    expected_rate = "persons or vehicles a minute and lane, above 0"
    rate = table.take("lane_rate", expected_rate, int, float, fits=lambda n: 0 < n <= _MOST_PEOPLE, default=None)
    return EntrancePlan(
        open_lanes=table.take("open_lanes", some_lanes, int, fits=lambda n: 0 <= n <= lanes, default=None),
        expected=_read_expected(table, day_starts),
        lane_rate=rate and float(rate),
        ways=_read_numbers(table, "ways", "minutes on foot", most=_LONGEST_WAY),
        day_starts=day_starts,
    )


def _read_expected(table: ProfileTable, day_starts: int) -> tuple[tuple[int, float], ...]:
    """Read `{ "08:30" = 1200, "10:00" = 0 }`: how many an hour, from each moment on."""
    course = []
    for time, number in _read_numbers(table, "expected", "persons or vehicles an hour", most=_MOST_PEOPLE).items():
        if _TIME.fullmatch(time):
            minute = _minute_of(time)
            course.append((minute + DAY_MINUTES * (minute < day_starts), number))
        else:
            table.findings.add((*table.at("expected"), time), 'expected a time of day like "08:30"')
    if table.content.get("expected") == {}:
        table.wrong("expected", 'is empty; expected times and numbers an hour like { "08:30" = 1200, "10:00" = 0 }')
    return tuple(sorted(course))


def _read_numbers(table: ProfileTable, key: str, expected: str, *, most: int) -> dict[str, float]:
    """Read numbers by name, such as `{ N4 = 5 }`; {} without the key."""
    if not table.has(key):
        return {}
    numbers = table.table(key)
    expected = f"{expected}, from 0 to {most:,}"
    return {
        name: float(numbers.take(name, expected, int, float, fits=lambda n: 0 <= n <= most, default=0))
        for name in numbers.content
    }


def _read_lanes(table: ProfileTable, entrance_id: str) -> tuple[str, ...]:
    """Read lanes as a count, as `{ count = 4, device = "G60-{lane:02}" }`, or as a list of device ids."""
    expected = 'a number of lanes, { count = 4, device = "G60-{lane:02}" } or a list of device ids'
    value = table.take("lanes", expected, int, dict, list)
    pattern = f"{entrance_id}-L{{lane:02}}"
    if isinstance(value, dict):
        inner = table.table("lanes")
        value = inner.take("count", "a number of lanes", int)
        pattern = inner.text("device", 'a pattern like "G60-{lane:02}"') or pattern
    if isinstance(value, int):
        if not 1 <= value <= 999:
            table.wrong("lanes", f"expected 1 to 999 lanes, found {value}")
            return ()
        value = [_device(pattern, lane) for lane in range(1, value + 1)]
    lanes = tuple(map(str, value or ()))
    wrong = [lane for lane in lanes if not IDENTIFIER.fullmatch(lane)]
    if wrong or (value is not None and not lanes):
        table.wrong("lanes", f"'{wrong[0]}' is no device id" if wrong else f"expected {expected}, found none")
        return ()
    return lanes


def _device(pattern: str, lane: int) -> str:
    """Put the lane's number into a pattern such as 'N3-L{lane:02}'."""
    return re.sub(r"\{lane(?::0(\d))?\}", lambda place: str(lane).zfill(int(place[1] or 0)), pattern)


def _read_categories(top: ProfileTable, key: str, *, needed: bool) -> tuple[Category, ...]:
    """Read credential types or vehicle classes; they may be left out when no entrance is of that kind."""
    return tuple(
        Category(each.identifier("id"), each.title(), each.text("colour", "a colour like '#1f77b4'", _COLOUR.fullmatch))
        for each in top.tables(key, least=int(needed), most=MOST_SITE_CATEGORIES)
    )


def _check_ways(site: Site, findings: Findings) -> None:
    """Check that ways on foot lead to entrances through which the same people get to the same area."""
    entrances = {entrance.id: entrance for entrance in site.entrances}
    for index, entrance in enumerate(site.entrances):
        for name in entrance.plan.ways:
            path, other = ("entrance", index, "ways", name), entrances.get(name)
            findings.known("entrance", name, entrances, path)
            if other and (other.kind, other.inner) != (entrance.kind, entrance.inner):
                expected = f"expected an entrance for {entrance.kind}s into '{entrance.inner}'"
                findings.add(path, f"leads elsewhere; {expected}")


def _check_devices(site: Site, findings: Findings) -> None:
    """Check that no two entrances have the same device, and that there are not too many."""
    devices = [(lane, ("entrance", n, "lanes")) for n, each in enumerate(site.entrances) for lane in each.lanes]
    findings.unique("device", devices)
    if len(devices) > MOST_LANES:
        findings.add(devices[MOST_LANES][1], f"there are {len(devices)} lanes; {AT_MOST.format(most=MOST_LANES)}")


def _check_reach(site: Site, findings: Findings) -> None:
    """Everything that an area may hold must be able to get there from outside."""
    for kind in KINDS:
        reached = {OUTSIDE}
        joins = [{each.outer, each.inner} for each in site.entrances if each.kind == kind]
        while grown := {area for join in joins if join & reached for area in join} - reached:
            reached |= grown
        for index, area in enumerate(site.areas):
            if area.id and kind in area.kinds and area.id not in reached:
                reason = "no entrance leads there from outside"
                findings.add(("area", index), f"no {kind} can get into '{area.id}': {reason}")
